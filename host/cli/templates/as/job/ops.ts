// The ops of the job `{{name}}`.

import { INTEGER, STRING, Step, Value, op } from "dynhost-sdk-assemblyscript/assembly";

import { countWords } from "./words";

op("split", "Splits a text into lines, one dynamic output for each.", (step: Step) => {
  const lines = step.text("text").split("\n");
  for (let n = 0; n < lines.length; n++) {
    // Clones start now; the op waits here while they are busy.
    if (!step.emit("line", Value.text(lines[n]), "line_" + n.toString())) return;
  }
})
  .input("text", STRING)
  .dynamicOutput("line", STRING);

op("measure", "Counts the words of one line.", (step: Step) => {
  step.give("words", Value.integer(countWords(step.text("line"))));
})
  .input("line", STRING)
  .output("words", INTEGER);

op("total", "Adds up what was measured, pulling one batch after the other.", (step: Step) => {
  const counts = step.collected("counts");
  let sum: i64 = 0;
  for (let count = counts.next(); count !== null; count = counts.next()) sum += count.integer;
  step.give("sum", Value.integer(sum));
})
  .collectedInput("counts", INTEGER)
  .output("sum", INTEGER);
