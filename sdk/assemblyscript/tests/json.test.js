// Runs tests/json.ts, compiled, in Node.js.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { compile } from "../build.js";

const here = dirname(fileURLToPath(import.meta.url));
const source = readFileSync(`${here}/json.ts`, "utf8");

/** The string at an address, as AssemblyScript's runtime keeps it. */
function text(memory, address) {
  const bytes = new DataView(memory.buffer).getUint32(address - 4, true);
  return Buffer.from(memory.buffer, address, bytes).toString("utf16le");
}

const binary = await compile(source, here, ["--runtime", "incremental", "--debug"]);
const module = await WebAssembly.compile(binary);
for (const { name, kind } of WebAssembly.Module.exports(module)) {
  if (kind !== "function") continue;
  test(name.replaceAll("_", " "), async () => {
    const instance = await WebAssembly.instantiate(module, {
      env: {
        abort(message, _, line) {
          throw new Error(`line ${line}: ${text(instance.exports.memory, message)}`);
        },
      },
    });
    instance.exports[name]();
  });
}
