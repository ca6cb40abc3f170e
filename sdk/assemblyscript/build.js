#!/usr/bin/env node
// Makes a module of ops out of AssemblyScript: `dynhost-sdk-assemblyscript build ops.ts`.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SDK = dirname(fileURLToPath(import.meta.url));
const PACKAGE = "dynhost-sdk-assemblyscript";
const GUEST = `${PACKAGE}/assembly/guest`;
/** Names that AssemblyScript cannot give to its exports. */
const NAMES = { describe: "dynhost:op/op@0.1.0#describe", run: "dynhost:op/op@0.1.0#run" };
const ENTRY = "dynhost-entry";
const USAGE = `Usage: ${PACKAGE} build MODULE [-o OUTPUT] [-- OPTION OF asc...]

MODULE is an AssemblyScript module whose top level declares ops.
  -o, --output FILE  default: the module's name with .wasm`;

/** Compiles AssemblyScript; gives the binary. Whatever imports the SDK gets the one that this file belongs to. */
export async function compile(entry, folder, options) {
  const { default: asc } = await import("assemblyscript/asc");
  let binary;
  // Without it, the variable CI of the environment alone would colour what is no terminal.
  const plain = "--noColors";
  const { error, stderr } = await asc.main([`${ENTRY}.ts`, "-o", "out.wasm", plain, ...options], {
    readFile(name) {
      if (name === `${ENTRY}.ts`) return entry;
      const [, ofSdk] = name.split(`node_modules/${PACKAGE}/`);
      const file = ofSdk ? join(SDK, ofSdk) : resolve(folder, name);
      return existsSync(file) ? readFileSync(file, "utf8") : null;
    },
    writeFile(_, contents) {
      binary = contents;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(stderr.toString().trim() || error.message);
  return binary;
}

/** Makes a module of the ops that an AssemblyScript module declares. */
export async function build(module, output, options = []) {
  const { default: binaryen } = await import("binaryen");
  const ops = JSON.stringify(`./${basename(module).replace(/\.ts$/, "")}`);
  const entry = `export { cabi_realloc, describe, run } from "${GUEST}";\nimport ${ops};\n`;
  const compiled = await compile(entry, dirname(resolve(module)), [
    ...["-O2", "--runtime", "incremental", "--use", `abort=~lib/${GUEST}/abort`],
    // Room for a heap from the start, so that a small op never grows its memory.
    ...["--initialMemory", "2"],
    ...options,
  ]);
  const wasm = binaryen.readBinary(compiled);
  for (const [name, external] of Object.entries(NAMES)) {
    const { value } = binaryen.getExportInfo(wasm.getExport(name));
    wasm.removeExport(name);
    wasm.addFunctionExport(value, external);
  }
  await mkdir(dirname(resolve(output)), { recursive: true });
  await writeFile(output, wasm.emitBinary());
  wasm.dispose();
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: "string", short: "o" }, help: { type: "boolean", short: "h" } },
  });
  const [command, module, ...options] = positionals;
  if (values.help || command !== "build" || !module) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const output = values.output ?? `${basename(module).replace(/\.[^.]*$/, "")}.wasm`;
  try {
    await build(module, output, options);
  } catch (error) {
    console.error(`error: ${error.message}`);
    return 1;
  }
  return 0;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main();
}
