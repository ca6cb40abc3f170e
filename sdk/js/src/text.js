// UTF-8, for an engine without TextEncoder and TextDecoder.

const AT_ONCE = 4096;

/** The UTF-8 bytes of a text. */
export function encodeText(text) {
  if (globalThis.TextEncoder?.isNative ?? globalThis.TextEncoder) return new TextEncoder().encode(text);
  return encode(text);
}

/** The text of UTF-8 bytes. Throws a `TypeError` where they are not UTF-8. */
export function decodeText(bytes) {
  if (globalThis.TextDecoder?.isNative ?? globalThis.TextDecoder) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  }
  return decode(bytes);
}

export function encode(text) {
  // A unit of UTF-16 takes three bytes at most, and a pair of them four.
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code < 0x80) {
      bytes[end++] = code;
      continue;
    }
    if (code >= 0xd800 && code < 0xe000) {
      const next = text.charCodeAt(at + 1);
      if (code < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
        at++;
      } else {
        code = 0xfffd; // A lone surrogate has no UTF-8.
      }
    }
    if (code < 0x800) {
      bytes[end++] = 0xc0 | (code >> 6);
    } else {
      if (code < 0x10000) {
        bytes[end++] = 0xe0 | (code >> 12);
      } else {
        bytes[end++] = 0xf0 | (code >> 18);
        bytes[end++] = 0x80 | ((code >> 12) & 63);
      }
      bytes[end++] = 0x80 | ((code >> 6) & 63);
    }
    bytes[end++] = 0x80 | (code & 63);
  }
  return bytes.slice(0, end);
}

export function decode(bytes) {
  const parts = [];
  let units = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    if (first < 0x80) {
      units.push(first);
    } else {
      const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
      let code = first & (0x3f >> more);
      for (let n = 0; n < more; n++) {
        const byte = bytes[at++];
        if ((byte & 0xc0) !== 0x80) throw notText(at);
        code = (code << 6) | (byte & 63);
      }
      const least = [0, 0x80, 0x800, 0x10000][more];
      if (first < 0xc2 || first > 0xf4 || code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        throw notText(at);
      }
      if (code < 0x10000) units.push(code);
      else units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
    if (units.length >= AT_ONCE) {
      parts.push(String.fromCharCode(...units));
      units = [];
    }
  }
  parts.push(String.fromCharCode(...units));
  return parts.join("");
}

function notText(at) {
  return new TypeError(`the bytes before ${at} are not UTF-8`);
}
