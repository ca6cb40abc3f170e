//! What `#[op]` makes of signatures.

use dynhost_sdk::prelude::*;
use dynhost_sdk::serde_json::{Value as Json, json};
use dynhost_sdk::testing::{self, definition, step as run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    #[default]
    Bytes,
    Kilobytes,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Config {
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Line {
    text: String,
}

/// Splits a text
/// into lines.
///
/// Empty lines are lines.
#[op(name = "split-text", output(name = "lines", dynamic, description = "One for each line."))]
fn split(
    /// The text to split.
    #[input(name = "whole-text")]
    text: String,
    out: &mut Emitter<Line>,
) -> Result<()> {
    for (n, line) in text.lines().enumerate() {
        out.emit(format!("line_{n}"), Line { text: line.to_owned() })?;
    }
    Ok(())
}

#[op]
fn measure(line: Line, factor: Option<u64>, #[config] config: Config) -> u64 {
    let divisor = match config.unit {
        Unit::Bytes => 1,
        Unit::Kilobytes => 1000,
    };
    line.text.len() as u64 * factor.unwrap_or(1) / divisor
}

#[op(output(name = "least"), output(name = "most", optional))]
fn range(numbers: Vec<i64>) -> std::result::Result<(i64, Option<i64>), Failure> {
    let least = numbers.iter().min().ok_or_else(|| Failure::permanent("there are no numbers"))?;
    Ok((*least, numbers.iter().max().filter(|most| *most > least).copied()))
}

#[op]
fn distinct(numbers: BTreeSet<i64>) -> usize {
    numbers.len()
}

#[op]
fn parse(text: String) -> std::result::Result<i32, std::num::ParseIntError> {
    text.parse()
}

#[op]
fn load(n: u32) -> Vec<DynamicOutput<u32>> {
    (0..n).map(|x| DynamicOutput::new(format!("n{x}"), x)).collect()
}

#[op]
fn place(context: &Context) -> String {
    context.step_key.clone()
}

#[op]
fn size(blob: Blob, more: Option<Collected<Blob>>) -> usize {
    blob.data.len() + more.map_or(0, |more| more.map(|blob| blob.data.len()).sum())
}

#[op]
fn join(pictures: Vec<Blob>) -> Blob {
    Blob::new("text/plain", pictures.into_iter().flat_map(|blob| blob.data).collect::<Vec<_>>())
}

#[op(output(optional), output(required))]
fn give(#[config] twice: bool, list: &mut Emitter<u8>, one: &mut Output<u8>) -> Result<()> {
    if twice {
        list.emit("same", 1)?;
        // A contract violation that the op swallows is one all the same.
        let _ = list.emit("same", 2);
    }
    one.give(3)
}

/// Its name is that of a local in what the macro writes, if that is careless.
#[op]
fn outputs(arguments: u8, inputs: u8, returned: u8) -> u8 {
    arguments + inputs + returned
}

#[op]
fn nothing() {}

export_ops!(
    split, measure, range, distinct, parse, load, place, size, join, give, outputs, nothing
);

#[test]
fn names_and_descriptions_come_from_the_function_or_its_attributes() {
    let split = definition(OPS, "split-text");
    assert_eq!(split.description, "Splits a text into lines.\n\nEmpty lines are lines.");
    assert_eq!(split.inputs[0].name, "whole-text");
    assert_eq!(split.inputs[0].description, "The text to split.");
    assert_eq!(split.outputs[0].name, "lines");
    assert_eq!(split.outputs[0].description, "One for each line.");
    assert!(split.outputs[0].dynamic && split.outputs[0].required);
    let outcome = run(OPS, "split-text").input("whole-text", "a\nb").run();
    assert_eq!(outcome.dynamic("lines")[1], ("line_1", json!({"text": "b"})));
}

#[test]
fn what_is_not_given_is_a_default() {
    let measured = |config: Json| {
        run(OPS, "measure").input("line", json!({"text": "x"})).config(&config).run()
    };
    assert_eq!(measured(Json::Null).json("result"), json!(1));
    assert_eq!(measured(json!({"unit": "kilobytes"})).json("result"), json!(0));
    let words = measured(json!({"unit": "miles"})).failure().to_string();
    assert!(words.starts_with("config: unknown variant `miles`"), "{words}");
    let inputs = definition(OPS, "measure").inputs;
    assert_eq!(inputs.iter().map(|input| input.required).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_tuple_is_several_outputs() {
    let some = run(OPS, "range").input("numbers", json!([3, 1])).run();
    assert_eq!((some.json("least"), some.json("most")), (json!(1), json!(3)));
    let one = run(OPS, "range").input("numbers", json!([3])).run();
    assert_eq!(one.blob("most"), None);
    let none = run(OPS, "range").input("numbers", json!([])).run();
    assert_eq!(none.failure().message(), "there are no numbers");
    let required: Vec<_> =
        definition(OPS, "range").outputs.iter().map(|output| output.required).collect();
    assert_eq!(required, [true, false]);
}

#[test]
fn several_values_are_a_list_or_whatever_reads_one() {
    assert_eq!(run(OPS, "range").many("numbers", [2, 1]).run().json("least"), json!(1));
    assert_eq!(run(OPS, "distinct").many("numbers", [1, 1]).run().json("result"), json!(1));
    let blobs = ["a", "b"].map(|text| Blob::new("text/plain", text));
    assert_eq!(run(OPS, "join").many("pictures", blobs).run().blob("result").unwrap().data, b"ab");
}

#[test]
fn any_error_is_a_permanent_failure() {
    let outcome = run(OPS, "parse").input("text", "x").run();
    assert_eq!(outcome.failure(), &Failure::permanent("invalid digit found in string"));
}

#[test]
fn what_does_not_fit_is_named() {
    let missing = run(OPS, "parse").run();
    assert_eq!(
        missing.failure().message(),
        "input `text`: it is required, and the job gives nothing for it"
    );
    let picture = run(OPS, "parse").input("text", Blob::new("image/png", "…")).run();
    assert_eq!(
        picture.failure().message(),
        "input `text`: JSON was expected, not 3 bytes of `image/png`"
    );
}

#[test]
fn a_list_of_dynamic_outputs_is_one_dynamic_output() {
    let output = &definition(OPS, "load").outputs[0];
    assert!(output.dynamic && output.required && output.name == "result");
    assert_eq!(run(OPS, "load").input("n", 1).run().dynamic("result"), [("n0", json!(0))]);
}

#[test]
fn a_context_is_no_input() {
    assert!(definition(OPS, "place").inputs.is_empty());
    let outcome = run(OPS, "place").mapping_keys(["a"]).run();
    assert_eq!(outcome.json("result"), json!("place[a]"));
}

#[test]
fn bytes_have_no_schema_and_may_be_collected() {
    let inputs = definition(OPS, "size").inputs;
    assert!(inputs.iter().all(|input| input.schema.is_none()));
    assert!(inputs[1].collected && !inputs[1].required);
    let blob = |text| Blob::new("text/plain", text);
    let step = run(OPS, "size").input("blob", blob("ab"));
    assert_eq!(step.collected("more", [("k", blob("c"))]).run().json("result"), json!(3));
    assert_eq!(run(OPS, "size").input("blob", blob("ab")).run().json("result"), json!(2));
}

#[test]
fn a_violation_cannot_be_swallowed() {
    let fine = run(OPS, "give").config(&json!(false)).run();
    assert_eq!(fine.json("one"), json!(3));
    let twice = run(OPS, "give").config(&json!(true)).run();
    let words = "output `list`, mapping key `same`: the mapping key `same` was already given";
    assert_eq!(twice.failure().message(), words);
    let required: Vec<_> =
        definition(OPS, "give").outputs.iter().map(|output| output.required).collect();
    assert_eq!(required, [false, true]);
}

#[test]
fn names_of_the_function_are_its_own() {
    let step = run(OPS, "outputs").input("arguments", 1).input("inputs", 2).input("returned", 3);
    assert_eq!(step.run().json("result"), json!(6));
}

#[test]
fn an_op_may_give_nothing() {
    nothing();
    assert!(definition(OPS, "nothing").outputs.is_empty());
    assert!(run(OPS, "nothing").run().result.is_ok());
    assert_eq!(measure(Line { text: "abc".into() }, Some(2), Config { unit: Unit::Bytes }), 6);
    assert!(testing::definition(OPS, "measure").config_schema.unwrap().contains("kilobytes"));
}
