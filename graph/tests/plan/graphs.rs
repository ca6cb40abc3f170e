//! Graphs used as nodes: their nodes stand in the job under their path.

use crate::ops::{planned, try_plan};
use crate::show::lines;

/// A graph that adds one and doubles, and a graph around it.
pub(crate) const CLEAN: &str = r#"
[graphs.clean]
description = "adds one, then doubles"
inputs.text = { description = "what to clean" }
[graphs.clean.nodes.trim]
op = "numbers/double"
inputs.x.input = "text"
[graphs.clean.nodes.again]
op = "numbers/double"
inputs.x.from = "trim"
[graphs.clean.outputs]
text.from = "again"

[graphs.outer]
inputs.text = {}
nodes.inner = { graph = "clean", inputs.text.input = "text" }
outputs.text.from = "inner"
"#;

#[test]
fn a_graph_outside_a_map_runs_once() {
    let job = planned(&format!(
        r#"{CLEAN}
[nodes.clean]
graph = "clean"
inputs.text.value = 1
[outputs]
text.from = "clean.text"
"#
    ));
    assert_eq!(
        lines(&job),
        [
            "clean/trim []; x = 1",
            "clean/again []; x = clean/trim.value",
            "-> text = clean/again.value"
        ]
    );
}

/// `semantics.md` rule 1: every node of a graph stands at least where the graph is used.
#[test]
fn a_graph_inside_a_map_runs_in_every_clone() {
    let job = planned(&format!(
        r#"{CLEAN}
[nodes.emit]
op = "numbers/emit"
[nodes.deep]
graph = "outer"
inputs.text.map = "emit"
[nodes.sum]
op = "numbers/sum"
inputs.values.collect = "deep"
"#
    ));
    assert_eq!(
        lines(&job),
        [
            "emit []",
            "deep/inner/trim [emit.numbers]; x = element of [emit.numbers]",
            "deep/inner/again [emit.numbers]; x = deep/inner/trim.value",
            "sum []; values = collect [emit.numbers] of deep/inner/again.value",
        ]
    );
}

pub(crate) const ALL_KINDS: &str = r#"
[graphs.all.nodes.emit]
op = "numbers/several"
[graphs.all.nodes.double]
op = "numbers/double"
inputs.x.map = "emit.left"
[graphs.all.nodes.one]
op = "numbers/one"
[graphs.all.outputs]
plain.from = "emit.plain"
dynamic.from = "emit.right"
mapped.map = "double"
collected.collect = "double"
"#;

#[test]
fn a_graph_gives_plain_mapped_dynamic_and_collected_outputs() {
    let job = planned(&format!(
        r#"{ALL_KINDS}
[nodes.all]
graph = "all"
[nodes.more]
op = "numbers/add"
inputs = {{ x.map = "all.mapped", y.map = "all.mapped" }}
[nodes.each]
op = "numbers/double"
inputs.x.map = "all.dynamic"
[nodes.sum]
op = "numbers/sum"
inputs.values.from = "all.collected"
[nodes.fan_in]
op = "numbers/sum"
inputs.values.collect = "all.mapped"
[outputs]
plain.from = "all.plain"
"#
    ));
    assert_eq!(
        lines(&job)[3..],
        [
            "more [all/emit.left]; x = all/double.value; y = all/double.value",
            "each [all/emit.right]; x = element of [all/emit.right]",
            "sum []; values = collect [all/emit.left] of all/double.value",
            "fan_in []; values = collect [all/emit.left] of all/double.value",
            "-> plain = all/emit.plain",
        ]
    );
}

/// Nothing is kept in memory for an output of a graph that nothing takes.
#[test]
fn outputs_that_nothing_takes_leave_neither_scopes_nor_collects() {
    let job = planned(&format!(
        r#"{ALL_KINDS}
[nodes.all]
graph = "all"
[outputs]
plain.from = "all.plain"
"#
    ));
    assert_eq!((job.scopes.len(), job.collects.len()), (2, 0));
}

#[test]
fn waiting_for_a_graph_is_waiting_for_all_of_its_nodes() {
    let job = planned(&format!(
        r#"{CLEAN}
[nodes.first]
graph = "clean"
inputs.text.value = 1
[nodes.second]
graph = "clean"
inputs.text.value = 2
after = ["first"]
[nodes.last]
op = "numbers/one"
after = ["second"]
"#
    ));
    assert_eq!(
        lines(&job)[2..],
        [
            "second/trim []; x = 2; after first/trim; after first/again",
            "second/again []; x = second/trim.value; after first/trim; after first/again",
            "last []; after second/trim; after second/again",
        ]
    );
}

/// A list of lists in the collect of a collect, level by level.
#[test]
fn a_collect_that_a_mapped_graph_gives_out_can_be_collected_again() {
    let job = planned(
        r#"
[graphs.parts]
inputs.x = {}
nodes.split = { op = "numbers/split", inputs.x.input = "x" }
outputs.all.collect = "split"
[nodes.emit]
op = "numbers/emit"
[nodes.parts]
graph = "parts"
inputs.x.map = "emit"
[nodes.table]
op = "solo"
inputs.x.collect = "parts"
"#,
    );
    assert_eq!(
        lines(&job)[2],
        "table []; x = collect [emit.numbers] of collect [emit.numbers][parts/split.parts] \
         of element of [emit.numbers][parts/split.parts]"
    );
}

/// `semantics.md` rule 6 holds inside a graph whatever it is used for: its own nodes are not
/// inside a map only because the graph is.
#[test]
fn a_graph_cannot_collect_over_the_map_that_it_stands_in() {
    let error = try_plan(
        r#"
[graphs.inner]
inputs.x = {}
nodes.double = { op = "numbers/double", inputs.x.input = "x" }
nodes.sum = { op = "numbers/sum", inputs.values.collect = "double" }
[nodes.emit]
op = "numbers/emit"
[nodes.inner]
graph = "inner"
inputs.x.map = "emit"
"#,
    )
    .unwrap_err();
    assert_eq!(
        error.problems()[0].message,
        "`collect` on `double`, which is neither a dynamic output nor inside a map"
    );
}

/// `semantics.md` rule 4 where a graph is used: its nodes stand where its inputs meet.
#[test]
fn the_inputs_of_a_graph_meet_like_those_of_an_op() {
    let job = planned(
        r#"
[graphs.add]
inputs = { a = {}, b = {} }
nodes.add = { op = "numbers/add", inputs = { x.input = "a", y.input = "b" } }
outputs = { sum.from = "add", first.input = "a" }
[nodes.a]
op = "numbers/emit"
[nodes.b]
op = "numbers/emit"
[nodes.both]
graph = "add"
inputs = { a.map = "a", b.map = "b" }
combine = "cross"
[nodes.more]
op = "numbers/add"
inputs = { x.map = "both.sum", y.map = "both.first" }
"#,
    );
    assert_eq!(
        lines(&job)[2..],
        [
            "both/add [a.numbers][cross [b.numbers]]; x = element of [a.numbers]; y = element of [b.numbers]",
            "more [a.numbers][cross [b.numbers]]; x = both/add.value; y = element of [a.numbers]",
        ]
    );
}
