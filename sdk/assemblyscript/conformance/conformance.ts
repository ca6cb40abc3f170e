// The ops that every SDK offers; what they do is said in tests/black_box/languages/conformance.rs.

import { INTEGER, JsonWriter, Kind, Level, STRING, Step, Value, op } from "dynhost-sdk-assemblyscript/assembly";

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
  if (kind === "transient") step.failTransient(message);
  else if (kind === "retry_after") step.failRetryAfter(message, config.get("delay_ms").integer);
  else step.fail(message);
})
  .input("value", null, "Anything")
  .output("result", INTEGER, "The attempt that succeeded")
  .config(
    '{"type":"object","properties":{' +
      '"kind":{"enum":["permanent","transient","retry_after"],"default":"permanent"},' +
      '"until":{"type":"integer","minimum":0},' +
      '"delay_ms":{"type":"integer","minimum":0,"default":0}}}',
  );

op("tell", "Talks, and tells where it stands.", (step: Step) => {
  const language = ["language", "assemblyscript"];
  step.log(Level.Trace, "trace message", language);
  step.log(Level.Debug, "debug message", language);
  step.log(Level.Info, "info message", language);
  step.log(Level.Warn, "warn message", language);
  step.log(Level.Error, "error message", language);
  step.progress(1, 2);
  const place = new JsonWriter().openObject().name("step").text(step.key).name("keys").openArray();
  const keys = step.mappingKeys;
  for (let n = 0; n < keys.length; n++) place.text(keys[n]);
  place.closeArray().name("attempt").integer(step.attempt).closeObject();
  step.give("result", Value.json(place));
})
  .input("value", null, "Anything")
  .output("result", '{"type":"object"}', "Where the step stands");
