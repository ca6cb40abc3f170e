// The command `build`, on ops of a folder that is not the SDK's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../build.js", import.meta.url));
const OPS = `import { Step, op } from "dynhost-sdk-assemblyscript/assembly";
op("nothing", "Does nothing.", (step: Step) => {});
`;

function build(ops, ...options) {
  const folder = mkdtempSync(join(tmpdir(), "ops-"));
  try {
    writeFileSync(join(folder, "ops.ts"), ops);
    const ran = spawnSync(process.execPath, [BUILD, "build", "ops.ts", ...options], { cwd: folder, encoding: "utf8" });
    const module = ran.status === 0 ? new WebAssembly.Module(readFileSync(join(folder, "ops.wasm"))) : undefined;
    return { ...ran, module };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a module of ops imports and exports the interface alone", () => {
  const { module, stderr } = build(OPS);
  assert.equal(stderr, "");
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  const wanted = ["cabi_realloc", "dynhost:op/op@0.1.0#describe", "dynhost:op/op@0.1.0#run", "memory"];
  assert.deepEqual(names.sort(), wanted);
  const imports = WebAssembly.Module.imports(module).map(({ module }) => module);
  assert.deepEqual(imports.filter((name) => !name.startsWith("dynhost:op/")), []);
});

test("what the compiler says is shown", () => {
  const { status, stderr } = build(OPS.replace("{}", "{ step.give(1); }"));
  assert.equal(status, 1);
  assert.match(stderr, /^error: ERROR TS/);
  assert.match(stderr, /ops\.ts\(2,/);
});

test("options of the compiler are passed on", () => {
  assert.equal(build(OPS, "--", "--runtime", "stub").status, 0);
  const { status, stderr } = build(OPS, "--", "--runtime", "none at all");
  assert.equal(status, 1);
  assert.match(stderr, /^error: /);
});

test("without a module there is a usage", () => {
  const { status, stderr } = spawnSync(process.execPath, [BUILD], { encoding: "utf8" });
  assert.equal(status, 2);
  assert.match(stderr, /^Usage: /);
});
