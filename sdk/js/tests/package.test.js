// Mapping keys, UTF-8, the interface that the package carries, and what its README says.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { checkMappingKey, mappingKey } from "dynhost-sdk";
import { decode, encode } from "../src/text.js";

const here = new URL("..", import.meta.url);

test("different texts get different valid keys", () => {
  assert.equal(mappingKey("notes/été 1.txt"), "notes/été 1.txt");
  assert.equal(mappingKey("a[1]"), "a_1_~365a13837e7270c3");
  const long = "ü".repeat(200);
  const texts = ["", "a", "a_1_", "a[1]", "a]1[", "a\n1]", long, `${long}x`, `${long}y`, mappingKey("a[1]")];
  const keys = new Set(texts.map(mappingKey));
  assert.equal(keys.size, texts.length);
  for (const key of keys) assert.equal(checkMappingKey(key), undefined);
});

test("what is wrong with a key is said", () => {
  assert.equal(checkMappingKey(""), "it is empty");
  assert.equal(checkMappingKey("a]"), 'it contains "]"');
  assert.equal(checkMappingKey("k".repeat(256)), "it has 256 bytes, 255 are allowed");
});

test("UTF-8 is the same as that of the engine", () => {
  const texts = ["", "abc", "é\u07ff\u0800\uffff", "𝄞😀", "a\0b", "😀".repeat(5000), "lone \ud800 and \udc00x"];
  for (const text of texts) {
    assert.deepEqual(encode(text), new TextEncoder().encode(text));
    assert.equal(decode(encode(text)), text.toWellFormed());
  }
  for (const bytes of [[0x80], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff]]) {
    assert.throws(() => decode(Uint8Array.from(bytes)), TypeError);
  }
});

test("the package carries the interface", () => {
  const ours = readFileSync(new URL("wit/op.wit", here), "utf8");
  assert.equal(ours, readFileSync(new URL("../../wit/op.wit", here), "utf8"), "copy wit/op.wit to sdk/js/wit");
});

test("the examples of the README run", async () => {
  const text = readFileSync(new URL("README.md", here), "utf8");
  const [ops, ...tests] = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
  const folder = new URL("target/readme/", here);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("ops.js", folder), ops);
  for (const [n, code] of tests.entries()) {
    const file = new URL(`example_${n}.js`, folder);
    writeFileSync(file, code);
    await import(file);
  }
});
