// The ops that every SDK offers; what they do is said in docs/languages.md.

import { INTEGER, JsonWriter, Kind, Level, STRING, Step, Value, op } from "dynhost-sdk-assemblyscript/assembly";
import * as abi from "dynhost-sdk-assemblyscript/assembly/abi";

op("echo", "Gives the value back as it is.", (step: Step) => {
  step.give("result", step.value("value"));
})
  .input("value", null, "Anything")
  .output("result", null, "The value");

op("split", "Emits each line of a text.", (step: Step) => {
  const text = step.text("text");
  for (let at = 0, n = 0; at < text.length; n++) {
    let end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    if (!step.emit("line", Value.text(text.substring(at, end)), "line_" + n.toString())) return;
    at = end + 1;
  }
})
  .input("text", STRING, "The text")
  .dynamicOutput("line", STRING, "A line, without its end");

function isSpace(c: i32): bool {
  return c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0c || c === 0x0d;
}

op("words", "Gives the words of a text as one list.", (step: Step) => {
  const text = step.text("text");
  for (let at = 0, n = 0; at < text.length; ) {
    const begin = at;
    while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
    if (at > begin) step.give("word", Value.text(text.substring(begin, at)), (n++).toString());
    else at++;
  }
})
  .input("text", STRING, "The text")
  .dynamicOutput("word", STRING, "A word");

op("length", "Counts the code points of a text.", (step: Step) => {
  const text = step.text("text");
  let points = 0;
  // The second half of a pair of surrogates does not count.
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) !== 0xdc00) points++;
  step.give("result", Value.integer(points));
})
  .input("text", STRING, "The text")
  .output("result", INTEGER, "How many there are");

op("join", "Joins texts.", (step: Step) => {
  const separator = step.config.get("separator");
  const joined: string[] = [];
  const texts = step.collected("texts");
  for (let text = texts.next(); text !== null; text = texts.next()) joined.push(text.text);
  step.give("result", Value.text(joined.join(separator.kind === Kind.String ? separator.text : " ")));
})
  .collectedInput("texts", STRING, "The texts")
  .output("result", STRING, "One text")
  .config('{"type":"object","properties":{"separator":{"type":"string","default":" "}}}');

op("half", "Halves an even number, and gives nothing for an odd one.", (step: Step) => {
  const n = step.integer("n");
  if (n % 2 === 0) step.give("half", Value.integer(n / 2));
})
  .input("n", INTEGER, "A number")
  .optionalOutput("half", INTEGER, "The half");

op("fail", "Fails as it is asked to.", (step: Step) => {
  const config = step.config;
  const kind = config.get("kind").text;
  const until = config.get("until");
  if (until.isInteger && <i64>step.attempt > until.integer) {
    step.give("result", Value.integer(step.attempt));
    return;
  }
  const message = "attempt " + step.attempt.toString() + " was asked to fail";
  const asked = config.get("detail");
  const hasDetail = asked.kind !== Kind.Absent && asked.kind !== Kind.Null;
  const detail = hasDetail ? Value.json(new JsonWriter().json(asked)) : null;
  if (kind === "transient") step.failTransient(message, detail);
  else if (kind === "retry_after") step.failRetryAfter(message, config.get("delay_ms").integer, detail);
  else step.fail(message, detail);
})
  .input("value", null, "Anything")
  .output("result", INTEGER, "The attempt that succeeded")
  .config(
    '{"type":"object","properties":{' +
      '"kind":{"enum":["permanent","transient","retry_after"],"default":"permanent"},' +
      '"until":{"type":"integer","minimum":0},' +
      '"delay_ms":{"type":"integer","minimum":0,"default":0},' +
      '"detail":{"description":"What programs are told of the failure"}}}',
  );

function putTexts(writer: JsonWriter, texts: string[]): JsonWriter {
  writer.openArray();
  for (let n = 0; n < texts.length; n++) writer.text(texts[n]);
  return writer.closeArray();
}

op("tell", "Talks, and tells where it stands.", (step: Step) => {
  const language = ["language", "assemblyscript"];
  step.log(Level.Trace, "trace message", language);
  step.log(Level.Debug, "debug message", language);
  step.log(Level.Info, "info message", language);
  step.log(Level.Warn, "warn message", language);
  step.log(Level.Error, "error message", language);
  step.progress(1, 2);
  const place = new JsonWriter().openObject().name("step").text(step.key);
  putTexts(place.name("keys"), step.mappingKeys).name("attempt").integer(step.attempt).closeObject();
  step.give("result", Value.json(place));
})
  .input("value", null, "Anything")
  .output("result", '{"type":"object"}', "Where the step stands");

op("take", "Gives what it takes.", (step: Step) => {
  const taken = new JsonWriter().openObject().name("values").json(step.json("values")).name("word");
  if (step.given("word")) taken.text(step.text("word"));
  else taken.null();
  step.give("result", Value.json(taken.closeObject()));
})
  .input("values", '{"type":"array","items":{"type":"integer"}}', "Numbers")
  .optionalInput("word", STRING, "A word that may be missing")
  .output("result", '{"type":"object"}', "What was taken");

op("census", "Counts elements, and tells their mapping keys.", (step: Step) => {
  const values = step.collected("values");
  const keys: string[] = [];
  for (let value = values.next(); value !== null; value = values.next()) keys.push(value.key);
  const census = new JsonWriter().openObject().name("length").integer(values.length);
  putTexts(putTexts(census.name("keys"), keys).name("failed"), values.failedKeys).closeObject();
  step.give("result", Value.json(census));
})
  .collectedInput("values", null, "Anything")
  .output("result", '{"type":"object"}', "What there is");

op("emit", "Emits what it is told to.", (step: Step) => {
  const outputs = step.config.get("outputs").items;
  for (let n = 0; n < outputs.length; n++) {
    const output = outputs[n], key = output.get("key"), mediaType = output.get("media_type"), bytes = output.get("bytes");
    let data = String.UTF8.encode("0");
    if (bytes.kind === Kind.Array) {
      const list = new Uint8Array(bytes.items.length);
      for (let at = 0; at < list.length; at++) list[at] = <u8>bytes.at(at).integer;
      data = list.buffer;
    }
    const value = new Value(data, mediaType.kind === Kind.String ? mediaType.text : "application/json");
    if (!step.emit(output.get("name").text, value, key.kind === Kind.String ? key.text : null)) return;
  }
})
  .dynamicOutput("item", null, "An element")
  .output("result", null, "A value that must be given")
  .optionalOutput("text", STRING, "A text that may be given")
  .config(
    '{"type":"object","required":["outputs"],"properties":{"outputs":{"type":"array","items":{' +
      '"type":"object","required":["name"],"properties":{' +
      '"name":{"type":"string","description":"The output"},' +
      '"key":{"type":"string","description":"The mapping key; none where nothing is said"},' +
      '"media_type":{"type":"string","default":"application/json"},' +
      '"bytes":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255},"default":[48]}}}}}}',
  );

op("swallow", "Emits a mapping key twice, and ignores the answer.", (step: Step) => {
  // `step.emit` would not ignore it.
  abi.emit("item", "key", Value.integer(0));
  abi.emit("item", "key", Value.integer(0));
})
  .dynamicOutput("item", null, "An element");

op("pull", "Pulls batches of elements, and tells the mapping keys of each.", (step: Step) => {
  const values = step.collected("values");
  const max = step.config.get("max").items;
  const batches = new JsonWriter().openArray();
  for (let n = 0; n < max.length; n++) {
    const batch = abi.collectedNext(values.handle, <u32>max[n].integer);
    batches.openArray();
    for (let at = 0; at < batch.length; at++) batches.text(batch[at].key);
    batches.closeArray();
  }
  step.give("result", Value.json(batches.closeArray()));
})
  .collectedInput("values", null, "Anything")
  .output("result", '{"type":"array"}', "The mapping keys of each batch")
  .config(
    '{"type":"object","required":["max"],"properties":{' +
      '"max":{"type":"array","items":{"type":"integer"},"description":"How many to take, batch by batch"}}}',
  );

let steps = 0;

op("count", "Counts the steps that this instance has run.", (step: Step) => {
  step.give("result", Value.integer(++steps));
})
  .input("value", null, "Anything")
  .output("result", INTEGER, "How many, this one included");

op("trap", "Traps.", (step: Step) => {
  unreachable();
})
  .input("value", null, "Anything")
  .output("result", null, "Never given");

op("spin", "Computes without end.", (step: Step) => {
  while (true) {}
})
  .input("value", null, "Anything")
  .output("result", null, "Never given");

op("grow", "Takes memory without end.", (step: Step) => {
  const taken: ArrayBuffer[] = [];
  while (true) taken.push(new ArrayBuffer(1 << 20));
})
  .input("value", null, "Anything")
  .output("result", null, "Never given");
