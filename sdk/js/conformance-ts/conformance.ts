// The ops of ../conformance/conformance.js in TypeScript: what they take and give is checked by the compiler.

import { type Level, Failure, context, dynamicOutput, log, op, progress, t } from "dynhost-sdk";

const anyValue = t.value().describe("Bytes of any media type.");
const text = t.string().describe("A text.");

export const echo = op(
  {
    name: "echo",
    description: "Gives the value back as it is, of any media type.",
    inputs: { value: anyValue },
    output: t.value().describe("The same bytes."),
  },
  ({ value }) => value,
);

export const split = op(
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

export const words = op(
  {
    name: "words",
    description: "Gives the words of a text, all at the end.",
    inputs: { text },
    outputs: { word: t.dynamic(t.string()).describe("One word.") },
  },
  ({ text }) => {
    const found = text.split(/[ \t\n\f\r]+/).filter(Boolean);
    return { word: found.map((word, n) => dynamicOutput(word, n)) };
  },
);

export const length = op(
  {
    name: "length",
    description: "Counts the Unicode code points of a text.",
    inputs: { text },
    output: t.integer().describe("How many there are."),
  },
  ({ text }) => [...text].length,
);

export const join = op(
  {
    name: "join",
    description: "Joins texts, pulling them one batch after the other.",
    inputs: { texts: t.collected(t.string()).describe("What is joined, in this order.") },
    output: t.string().describe("The whole text."),
    config: t.object({ separator: t.string().default(" ").describe("What stands between two texts.") }),
  },
  ({ texts }, { separator }) => [...texts].join(separator),
);

export const half = op(
  {
    name: "half",
    description: "Halves an even number, and gives nothing for an odd one.",
    inputs: { n: t.integer().describe("A whole number.") },
    outputs: { half: t.integer().optional().describe("Half of the number, where that is a whole number.") },
  },
  ({ n }) => (n % 2 === 0 ? { half: n / 2 } : {}),
);

export const fail = op(
  {
    name: "fail",
    description: "Fails as it is asked to, and gives the number of the attempt once it may succeed.",
    inputs: { value: anyValue },
    output: t.integer().describe("The number of the attempt that succeeds."),
    config: t.object({
      kind: t.oneOf("permanent", "transient", "retry_after").default("permanent").describe("How to fail."),
      until: t.integer().optional().describe("The last attempt that fails; all of them where it is not given."),
      delay_ms: t.integer().default(0).describe("How long to wait before the next attempt, for `retry_after`."),
    }),
  },
  (_, { kind, until, delay_ms }) => {
    const { attempt } = context();
    if (until !== undefined && attempt > until) return attempt;
    const message = `attempt ${attempt} was asked to fail`;
    switch (kind) {
      case "permanent":
        throw Failure.permanent(message);
      case "transient":
        throw Failure.transient(message);
      case "retry_after":
        throw Failure.retryAfter(message, delay_ms);
    }
  },
);

export const tell = op(
  {
    name: "tell",
    description: "Writes to the log at each level, says how far it is, and gives where it stands in the run.",
    inputs: { value: anyValue },
    output: t
      .object({ step: t.string(), keys: t.array(t.string()), attempt: t.integer() })
      .describe("The step, its mapping keys and its attempt."),
  },
  () => {
    const levels: Level[] = ["trace", "debug", "info", "warn", "error"];
    for (const level of levels) log[level](`${level} message`, { language: "typescript" });
    progress(1, 2);
    const { stepKey, mappingKeys, attempt } = context();
    return { step: stepKey, keys: mappingKeys, attempt };
  },
);
