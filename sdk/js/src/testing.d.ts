/** Running ops on this machine as a host would, without WebAssembly. */

import type { Failure, Level, Op, Value } from "./index.js";

/** Several values for one input, as a job gives them that collects into a list. */
export class Many {
  constructor(values: unknown[]);
  readonly values: unknown[];
}

/** What became of a step. */
export interface Outcome {
  /** Why it failed, or nothing. */
  readonly failure: Failure | undefined;
  /** What it gave, in order, also where it failed later. */
  readonly outputs: { name: string; mappingKey: string | undefined; value: Value }[];
  /** How many of the outputs were given while the op ran. */
  readonly emitted: number;
  /** Level, message and fields of what it wrote to its log. */
  readonly logs: [Level, string, Record<string, string>][];
  /** How far it last said to be, and of how much. */
  readonly progress: [number, number | undefined] | undefined;
  /** The bytes of an output that is not dynamic, or nothing where it was not given. */
  value(name?: string): Value | undefined;
  /** The JSON of an output that is not dynamic. */
  json(name?: string): any;
  /** The mapping keys and the JSON of a dynamic output, in the order of their emission. */
  dynamic(name?: string): [string, any][];
}

/**
 * Runs a step of an op under the rules that a host keeps. An input is anything with a JSON form, a `Value`, a `Many`, a
 * `Collected`, or missing where it is not wired.
 */
export function run(
  op: Op<any, any>,
  inputs?: Record<string, unknown>,
  step?: { config?: unknown; attempt?: number; mappingKeys?: string[] },
): Outcome;
