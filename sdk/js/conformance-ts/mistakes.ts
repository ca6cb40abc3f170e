// What the compiler must refuse; each line below a `@ts-expect-error` is a mistake.

import { dynamicOutput, op, t } from "dynhost-sdk";

export const returnsText = op(
  { name: "returns_text", inputs: { n: t.integer() }, output: t.integer() },
  // @ts-expect-error: the output is a number
  ({ n }) => `${n}`,
);

export const takesOther = op({ name: "takes_other", inputs: { n: t.integer() }, output: t.integer() }, (inputs) => {
  // @ts-expect-error: there is no such input
  inputs.m;
  return inputs.n;
});

export const misses = op(
  { name: "misses", inputs: { n: t.integer().optional() }, outputs: { a: t.integer(), b: t.string() } },
  // @ts-expect-error: the input may be missing, and so is an output
  ({ n }) => ({ a: n }),
);

export const wrongElement = op(
  { name: "wrong_element", outputs: { line: t.dynamic(t.string()) } },
  // @ts-expect-error: the elements are texts
  () => ({ line: [dynamicOutput(1, "one")] }),
);

export const doubled = op({ name: "doubled", inputs: { n: t.integer() }, output: t.integer() }, ({ n }) => n * 2);
doubled({ n: 1 });

export const scaled = op(
  { name: "scaled", inputs: { n: t.integer() }, output: t.integer(), config: t.object({ by: t.integer() }) },
  ({ n }, { by }) => n * by,
);
// @ts-expect-error: it takes a config
scaled({ n: 1 });
