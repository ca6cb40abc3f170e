// Running ops on this machine as a host would, without WebAssembly.

import { Collected, ready } from "./collected.js";
import { EmitError, Failure } from "./failure.js";
import { replaceHost } from "./host.js";
import { checkMappingKey } from "./key.js";
import { Value } from "./value.js";

/** Several values for one input, as a job gives them that collects into a list. */
export class Many {
  constructor(values) {
    this.values = values;
  }
}

/** What became of a step. */
class Outcome {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The bytes of an output that is not dynamic, or nothing where it was not given. */
  value(name = "result") {
    return this.#given(name)[0]?.value;
  }

  /** The JSON of an output that is not dynamic. */
  json(name = "result") {
    const value = this.value(name);
    if (!value) throw new Error(`output \`${name}\` was not given`);
    return value.json();
  }

  /** The mapping keys and the JSON of a dynamic output, in the order of their emission. */
  dynamic(name = "result") {
    return this.#given(name).map(({ mappingKey, value }) => [mappingKey, value.json()]);
  }

  #given(name) {
    if (this.failure) throw new Error(`the step failed: ${this.failure.message}`, { cause: this.failure });
    return this.outputs.filter((output) => output.name === name);
  }
}

/** Runs a step of an op under the rules that a host keeps. */
export function run(op, inputs = {}, { config = null, attempt = 1, mappingKeys = [] } = {}) {
  const definition = op.definition();
  for (const name of Object.keys(inputs)) {
    if (!definition.inputs.some((port) => port.name === name)) {
      throw new TypeError(`op \`${op.opName}\` has no input \`${name}\``);
    }
  }
  const step = { outputs: [], logs: [], progress: undefined, violation: undefined };
  const emit = (output) => accept(step, definition, output);
  const before = replaceHost({
    emit,
    runId: () => "test",
    stepKey: () => op.opName + mappingKeys.map((key) => `[${key}]`).join(""),
    mappingKeys: () => mappingKeys,
    attempt: () => attempt,
    config: () => JSON.stringify(config),
    log: (level, message, fields) => step.logs.push([level, message, Object.fromEntries(fields)]),
    progress: (done, total) => (step.progress = [done, total]),
  });
  let failure;
  let emitted = 0;
  try {
    const returned = op.step(definition.inputs.map(({ name }) => [name, toInput(inputs[name])]));
    emitted = step.outputs.length;
    returned.forEach(emit);
    checkRequired(definition, step.outputs);
  } catch (thrown) {
    if (thrown instanceof EmitError) failure = Failure.permanent(thrown.message);
    else if (thrown instanceof Failure) failure = thrown;
    else throw thrown;
  } finally {
    replaceHost(before);
  }
  const { outputs, logs, progress, violation } = step;
  // A violation fails the step, whatever the op made of it.
  return new Outcome({ failure: violation ?? failure, outputs, emitted, logs, progress });
}

function accept(step, definition, output) {
  const wrong = mistake(step, definition, output);
  if (wrong) {
    step.violation ??= Failure.permanent(`output \`${output.name}\`: ${wrong}`);
    throw new EmitError(wrong);
  }
  step.outputs.push(output);
}

function mistake({ outputs }, definition, { name, mappingKey }) {
  const port = definition.outputs.find((port) => port.name === name);
  const again = outputs.some((given) => given.name === name && given.mappingKey === mappingKey);
  if (!port) return "the op's definition has no output of this name";
  if (!port.dynamic) {
    if (mappingKey !== undefined) return "the output is not dynamic and was given with a mapping key";
    return again ? "the output was already given" : undefined;
  }
  if (mappingKey === undefined) return "the output is dynamic and was given without a mapping key";
  const malformed = checkMappingKey(mappingKey);
  if (malformed) return `the mapping key is malformed: ${malformed}`;
  return again ? `the mapping key \`${mappingKey}\` was already given` : undefined;
}

function checkRequired(definition, outputs) {
  for (const { name, required, dynamic } of definition.outputs) {
    if (required && !dynamic && !outputs.some((output) => output.name === name)) {
      throw Failure.permanent(`output \`${name}\` is required and was not given`);
    }
  }
}

function toInput(given) {
  if (given === undefined) return undefined;
  if (given instanceof Many) return given.values.map(toValue);
  if (!(given instanceof Collected)) return toValue(given);
  const elements = [...given.withKeys()].map(([mappingKey, value]) => ({ mappingKey, value: toValue(value) }));
  return ready(elements, given.failedKeys());
}

function toValue(given) {
  return given instanceof Value ? given : Value.json(given);
}
