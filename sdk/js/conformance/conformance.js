// The ops that every SDK implements, so that one suite can try them all.

import { emit as emitRaw } from "dynhost:op/outputs@0.1.0";

import { Failure, Value, context, dynamicOutput, log, op, output, progress, t } from "dynhost-sdk";

const anyValue = t.value().describe("Bytes of any media type.");
const text = t.string().describe("A text.");

op(
  {
    name: "echo",
    description: "Gives the value back as it is, of any media type.",
    inputs: { value: anyValue },
    output: t.value().describe("The same bytes."),
  },
  ({ value }) => value,
);

op(
  {
    name: "split",
    description: "Splits a text into lines and gives each as soon as it is found.",
    inputs: { text },
    outputs: { line: t.dynamic(t.string()).describe("One line.") },
  },
  function* ({ text }) {
    const lines = text.split("\n");
    // What follows the last line feed is a line if it is not empty.
    if (lines.at(-1) === "") lines.pop();
    for (const [n, line] of lines.entries()) yield dynamicOutput(line, `line_${n}`);
  },
);

op(
  {
    name: "words",
    description: "Gives the words of a text, all at the end.",
    inputs: { text },
    outputs: { word: t.dynamic(t.string()).describe("One word.") },
  },
  ({ text }) => ({
    word: text.split(/[ \t\n\f\r]+/).filter(Boolean).map((word, n) => dynamicOutput(word, n)),
  }),
);

op(
  {
    name: "length",
    description: "Counts the Unicode code points of a text.",
    inputs: { text },
    output: t.integer().describe("How many there are."),
  },
  ({ text }) => {
    let points = 0;
    for (const _ of text) points++;
    return points;
  },
);

op(
  {
    name: "join",
    description: "Joins texts, pulling them one batch after the other.",
    inputs: { texts: t.collected(t.string()).describe("What is joined, in this order.") },
    output: t.string().describe("The whole text."),
    config: t.object({ separator: t.string().default(" ").describe("What stands between two texts.") }),
  },
  ({ texts }, { separator }) => [...texts].join(separator),
);

op(
  {
    name: "half",
    description: "Halves an even number, and gives nothing for an odd one.",
    inputs: { n: t.integer().describe("A whole number.") },
    outputs: { half: t.integer().optional().describe("Half of the number, where that is a whole number.") },
  },
  ({ n }) => (n % 2 === 0 ? { half: n / 2 } : {}),
);

op(
  {
    name: "fail",
    description: "Fails as it is asked to, and gives the number of the attempt once it may succeed.",
    inputs: { value: anyValue },
    output: t.integer().describe("The number of the attempt that succeeds."),
    config: t.object({
      kind: t.oneOf("permanent", "transient", "retry_after").default("permanent").describe("How to fail."),
      until: t.integer().optional().describe("The last attempt that fails; all of them where it is not given."),
      delay_ms: t.integer().default(0).describe("How long to wait before the next attempt, for `retry_after`."),
      detail: t.any().optional().describe("What programs are told of the failure."),
    }),
  },
  (_, { kind, until, delay_ms, detail }) => {
    const { attempt } = context();
    if (until !== undefined && attempt > until) return attempt;
    const message = `attempt ${attempt} was asked to fail`;
    if (kind === "permanent") throw Failure.permanent(message, detail);
    if (kind === "transient") throw Failure.transient(message, detail);
    throw Failure.retryAfter(message, delay_ms, detail);
  },
);

op(
  {
    name: "tell",
    description: "Writes to the log at each level, says how far it is, and gives where it stands in the run.",
    inputs: { value: anyValue },
    output: t
      .object({ step: t.string(), keys: t.array(t.string()), attempt: t.integer() })
      .describe("The step, its mapping keys and its attempt."),
  },
  () => {
    for (const level of ["trace", "debug", "info", "warn", "error"]) {
      log[level](`${level} message`, { language: "javascript" });
    }
    progress(1, 2);
    const { stepKey, mappingKeys, attempt } = context();
    return { step: stepKey, keys: mappingKeys, attempt };
  },
);

op(
  {
    name: "take",
    description: "Gives what it takes.",
    inputs: {
      values: t.array(t.integer()).describe("Numbers."),
      word: t.string().optional().describe("A word that may be missing."),
    },
    output: t.object({ values: t.array(t.integer()), word: t.union(t.string(), t.null()) }).describe("What was taken."),
  },
  ({ values, word = null }) => ({ values, word }),
);

op(
  {
    name: "census",
    description: "Counts elements, and tells their mapping keys.",
    inputs: { values: t.collected(t.value()).describe("Anything.") },
    output: t
      .object({ length: t.integer(), keys: t.array(t.string()), failed: t.array(t.string()) })
      .describe("What there is."),
  },
  ({ values }) => {
    const [length, failed] = [values.length, values.failedKeys()];
    return { length, keys: [...values.withKeys()].map(([key]) => key), failed };
  },
);

const given = t.object({
  name: t.string().describe("The output."),
  key: t.string().optional().describe("The mapping key; none where nothing is said."),
  media_type: t.string().default("application/json"),
  bytes: t.array(t.integer()).default([48]),
});

op(
  {
    name: "emit",
    description: "Emits what it is told to.",
    outputs: {
      item: t.dynamic(t.value()).describe("An element."),
      result: t.value().describe("A value that must be given."),
      text: t.string().optional().describe("A text that may be given."),
    },
    config: t.object({ outputs: t.array(given) }),
  },
  function* (_, { outputs }) {
    for (const { name, key, media_type, bytes } of outputs) {
      const value = new Value(new Uint8Array(bytes), media_type);
      yield key === undefined ? output(value, name) : dynamicOutput(value, key, name);
    }
  },
);

op(
  {
    name: "pull",
    description: "Pulls batches of elements, and tells the mapping keys of each.",
    inputs: { values: t.collected(t.value()).describe("Anything.") },
    output: t.array(t.array(t.string())).describe("The mapping keys of each batch."),
    config: t.object({ max: t.array(t.integer()) }),
  },
  ({ values }, { max }) => max.map((most) => values.batch(most).map(([key]) => key)),
);

op(
  {
    name: "swallow",
    description: "Emits a mapping key twice, and ignores the answer.",
    outputs: { item: t.dynamic(t.value()).describe("An element.") },
  },
  () => {
    // A generator ends where its output was refused, so this goes below the SDK.
    const item = { name: "item", mappingKey: "key", value: { mediaType: "application/json", data: new Uint8Array([48]) } };
    for (let n = 0; n < 2; n++) {
      try {
        emitRaw(item);
      } catch {
        // The mistake that this op is about.
      }
    }
    return { item: [] };
  },
);

let steps = 0;

op(
  {
    name: "count",
    description: "Counts the steps that this instance has run.",
    inputs: { value: anyValue },
    output: t.integer().describe("How many, this one included."),
  },
  () => ++steps,
);

op(
  {
    name: "trap",
    description: "Traps.",
    inputs: { value: anyValue },
    output: t.value().describe("Never given."),
  },
  // The clock of the engine, below the one of the SDK: without WASI there is none.
  () => Object.getPrototypeOf(Date).now(),
);

op(
  {
    name: "spin",
    description: "Computes without end.",
    inputs: { value: anyValue },
    output: t.value().describe("Never given."),
  },
  () => {
    for (;;);
  },
);

op(
  {
    name: "grow",
    description: "Takes memory without end.",
    inputs: { value: anyValue },
    output: t.value().describe("Never given."),
  },
  () => {
    const taken = [];
    for (;;) taken.push(new Uint8Array(1 << 20));
  },
);
