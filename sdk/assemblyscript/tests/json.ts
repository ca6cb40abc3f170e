// What json.ts promises; `json.test.js` runs each function that is exported here.

import { Json, JsonWriter, Kind, quoted } from "dynhost-sdk-assemblyscript/assembly/json";

export function values_are_read(): void {
  const value = Json.parse(' { "a" : [ 1 , -2.5, true , null , "x" ] , "b":{"c":{}}, "a b" : false } ');
  assert(value.kind === Kind.Object && value.names.join() === "a,b,a b");
  const list = value.get("a");
  assert(list.items.length === 5 && list.at(0).integer === 1 && list.at(1).number === -2.5);
  assert(list.at(2).bool && list.at(3).kind === Kind.Null && list.at(4).text === "x");
  assert(value.get("b").get("c").kind === Kind.Object && value.get("a b").kind === Kind.Bool);
}

export function what_is_not_there_is_absent(): void {
  const nothing = Json.parse('{"a":1}').get("b").at(3).get("c");
  assert(nothing.kind === Kind.Absent && nothing.text === "" && nothing.integer === 0);
  assert(Json.parse('{"a":1,"a":2}').get("a").integer === 2);
  assert(Json.parse("[1]").at(-1).kind === Kind.Absent);
}

export function numbers_are_integers_where_they_can_be(): void {
  const whole = ["0", "-0", "2.0", "1e3", "-12E+1", "123456789012345678", "4e18"];
  const integers: i64[] = [0, 0, 2, 1000, -120, 123456789012345678, 4000000000000000000];
  for (let n = 0; n < whole.length; n++) {
    const value = Json.parse(whole[n]);
    assert(value.isInteger && value.isNumber && value.integer === integers[n], whole[n]);
  }
  assert(Json.parse("7").number === 7.0);
  for (let n = 0, some = ["0.5", "1e-3", "1e300", "-1.25"]; n < some.length; n++) {
    assert(Json.parse(some[n]).kind === Kind.Number, some[n]);
  }
}

export function escapes_are_decoded(): void {
  assert(Json.parse('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00"').text === '"\\/\b\f\n\r\t\u00e9\u{1F600}');
  assert(Json.parse('"a\\u0041b\\nc"').text === "aAb\nc");
}

export function what_is_no_json_is_absent(): void {
  const texts = [
    "", " ", "[", "[1", "[1,]", "[,1]", "{", '{"a"', '{"a":}', '{"a":1,}', "{a:1}", "tru", "nul", "01", "-", "1.", ".5", "1e",
    "+1", "1 2", '"', '"\\x"', '"\\u12g4"', '"a\nb"', "'a'", "[1]]", "{]", "NaN",
  ];
  for (let n = 0; n < texts.length; n++) assert(Json.parse(texts[n]).kind === Kind.Absent, texts[n]);
}

export function nesting_is_bounded(): void {
  assert(Json.parse("[".repeat(200) + "]".repeat(200)).kind === Kind.Array);
  assert(Json.parse("[".repeat(100000) + "]".repeat(100000)).kind === Kind.Absent);
}

export function writing_is_compact(): void {
  const writer = new JsonWriter().openObject().name("a\"").openArray().integer(i64.MIN_VALUE).number(0.1).bool(true);
  writer.null().text("x").openObject().closeObject().openArray().closeArray().closeArray();
  writer.name("b").number(NaN).closeObject();
  assert(writer.toString() === '{"a\\"":[-9223372036854775808,0.1,true,null,"x",{},[]],"b":null}', writer.toString());
}

export function what_was_read_is_written_again(): void {
  const text = '{"b":[1,-2.5,true,false,null,"x\\n",[],{}],"a":{"\\"":"\u{1F600}"}}';
  assert(new JsonWriter().json(Json.parse(text)).toString() === text);
  const among = new JsonWriter().openArray().json(Json.parse("[1,{}]")).json(Json.parse("").get("a")).closeArray();
  assert(among.toString() === "[[1,{}],null]", among.toString());
}

export function only_what_must_be_is_escaped(): void {
  const text = '"\\/\b\f\n\r\t\u0001\u001f\u007f\u00e9\u2028\u{1F600}';
  assert(quoted(text) === '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u007f\u00e9\u2028\u{1F600}"', quoted(text));
  assert(Json.parse(quoted(text)).text === text);
}
