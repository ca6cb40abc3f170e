// The ops of the README, and others that try in a component what it says about steps.

import { op, t } from "dynhost-sdk";

import "../target/readme/ops.js";

op({ name: "talk", inputs: { n: t.integer() }, output: t.number() }, ({ n }) => {
  console.log("printed", n, { a: [1] });
  console.error(new RangeError("shown"));
  return Date.now();
});

op({ name: "break_down", inputs: { n: t.integer() }, output: t.integer() }, ({ n }) => null[n]);

op({ name: "bytes", inputs: { text: t.string() }, output: t.array(t.integer()) }, ({ text }) => {
  return [...new TextEncoder().encode(text)];
});

op({ name: "wait", inputs: { n: t.integer() }, output: t.integer() }, async ({ n }) => n);
