import assert from "node:assert/strict";
import { test } from "node:test";

import { Collected } from "dynhost-sdk";
import { run } from "dynhost-sdk/testing";

import { measure, split, total } from "./ops.js";

test("a text is split into lines", () => {
  const outcome = run(split, { text: "to be\nor not" });
  assert.deepEqual(outcome.dynamic(), [["line_0", "to be"], ["line_1", "or not"]]);
});

test("an op is a function", () => {
  assert.equal(measure({ line: "to  be" }), 2);
  assert.equal(measure({ line: "" }), 0);
  assert.equal(total({ counts: Collected.of([2, 0, 3]) }), 5);
});
