// The ops of the job `{{name}}`.

import { dynamicOutput, op, t } from "dynhost-sdk";

export const split = op(
  {
    name: "split",
    description: "Splits a text into lines, one dynamic output for each.",
    inputs: { text: t.string() },
    output: t.dynamic(t.string()),
  },
  function* ({ text }) {
    for (const [n, line] of text.split("\n").entries()) {
      // Clones start now; the op waits here while they are busy.
      yield dynamicOutput(line, `line_${n}`);
    }
  },
);

export const measure = op(
  {
    name: "measure",
    description: "Counts the words of one line.",
    inputs: { line: t.string() },
    output: t.integer(),
  },
  ({ line }) => line.split(/\s+/).filter(Boolean).length,
);

export const total = op(
  {
    name: "total",
    description: "Adds up what was measured, pulling one batch after the other.",
    inputs: { counts: t.collected(t.integer()) },
    output: t.integer(),
  },
  ({ counts }) => {
    let sum = 0;
    for (const count of counts) sum += count;
    return sum;
  },
);
