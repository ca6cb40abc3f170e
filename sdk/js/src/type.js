// The types of inputs, outputs and configurations: their JSON Schema, and whether a value is one of them.

import { Unfit } from "./failure.js";

/** A type of JSON values. Each method gives a new type. */
class Type {
  constructor(schema, read, expected, more = {}) {
    this.schema = schema;
    this.read = read;
    this.expected = expected;
    this.description = "";
    this.required = true;
    Object.assign(this, more);
  }

  #with(more) {
    const { schema, read, expected, ...rest } = this;
    return new Type(more.schema ?? schema, read, expected, { ...rest, ...more });
  }

  /** Says what it is, for people. */
  describe(description) {
    return this.#with({ description });
  }

  /** May be missing; a job need not wire such an input. */
  optional() {
    return this.#with({ required: false });
  }

  /** What it is where it is missing. */
  default(fallback) {
    return this.#with({ required: false, fallback, schema: { ...this.schema, default: fallback } });
  }
}

function type(schema, expected, fits) {
  return new Type(
    schema,
    (value, path) => {
      if (!fits(value)) throw unfit(expected, value, path);
      return value;
    },
    expected,
  );
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const described = (field) => (field.description ? { ...field.schema, description: field.description } : field.schema);

/** Makes types. */
export const t = {
  string: () => type({ type: "string" }, "a string", (v) => typeof v === "string"),
  integer: () => type({ type: "integer" }, "an integer", Number.isInteger),
  number: () => type({ type: "number" }, "a number", Number.isFinite),
  boolean: () => type({ type: "boolean" }, "a boolean", (v) => typeof v === "boolean"),
  null: () => type({ type: "null" }, "null", (v) => v === null),

  /** Any JSON. */
  any: () => type({}, "a value with a JSON form", (v) => v !== undefined),

  /** One of these values. */
  oneOf: (...values) =>
    type(
      values.every((v) => typeof v === "string") ? { type: "string", enum: values } : { enum: values },
      `one of ${values.map((v) => JSON.stringify(v)).join(", ")}`,
      (v) => values.includes(v),
    ),

  array(items) {
    const read = (value, path) => {
      if (!Array.isArray(value)) throw unfit("a list", value, path);
      return value.map((item, n) => items.read(item, `${path}[${n}]`));
    };
    const schema = items.isValue ? undefined : { type: "array", items: described(items) };
    return new Type(schema, read, "a list", { items });
  },

  /** An object with these fields. */
  object(fields) {
    const all = Object.entries(fields);
    const read = (value, path) => {
      if (!isObject(value)) throw unfit("an object", value, path);
      const known = { ...value };
      for (const [name, field] of all) {
        if (value[name] !== undefined) known[name] = field.read(value[name], `${path}.${name}`);
        else if (field.required) throw unfit(`a field \`${name}\``, undefined, path);
        else if (field.fallback !== undefined) known[name] = field.fallback;
      }
      return known;
    };
    const schema = {
      type: "object",
      properties: Object.fromEntries(all.map(([name, field]) => [name, described(field)])),
      required: all.filter(([, field]) => field.required).map(([name]) => name),
    };
    return new Type(schema, read, "an object");
  },

  /** An object whose fields have any names and values of one type. */
  map(values) {
    const read = (value, path) => {
      if (!isObject(value)) throw unfit("an object", value, path);
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, values.read(v, `${path}.${k}`)]));
    };
    return new Type({ type: "object", additionalProperties: described(values) }, read, "an object");
  },

  /** The first of these types that fits. */
  union(...types) {
    const expected = types.map((one) => one.expected).join(" or ");
    const read = (value, path) => {
      for (const one of types) {
        try {
          return one.read(value, path);
        } catch (error) {
          if (!(error instanceof Unfit)) throw error;
        }
      }
      throw unfit(expected, value, path);
    };
    return new Type({ anyOf: types.map(described) }, read, expected);
  },

  /** What a JSON Schema of your own says. The host knows the schema; values are not checked against it. */
  schema: (schema) => new Type(schema, (value) => value, "a value with a JSON form"),

  /** Bytes of any media type, as a `Value`. */
  value: () => new Type(undefined, (value) => value, "bytes", { isValue: true }),

  /** An input whose elements are pulled one batch after the other. */
  collected: (element) => new Type(element.schema, element.read, element.expected, {
    isValue: element.isValue, description: element.description, collected: true,
  }),

  /** An output that is given any number of times, each time with a mapping key. */
  dynamic: (element) => new Type(element.schema, element.read, element.expected, {
    isValue: element.isValue, description: element.description, dynamic: true,
  }),
};

function unfit(expected, found, path) {
  return new Unfit(`${expected} was expected${path ? ` at \`${path}\`` : ""}, and it is ${kind(found)}`);
}

function kind(value) {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length} elements`;
  if (typeof value === "string") return value.length <= 40 ? `the string ${JSON.stringify(value)}` : "a string";
  if (typeof value === "object") return "an object";
  return `the ${typeof value} ${String(value).slice(0, 40)}`;
}
