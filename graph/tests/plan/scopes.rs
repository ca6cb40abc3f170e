//! `semantics.md` rules 1 to 5: where nodes stand.

use crate::ops::planned;
use crate::show::lines;

/// Rules 1, 2 and 5: scopes grow with each map over a dynamic output, and shrink with collects.
#[test]
fn nested_dynamic_outputs_make_scopes_longer_and_collects_shorten_them() {
    let job = planned(
        r#"
[nodes.emit]
op = "numbers/emit"
[nodes.split]
op = "numbers/split"
inputs.x.map = "emit"
[nodes.double]
op = "numbers/double"
inputs.x.map = "split"
[nodes.part]
op = "numbers/sum"
inputs.values.collect = "double"
[nodes.all]
op = "numbers/sum"
inputs.values.collect = "part"
[outputs]
all.from = "all"
"#,
    );
    assert_eq!(
        lines(&job),
        [
            "emit []",
            "split [emit.numbers]; x = element of [emit.numbers]",
            "double [emit.numbers][split.parts]; x = element of [emit.numbers][split.parts]",
            "part [emit.numbers]; values = collect [emit.numbers][split.parts] of double.value",
            "all []; values = collect [emit.numbers] of part.total",
            "-> all = all.total",
        ]
    );
    assert_eq!(job.scopes.iter().map(|scope| scope.depth).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Rule 3: outer values are handed to inner clones, by `map`, and by `from` of the same map.
#[test]
fn outer_values_are_handed_to_inner_clones() {
    let job = planned(
        r#"
[nodes.emit]
op = "numbers/emit"
[nodes.split]
op = "numbers/split"
inputs.x.map = "emit"
[nodes.double]
op = "numbers/double"
inputs.x.map = "emit"
[nodes.inner]
op = "numbers/add"
inputs = { x.map = "split", y.from = "double" }
[nodes.also]
op = "numbers/add"
inputs = { x.map = "emit", y.map = "inner" }
"#,
    );
    assert_eq!(
        lines(&job)[3..],
        [
            "inner [emit.numbers][split.parts]; x = element of [emit.numbers][split.parts]; y = double.value",
            "also [emit.numbers][split.parts]; x = element of [emit.numbers]; y = inner.value",
        ]
    );
}

/// Rules 1 and 2 in one node: it waits for all, then is cloned.
#[test]
fn a_node_may_map_and_collect_the_same_fan_out() {
    let job = planned(
        r#"
[nodes.emit]
op = "numbers/emit"
[nodes.both]
op = "solo"
inputs = { x.map = "emit", y.collect = "emit" }
"#,
    );
    assert_eq!(
        lines(&job)[1],
        "both [emit.numbers]; x = element of [emit.numbers]; y = collect [emit.numbers] of element of [emit.numbers]"
    );
}

const TWO: &str = r#"
[nodes.a]
op = "numbers/emit"
[nodes.b]
op = "numbers/emit"
"#;

/// Rule 4.
#[test]
fn zip_joins_by_key_and_a_chain_stays_in_the_joint_scope() {
    let job = planned(&format!(
        r#"{TWO}
[nodes.both]
op = "numbers/add"
inputs = {{ x.map = "a", y.map = "b" }}
combine = "zip"
[nodes.dropped]
op = "numbers/add"
inputs = {{ x.map = "a", y.map = "b" }}
combine = "zip"
missing = "drop"
[nodes.chained]
op = "numbers/add"
inputs = {{ x.map = "both", y.map = "a" }}
[nodes.sum]
op = "numbers/sum"
inputs.values.collect = "chained"
"#
    ));
    assert_eq!(
        lines(&job)[2..],
        [
            "both [zip [a.numbers] [b.numbers]]; x = element of [a.numbers]; y = element of [b.numbers]",
            "dropped [zip [a.numbers] [b.numbers], drop]; x = element of [a.numbers]; y = element of [b.numbers]",
            "chained [zip [a.numbers] [b.numbers]]; x = both.value; y = element of [a.numbers]",
            "sum []; values = collect [zip [a.numbers] [b.numbers]] of chained.value",
        ]
    );
}

/// Rule 4.
#[test]
fn cross_puts_the_later_scope_inside_the_earlier_one() {
    let job = planned(&format!(
        r#"{TWO}
[nodes.pair]
op = "numbers/add"
inputs = {{ x.map = "a", y.map = "b" }}
combine = "cross"
[nodes.row]
op = "numbers/sum"
inputs.values.collect = "pair"
"#
    ));
    assert_eq!(
        lines(&job)[2..],
        [
            "pair [a.numbers][cross [b.numbers]]; x = element of [a.numbers]; y = element of [b.numbers]",
            "row [a.numbers]; values = collect [a.numbers][cross [b.numbers]] of pair.value",
        ]
    );
}

/// Rule 4: the longer one is outermost where the other has a single level.
#[test]
fn cross_with_a_nested_scope_repeats_the_single_level() {
    let job = planned(&format!(
        r#"{TWO}
[nodes.split]
op = "numbers/split"
inputs.x.map = "b"
[nodes.pair]
op = "numbers/add"
inputs = {{ x.map = "a", y.map = "split" }}
combine = "cross"
"#
    ));
    assert!(lines(&job)[3].starts_with("pair [b.numbers][split.parts][cross [a.numbers]];"));
}

/// `after` needs no common map: all clones of the other node are waited for.
#[test]
fn a_clone_may_wait_for_the_clones_of_another_map() {
    let job = planned(&format!(
        r#"{TWO}
[nodes.first]
op = "numbers/double"
inputs.x.map = "a"
[nodes.second]
op = "numbers/double"
inputs.x.map = "b"
after = ["first"]
"#
    ));
    assert_eq!(lines(&job)[3], "second [b.numbers]; x = element of [b.numbers]; after first");
}
