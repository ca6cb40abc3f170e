// Bytes with a media type: what passes between ops.

import { RawValue } from "./abi";
import { Json, JsonWriter, Kind, quoted } from "./json";

const JSON_TYPE = "application/json";

/** Bytes and what they are. */
export class Value extends RawValue {
  /** `mediaType` is `application/octet-stream` where nothing else is said. */
  constructor(data: ArrayBuffer, mediaType: string = "application/octet-stream") {
    super(mediaType, data);
  }

  /** A JSON string. */
  static text(text: string): Value { return Value.ofJson(quoted(text)); }
  static integer(value: i64): Value { return Value.ofJson(value.toString()); }
  static number(value: f64): Value { return Value.ofJson(new JsonWriter().number(value).toString()); }
  static bool(value: bool): Value { return Value.ofJson(value ? "true" : "false"); }
  /** What was written. */
  static json(written: JsonWriter): Value { return Value.ofJson(written.toString()); }

  private static ofJson(text: string): Value {
    return new Value(String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE), JSON_TYPE);
  }

  /** Whether the media type says that the bytes are JSON. */
  get isJson(): bool {
    const essence = lowered(this.mediaType.split(";")[0].trim());
    return essence === JSON_TYPE || essence.endsWith("+json");
  }

  /** The bytes read as JSON; `Absent` where they are not. */
  get asJson(): Json {
    return this.isJson ? Json.parse(String.UTF8.decode(this.data)) : new Json(Kind.Absent);
  }
}

/** With small ASCII letters: `toLowerCase` would bring 20 kB of tables of all others. */
function lowered(text: string): string {
  let small = "";
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    small += String.fromCharCode(c >= 0x41 && c <= 0x5a ? c | 0x20 : c);
  }
  return small;
}
