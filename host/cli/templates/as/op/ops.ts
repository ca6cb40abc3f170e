// The op `{{op}}`.

import { INTEGER, STRING, Step, Value, op } from "dynhost-sdk-assemblyscript/assembly";

import { countWords } from "./words";

op("{{op}}", "Counts the words of a text.", (step: Step) => {
  step.give("result", Value.integer(countWords(step.text("text"))));
})
  .input("text", STRING)
  .output("result", INTEGER);
