// The step that runs: what it is given, what it gives, and what it says meanwhile.

import * as abi from "./abi";
import { Json, Kind } from "./json";
import { Value } from "./value";

/** How urgent a log message is. */
export enum Level { Trace, Debug, Info, Warn, Error }

/** For `progress`: how much there is in all is not known. */
export const UNKNOWN: u64 = u64.MAX_VALUE;

/** The elements that are taken at once. */
const BATCH: u32 = 256;

export const enum Retry { Never, Allowed, After }

/** Why the step fails. */
export class Failure {
  constructor(public message: string, public detail: Value | null, public retry: Retry, public delay: u64) {}
}

/** One input of a step. Nothing is set where the job does not wire it. */
export class Input {
  value: Value | null = null;
  /** Set where several values are wired to an input that is not collected. */
  several: Value[] | null = null;
  collected: Collected | null = null;

  constructor(public name: string) {}

  get given(): bool { return this.value !== null || this.several !== null || this.collected !== null; }
}

/** One output that the step has given, to be returned at its end. */
export class Output {
  constructor(public name: string, public key: string | null, public value: Value) {}
}

/** An element of a collected input. */
export class Element {
  constructor(private step: Step, private input: string, public key: string, public value: Value) {}

  get text(): string { return this.step.read(this.value, Kind.String, this.input).text; }
  get integer(): i64 { return this.step.read(this.value, Kind.Integer, this.input).integer; }
  get number(): f64 { return this.step.read(this.value, Kind.Number, this.input).number; }
  get json(): Json { return this.step.read(this.value, Kind.Absent, this.input); }
}

/** The elements of a collected input, in the order in which they were emitted. */
export class Collected {
  private batch: abi.RawElement[] = [];
  private at: i32 = 0;

  /** `handle` is for `collectedNext` of abi.ts, with which an op chooses how many it takes at once, instead of `next`. */
  constructor(private step: Step, private name: string, public readonly handle: i32) {}

  /** How many elements there are in all, those already taken included. */
  get length(): u64 { return abi.collectedLength(this.handle); }

  /** The mapping keys of clones that failed where the job tolerates that; they are no elements. */
  get failedKeys(): string[] { return abi.collectedFailedKeys(this.handle); }

  /** The next element; null at the end, and when the step has failed. */
  next(): Element | null {
    if (this.at === this.batch.length) {
      this.batch = abi.collectedNext(this.handle, BATCH);
      this.at = 0;
    }
    if (this.at === this.batch.length || this.step.failed) return null;
    const raw = this.batch[this.at++];
    return new Element(this.step, this.name, raw.key, new Value(raw.value.data, raw.value.mediaType));
  }
}

/** The step that runs. What does not go well fails it, and nothing that it gives counts from then on: a wrong name, an input
 * that is no string where one is asked for, an output that is refused. The methods still return, with zeros or nothing. */
export class Step {
  failure: Failure | null = null;
  cancelled: bool = false;
  outputs: Output[] = [];
  private configured: Json | null = null;

  constructor(private inputs: Input[]) {}

  /** Whether the step has failed or is being cancelled: a long loop ends then. */
  get failed(): bool { return this.cancelled || this.failure !== null; }

  // ---- inputs ----

  private find(name: string): Input {
    for (let n = 0; n < this.inputs.length; n++) if (this.inputs[n].name === name) return this.inputs[n];
    this.fail("the op asks for an input `" + name + "`, which its definition does not have");
    return new Input(name);
  }

  /** Whether the job wires an optional input. */
  given(name: string): bool { return this.find(name).given; }

  /** The bytes of an input. Several values that are wired to it are one JSON array, if they are JSON. */
  value(name: string): Value {
    const input = this.find(name), value = input.value, several = input.several;
    if (value !== null) return value;
    if (several !== null) return this.arrayOf(several, name);
    this.fail("input `" + name + "` has no single value");
    return new Value(new ArrayBuffer(0));
  }

  /** The values that are wired to an input, in order: one, several, or none to an optional input. */
  values(name: string): Value[] {
    const input = this.find(name), value = input.value, several = input.several;
    if (input.collected !== null) this.fail("input `" + name + "` is collected");
    if (several !== null) return several;
    return value !== null ? [value] : [];
  }

  private arrayOf(values: Value[], input: string): Value {
    const texts: string[] = [];
    for (let n = 0; n < values.length; n++) {
      if (!values[n].isJson) {
        this.fail("input `" + input + "` has several values, and one is `" + values[n].mediaType + "`, not JSON: take them with `values`");
        break;
      }
      texts.push(String.UTF8.decode(values[n].data));
    }
    return new Value(String.UTF8.encode("[" + texts.join(",") + "]"), "application/json");
  }

  text(name: string): string { return this.read(this.value(name), Kind.String, name).text; }
  integer(name: string): i64 { return this.read(this.value(name), Kind.Integer, name).integer; }
  number(name: string): f64 { return this.read(this.value(name), Kind.Number, name).number; }
  bool(name: string): bool { return this.read(this.value(name), Kind.Bool, name).bool; }
  json(name: string): Json { return this.read(this.value(name), Kind.Absent, name); }

  collected(name: string): Collected {
    const collected = this.find(name).collected;
    if (collected !== null) return collected;
    this.fail("input `" + name + "` is not collected");
    return new Collected(this, name, 0);
  }

  /** A value of a kind, of any for `Absent`; what is not there has no words of its own if the step has failed before. */
  read(value: Value, kind: Kind, input: string): Json {
    const json = value.asJson;
    const fits = kind === Kind.Absent ? json.kind !== kind : json.kind === kind || (kind === Kind.Number && json.isNumber);
    if (fits) return json;
    const is = value.isJson ? nameOf(json.kind) : "`" + value.mediaType + "`";
    this.fail("input `" + input + "` is not " + nameOf(kind) + " but " + is);
    return new Json(Kind.Absent);
  }

  /** The configuration; null where the job gives none. */
  get config(): Json {
    let config = this.configured;
    if (config === null) {
      config = Json.parse(abi.config());
      this.configured = config;
    }
    return config;
  }

  // ---- outputs ----

  /** Gives an output now: clones start while the op still runs, and the op waits here until they have caught up. `key` is
   * the mapping key of an element of a dynamic output. Says whether it is worth going on. */
  emit(output: string, value: Value, key: string | null = null): bool {
    if (this.failed) return false;
    const emitted = abi.emit(output, key, value);
    if (emitted === abi.Emitted.Cancelled) this.cancelled = true;
    else if (emitted === abi.Emitted.No) this.fail("output `" + output + "` was refused");
    return !this.failed;
  }

  /** Gives an output at the end of the step. */
  give(output: string, value: Value, key: string | null = null): bool {
    if (!this.failed) this.outputs.push(new Output(output, key, value));
    return !this.failed;
  }

  // ---- failing; the first failure counts. `detail` is for programs, as the message is for people ----

  /** The same inputs would fail again: never retried. */
  fail(message: string, detail: Value | null = null): void {
    this.failWith(new Failure(message, detail, Retry.Never, 0));
  }

  /** Another attempt may succeed: retried as the node says. */
  failTransient(message: string, detail: Value | null = null): void {
    this.failWith(new Failure(message, detail, Retry.Allowed, 0));
  }

  /** As `failTransient`, but not before so many milliseconds have passed. */
  failRetryAfter(message: string, delay: u64, detail: Value | null = null): void {
    this.failWith(new Failure(message, detail, Retry.After, delay));
  }

  private failWith(failure: Failure): void {
    if (this.failure === null) this.failure = failure;
  }

  // ---- where the step stands, and talking to people ----

  get runId(): string { return abi.runId(); }
  /** Such as `size[readme_md]`. */
  get key(): string { return abi.stepKey(); }
  /** Outermost first; none outside a map. */
  get mappingKeys(): string[] { return abi.mappingKeys(); }
  /** 1 for the first attempt. */
  get attempt(): u32 { return abi.attempt(); }

  /** Writes to the step's log. `fields` are names and values by turns. */
  log(level: Level, message: string, fields: string[] = []): void { abi.log(level, message, fields); }

  /** How far the step is, in a unit of its own. */
  progress(done: u64, total: u64 = UNKNOWN): void { abi.progress(done, total !== UNKNOWN, total); }
}

function nameOf(kind: Kind): string {
  switch (kind) {
    case Kind.Null: return "null";
    case Kind.Bool: return "a boolean";
    case Kind.Integer: return "an integer";
    case Kind.Number: return "a number";
    case Kind.String: return "a string";
    case Kind.Array: return "an array";
    case Kind.Object: return "an object";
    default: return "JSON";
  }
}
