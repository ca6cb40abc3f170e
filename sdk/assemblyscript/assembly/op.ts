// What ops there are, and what they say of themselves.

import { Step } from "./step";

/** JSON Schemas of common types. */
export const STRING = '{"type":"string"}';
export const INTEGER = '{"type":"integer"}';
export const NUMBER = '{"type":"number"}';
export const BOOL = '{"type":"boolean"}';
export const ANY_JSON = "{}";

/** An input or output. */
export class Port {
  constructor(
    public name: string,
    public schema: string | null,
    public description: string,
    public required: bool,
    /** A collected input, or a dynamic output. */
    public many: bool,
  ) {}
}

/** An op. Each method adds to what it says of itself; without a schema, a port takes or gives bytes of any media type. */
export class Op {
  inputs: Port[] = [];
  outputs: Port[] = [];
  configSchema: string | null = null;

  constructor(public name: string, public description: string, public run: (step: Step) => void) {}

  input(name: string, schema: string | null = null, description: string = ""): Op {
    this.inputs.push(new Port(name, schema, description, true, false));
    return this;
  }

  /** An input that a job need not wire. */
  optionalInput(name: string, schema: string | null = null, description: string = ""): Op {
    this.inputs.push(new Port(name, schema, description, false, false));
    return this;
  }

  /** An input that is taken element by element; the schema is that of an element. */
  collectedInput(name: string, schema: string | null = null, description: string = ""): Op {
    this.inputs.push(new Port(name, schema, description, true, true));
    return this;
  }

  output(name: string, schema: string | null = null, description: string = ""): Op {
    this.outputs.push(new Port(name, schema, description, true, false));
    return this;
  }

  /** An output that a step may end without. */
  optionalOutput(name: string, schema: string | null = null, description: string = ""): Op {
    this.outputs.push(new Port(name, schema, description, false, false));
    return this;
  }

  /** An output that is given any number of times, each with a mapping key; the schema is that of an element. */
  dynamicOutput(name: string, schema: string | null = null, description: string = ""): Op {
    this.outputs.push(new Port(name, schema, description, true, true));
    return this;
  }

  /** The JSON Schema of the configuration. */
  config(schema: string): Op {
    this.configSchema = schema;
    return this;
  }
}

/** The ops of the component. */
export const ops: Op[] = [];

/** Adds an op to the component. */
export function op(name: string, description: string, run: (step: Step) => void): Op {
  const added = new Op(name, description, run);
  ops.push(added);
  return added;
}
