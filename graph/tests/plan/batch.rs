//! `batch`: nodes whose clones take several elements each.

use crate::ops::{planned, try_plan};
use crate::show::lines;

const EMIT: &str = r#"
[nodes.emit]
op = "numbers/emit"
"#;

/// A batch is a list for any input that takes one, and makes a scope of its own.
#[test]
fn a_node_takes_a_dynamic_output_in_batches() {
    let job = planned(&format!(
        r#"{EMIT}
[nodes.sum]
op = "numbers/sum"
inputs.values.map = "emit"
batch = {{ max_items = 100, max_bytes = "1MiB" }}
[nodes.whole]
op = "numbers/whole"
inputs.values.map = "emit"
batch = {{ max_bytes = 7 }}
[nodes.any]
op = "solo"
inputs = {{ x.map = "emit", y.map = "emit" }}
batch = {{ max_items = 3 }}
[nodes.double]
op = "numbers/double"
inputs.x.map = "sum"
[nodes.split]
op = "numbers/split"
inputs.x.map = "sum"
[nodes.part]
op = "numbers/sum"
inputs.values.map = "split"
batch = {{ max_items = 2 }}
[outputs]
sums.collect = "double"
"#
    ));
    assert_eq!(
        lines(&job)[1..],
        [
            "sum [emit.numbers: 100 items 1048576 bytes]; \
             values = element of [emit.numbers: 100 items 1048576 bytes]",
            "whole [emit.numbers: 7 bytes]; values = element of [emit.numbers: 7 bytes]",
            "any [emit.numbers: 3 items]; x = element of [emit.numbers: 3 items]; \
             y = element of [emit.numbers: 3 items]",
            "double [emit.numbers: 100 items 1048576 bytes]; x = sum.total",
            "split [emit.numbers: 100 items 1048576 bytes]; x = sum.total",
            "part [emit.numbers: 100 items 1048576 bytes][split.parts: 2 items]; \
             values = element of [emit.numbers: 100 items 1048576 bytes][split.parts: 2 items]",
            "-> sums = collect [emit.numbers: 100 items 1048576 bytes] of double.value",
        ]
    );
}

/// The same bounds over the same output are the same batches.
#[test]
fn nodes_with_the_same_batches_can_stand_beside_each_other() {
    let job = planned(&format!(
        r#"{EMIT}
[nodes.sum]
op = "numbers/sum"
inputs.values.map = "emit"
batch = {{ max_items = 3 }}
[nodes.both]
op = "solo"
inputs = {{ x.map = "emit", y.map = "sum" }}
batch = {{ max_items = 3 }}
[nodes.each]
op = "numbers/double"
inputs.x.map = "emit"
"#
    ));
    assert_eq!(
        lines(&job)[2..],
        [
            "both [emit.numbers: 3 items]; x = element of [emit.numbers: 3 items]; y = sum.total",
            "each [emit.numbers]; x = element of [emit.numbers]",
        ]
    );
}

/// `semantics.md` rule 3: what is made for one element is not there for a batch.
#[test]
fn one_element_of_a_batch_has_no_value_of_its_own() {
    let error = try_plan(&format!(
        r#"{EMIT}
[nodes.double]
op = "numbers/double"
inputs.x.map = "emit"
[nodes.both]
op = "solo"
inputs = {{ x.map = "emit", y.from = "double" }}
batch = {{ max_items = 3 }}
"#
    ));
    let error = error.expect_err("outside of its map").to_string();
    assert!(error.contains("`double` has one value per clone in the map over `emit`"), "{error}");
}

/// Inside a graph a node takes batches of what the graph's own nodes yield, or of a dynamic output that
/// another graph gives out.
#[test]
fn batches_go_with_graphs() {
    let job = planned(
        r#"
[graphs.make.nodes.emit]
op = "numbers/emit"
[graphs.make.outputs]
numbers.from = "emit"

[graphs.use.nodes.made]
graph = "make"
[graphs.use.nodes.sum]
op = "numbers/sum"
inputs.values.map = "made.numbers"
batch = { max_items = 3 }
[graphs.use.outputs]
sums.collect = "sum"

[nodes.use]
graph = "use"
[outputs]
sums.from = "use.sums"
"#,
    );
    assert_eq!(
        lines(&job)[1],
        "use/sum [use/made/emit.numbers: 3 items]; \
         values = element of [use/made/emit.numbers: 3 items]"
    );
}
