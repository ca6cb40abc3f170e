import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "dynhost-sdk/testing";

import { {{op}} } from "./ops.js";

test("an op is a function", () => {
  assert.equal({{op}}({ text: "to be\n or  not" }), 4);
  assert.equal({{op}}({ text: " " }), 0);
});

test("a step gives the number as JSON", () => {
  assert.equal(run({{op}}, { text: "to be" }).json(), 2);
});
