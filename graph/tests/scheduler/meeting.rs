//! Scopes that meet (`semantics.md` rule 4).

use dynhost_graph::event::{Failure, ReportedRetry, RunStatus, SkipReason};
use dynhost_graph::job::{OnFailure, Retry, ScopeId, Source, Tolerance};
use dynhost_graph::scheduler::{Action, Scheduler};

use crate::acceptance::{ROOT, run, sum};
use crate::draft::{Draft, Out, from};
use crate::script::{Ops, Script, emitted, succeeded};
use crate::simulator::{Order, Simulation, bounds};
use crate::trace::{Outcome, Trace};

/// Two yielders, `left` and `right`, and their scopes.
fn two(draft: &mut Draft, out: Out) -> [ScopeId; 2] {
    ["left", "right"].map(|name| {
        let node = draft.node(name, ROOT, [], &[out]);
        draft.fan_out(node, 0)
    })
}

fn emitting(left: &'static [(&str, i64)], right: &'static [(&str, i64)]) -> Ops {
    let all = |of: &[(&str, i64)]| {
        of.iter().fold(Script::default(), |script, (key, n)| script.emit(0, key, *n))
    };
    Ops::new().op("left", move |_| all(left)).op("right", move |_| all(right))
}

/// `double[k]` in `left`, `pair[k]` of `double[k]` and the element of `right`, their collect.
fn zipped(drop_missing: bool, tolerance: OnFailure, ops: Ops) -> Trace {
    let mut draft = Draft::new();
    let [left, right] = two(&mut draft, Out::Dynamic);
    let double = draft.node("double", left, [Source::Element(left)], &[Out::Required]);
    let zip = draft.zip(&[left, right], drop_missing);
    let inputs = [from(double, 0), Source::Element(right)];
    let pair = draft.node("pair", zip, inputs, &[Out::Required]);
    draft.policy(pair).on_failure = tolerance;
    draft.node("then", zip, [from(pair, 0)], &[Out::Required]);
    let list = draft.collect(zip, from(pair, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let ops = ops
        .op("double", |call| Script::default().give(0, call.sum(0) * 2))
        .op("pair", |call| Script::default().give(0, call.sum(0) + call.sum(1)));
    run(draft, ops)
}

/// The same keys in other orders: the list is in the order of the first part.
#[test]
fn a_zip_pairs_elements_of_the_same_key() {
    let ops = emitting(&[("b", 1), ("a", 2), ("c", 3)], &[("a", 10), ("c", 20), ("b", 30)]);
    let trace = zipped(false, OnFailure::Finish, ops);
    assert_eq!(trace.inputs("pair[a]"), "4 10");
    assert_eq!(trace.inputs("total"), "[b=32,a=14,c=26]");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

#[test]
fn a_key_missing_on_one_side_is_dropped_where_the_node_says_so() {
    let ops = emitting(&[("b", 1), ("a", 2)], &[("a", 10), ("x", 20)]);
    let trace = zipped(true, OnFailure::Finish, ops);
    assert_eq!(trace.inputs("total"), "[a=14]");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
    let none = zipped(true, OnFailure::Finish, emitting(&[("b", 1)], &[("a", 2)]));
    assert_eq!((none.inputs("total"), none.status), ("[]", Some(RunStatus::Succeeded)));
}

/// The step that was to run for the key has failed: the run says which key it is, and the
/// node's own policy applies.
#[test]
fn a_key_missing_on_one_side_fails_the_step_it_was_for() {
    let ops = emitting(&[("b", 1), ("a", 2)], &[("a", 10)]);
    let trace = zipped(false, OnFailure::Finish, ops.clone());
    assert_eq!(trace.failures, ["pair[b]"]);
    assert_eq!(trace.outcome("pair[a]"), Some(&Outcome::Succeeded));
    let upstream = Outcome::Skipped(SkipReason::Upstream { node: "pair".into() });
    assert_eq!(trace.outcome("then[b]"), Some(&upstream));
    assert_eq!(trace.outcome("total"), Some(&upstream));
    assert_eq!(trace.status, Some(RunStatus::Failed));
    let tolerant = zipped(false, OnFailure::Tolerate(Tolerance::Count(1)), ops);
    assert_eq!(tolerant.inputs("total"), "[a=14,!b]");
    assert_eq!(tolerant.status, Some(RunStatus::Succeeded));
}

/// The failure's words name the output and the key.
#[test]
fn the_failure_of_a_zip_names_what_is_missing() {
    let mut draft = Draft::new();
    let left = draft.node("left", ROOT, [], &[Out::Dynamic, Out::Dynamic]);
    let parts = [draft.fan_out(left, 0), draft.fan_out(left, 1)];
    let zip = draft.zip(&parts, false);
    draft.node("pair", zip, [], &[Out::Required]);
    let mut scheduler = Scheduler::new(draft.finish(), bounds(1, 8));
    let mut actions = Vec::new();
    scheduler.start(&mut actions);
    let [Action::Run(dispatch)] = &actions[..] else { panic!("{actions:?}") };
    let (id, step) = (dispatch.id, dispatch.step.clone());
    actions.clear();
    let event = emitted(step.clone(), "out1", "k");
    scheduler.apply(id, &event, &mut actions);
    scheduler.apply(id, &succeeded(step), &mut actions);
    let message = actions.iter().find_map(|action| match action {
        Action::Fail { step, failure: Failure::Host { message } } => Some((step, message)),
        _ => None,
    });
    let (step, message) = message.expect("the step failed");
    assert_eq!(step.to_string(), "pair[k]");
    assert_eq!(message, "its inputs are zipped by key, and `out0` of `left` has no element `k`");
}

/// A part that counts as not emitted skips what it was to meet in.
#[test]
fn a_zip_with_an_optional_output_without_elements_is_skipped() {
    let mut draft = Draft::new();
    let parts = two(&mut draft, Out::OptionalDynamic);
    let zip = draft.zip(&parts, false);
    let pair = draft.node("pair", zip, [], &[Out::Required]);
    let list = draft.collect(zip, from(pair, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let trace = run(draft, emitting(&[("a", 1)], &[]));
    assert!(matches!(trace.outcome("total"), Some(Outcome::Skipped(_))));
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// Both sides emit the same keys, one backwards, through windows that hold one element.
#[test]
fn a_zip_of_opposite_orders_does_not_lock_up_in_small_windows() {
    let mut draft = Draft::new();
    let [left, right] = two(&mut draft, Out::Dynamic);
    let zip = draft.zip(&[left, right], false);
    let inputs = [Source::Element(left), Source::Element(right)];
    let pair = draft.node("pair", zip, inputs, &[Out::Required]);
    draft.node("other", left, [Source::Element(left)], &[Out::Required]);
    let list = draft.collect(zip, from(pair, 0));
    let total = draft.node("total", ROOT, [list], &[Out::Required]);
    draft.output(from(total, 0));
    let all = |order: Vec<i64>| order.into_iter().fold(Script::default(), |s, n| s.emit(0, n, n));
    let ops = Ops::new()
        .op("left", move |_| all((0..50).collect()))
        .op("right", move |_| all((0..50).rev().collect()))
        .op("pair", |call| Script::default().give(0, call.sum(0) + call.sum(1)))
        .op("total", sum);
    for seed in 0..10 {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(1, 1)).order(Order::Random(seed)).run();
        assert_eq!(trace.output(0), "2450");
    }
}

/// Every pair, keyed by both; collected level by level.
#[test]
fn a_cross_repeats_one_side_for_each_element_of_the_other() {
    let mut draft = Draft::new();
    let [left, right] = two(&mut draft, Out::Dynamic);
    let half = draft.node("half", right, [Source::Element(right)], &[Out::Required]);
    let cross = draft.cross(left, right);
    let inputs = [Source::Element(left), from(half, 0)];
    let product = draft.node("product", cross, inputs, &[Out::Required]);
    let inner = draft.collect(cross, from(product, 0));
    let all = draft.collect(left, inner);
    draft.output(all);
    let ops = emitting(&[("b", 1), ("a", 2)], &[("y", 10), ("x", 20), ("z", 30)])
        .op("half", |call| Script::default().give(0, call.sum(0) / 2))
        .op("product", |call| Script::default().give(0, call.sum(0) * call.sum(1)));
    let trace = run(draft, ops);
    assert_eq!(trace.inputs("product[a][x]"), "2 10");
    assert_eq!(trace.output(0), "[b=[5,10,15],a=[10,20,30]]");
}

/// Two crosses the opposite way round need each other's frames, and both let go of them.
#[test]
fn crosses_both_ways_end() {
    let mut draft = Draft::new();
    let [left, right] = two(&mut draft, Out::Dynamic);
    for (outer, inner) in [(left, right), (right, left)] {
        let cross = draft.cross(outer, inner);
        let inputs = [Source::Element(left), Source::Element(right)];
        draft.node(&format!("pair{}", outer.0), cross, inputs, &[Out::Required]);
    }
    let trace = run(draft, emitting(&[("a", 1), ("b", 2)], &[("x", 3), ("y", 4), ("z", 5)]));
    assert_eq!(trace.steps.len(), 2 + 6 + 6);
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// `semantics.md` rule 17 on one side of a zip: the pair is run again with what the other side
/// gave, though that has long been done with.
#[test]
fn a_part_emitted_again_with_other_bytes_meets_again() {
    let mut draft = Draft::new();
    let [left, right] = two(&mut draft, Out::Dynamic);
    let retry = Retry { max_attempts: 2, ..Retry::default() };
    draft.policy(dynhost_graph::job::NodeId(1)).retry = retry;
    let zip = draft.zip(&[left, right], true);
    let inputs = [Source::Element(left), Source::Element(right)];
    let pair = draft.node("pair", zip, inputs, &[Out::Required]);
    let list = draft.collect(zip, from(pair, 0));
    draft.output(list);
    let ops = Ops::new()
        .op("left", |_| Script::default().emit(0, "a", 1).emit(0, "b", 2))
        .op("right", |call| match call.attempt {
            1 => Script::default().emit(0, "a", 10).emit(0, "b", 20).fail(ReportedRetry::Transient),
            _ => Script::default().emit(0, "a", 30),
        })
        .op("pair", |call| Script::default().give(0, call.sum(0) + call.sum(1)));
    let job = draft.finish();
    let mut ran_twice = false;
    for seed in 0..200 {
        let order = Order::Random(seed);
        let trace = Simulation::new(job.clone(), ops.clone()).order(order).run();
        assert_eq!(trace.output(0), "[a=31]", "seed {seed}");
        ran_twice |= trace.begun("pair").len() > 2;
    }
    assert!(ran_twice);
}
