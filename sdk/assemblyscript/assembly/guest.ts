// What the component exports. `build.js` gives `describe` and `run` their names in the interface.

import * as abi from "./abi";
import { Op, Port, ops } from "./op";
import { Collected, Failure, Input, Level, Output, Retry, Step } from "./step";
import { Value } from "./value";

const OP_SIZE: usize = 44;
const PORT_SIZE: usize = 32;
const INPUT_SIZE: usize = 28;
const OUTPUT_SIZE: usize = 36;

/** Where `describe` and `run` put what they return. */
const list: usize = memory.data(8, 4);
const result: usize = memory.data(56, 8);

export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  return abi.reallocate(old, oldSize, align, size);
}

/** What a failed assertion, a cast that does not fit and the like come to: words in the log, and a trap. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const place = (file === null ? "" : file) + ":" + line.toString() + ":" + column.toString();
  abi.log(Level.Error, message === null ? "the op ended itself" : message, ["place", place]);
  unreachable();
}

// What is returned is not given back: the instance ends with it.

export function describe(): usize {
  const at = heap.alloc(OP_SIZE * <usize>ops.length);
  for (let n = 0; n < ops.length; n++) putOp(at + OP_SIZE * <usize>n, ops[n]);
  store<usize>(list, at);
  store<usize>(list, <usize>ops.length, 4);
  return list;
}

function putOp(at: usize, op: Op): void {
  abi.putString(at, op.name);
  abi.putString(at + 8, op.description);
  putPorts(at + 16, op.inputs);
  putPorts(at + 24, op.outputs);
  abi.putOption(at + 32, op.configSchema);
}

function putPorts(at: usize, ports: Port[]): void {
  const all = heap.alloc(PORT_SIZE * <usize>ports.length);
  for (let n = 0; n < ports.length; n++) {
    const port = ports[n], one = all + PORT_SIZE * <usize>n;
    abi.putString(one, port.name);
    abi.putString(one + 8, port.description);
    store<u8>(one, port.required ? 1 : 0, 16);
    store<u8>(one, port.many ? 1 : 0, 17);
    abi.putOption(one + 20, port.schema);
  }
  store<usize>(at, all);
  store<usize>(at, <usize>ports.length, 4);
}

export function run(name: usize, nameLength: usize, inputs: usize, count: usize): usize {
  const wanted = String.UTF8.decodeUnsafe(name, nameLength);
  const given: Input[] = [];
  const step = new Step(given);
  for (let n: usize = 0; n < count; n++) given.push(takeInput(step, inputs + INPUT_SIZE * n));
  let found = false;
  for (let n = 0; n < ops.length && !found; n++) {
    if (ops[n].name !== wanted) continue;
    found = true;
    ops[n].run(step);
  }
  if (!found) step.fail("there is no op `" + wanted + "`");
  if (step.cancelled) step.fail("the run is being cancelled");
  const failure = step.failure;
  if (failure !== null) putFailure(failure);
  else putOutputs(step.outputs);
  return result;
}

function takeInput(step: Step, at: usize): Input {
  const input = new Input(abi.takeString(at));
  switch (load<u8>(at, 8)) {
    case 0: input.value = valueOf(abi.takeValue(at + 12)); break;
    case 1: input.several = valuesOf(load<usize>(at, 12), load<usize>(at, 16)); break;
    case 2: input.collected = new Collected(step, input.name, load<i32>(at, 12)); break;
  }
  return input;
}

function valueOf(raw: abi.RawValue): Value {
  return new Value(raw.data, raw.mediaType);
}

function valuesOf(at: usize, count: usize): Value[] {
  const values: Value[] = [];
  for (let n: usize = 0; n < count; n++) values.push(valueOf(abi.takeValue(at + abi.VALUE_SIZE * n)));
  return values;
}

function putOutputs(outputs: Output[]): void {
  const all = heap.alloc(OUTPUT_SIZE * <usize>outputs.length);
  for (let n = 0; n < outputs.length; n++) {
    const at = all + OUTPUT_SIZE * <usize>n;
    abi.putString(at, outputs[n].name);
    abi.putOption(at + 8, outputs[n].key);
    abi.putValue(at + 20, outputs[n].value);
  }
  store<u8>(result, 0);
  store<usize>(result, all, 8);
  store<usize>(result, <usize>outputs.length, 12);
}

function putFailure(failure: Failure): void {
  store<u8>(result, 1);
  store<u8>(result, <u8>failure.retry, 8);
  abi.putString(result + 16, failure.message);
  const detail = failure.detail;
  store<u32>(result, detail !== null ? 1 : 0, 24);
  if (detail !== null) abi.putValue(result + 28, detail);
  if (failure.retry === Retry.After) store<u64>(result, failure.delay, 48);
}
