// Write ops for dynhost as AssemblyScript functions.

export { Json, JsonWriter, Kind } from "./json";
export { ANY_JSON, BOOL, INTEGER, NUMBER, Op, STRING, op } from "./op";
export { Collected, Element, Level, Step, UNKNOWN } from "./step";
export { Value } from "./value";
