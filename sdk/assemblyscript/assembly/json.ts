// JSON, read into a tree and written compactly. Knows nothing of steps.

export const enum Kind { Absent, Null, Bool, Integer, Number, String, Array, Object }

/** The deepest nesting that is read. */
const DEEPEST = 256;

/** A value of JSON. What is not there is a value as well, of kind `Absent`, so that reaching deep needs no checks between. */
export class Json {
  bool: bool = false;
  integer: i64 = 0;
  number: f64 = 0;
  text: string = "";
  /** The elements of an array, or the values of an object. */
  items: Json[] = [];
  /** The names of an object's members. */
  names: string[] = [];

  constructor(public kind: Kind) {}

  /** The value in a text; `Absent` where the text is no JSON. */
  static parse(text: string): Json {
    const reader = new Reader(text);
    const value = reader.value(0);
    reader.blanks();
    return reader.at === text.length ? value : new Json(Kind.Absent);
  }

  /** The member of this name. */
  get(name: string): Json {
    // The last one of the same name counts, as in most languages.
    const at = this.names.lastIndexOf(name);
    return at < 0 ? new Json(Kind.Absent) : this.items[at];
  }

  /** The element at this place. */
  at(place: i32): Json {
    const there = this.kind === Kind.Array && place >= 0 && place < this.items.length;
    return there ? this.items[place] : new Json(Kind.Absent);
  }

  get isInteger(): bool { return this.kind === Kind.Integer; }
  get isNumber(): bool { return this.kind === Kind.Integer || this.kind === Kind.Number; }
}

class Reader {
  at: i32 = 0;

  constructor(private source: string) {}

  private peek(): i32 { return this.at < this.source.length ? this.source.charCodeAt(this.at) : -1; }

  blanks(): void {
    for (let c = this.peek(); c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d; c = this.peek()) this.at++;
  }

  /** Makes the rest unreadable. */
  private broken(): Json {
    this.at = i32.MAX_VALUE;
    return new Json(Kind.Absent);
  }

  private eat(c: i32): bool {
    this.blanks();
    if (this.peek() !== c) return false;
    this.at++;
    return true;
  }

  private word(word: string, kind: Kind): Json {
    if (!this.source.startsWith(word, this.at)) return this.broken();
    this.at += word.length;
    return new Json(kind);
  }

  value(depth: i32): Json {
    this.blanks();
    if (depth > DEEPEST) return this.broken();
    switch (this.peek()) {
      case 0x22: return this.string();
      case 0x5b: return this.array(depth);
      case 0x66: return this.word("false", Kind.Bool);
      case 0x6e: return this.word("null", Kind.Null);
      case 0x74: {
        const yes = this.word("true", Kind.Bool);
        yes.bool = true;
        return yes;
      }
      case 0x7b: return this.object(depth);
      default: return this.numeral();
    }
  }

  private array(depth: i32): Json {
    const array = new Json(Kind.Array);
    this.at++;
    if (this.eat(0x5d)) return array;
    do array.items.push(this.value(depth + 1)); while (this.eat(0x2c));
    return this.eat(0x5d) ? array : this.broken();
  }

  private object(depth: i32): Json {
    const object = new Json(Kind.Object);
    this.at++;
    if (this.eat(0x7d)) return object;
    do {
      this.blanks();
      if (this.peek() !== 0x22) return this.broken();
      object.names.push(this.string().text);
      if (!this.eat(0x3a)) return this.broken();
      object.items.push(this.value(depth + 1));
    } while (this.eat(0x2c));
    return this.eat(0x7d) ? object : this.broken();
  }

  private string(): Json {
    const string = new Json(Kind.String);
    let begin = ++this.at;
    for (let c = this.peek(); c !== 0x22; c = this.peek()) {
      if (c < 0x20) return this.broken();
      if (c === 0x5c) {
        string.text += this.source.substring(begin, this.at++);
        const unit = this.escape();
        if (unit < 0) return this.broken();
        string.text += String.fromCharCode(unit);
        begin = this.at + 1;
      }
      this.at++;
    }
    string.text += this.source.substring(begin, this.at++);
    return string;
  }

  /** The code unit that an escape stands for; `at` is then at its last character. */
  private escape(): i32 {
    switch (this.peek()) {
      case 0x22: case 0x2f: case 0x5c: return this.peek();
      case 0x62: return 0x08;
      case 0x66: return 0x0c;
      case 0x6e: return 0x0a;
      case 0x72: return 0x0d;
      case 0x74: return 0x09;
      case 0x75: {
        let unit = 0;
        for (let n = 0; n < 4; n++) {
          this.at++;
          const digit = hexDigit(this.peek());
          if (digit < 0) return -1;
          unit = unit * 16 + digit;
        }
        return unit;
      }
      default: return -1;
    }
  }

  private digits(): i32 {
    const begin = this.at;
    while (isDigit(this.peek())) this.at++;
    return this.at - begin;
  }

  private numeral(): Json {
    const begin = this.at;
    let whole = true;
    if (this.peek() === 0x2d) this.at++;
    const first = this.peek(), count = this.digits();
    if (count === 0 || (first === 0x30 && count > 1)) return this.broken();
    if (this.peek() === 0x2e) {
      whole = false;
      this.at++;
      if (this.digits() === 0) return this.broken();
    }
    if ((this.peek() | 0x20) === 0x65) {
      whole = false;
      this.at++;
      if (this.peek() === 0x2b || this.peek() === 0x2d) this.at++;
      if (this.digits() === 0) return this.broken();
    }
    const text = this.source.substring(begin, this.at);
    const number = new Json(Kind.Number);
    number.number = parseFloat(text);
    // JSON has one kind of number: 2.0 and 1e3 are integers too.
    if (whole && count <= 18) {
      number.kind = Kind.Integer;
      number.integer = I64.parseInt(text);
    } else if (Math.trunc(number.number) === number.number && Math.abs(number.number) < 9e18) {
      number.kind = Kind.Integer;
      number.integer = <i64>number.number;
    }
    return number;
  }
}

function isDigit(c: i32): bool { return c >= 0x30 && c <= 0x39; }

function hexDigit(c: i32): i32 {
  if (isDigit(c)) return c - 0x30;
  const letter = c | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** Writes compact JSON, with commas where they belong. */
export class JsonWriter {
  private parts: string[] = [];
  private comma: bool = false;

  private put(part: string): JsonWriter {
    if (this.comma) this.parts.push(",");
    this.parts.push(part);
    this.comma = true;
    return this;
  }

  private open(bracket: string): JsonWriter {
    this.put(bracket).comma = false;
    return this;
  }

  private close(bracket: string): JsonWriter {
    this.comma = false;
    return this.put(bracket);
  }

  openObject(): JsonWriter { return this.open("{"); }
  closeObject(): JsonWriter { return this.close("}"); }
  openArray(): JsonWriter { return this.open("["); }
  closeArray(): JsonWriter { return this.close("]"); }

  /** The name of the next member. */
  name(name: string): JsonWriter {
    this.put(quoted(name) + ":").comma = false;
    return this;
  }

  text(value: string): JsonWriter { return this.put(quoted(value)); }
  integer(value: i64): JsonWriter { return this.put(value.toString()); }
  /** `null` for what JSON has no number for. */
  number(value: f64): JsonWriter { return this.put(isFinite(value) ? value.toString() : "null"); }
  bool(value: bool): JsonWriter { return this.put(value ? "true" : "false"); }
  null(): JsonWriter { return this.put("null"); }

  /** A value that was read, with what it holds; `null` for what is absent. */
  json(value: Json): JsonWriter {
    switch (value.kind) {
      case Kind.Bool: return this.bool(value.bool);
      case Kind.Integer: return this.integer(value.integer);
      case Kind.Number: return this.number(value.number);
      case Kind.String: return this.text(value.text);
      case Kind.Array: {
        this.openArray();
        for (let n = 0; n < value.items.length; n++) this.json(value.items[n]);
        return this.closeArray();
      }
      case Kind.Object: {
        this.openObject();
        for (let n = 0; n < value.items.length; n++) this.name(value.names[n]).json(value.items[n]);
        return this.closeObject();
      }
      default: return this.null();
    }
  }

  toString(): string { return this.parts.join(""); }
}

/** A JSON string, with no escapes but those that are needed. */
export function quoted(text: string): string {
  const parts: string[] = ['"'];
  let begin = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c >= 0x20 && c !== 0x22 && c !== 0x5c) continue;
    parts.push(text.substring(begin, at));
    parts.push(escaped(c));
    begin = at + 1;
  }
  parts.push(text.substring(begin));
  parts.push('"');
  return parts.join("");
}

function escaped(c: i32): string {
  switch (c) {
    case 0x08: return "\\b";
    case 0x09: return "\\t";
    case 0x0a: return "\\n";
    case 0x0c: return "\\f";
    case 0x0d: return "\\r";
    case 0x22: return '\\"';
    case 0x5c: return "\\\\";
    default: return "\\u" + c.toString(16).padStart(4, "0");
  }
}
