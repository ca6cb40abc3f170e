// What the engine offers below the SDK, as far as the conformance ops need it.

declare module "dynhost:op/outputs@0.1.0" {
  interface Value {
    mediaType: string;
    data: Uint8Array;
  }
  export function emit(output: { name: string; mappingKey: string | null; value: Value }): void;
}
