// Functions as ops: what is declared about them, and how they are run.

import { Collected } from "./collected.js";
import { Failure, Unfit, fromThrown } from "./failure.js";
import { host } from "./host.js";
import { Value } from "./value.js";

const NAME = /^[a-z][a-z0-9_-]{0,63}$/;

/** Every op by its name, in the order of declaration: what the component offers. */
export const registered = new Map();

/** A value for one of several outputs, to be yielded. */
export function output(value, name) {
  return { [GIVEN]: true, value, name };
}

/** One element of a dynamic output, to be yielded or returned in a list. */
export function dynamicOutput(value, mappingKey, name) {
  return { [GIVEN]: true, value, mappingKey: mappingKey === undefined ? undefined : String(mappingKey), name };
}

const GIVEN = Symbol("given");

/** Makes an op of a function. The function can still be called. */
export function op(declared, run) {
  const { name, description = "", inputs = {}, config } = declared;
  checkName(name, "op");
  const words = `op \`${name}\``;
  if (registered.has(name)) throw new TypeError(`there are two ops \`${name}\``);
  if (declared.output && declared.outputs) throw new TypeError(`${words}: \`output\` or \`outputs\`, not both`);
  const outputs = declared.outputs ?? (declared.output ? { result: declared.output } : {});
  for (const port of Object.keys(inputs)) checkName(port, `input of ${words}`);
  for (const port of Object.keys(outputs)) checkName(port, `output of ${words}`);
  const self = Object.assign((given, configuration) => run(given, configuration), {
    opName: name,
    definition: () => ({
      name,
      description,
      inputs: Object.entries(inputs).map(([name, port]) => ({ ...common(name, port), collected: !!port.collected })),
      outputs: Object.entries(outputs).map(([name, port]) => ({ ...common(name, port), dynamic: !!port.dynamic })),
      configSchema: config ? JSON.stringify(config.schema) : undefined,
    }),
    step: (given) => step({ name, inputs, outputs, config, single: !!declared.output, run }, given),
  });
  registered.set(name, self);
  return self;
}

function common(name, port) {
  return {
    name,
    description: port.description,
    required: port.required,
    schema: port.schema === undefined ? undefined : JSON.stringify(port.schema),
  };
}

function checkName(name, what) {
  if (NAME.test(name)) return;
  throw new TypeError(
    `\`${name}\` cannot be the name of an ${what}: a lower-case letter, then lower-case letters, digits, \`_\` or ` +
      "`-`, 64 bytes at most",
  );
}

/** Runs an op as a host does. Outputs that were not emitted are returned. Throws a `Failure`. */
function step(op, given) {
  try {
    const result = op.run(taken(op, new Map(given)), configuration(op));
    if (typeof result?.then === "function") throw new TypeError(`op \`${op.name}\` is async, and a step is not`);
    if (typeof result?.next !== "function") return [...returned(op, result)];
    for (;;) {
      const { done, value } = result.next();
      if (done) return value === undefined ? [] : [...returned({ ...op, single: false }, value)];
      try {
        host().emit(one(op, value));
      } catch (refused) {
        result.return?.(); // Runs the generator's `finally`.
        throw refused;
      }
    }
  } catch (thrown) {
    throw fromThrown(thrown);
  }
}

function taken(op, given) {
  const values = {};
  for (const [name, port] of Object.entries(op.inputs)) {
    const value = during(`input \`${name}\``, () => take(port, given.get(name)));
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function take(port, given) {
  if (given === undefined) {
    if (port.required) throw new Unfit("it is required, and the job gives nothing for it");
    return port.fallback;
  }
  const pulled = !(given instanceof Value) && !Array.isArray(given);
  if (pulled !== !!port.collected) {
    const [says, does] = port.collected ? ["", " not"] : [" not", ""];
    throw new Unfit(`it is${says} declared as collected, and the host does${does} give it so`);
  }
  const read = (value) => (port.isValue ? value : port.read(value.json(), ""));
  if (pulled) return new Collected(given, read);
  if (Array.isArray(given)) {
    const { items } = port;
    if (items?.isValue) return given;
    return port.read(given.map((value, n) => during(`element ${n}`, () => value.json())), "");
  }
  if (port.items?.isValue) return [given];
  if (!port.required && given.isJson && given.data.length === 4 && given.json() === null) return port.fallback;
  return read(given);
}

function configuration(op) {
  if (!op.config) return undefined;
  const given = JSON.parse(host().config());
  return during("config", () => op.config.read(given ?? {}, ""));
}

function during(doing, run) {
  try {
    return run();
  } catch (error) {
    if (error instanceof Unfit) throw Failure.permanent(`${doing}: ${error.message}`);
    throw error;
  }
}

/** One output that was yielded. */
function one(op, item) {
  if (!item?.[GIVEN]) {
    throw new TypeError(`op \`${op.name}\` yields something that is no \`output(…)\` and no \`dynamicOutput(…)\``);
  }
  const dynamic = "mappingKey" in item;
  let { name } = item;
  if (name === undefined) {
    const all = Object.entries(op.outputs);
    const fitting = all.filter(([, port]) => !!port.dynamic === dynamic);
    const names = (fitting.length > 0 ? fitting : all).map(([name]) => name);
    if (names.length !== 1) {
      throw new TypeError(`op \`${op.name}\` must say which output it gives: ${names.join(", ")}`);
    }
    [name] = names;
  }
  // The host says what is wrong with an output that is not declared.
  const port = op.outputs[name];
  const { mappingKey } = item;
  return { name, mappingKey, value: port ? written(name, port, item.value) : Value.json(null) };
}

/** What a function returned, as outputs. */
function* returned(op, result) {
  const names = Object.keys(op.outputs);
  if (names.length === 0) {
    if (result !== undefined) throw new TypeError(`op \`${op.name}\` has no output, and returns something`);
    return;
  }
  if (!op.single && (typeof result !== "object" || result === null || Array.isArray(result))) {
    throw new TypeError(`op \`${op.name}\` must return an object with its outputs: ${names.join(", ")}`);
  }
  const byName = op.single ? { result } : result;
  for (const name of Object.keys(byName)) {
    if (!names.includes(name)) throw new TypeError(`op \`${op.name}\` has no output \`${name}\``);
  }
  for (const name of names) {
    const value = byName[name];
    const port = op.outputs[name];
    if (value === undefined || (value === null && !port.required)) continue;
    if (!port.dynamic) {
      yield { name, mappingKey: undefined, value: written(name, port, value) };
      continue;
    }
    if (typeof value[Symbol.iterator] !== "function") {
      throw new TypeError(`output \`${name}\` is dynamic: return a list of \`dynamicOutput(value, mappingKey)\``);
    }
    for (const item of value) {
      if (!item?.[GIVEN]) {
        throw new TypeError(`output \`${name}\` is dynamic, and an element is no \`dynamicOutput(value, mappingKey)\``);
      }
      yield { name, mappingKey: item.mappingKey, value: written(name, port, item.value) };
    }
  }
}

function written(name, port, value) {
  return during(`output \`${name}\``, () => {
    if (value instanceof Value) {
      if (port.isValue || value.isJson) return value;
      throw new Unfit(`it is \`${value.mediaType}\`, and its type says JSON`);
    }
    if (!port.isValue) return Value.json(port.read(value, ""));
    return value instanceof Uint8Array ? new Value(value) : Value.json(value);
  });
}
