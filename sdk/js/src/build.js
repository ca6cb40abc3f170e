#!/usr/bin/env node
// Makes a component out of a module with ops: `dynhost-sdk build ops.js`.

import { realpathSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SDK = dirname(fileURLToPath(import.meta.url));
const USAGE = `Usage: dynhost-sdk build MODULE [-o OUTPUT] [--wasi]

MODULE is a JavaScript or TypeScript module with ops; what it imports becomes part of the component.
  -o, --output FILE  default: the module's name with .wasm
  --wasi             keep the imports of WASI: clocks and randomness as the host gives them`;

/** Makes a component of the ops that a module declares. */
export async function build(module, output, { wasi = false } = {}) {
  const { build: bundle } = await import("esbuild");
  const { componentize } = await import("componentize-qjs");
  const [guest, ops] = [join(SDK, "guest.js"), resolve(module)].map((path) => JSON.stringify(path));
  const entry = `import { serve } from ${guest};\nimport ${ops};\nexport const op = serve();\n`;
  const bundled = await bundle({
    stdin: { contents: entry, resolveDir: dirname(resolve(module)), sourcefile: "entry.js" },
    bundle: true,
    format: "esm",
    target: "es2023",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["dynhost:*"],
    define: { DYNHOST_WASI: String(wasi) },
    // One copy of the SDK, wherever the module finds its own.
    alias: { "dynhost-sdk": join(SDK, "index.js") },
    write: false,
    logLevel: "silent",
  });
  const { component } = await componentize({
    witPath: join(SDK, "../wit"),
    world: "component",
    jsSource: bundled.outputFiles[0].text,
    stubWasi: !wasi,
    sync: true,
  });
  await mkdir(dirname(resolve(output)), { recursive: true });
  await writeFile(output, component);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o" },
      wasi: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const [command, module] = positionals;
  if (values.help || command !== "build" || !module) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const output = values.output ?? `${basename(module).replace(/\.[^.]*$/, "")}.wasm`;
  try {
    await build(module, output, values);
  } catch (error) {
    console.error(`error: ${error.message}`);
    return 1;
  }
  console.log(`${output}: ${((await stat(output)).size / 1e6).toFixed(1)} MB`);
  return 0;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main();
}
