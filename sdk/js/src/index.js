// Write ops for dynhost as JavaScript functions.

export { Collected } from "./collected.js";
export { EmitError, Failure } from "./failure.js";
export { checkMappingKey, mappingKey } from "./key.js";
export { dynamicOutput, op, output } from "./op.js";
export { context, log, progress } from "./step.js";
export { t } from "./type.js";
export { Value } from "./value.js";
