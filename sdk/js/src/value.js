// Bytes with a media type: what passes between ops, before it is read as anything.

import { Unfit } from "./failure.js";
import { decodeText, encodeText } from "./text.js";

const JSON_TYPE = "application/json";

/** Bytes and what they are. */
export class Value {
  constructor(data, mediaType = "application/octet-stream") {
    this.data = data;
    this.mediaType = mediaType;
  }

  /** The JSON text of a value. */
  static json(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new Unfit(`a ${typeof value} has no JSON form`);
    return new Value(encodeText(text), JSON_TYPE);
  }

  /** A text as it is, with a media type of its own. */
  static text(text, mediaType = "text/plain; charset=utf-8") {
    return new Value(encodeText(text), mediaType);
  }

  /** Whether the media type says that the bytes are JSON. */
  get isJson() {
    const essence = this.mediaType.split(";")[0].trim().toLowerCase();
    return essence === JSON_TYPE || essence.endsWith("+json");
  }

  /** The bytes read as JSON. */
  json() {
    if (!this.isJson) throw new Unfit(`it is \`${this.mediaType}\`, JSON was expected`);
    try {
      return JSON.parse(decodeText(this.data));
    } catch (error) {
      throw new Unfit(`it is not JSON: ${error.message}`);
    }
  }

  /** The bytes read as UTF-8. */
  text() {
    return decodeText(this.data);
  }
}
