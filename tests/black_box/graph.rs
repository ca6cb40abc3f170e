//! Graphs of real components: what comes out of map, collect, lists, graphs and the rest.

use serde_json::{Value as Json, json};

use crate::job::{Job, Ran, is_skip, is_start, is_success, node, run};

const TIMES_TWENTY: &str = r#"
params.n.type = "integer"
nodes.emit_ten.op = "basics/emit_ten"
nodes.emit = { op = "basics/numbers", inputs.n.param = "n" }
nodes.multiply_inputs = { op = "basics/multiply_inputs", inputs.x.map = "emit", inputs.ten.from = "emit_ten" }
nodes.multiply_by_two = { op = "basics/multiply_by_two", inputs.x.map = "multiply_inputs" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "multiply_by_two" }
nodes.doubled = { op = "basics/multiply_by_two", inputs.x.from = "sum" }
nodes.echoed = { op = "basics/echo", inputs.value.from = "doubled" }
outputs.sum.from = "sum"
outputs.doubled.from = "doubled"
outputs.echoed.from = "echoed"
outputs.clones.collect = "multiply_by_two"
"#;

fn outputs(ran: &Ran, names: &[&str]) -> Vec<Option<Json>> {
    names.iter().map(|name| ran.output(name)).collect()
}

/// `semantics.md` rules 1, 2 and 3: a chain of clones, an outer value handed to each, one sum.
#[test]
fn a_fan_out_is_mapped_twice_and_summed() {
    let ran = Job::new(TIMES_TWENTY).param("n", json!(3)).run().succeeded();
    assert_eq!(
        outputs(&ran, &["sum", "doubled", "echoed", "clones"]),
        [Some(json!(60)), Some(json!(120)), Some(json!(120)), Some(json!([0, 20, 40]))]
    );
    let mut clones = ran.steps(|event| is_start(event) && node(event) == "multiply_inputs");
    clones.sort();
    assert_eq!(clones, ["multiply_inputs[0]", "multiply_inputs[1]", "multiply_inputs[2]"]);
    assert_eq!((ran.counts().succeeded, ran.counts().skipped), (2 + 2 * 3 + 3, 0));
}

/// `semantics.md` rule 13: without dynamic outputs, a collect runs with an empty list.
#[test]
fn an_empty_fan_out_is_summed_to_nothing() {
    let ran = Job::new(TIMES_TWENTY).param("n", json!(0)).run().succeeded();
    assert_eq!(
        outputs(&ran, &["sum", "doubled", "clones"]),
        [Some(json!(0)), Some(json!(0)), Some(json!([]))]
    );
}

/// `semantics.md` rules 2 and 13: fan out, in, out, in, out, in.
#[test]
fn three_fan_outs_in_a_row() {
    let text = r#"
params.n.type = "integer"
nodes.first = { op = "basics/numbers", inputs.n.param = "n" }
nodes.one = { op = "basics/multiply_by_two", inputs.x.map = "first" }
nodes.sum_one = { op = "basics/sum", inputs.numbers.collect = "one" }
nodes.second = { op = "basics/repeat", inputs.count.param = "n", inputs.number.from = "sum_one" }
nodes.two = { op = "basics/multiply_by_two", inputs.x.map = "second" }
nodes.sum_two = { op = "basics/sum", inputs.numbers.collect = "two" }
nodes.third = { op = "basics/numbers", inputs.n.param = "n", after = ["sum_two"] }
nodes.three = { op = "basics/multiply_by_two", inputs.x.map = "third" }
nodes.four = { op = "basics/multiply_by_two", inputs.x.map = "three" }
nodes.sum_three = { op = "basics/sum", inputs.numbers.collect = "four" }
nodes.total = { op = "basics/multiply_by_two", inputs.x.from = "sum_three" }
outputs.middle.from = "sum_two"
outputs.total.from = "total"
"#;
    let ran = Job::new(text).param("n", json!(3)).run().succeeded();
    assert_eq!(outputs(&ran, &["middle", "total"]), [Some(json!(36)), Some(json!(24))]);
    let ran = Job::new(text).param("n", json!(0)).run().succeeded();
    assert_eq!(outputs(&ran, &["middle", "total"]), [Some(json!(0)), Some(json!(0))]);
}

/// `semantics.md` rule 8: two dynamic outputs of one op beside an ordinary one, each used or not.
#[test]
fn one_op_gives_two_dynamic_outputs_and_a_plain_one() {
    let ran = run(r#"
nodes.scatter = { op = "basics/scatter", inputs.n.value = 5 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "scatter.evens" }
nodes.count = { op = "basics/echo", inputs.value.from = "scatter.count" }
outputs.doubled.collect = "double"
outputs.odds.collect = "scatter.odds"
outputs.count.from = "count"
"#)
    .succeeded();
    assert_eq!(
        outputs(&ran, &["doubled", "odds", "count"]),
        [Some(json!([0, 4, 8])), Some(json!([1, 3])), Some(json!(5))]
    );
    assert_eq!(ran.counts().succeeded, 1 + 3 + 1);
}

/// `semantics.md` rule 14: clones that an optional output skips are left out of the collect, which is skipped
/// itself when all of them are. Rule 4: two fan-outs meet by their mapping keys.
#[test]
fn optional_outputs_of_clones_are_collected_where_they_are() {
    let ran = run(r#"
nodes.values = { op = "basics/each", inputs.values.value = [1, 2, 3] }
nodes.flags = { op = "basics/each", inputs.values.value = [true, false, false] }
nodes.odds = { op = "basics/each", inputs.values.value = [1, 3] }
nodes.pick = { op = "basics/branch", inputs.value.map = "values", inputs.yes_or_no.map = "flags", combine = "zip" }
nodes.yes = { op = "basics/echo", inputs.value.map = "pick.yes" }
nodes.even = { op = "basics/even", inputs.x.map = "odds" }
nodes.sum_of_none = { op = "basics/sum", inputs.numbers.collect = "even" }
nodes.below = { op = "basics/multiply_by_two", inputs.x.from = "sum_of_none" }
outputs.yes.collect = "yes"
outputs.no.collect = "pick.no"
outputs.none.from = "sum_of_none"
outputs.below.from = "below"
"#)
    .succeeded();
    assert_eq!(
        outputs(&ran, &["yes", "no", "none", "below"]),
        [Some(json!([1])), Some(json!([2, 3])), None, None]
    );
    let mut skipped = ran.steps(is_skip);
    skipped.sort();
    assert_eq!(skipped, ["below", "sum_of_none", "yes[1]", "yes[2]"]);
}

/// `semantics.md` rule 14: an optional dynamic output without elements skips its collect, a required
/// one does not.
#[test]
fn an_optional_dynamic_output_without_elements_skips_its_collect() {
    let ran = run(r#"
nodes.none = { op = "basics/numbers_if_any", inputs.n.value = 0 }
nodes.some = { op = "basics/numbers_if_any", inputs.n.value = 3 }
nodes.empty = { op = "basics/numbers", inputs.n.value = 0 }
nodes.sum_none = { op = "basics/sum", inputs.numbers.collect = "none" }
nodes.sum_some = { op = "basics/sum", inputs.numbers.collect = "some" }
nodes.sum_empty = { op = "basics/sum", inputs.numbers.collect = "empty" }
nodes.fan_in = { op = "basics/sum_list", inputs.numbers = [{ from = "sum_none" }, { from = "sum_some" }, { value = 3 }] }
nodes.all_skipped = { op = "basics/sum_list", inputs.numbers = [{ from = "sum_none" }] }
outputs.none.from = "sum_none"
outputs.empty.from = "sum_empty"
outputs.fan_in.from = "fan_in"
outputs.all_skipped.from = "all_skipped"
"#)
    .succeeded();
    assert_eq!(
        outputs(&ran, &["none", "empty", "fan_in", "all_skipped"]),
        [None, Some(json!(0)), Some(json!(6)), None]
    );
}

/// `semantics.md` rule 5, and the words *mapping key* and *step key*: a step knows its place.
#[test]
fn a_step_knows_its_keys() {
    let ran = run(r#"
nodes.outside.op = "basics/context"
nodes.rows = { op = "basics/rows", inputs.rows.value = 2, inputs.columns.value = 2 }
nodes.row = { op = "basics/context", inputs.value.map = "rows" }
nodes.cells = { op = "basics/each", inputs.values.map = "rows" }
nodes.cell = { op = "basics/context", inputs.value.map = "cells" }
nodes.cells_of_row = { op = "basics/keys", inputs.values.collect = "cell" }
outputs.outside.from = "outside"
outputs.rows.collect = "row"
outputs.keys.collect = "cells_of_row"
"#)
    .succeeded();
    let run_id = ran.result.run.clone();
    let place = |step: &str, keys: &[&str]| json!({ "run_id": run_id, "step_key": step, "mapping_keys": keys, "attempt": 1 });
    assert_eq!(ran.output("outside"), Some(place("outside", &[])));
    assert_eq!(
        ran.output("rows"),
        Some(json!([place("row[row_0]", &["row_0"]), place("row[row_1]", &["row_1"])]))
    );
    assert_eq!(ran.output("keys"), Some(json!([["0", "1"], ["0", "1"]])));
    let mut cells = ran.steps(|event| is_success(event) && node(event) == "cell");
    cells.sort();
    let expected = ["cell[row_0][0]", "cell[row_0][1]", "cell[row_1][0]", "cell[row_1][1]"];
    assert_eq!(cells, expected);
}

/// `semantics.md` rules 2, 3 and 5: two levels are collected one after the other, and outer values reach
/// inner clones.
#[test]
fn nested_fan_outs_are_collected_level_by_level() {
    let ran = run(r#"
nodes.rows = { op = "basics/rows", inputs.rows.value = 3, inputs.columns.value = 4 }
nodes.width = { op = "basics/sum_list", inputs.numbers.map = "rows" }
nodes.cells = { op = "basics/each", inputs.values.map = "rows" }
nodes.add = { op = "basics/add", inputs.x.map = "cells", inputs.y.from = "width" }
nodes.sum_row = { op = "basics/sum", inputs.numbers.collect = "add" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "sum_row" }
outputs.rows.collect = "sum_row"
outputs.sum.from = "sum"
"#)
    .succeeded();
    assert_eq!(outputs(&ran, &["rows", "sum"]), [Some(json!([30, 30, 30])), Some(json!(90))]);
}

/// `semantics.md` rule 3: a clone may take the collect of its own fan-out, directly or through another op.
#[test]
fn a_clone_takes_the_collect_of_its_own_fan_out() {
    let ran = run(r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 3 }
nodes.all = { op = "basics/each", inputs.values.collect = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "all" }
nodes.direct = { op = "odd/pair", inputs.left.map = "numbers", inputs.right.collect = "numbers" }
nodes.through = { op = "odd/pair", inputs.left.map = "numbers", inputs.right.from = "sum" }
nodes.two = { op = "odd/pair", inputs.left.collect = "numbers", inputs.right.collect = "all" }
outputs.direct.collect = "direct"
outputs.through.collect = "through"
outputs.two.from = "two"
"#)
    .succeeded();
    assert_eq!(
        outputs(&ran, &["direct", "through", "two"]),
        [
            Some(json!([[0, [0, 1, 2]], [1, [0, 1, 2]], [2, [0, 1, 2]]])),
            Some(json!([[0, 3], [1, 3], [2, 3]])),
            Some(json!([[0, 1, 2], [0, 1, 2]])),
        ]
    );
}

/// `semantics.md` rule 4: every pair of two fan-outs.
#[test]
fn cross_makes_a_clone_for_each_pair() {
    let ran = run(r#"
nodes.left = { op = "basics/each", inputs.values.value = ["a", "b"] }
nodes.right = { op = "basics/each", inputs.values.value = [1, 2, 3] }
nodes.pair = { op = "odd/pair", inputs.left.map = "left", inputs.right.map = "right", combine = "cross" }
nodes.inner = { op = "basics/echo", inputs.value.collect = "pair" }
outputs.pairs.collect = "inner"
"#)
    .succeeded();
    let pairs = json!([[["a", 1], ["a", 2], ["a", 3]], [["b", 1], ["b", 2], ["b", 3]]]);
    assert_eq!(ran.output("pairs"), Some(pairs));
}

/// `semantics.md` rule 4: a mapping key that one side of a zip lacks.
#[test]
fn zip_drops_or_refuses_what_one_side_lacks() {
    let text = r#"
nodes.left = { op = "basics/numbers", inputs.n.value = 3 }
nodes.right = { op = "basics/numbers", inputs.n.value = 2 }
nodes.pair = { op = "odd/pair", inputs.left.map = "left", inputs.right.map = "right", combine = "zip", missing = "MISSING" }
outputs.pairs.collect = "pair"
"#;
    let ran = run(&text.replace("MISSING", "drop")).succeeded();
    assert_eq!(ran.output("pairs"), Some(json!([[0, 0], [1, 1]])));
    let ran = run(&text.replace("MISSING", "error"));
    assert_eq!(ran.status().to_string(), "failed");
    let words = "it could not be run: its inputs are zipped by key, and `out` of `right` has no element `2`";
    assert_eq!(ran.failures(), [("pair[2]".to_owned(), words.to_owned())]);
    assert_eq!((ran.counts().succeeded, ran.counts().failed), (4, 1));
}

/// The manifest's graphs: one level and three levels deep inside a map.
#[test]
fn graphs_inside_a_map() {
    let text = r#"
graphs.one = { inputs.x = {}, nodes.add = { op = "basics/add", inputs.x.input = "x", inputs.y.value = 100 }, outputs.y.from = "add" }
graphs.two = { inputs.x = {}, nodes.one = { graph = "one", inputs.x.input = "x" }, outputs.y.from = "one" }
graphs.three = { inputs.x = {}, nodes.two = { graph = "two", inputs.x.input = "x" }, outputs.y.from = "two" }
nodes.numbers = { op = "basics/numbers", inputs.n.value = 3 }
nodes.deep = { graph = "DEEP", inputs.x.map = "numbers" }
nodes.keys = { op = "basics/keys", inputs.values.collect = "deep" }
outputs.values.collect = "deep"
outputs.keys.from = "keys"
"#;
    for (graph, path) in [("one", "deep/add[2]"), ("three", "deep/two/one/add[2]")] {
        let ran = run(&text.replace("DEEP", graph)).succeeded();
        assert_eq!(ran.output("values"), Some(json!([100, 101, 102])), "{graph}");
        assert_eq!(ran.output("keys"), Some(json!(["0", "1", "2"])), "{graph}");
        assert!(ran.steps(is_success).contains(&path.to_owned()), "{graph}");
    }
}

/// The manifest's graphs: ordinary, dynamic, mapped and collected outputs of one graph.
#[test]
fn a_graph_gives_outputs_of_every_kind() {
    let ran = run(r#"
[graphs.all]
inputs.n = {}
nodes.scatter = { op = "basics/scatter", inputs.n.input = "n" }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "scatter.evens" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.count.from = "scatter.count"
outputs.odds.from = "scatter.odds"
outputs.doubled.map = "double"
outputs.sum.from = "sum"
[nodes]
all = { graph = "all", inputs.n.value = 6 }
odd = { op = "basics/add", inputs.x.map = "all.odds", inputs.y.from = "all.count" }
again = { op = "basics/multiply_by_two", inputs.x.map = "all.doubled" }
[outputs]
odds.collect = "odd"
again.collect = "again"
sum.from = "all.sum"
"#)
    .succeeded();
    assert_eq!(
        outputs(&ran, &["odds", "again", "sum"]),
        [Some(json!([7, 9, 11])), Some(json!([0, 8, 16])), Some(json!(12))]
    );
}

/// The references of the manifest: literals, params, lists, configuration, `after`, job outputs.
#[test]
fn values_come_from_the_manifest() {
    let text = r#"
params.a = { type = "integer", default = 5 }
params.b.type = "object"
nodes.add = { op = "basics/add", inputs.x.param = "a", inputs.y.value = 2 }
nodes.echo = { op = "basics/echo", inputs.value.value = { deep = [1, "two", { three = 3.5 }] } }
nodes.config = { op = "basics/configured", config = { a = { param = "a" }, list = [{ param = "b" }] } }
nodes.list = { op = "basics/sum_list", inputs.numbers = [{ param = "a" }, { from = "add" }, { value = 1 }] }
nodes.later = { op = "basics/emit_ten", after = ["list", "config"] }
nodes.collected = { op = "basics/keys", inputs.values.value = [true, false] }
outputs.list = [{ from = "add" }, { param = "a" }, { value = "x" }]
outputs.sum.from = "list"
outputs.echo.from = "echo"
outputs.config.from = "config"
outputs.keys.from = "collected"
outputs.param.param = "b"
"#;
    let ran = Job::new(text).param("b", json!({"k": null})).run().succeeded();
    assert_eq!(
        outputs(&ran, &["list", "sum", "echo", "config", "keys", "param"]),
        [
            Some(json!([7, 5, "x"])),
            Some(json!(13)),
            Some(json!({"deep": [1, "two", {"three": 3.5}]})),
            Some(json!({"a": 5, "list": [{"k": null}]})),
            Some(json!(["0", "1"])),
            Some(json!({"k": null})),
        ]
    );
    let ended = |name| ran.place(|event| is_success(event) && node(event) == name);
    let later = ran.place(|event| is_start(event) && node(event) == "later");
    assert!(ended("list") < later && ended("config") < later);
}

/// `batch`: one clone takes several elements, cut by the order of emission alone.
#[test]
fn a_clone_takes_a_batch_of_elements() {
    let ran = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 1050 }
nodes.sum = { op = "basics/sum", inputs.numbers.map = "numbers", batch = { max_items = 100 } }
nodes.whole = { op = "basics/sum_list", inputs.numbers.map = "numbers", batch = { max_items = 500 } }
nodes.keys = { op = "basics/keys", inputs.values.collect = "sum" }
nodes.total = { op = "basics/sum", inputs.numbers.collect = "sum" }
outputs.keys.from = "keys"
outputs.total.from = "total"
outputs.whole.collect = "whole"
"#,
    )
    .run()
    .succeeded();
    let keys: Vec<String> = (0..=10).map(|batch| (batch * 100).to_string()).collect();
    let whole = json!([124_750, 374_750, 51_225]);
    let expected = [Some(json!(keys)), Some(json!(550_725)), Some(whole)];
    assert_eq!(outputs(&ran, &["keys", "total", "whole"]), expected);
    assert_eq!(ran.counts().succeeded, 1 + 11 + 3 + 2);
}

/// A value passes untouched with its media type (op-interface, principle 2).
#[test]
fn bytes_pass_with_their_media_type() {
    let ran = run(r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 3, inputs.bytes.value = 70000 }
nodes.same = { op = "basics/trivial", inputs.data.map = "blobs" }
nodes.emitted = { op = "basics/trivial_emit", inputs.data.map = "same" }
nodes.higher = { op = "basics/payload", inputs.data.map = "emitted" }
outputs.bytes.collect = "higher"
"#)
    .succeeded();
    let dynhost::graph::scheduler::JobOutputValue::Many(list) = &ran.result.outputs[0].1 else {
        panic!("{:?}", ran.result.outputs)
    };
    assert_eq!(list.elements.len(), 3);
    for (number, element) in (1..).zip(&list.elements) {
        assert_eq!(element.value.media_type.as_str(), "application/octet-stream");
        let (begin, rest) = element.value.data.split_at(8);
        assert_eq!(begin, [number, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(rest, vec![b'y'; 69_992]);
    }
}
