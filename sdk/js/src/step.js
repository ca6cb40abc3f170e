// Where a call stands in the run, and talking to people.

import { host } from "./host.js";

/** Where this call stands. */
export function context() {
  const at = host();
  return { runId: at.runId(), stepKey: at.stepKey(), mappingKeys: at.mappingKeys(), attempt: at.attempt() };
}

/** Says how far the step is. The unit is the op's own. */
export function progress(done, total) {
  host().progress(done, total);
}

/** Writes to the step's log: `log.info("reading", { file })`. */
export const log = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error"].map((level) => [
    level,
    (message, fields = {}) => {
      const pairs = Object.entries(fields).map(([name, value]) => [name, shown(value)]);
      host().log(level, shown(message), pairs);
    },
  ]),
);

/** A value as people read it. */
export function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}
