import assert from "node:assert/strict";
import { test } from "node:test";

// Compiled by `npm test`.
import { countWords } from "./target/words.js";

test("words are counted", () => {
  assert.equal(countWords("to be\n or  not"), 4);
  assert.equal(countWords("word"), 1);
});

test("blanks are no words", () => {
  assert.equal(countWords(" \t"), 0);
  assert.equal(countWords(""), 0);
});
