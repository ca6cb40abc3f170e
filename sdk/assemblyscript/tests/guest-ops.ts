// Ops that take no care, to see what the SDK makes of it.

import { ANY_JSON, INTEGER, JsonWriter, NUMBER, STRING, Step, Value, op } from "dynhost-sdk-assemblyscript/assembly";

op("wrong_type", "Takes anything for a string.", (step: Step) => {
  step.give("text", Value.text(step.text("value")));
})
  .input("value")
  .output("text", STRING);

op("wrong_name", "Takes what is not there.", (step: Step) => {
  step.value("no such input");
});

op("undeclared", "Emits what it does not declare.", (step: Step) => {
  step.emit("no such output", Value.bool(true));
});

op("out_of_bounds", "Ends itself.", (step: Step) => {
  const none: i32[] = [];
  step.give("n", Value.integer(none[3]));
}).output("n", INTEGER);

op("sum", "Adds up several values, none of which need be there.", (step: Step) => {
  let sum = 0.0;
  if (step.given("values")) {
    const values = step.json("values").items;
    for (let n = 0; n < values.length; n++) sum += values[n].number;
  }
  step.give("sum", Value.number(sum * (step.config.get("times").isNumber ? step.config.get("times").number : 1)));
})
  .optionalInput("values", ANY_JSON)
  .output("sum", NUMBER)
  .config('{"type":"object","properties":{"times":{"type":"number"}}}');

op("media_types", "Tells the media type of each value.", (step: Step) => {
  const values = step.values("values");
  const types = new JsonWriter().openArray();
  for (let n = 0; n < values.length; n++) types.text(values[n].mediaType);
  step.give("types", Value.json(types.closeArray()));
})
  .optionalInput("values")
  .output("types", ANY_JSON);

op("bytes", "Gives bytes that are no JSON.", (step: Step) => {
  step.give("bytes", new Value(new ArrayBuffer(2), "image/png"));
}).output("bytes");

op("flood", "Emits n texts of 1,000 bytes.", (step: Step) => {
  const n = step.integer("n");
  for (let at: i64 = 0; at < n; at++) {
    if (!step.emit("text", Value.text("x".repeat(998)), at.toString())) return;
  }
})
  .input("n", INTEGER)
  .dynamicOutput("text", STRING);

op("odd_fails", "Fails for odd keys.", (step: Step) => {
  if (I32.parseInt(step.mappingKeys[0]) % 2 === 1) step.fail("it is odd");
  else step.give("value", step.value("value"));
})
  .input("value")
  .output("value");

op("drain", "Pulls texts.", (step: Step) => {
  const texts = step.collected("texts");
  let bytes = 0;
  for (let text = texts.next(); text !== null; text = texts.next()) bytes += text.value.data.byteLength;
  const drained = new JsonWriter().openObject().name("length").integer(texts.length).name("bytes").integer(bytes);
  drained.name("failed").openArray();
  const failed = texts.failedKeys;
  for (let n = 0; n < failed.length; n++) drained.text(failed[n]);
  step.give("drained", Value.json(drained.closeArray().closeObject()));
})
  .collectedInput("texts", STRING)
  .output("drained", ANY_JSON);
