// Mapping keys: what they may be, and how to make one out of any text.

import { encodeText } from "./text.js";

const MAX_BYTES = 255;
const DIGEST_DIGITS = 16;
const FORBIDDEN = /[[\]\p{Cc}]/u;

/** What is wrong with a mapping key, or nothing. */
export function checkMappingKey(key) {
  if (key === "") return "it is empty";
  const size = encodeText(key).length;
  if (size > MAX_BYTES) return `it has ${size} bytes, ${MAX_BYTES} are allowed`;
  const found = FORBIDDEN.exec(key);
  return found ? `it contains ${JSON.stringify(found[0])}` : undefined;
}

/** A valid mapping key for any text, and another one for another text. */
export function mappingKey(text) {
  if (checkMappingKey(text) === undefined && !/~[0-9a-fA-F]{16}$/.test(text)) return text;
  const room = MAX_BYTES - DIGEST_DIGITS - 1;
  let key = "";
  let size = 0;
  for (const found of text) {
    const kept = FORBIDDEN.test(found) ? "_" : found;
    size += encodeText(kept).length;
    if (size > room) break;
    key += kept;
  }
  return `${key}~${digest(encodeText(text)).toString(16).padStart(DIGEST_DIGITS, "0")}`;
}

// FNV-1a, 64 bits, as in the other SDKs: the same text has the same key in every language.
function digest(bytes) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
