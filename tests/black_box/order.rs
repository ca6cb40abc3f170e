//! When steps run: eagerly, within bounds, the deeper ones first; and the order of what is collected.

use std::collections::HashSet;

use dynhost::graph::event::Event;
use dynhost::testing::FakeClock;
use serde_json::json;

use crate::job::{Job, Ran, is_emit, is_end, is_start, is_success, node, step};

/// Elements that a yielder may be ahead of its clones, at most, with so many steps at once.
fn window(steps: u32) -> usize {
    (128 * steps as usize).max(256)
}

/// The most attempts of these nodes that ran at once, going by the history.
fn most_at_once(ran: &Ran, nodes: &[&str]) -> usize {
    let (mut running, mut most) = (0_usize, 0);
    for event in ran.events.iter().filter(|event| nodes.contains(&node(event))) {
        if is_start(event) {
            running += 1;
            most = most.max(running);
        } else if is_end(event) {
            running -= 1;
        }
    }
    most
}

/// The most elements that `yielder` was ahead of the clones of `last`, the end of their chain.
fn most_ahead(ran: &Ran, yielder: &str, last: &str) -> usize {
    let (mut ahead, mut most) = (0_usize, 0);
    for event in &ran.events {
        if is_emit(event) && node(event) == yielder {
            ahead += 1;
            most = most.max(ahead);
        } else if is_end(event) && node(event) == last {
            ahead -= 1;
        }
    }
    most
}

/// `semantics.md` rules 9 and 12: clones run while their yielder does, which is suspended in `emit`
/// when it is too far ahead of them; with one place for all steps, too.
#[test]
fn a_yielder_is_suspended_until_its_clones_catch_up() {
    let job = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 5000 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.again = { op = "basics/multiply_by_two", inputs.x.map = "double" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "again" }
outputs.sum.from = "sum"
"#,
    );
    for max_concurrency in [1, 2, 16] {
        let ran = job.clone().max_concurrency(max_concurrency).run().succeeded();
        assert_eq!(ran.output("sum"), Some(json!(4 * 5000 * 4999 / 2)));
        let yielded = ran.place(|event| is_success(event) && node(event) == "numbers");
        let first = ran.place(|event| is_start(event) && node(event) == "double");
        assert!(first < yielded, "with {max_concurrency} places");
        let most = most_ahead(&ran, "numbers", "again");
        let bound = window(max_concurrency);
        assert!(most <= bound, "{most} ahead with {max_concurrency} places");
    }
}

/// `semantics.md` rule 12: yielders inside a map are suspended too, without a deadlock.
#[test]
fn nested_yielders_are_suspended_without_deadlock() {
    let job = Job::new(
        r#"
nodes.outer = { op = "basics/numbers", inputs.n.value = 3 }
nodes.inner = { op = "basics/repeat", inputs.count.value = 1500, inputs.number.map = "outer" }
nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "inner" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "clone" }
outputs.sums.collect = "sum"
"#,
    );
    for max_concurrency in [1, 3] {
        let ran = job.clone().max_concurrency(max_concurrency).run().succeeded();
        assert_eq!(ran.output("sums"), Some(json!([0, 3000, 6000])));
    }
}

/// `semantics.md` rule 12: many yielders wait for clones that run one at a time, without a deadlock.
#[test]
fn many_yielders_wait_for_one_place() {
    let ran = Job::new(
        r#"
nodes.outer = { op = "basics/numbers", inputs.n.value = 120 }
nodes.inner = { op = "basics/repeat", inputs.count.value = 300, inputs.number.map = "outer", limits.memory = "8MiB" }
nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "inner", max_concurrency = 1 }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "clone" }
nodes.total = { op = "basics/sum", inputs.numbers.collect = "sum" }
outputs.total.from = "total"
"#,
    )
    .max_concurrency(2)
    .run()
    .succeeded();
    assert_eq!(ran.output("total"), Some(json!(300 * 120 * 119)));
    let (mut waiting, mut most) = (0_usize, 0);
    for event in ran.events.iter().filter(|event| node(event) == "inner") {
        if is_start(event) {
            waiting += 1;
            most = most.max(waiting);
        } else if is_end(event) {
            waiting -= 1;
        }
    }
    assert!(most > 50, "only {most} yielders were under way at once");
}

/// `semantics.md` rule 12: what bounds a yielder is bytes as well as elements.
#[test]
fn large_elements_suspend_a_yielder_sooner() {
    let ran = Job::new(
        r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 48, inputs.bytes.value = 8388608 }
nodes.clone = { op = "basics/key", inputs.value.map = "blobs" }
outputs.keys.collect = "clone"
"#,
    )
    .run();
    // The blobs are no JSON, which `key` insists on: every clone fails, and each lets the yielder go on.
    assert_eq!(ran.counts().failed, 48);
    let most = most_ahead(&ran, "blobs", "clone");
    assert!(most <= 8 + 1, "{most} elements of 8 MiB ahead");
}

/// `semantics.md` rule 9: `dispatch = "after_success"` waits for the yielder's end.
#[test]
fn clones_may_wait_for_their_yielder() {
    let ran = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 3000, dispatch = "after_success" }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
"#,
    )
    .run()
    .succeeded();
    assert_eq!(ran.output("sum"), Some(json!(3000 * 2999)));
    let yielded = ran.place(|event| is_success(event) && node(event) == "numbers");
    let first = ran.place(|event| is_start(event) && node(event) == "double");
    assert!(yielded < first);
}

/// `semantics.md` rule 12: no more steps at once than the run and the node allow.
#[test]
fn steps_at_once_are_bounded() {
    let text = r#"
[pools]
two = 2
[nodes]
each = { op = "basics/numbers", inputs.n.value = 60, dispatch = "after_success" }
free = { op = "basics/add", inputs.x.map = "each", inputs.y.value = 1 }
one = { op = "basics/add", inputs.x.map = "each", inputs.y.value = 1, max_concurrency = 1 }
left = { op = "basics/add", inputs.x.map = "each", inputs.y.value = 1, pool = "two" }
right = { op = "basics/add", inputs.x.map = "each", inputs.y.value = 1, pool = "two" }
[outputs]
free.collect = "free"
one.collect = "one"
left.collect = "left"
right.collect = "right"
"#;
    for max_concurrency in [1, 3] {
        let ran = Job::new(text).max_concurrency(max_concurrency).run().succeeded();
        let bound = max_concurrency as usize;
        let all = most_at_once(&ran, &["free", "one", "left", "right"]);
        assert!(all <= bound, "{all} at once with {max_concurrency} places");
        assert!(most_at_once(&ran, &["one"]) <= 1);
        assert!(most_at_once(&ran, &["left", "right"]) <= 2);
    }
}

/// `semantics.md` rule 10: the deeper step goes first, so that few keys are half done at any time.
#[test]
fn deeper_steps_go_first() {
    let ran = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 1000, dispatch = "after_success" }
nodes.shallow = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.deep = { op = "basics/multiply_by_two", inputs.x.map = "shallow" }
outputs.deep.collect = "deep"
"#,
    )
    .max_concurrency(1)
    .run()
    .succeeded();
    let (mut half_done, mut most) = (0_usize, 0);
    for event in ran.events.iter().filter(|event| is_success(event)) {
        match node(event) {
            "shallow" => half_done += 1,
            "deep" => half_done -= 1,
            _ => {}
        }
        most = most.max(half_done);
    }
    assert!(most <= 400, "{most} of 1000 keys were half done");
}

/// `semantics.md` rule 13: a collect is in the order of emission, whatever the order of completion.
#[test]
fn collects_are_in_the_order_of_emission() {
    let ran = Job::new(
        r#"
[nodes.emit]
op = "odd/attempts"
config.attempts = [[["zeta", 1], ["alpha", 2], ["mid", 3]]]
[nodes.clone]
op = "odd/choosy"
inputs.value.map = "emit"
config.fail = { zeta = 2, mid = 1 }
retry = { max_attempts = 3, delay = "150ms" }
[nodes.keys]
op = "basics/keys"
inputs.values.collect = "clone"
[outputs]
keys.from = "keys"
values.collect = "clone"
"#,
    )
    .clock(&FakeClock::new().jumping())
    .run()
    .succeeded();
    assert_eq!(ran.output("keys"), Some(json!(["zeta", "alpha", "mid"])));
    assert_eq!(ran.output("values"), Some(json!([1, 2, 3])));
    let completed = ran.steps(|event| is_success(event) && node(event) == "clone");
    assert_eq!(completed, ["clone[alpha]", "clone[mid]", "clone[zeta]"]);
}

/// `semantics.md` rules 11 and 12: every step is started once, and none is forgotten.
#[test]
fn every_step_runs_once() {
    let ran = Job::new(
        r#"
nodes.rows = { op = "basics/rows", inputs.rows.value = 40, inputs.columns.value = 50 }
nodes.cells = { op = "basics/each", inputs.values.map = "rows" }
nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "cells" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "clone" }
nodes.total = { op = "basics/sum", inputs.numbers.collect = "sum" }
outputs.total.from = "total"
"#,
    )
    .run()
    .succeeded();
    assert_eq!(ran.output("total"), Some(json!(40 * 50 * 49)));
    let started: Vec<_> = ran.events.iter().filter(|event| is_start(event)).collect();
    let distinct: HashSet<_> = started.iter().filter_map(|event| step(event)).collect();
    assert_eq!((started.len(), distinct.len()), (1 + 40 + 2000 + 40 + 1, 1 + 40 + 2000 + 40 + 1));
    assert!(matches!(ran.events[0], Event::RunStarted { .. }));
    assert!(matches!(ran.events.last(), Some(Event::RunFinished { .. })));
}

/// `semantics.md` rule 12: a suspended step holds an instance, of which there are a thousand. More
/// yielders than that, each with more elements than it may emit ahead, and clones that run one at
/// a time.
#[test]
fn more_yielders_than_instances_come_to_an_end() {
    let ran = Job::new(
        r#"
        nodes.outer = { op = "basics/numbers", inputs.n.value = 1100 }
        nodes.inner = { op = "basics/repeat", inputs.count.value = 260, inputs.number.map = "outer", limits.memory = "4MiB" }
        nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "inner", max_concurrency = 1 }
        "#,
    )
    .run()
    .succeeded();
    assert_eq!(ran.counts().succeeded, 1 + 1100 + 1100 * 260);
}

/// `semantics.md` rule 12: a yielder that was parked before it emits, with one place in all, is suspended
/// and goes on; its place is seen to be free though every worker had nothing to do.
#[test]
fn the_place_of_a_late_yielder_is_lent() {
    let ran = Job::new(
        r#"
        nodes.late = { op = "odd/late" }
        nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "late", max_concurrency = 1 }
        "#,
    )
    .max_concurrency(1)
    .run()
    .succeeded();
    assert_eq!(ran.counts().succeeded, 1 + 3000);
}
