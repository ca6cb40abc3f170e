// The registered ops as the exports of a component. Only a component imports this, before the ops.

import * as imports from "dynhost:op/outputs@0.1.0";
import * as step from "dynhost:op/step@0.1.0";

import { EmitError, Failure } from "./failure.js";
import { replaceHost } from "./host.js";
import { registered } from "./op.js";
import { log, shown } from "./step.js";
import { decode, encode } from "./text.js";
import { Value } from "./value.js";

const REFUSALS = {
  "unknown-output": "the op's definition has no output of this name",
  "missing-key": "the output is dynamic and was given without a mapping key",
  "unexpected-key": "the output is not dynamic and was given with a mapping key",
  "invalid-key": "the mapping key is malformed: {}",
  "duplicate-key": "the mapping key `{}` was already given",
  "duplicate-output": "the output was already given",
  "too-large": "the value is larger than {} bytes",
  cancelled: "the run is being cancelled",
};

replaceHost({
  ...step,
  emit(output) {
    try {
      imports.emit(toOutput(output));
    } catch (thrown) {
      const { tag, val } = thrown?.payload ?? thrown;
      if (!(tag in REFUSALS)) throw thrown;
      throw new EmitError(REFUSALS[tag].replace("{}", val), { cancelled: tag === "cancelled" });
    }
  },
  log: (level, message, fields) => {
    step.log(level, text(message), fields.map(([name, value]) => [text(name), text(value)]));
  },
  progress: (done, total) => step.progress(done, total ?? null),
});

// What people are used to, and this engine has not.
const say = (level) => (...words) => log[level](words.map(shown).join(" "));
globalThis.console ??= {
  debug: say("debug"), log: say("info"), info: say("info"), warn: say("warn"), error: say("error"), trace: say("trace"),
};
globalThis.TextEncoder ??= class TextEncoder {
  static isNative = false;
  encode = (text = "") => encode(String(text));
};
globalThis.TextDecoder ??= class TextDecoder {
  static isNative = false;
  decode = (bytes = new Uint8Array()) => decode(bytes);
};

// Without WASI, asking for the time would end the step: it begins at a fixed point, as on the host's virtual clock, and
// goes on by a millisecond with every look at it.
if (!DYNHOST_WASI) {
  let now = Date.UTC(2000);
  globalThis.Date = class Date extends globalThis.Date {
    constructor(...parts) {
      super(...(parts.length > 0 ? parts : [now++]));
    }
    static now = () => now++;
  };
  globalThis.performance = { now: () => now++ - Date.UTC(2000) };
}

const exported = {
  describe: () => [...registered.values()].map((one) => toDefinition(one.definition())),

  run(name, inputs) {
    const found = registered.get(name);
    try {
      if (!found) {
        const names = [...registered.keys()].join(", ");
        throw Failure.permanent(`this component has no op \`${name}\`; its ops are ${names}`);
      }
      return found.step(inputs.map(([name, value]) => [name, toInput(value)])).map(toOutput);
    } catch (thrown) {
      if (thrown instanceof Failure) throw toFailure(thrown);
      throw thrown;
    }
  },
};

/** What the component exports, once the modules with its ops are imported. */
export function serve() {
  if (registered.size === 0) throw new Error("no op is declared: call `op`");
  return exported;
}

function toInput({ tag, val }) {
  if (tag === "single") return fromValue(val);
  if (tag === "many") return val.map(fromValue);
  if (tag === "absent") return undefined;
  return {
    len: () => Number(val.len()),
    next: (max) => val.next(max).map(({ mappingKey, value }) => ({ mappingKey, value: fromValue(value) })),
    failedKeys: () => val.failedKeys(),
  };
}

function fromValue({ mediaType, data }) {
  return new Value(data instanceof Uint8Array ? data : new Uint8Array(data), mediaType);
}

function toValue({ mediaType, data }) {
  return { mediaType: text(mediaType), data };
}

function toOutput({ name, mappingKey, value }) {
  return { name, mappingKey: mappingKey === undefined ? null : text(mappingKey), value: toValue(value) };
}

function toFailure({ message, retry, delayMs, detail }) {
  const words = { message: text(message), detail: detail ? toValue(detail) : null };
  if (retry === "after") return { tag: "retry-after", val: [words, delayMs] };
  return { tag: retry === "allowed" ? "transient" : "permanent", val: words };
}

function toDefinition({ configSchema, inputs, outputs, ...rest }) {
  const port = ({ schema, ...rest }) => ({ ...rest, schema: schema ?? null });
  return { ...rest, inputs: inputs.map(port), outputs: outputs.map(port), configSchema: configSchema ?? null };
}

// A lone surrogate has no UTF-8.
function text(text) {
  return text.toWellFormed();
}
