// The interface of ops as the canonical ABI has it: imports under their names, and strings and lists as they lie in memory.
// Whatever has a layout is in this file, and in `describe` and `run` of guest.ts.

// @ts-ignore: decorator
@external("dynhost:op/outputs@0.1.0", "emit")
declare function emit_import(
  name: usize, nameLength: usize, hasKey: i32, key: usize, keyLength: usize,
  mediaType: usize, mediaTypeLength: usize, data: usize, dataLength: usize, ret: usize,
): void;
// @ts-ignore: decorator
@external("dynhost:op/inputs@0.1.0", "[method]collected.len")
declare function len_import(handle: i32): u64;
// @ts-ignore: decorator
@external("dynhost:op/inputs@0.1.0", "[method]collected.next")
declare function next_import(handle: i32, max: u32, ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/inputs@0.1.0", "[method]collected.failed-keys")
declare function failed_keys_import(handle: i32, ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "run-id")
declare function run_id_import(ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "step-key")
declare function step_key_import(ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "mapping-keys")
declare function mapping_keys_import(ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "attempt")
declare function attempt_import(): u32;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "config")
declare function config_import(ret: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "log")
declare function log_import(level: i32, message: usize, messageLength: usize, fields: usize, count: usize): void;
// @ts-ignore: decorator
@external("dynhost:op/step@0.1.0", "progress")
declare function progress_import(done: u64, hasTotal: i32, total: u64): void;

/** The bytes of a `string`, `list`, `value`, `element` in memory: addresses and lengths of four bytes each. */
export const STRING_SIZE: usize = 8;
export const VALUE_SIZE: usize = 16;
const ELEMENT_SIZE: usize = 24;

/** Where imports put what is more than one number. */
const returned: usize = memory.data(24, 8);

/** Bytes and what they are. */
export class RawValue {
  constructor(public mediaType: string, public data: ArrayBuffer) {}
}

/** An element of a collected input. */
export class RawElement {
  constructor(public key: string, public value: RawValue) {}
}

/** Memory for what the host passes in; `take…` gives it back. */
export function reallocate(old: usize, oldSize: usize, align: usize, size: usize): usize {
  if (size === 0) return align;
  return old !== 0 && oldSize !== 0 ? heap.realloc(old, size) : heap.alloc(size);
}

function giveBack(address: usize, length: usize): void {
  if (length !== 0) heap.free(address);
}

/** The string of which address and length are at `at`. */
export function takeString(at: usize): string {
  const address = load<usize>(at), length = load<usize>(at, 4);
  const text = String.UTF8.decodeUnsafe(address, length);
  giveBack(address, length);
  return text;
}

export function takeStrings(at: usize): string[] {
  const address = load<usize>(at), count = load<usize>(at, 4);
  const texts: string[] = [];
  for (let n: usize = 0; n < count; n++) texts.push(takeString(address + n * STRING_SIZE));
  giveBack(address, count);
  return texts;
}

export function takeValue(at: usize): RawValue {
  const mediaType = takeString(at);
  const address = load<usize>(at, 8), length = load<usize>(at, 12);
  const data = new ArrayBuffer(<i32>length);
  memory.copy(changetype<usize>(data), address, length);
  giveBack(address, length);
  return new RawValue(mediaType, data);
}

/** Puts a string into memory of its own, and its address and length at `at`. What is no UTF-16 becomes U+FFFD. */
export function putString(at: usize, text: string): void {
  const length = <usize>String.UTF8.byteLength(text);
  const address = heap.alloc(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, address, false, String.UTF8.ErrorMode.REPLACE);
  store<usize>(at, address);
  store<usize>(at, length, 4);
}

export function putValue(at: usize, value: RawValue): void {
  putString(at, value.mediaType);
  const length = <usize>value.data.byteLength;
  const address = heap.alloc(length);
  memory.copy(address, changetype<usize>(value.data), length);
  store<usize>(at, address, 8);
  store<usize>(at, length, 12);
}

/** Puts an optional string at `at`: a tag, and where the string is. */
export function putOption(at: usize, text: string | null): void {
  store<u32>(at, text !== null ? 1 : 0);
  if (text !== null) putString(at + 4, text);
}

/** What `emit` says of an output. */
export const enum Emitted { Yes, No, Cancelled }

export function emit(name: string, key: string | null, value: RawValue): Emitted {
  // name, key and value, one after the other
  const at = heap.alloc(STRING_SIZE + 12 + VALUE_SIZE);
  putString(at, name);
  putOption(at + 8, key);
  putValue(at + 20, value);
  const hasKey = load<i32>(at, 8);
  emit_import(
    load<usize>(at), load<usize>(at, 4), hasKey,
    hasKey ? load<usize>(at, 12) : 0, hasKey ? load<usize>(at, 16) : 0,
    load<usize>(at, 20), load<usize>(at, 24), load<usize>(at, 28), load<usize>(at, 32), returned,
  );
  heap.free(load<usize>(at));
  if (hasKey) heap.free(load<usize>(at, 12));
  heap.free(load<usize>(at, 20));
  heap.free(load<usize>(at, 28));
  heap.free(at);
  if (load<u8>(returned) === 0) return Emitted.Yes;
  return load<u8>(returned, 8) === 7 ? Emitted.Cancelled : Emitted.No;
}

export function collectedLength(handle: i32): u64 {
  return len_import(handle);
}

export function collectedNext(handle: i32, max: u32): RawElement[] {
  next_import(handle, max, returned);
  const address = load<usize>(returned), count = load<usize>(returned, 4);
  const elements: RawElement[] = [];
  for (let n: usize = 0; n < count; n++) {
    const at = address + n * ELEMENT_SIZE;
    const key = takeString(at);
    elements.push(new RawElement(key, takeValue(at + STRING_SIZE)));
  }
  giveBack(address, count);
  return elements;
}

export function collectedFailedKeys(handle: i32): string[] {
  failed_keys_import(handle, returned);
  return takeStrings(returned);
}

export function runId(): string {
  run_id_import(returned);
  return takeString(returned);
}

export function stepKey(): string {
  step_key_import(returned);
  return takeString(returned);
}

export function mappingKeys(): string[] {
  mapping_keys_import(returned);
  return takeStrings(returned);
}

export function attempt(): u32 {
  return attempt_import();
}

export function config(): string {
  config_import(returned);
  return takeString(returned);
}

/** `fields` are names and values by turns. */
export function log(level: i32, message: string, fields: string[]): void {
  const at = heap.alloc(STRING_SIZE * (<usize>fields.length + 1));
  putString(at, message);
  for (let n = 0; n < fields.length; n++) putString(at + STRING_SIZE * (<usize>n + 1), fields[n]);
  log_import(level, load<usize>(at), load<usize>(at, 4), at + STRING_SIZE, <usize>fields.length / 2);
  for (let n = 0; n <= fields.length; n++) heap.free(load<usize>(at + STRING_SIZE * <usize>n));
  heap.free(at);
}

export function progress(done: u64, hasTotal: bool, total: u64): void {
  progress_import(done, hasTotal ? 1 : 0, total);
}
