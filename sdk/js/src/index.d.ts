/** Write ops for dynhost as JavaScript or TypeScript functions. */

/** Bytes and what they are. An op that takes or gives a `t.value()` is given any media type, as it is. */
export class Value {
  /** `mediaType` is `application/octet-stream` where nothing else is said. */
  constructor(data: Uint8Array, mediaType?: string);
  readonly data: Uint8Array;
  readonly mediaType: string;
  /** The JSON text of a value. */
  static json(value: unknown): Value;
  /** A text as it is: `text/plain; charset=utf-8` where nothing else is said. */
  static text(text: string, mediaType?: string): Value;
  /** Whether the media type says that the bytes are JSON. */
  get isJson(): boolean;
  /** The bytes read as JSON. Throws where they are not. */
  json(): any;
  /** The bytes read as UTF-8. Throws where they are not. */
  text(): string;
}

/** Throw one to end the step. Anything else that is thrown is a permanent failure with its stack as the detail. */
export class Failure extends Error {
  readonly retry: "never" | "allowed" | "after";
  readonly delayMs: number;
  readonly detail: Value | undefined;
  /** The same inputs would fail again: never retried. `detail` is for programs. */
  static permanent(message: string, detail?: unknown): Failure;
  /** Another attempt may succeed: retried under the node's retry policy. */
  static transient(message: string, detail?: unknown): Failure;
  /** As `transient`, but not before this many milliseconds have passed. */
  static retryAfter(message: string, delayMs: number, detail?: unknown): Failure;
}

/** The host did not accept an output. It fails the step, whatever the op does next. */
export class EmitError extends Error {
  /** The run is being cancelled: give up soon. */
  readonly cancelled: boolean;
}

/** A collected input: iterates over the values of all clones, in the order in which they were emitted. */
export class Collected<T> implements Iterable<T> {
  private constructor();
  /** A collected input for tests whose keys are the positions `0`, `1`, …. */
  static of<T>(values: Iterable<T>): Collected<T>;
  /** A collected input for tests with these mapping keys. */
  static keyed<T>(elements: Iterable<readonly [string, T]>, failedKeys?: string[]): Collected<T>;
  /** How many elements there are in all, those already taken included. */
  get length(): number;
  /** The mapping keys of the clones that failed where the job tolerates failures; they have no value here. */
  failedKeys(): string[];
  [Symbol.iterator](): Iterator<T>;
  /** The elements with the mapping keys under which they were emitted. */
  withKeys(): IterableIterator<[string, T]>;
  /**
   * The next elements with their mapping keys, for an op that does something with each so many: at least one, `most` at
   * most, fewer where they are large, and none at the end.
   */
  batch(most: number): [string, T][];
}

/** A type of values. Each method gives a new type. `Kind` says where it can stand. */
export interface Type<T, Kind extends "plain" | "collected" | "dynamic" = "plain", Required extends boolean = true> {
  readonly kind?: Kind;
  readonly required: Required;
  readonly holds?: T;
  /** Says what it is, for people. */
  describe(description: string): Type<T, Kind, Required>;
  /** May be missing; a job need not wire such an input. */
  optional(): Type<T | undefined, Kind, false>;
  /** What it is where it is missing. */
  default(fallback: T): Type<T, Kind, true>;
}

/** What a type holds. */
export type Holds<P> = P extends Type<infer T, any, any> ? T : never;

type Fields = Record<string, Type<any, any, any>>;
type Needed<F extends Fields> = { [K in keyof F]: F[K] extends Type<any, any, false> ? never : K }[keyof F];
type Shown<T> = { [K in keyof T]: T[K] } & {};
/** An object with these fields, of which some may be missing. */
export type ObjectOf<F extends Fields> = Shown<
  { [K in Needed<F>]: Holds<F[K]> } & { [K in Exclude<keyof F, Needed<F>>]?: Holds<F[K]> }
>;

/** Makes types. */
export const t: {
  string(): Type<string>;
  /** A whole number; beyond 2^53 JavaScript's numbers are not exact. */
  integer(): Type<number>;
  number(): Type<number>;
  boolean(): Type<boolean>;
  null(): Type<null>;
  /** Any JSON. */
  any(): Type<any>;
  /** One of these values. */
  oneOf<const V extends readonly (string | number | boolean | null)[]>(...values: V): Type<V[number]>;
  array<T>(items: Type<T, "plain", boolean>): Type<T[]>;
  /** An object with these fields. */
  object<F extends Fields>(fields: F): Type<ObjectOf<F>>;
  /** An object whose fields have any names and values of one type. */
  map<T>(values: Type<T, "plain", boolean>): Type<Record<string, T>>;
  /** The first of these types that fits. */
  union<T extends Type<any, "plain", boolean>[]>(...types: T): Type<Holds<T[number]>>;
  /** What a JSON Schema of your own says. The host knows the schema; values are not checked against it. */
  schema<T = unknown>(schema: object): Type<T>;
  /** Bytes of any media type. */
  value(): Type<Value>;
  /** An input whose elements are pulled one batch after the other. */
  collected<T>(element: Type<T, "plain", boolean>): Type<Collected<T>, "collected">;
  /** An output that is given any number of times, each time with a mapping key. */
  dynamic<T>(element: Type<T, "plain", boolean>): Type<Iterable<DynamicOutput<T>>, "dynamic">;
};

declare const given: unique symbol;
/** A value for one of several outputs. */
export interface Output<T> {
  readonly [given]: true;
  readonly value: T;
  readonly name: string | undefined;
}
/** One element of a dynamic output. */
export interface DynamicOutput<T> extends Output<T> {
  readonly mappingKey: string;
}

/** A value for one of several outputs, to be yielded. */
export function output<T>(value: T, name?: string): Output<T>;
/**
 * One element of a dynamic output, to be yielded or returned in a list. The mapping key names its clone: 1 to 255 bytes
 * without control characters, `[` or `]`, different from all others of the same output.
 */
export function dynamicOutput<T>(value: T, mappingKey: string | number, name?: string): DynamicOutput<T>;

type Returned<R, O extends Fields> = [R] extends [Type<any, any, any>] ? Given<R> : GivenByName<O>;
type Given<P> = P extends Type<infer T, any, infer Required> ? (Required extends false ? T | null | void : T) : never;
type GivenByName<O extends Fields> = string extends keyof O ? void : ObjectOf<O>;
type Yielded<R, O extends Fields> = Generator<Output<any>, void | Partial<GivenByName<O>>, void> | Returned<R, O>;

/** What is declared about an op. */
export interface Declaration<I extends Fields, R, O extends Fields, C> {
  /** A lower-case letter, then lower-case letters, digits, `_` or `-`, 64 at most. */
  name: string;
  /** One or more sentences for people. */
  description?: string;
  inputs?: I;
  /** The only output, `result`: what the function returns. */
  output?: R;
  /** Outputs by name: the function returns an object of them, or yields them. */
  outputs?: O;
  config?: Type<C>;
}

/** An op. It can still be called as the function that it is. */
export interface Op<I, C> {
  (inputs: I, ...config: undefined extends C ? [config?: C] : [config: C]): unknown;
  readonly opName: string;
  /** What it takes and gives. */
  definition(): OpDefinition;
}

/** What an op takes and gives; schemas are JSON Schema texts, and missing for bytes of any media type. */
export interface OpDefinition {
  name: string;
  description: string;
  inputs: { name: string; description: string; required: boolean; collected: boolean; schema?: string }[];
  outputs: { name: string; description: string; required: boolean; dynamic: boolean; schema?: string }[];
  configSchema?: string;
}

/** Makes an op of a function. What a generator yields is given while it runs. */
export function op<
  I extends Fields = {},
  R extends Type<any, any, any> | undefined = undefined,
  O extends Fields = Record<string, never>,
  C = undefined,
>(
  declared: Declaration<I, R, O, C>,
  run: (inputs: ObjectOf<I>, config: C) => Yielded<R, O>,
): Op<ObjectOf<I>, C>;

/** Where a call stands in the run. */
export interface Context {
  readonly runId: string;
  /** The step, such as `size[readme_md]`. */
  readonly stepKey: string;
  /** The mapping keys of this clone, outermost first; empty outside a map. */
  readonly mappingKeys: string[];
  /** 1 for the first attempt. */
  readonly attempt: number;
}
/** Where this call stands. */
export function context(): Context;
/** Says how far the step is. The unit is the op's own. */
export function progress(done: number, total?: number): void;

/** How urgent a message is. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";
/** Writes to the step's log: `log.info("reading", { file })`. `console` writes there too. */
export const log: Record<Level, (message: unknown, fields?: Record<string, unknown>) => void>;

/** What is wrong with a mapping key, or nothing. */
export function checkMappingKey(key: string): string | undefined;
/**
 * A valid mapping key for any text, and another one for another text. A text that is a valid key is its own key; in any
 * other, what is not allowed becomes `_`, what is too long is cut, and a digest of the whole text follows.
 */
export function mappingKey(text: string): string;
