//! Elements that are taken in batches.

use dynhost_graph::event::{ReportedRetry, RunStatus, SkipReason};
use dynhost_graph::job::{Dispatch, NodeId, Retry, ScopeId, Source};
use dynhost_graph::scheduler::{Bounds, Credit};

use crate::acceptance::{ROOT, numbers, run, sum};
use crate::draft::{Draft, Out, from};
use crate::script::{Call, Ops, Script};
use crate::simulator::{Order, Simulation, bounds};
use crate::trace::{Outcome, Trace};

/// A yielder of numbers, a node over batches of them, and the list of what its clones give.
fn batched(items: Option<u64>, bytes: Option<u64>) -> (Draft, NodeId, ScopeId) {
    let mut draft = Draft::new();
    let yielder = draft.node("numbers", ROOT, [], &[Out::Dynamic]);
    let scope = draft.batch(yielder, 0, items, bytes);
    let clone = draft.node("clone", scope, [Source::Element(scope)], &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    (draft, yielder, scope)
}

fn texts(lengths: &'static [usize]) -> impl Fn(&Call<'_>) -> Script + Send + Sync + 'static {
    move |_| {
        let text = |(at, length): (usize, &usize)| (at, "x".repeat(length - 2));
        let texts = lengths.iter().enumerate().map(text);
        texts.fold(Script::default(), |script, (at, text)| script.emit(0, at, text))
    }
}

fn count(call: &Call<'_>) -> Script {
    let length = call.json(0).as_array().expect("a batch is a list").len();
    Script::default().give(0, i64::try_from(length).expect("short"))
}

#[test]
fn a_clone_takes_so_many_elements_and_the_last_one_the_rest() {
    let (draft, ..) = batched(Some(3), None);
    let trace = run(draft, Ops::new().op("numbers", numbers(7)).op("clone", sum));
    assert_eq!(trace.begun("clone").len(), 3);
    assert_eq!(trace.inputs("clone[0]"), "[0=0,1=1,2=2]");
    assert_eq!(trace.inputs("clone[3]"), "[3=3,4=4,5=5]");
    assert_eq!(trace.inputs("clone[6]"), "[6=6]");
    assert_eq!(trace.inputs("total"), "[0=3,3=12,6=6]");
}

#[test]
fn no_batch_is_empty_where_the_number_comes_out_even() {
    let (draft, ..) = batched(Some(3), None);
    let trace = run(draft, Ops::new().op("numbers", numbers(6)).op("clone", sum));
    assert_eq!(trace.inputs("total"), "[0=3,3=12]");
}

/// An element larger than a whole batch is one of its own, first, last or between.
#[test]
fn a_batch_has_no_more_bytes_than_it_may() {
    let ops = |lengths| Ops::new().op("numbers", texts(lengths)).op("clone", count);
    let (draft, ..) = batched(None, Some(10));
    let trace = run(draft.clone(), ops(&[4, 6, 4, 12, 3, 3, 3, 3]));
    assert_eq!(trace.inputs("total"), "[0=2,2=1,3=1,4=3,7=1]");
    let trace = run(draft, ops(&[12, 12, 10, 12]));
    assert_eq!(trace.inputs("total"), "[0=1,1=1,2=1,3=1]");
    let (draft, ..) = batched(Some(2), Some(10));
    let trace = run(draft, ops(&[3, 3, 3, 8, 3]));
    assert_eq!(trace.inputs("total"), "[0=2,2=1,3=1,4=1]");
}

/// Chains and inner fan-outs stand in the frame of a batch as in that of an element, beside nodes that
/// take the same elements one by one, or in other batches.
#[test]
fn a_batch_is_a_level_like_any_other() {
    let (mut draft, yielder, scope) = batched(Some(2), None);
    let outer = [Source::Element(scope), from(NodeId(1), 0)];
    let inner = draft.node("inner", scope, outer, &[Out::Dynamic]);
    let parts = draft.batch(inner, 0, Some(2), None);
    let both = [Source::Element(parts), Source::Element(scope)];
    let leaf = draft.node("leaf", parts, both, &[Out::Required]);
    let part = draft.collect(parts, from(leaf, 0));
    let part = draft.node("part", scope, [part], &[Out::Required]);
    let (each, thirds) = (draft.fan_out(yielder, 0), draft.batch(yielder, 0, Some(3), None));
    for (name, scope) in [("each", each), ("thirds", thirds)] {
        draft.node(name, scope, [Source::Element(scope)], &[Out::Required]);
    }
    let all = draft.collect(scope, from(part, 0));
    draft.output(all);
    let ops = Ops::new().op("numbers", numbers(3)).op("inner", numbers(3));
    let ops = ops.op("clone", sum).op("leaf", count).op("part", sum);
    let trace = run(draft, ops);
    assert_eq!(trace.inputs("inner[2]"), "[2=2] 2");
    assert_eq!(trace.inputs("leaf[0][2]"), "[2=2] [0=0,1=1]");
    assert_eq!(trace.output(0), "[0=3,2=3]");
    assert_eq!(trace.inputs("each[1]"), "1");
    assert_eq!(trace.inputs("thirds[0]"), "[0=0,1=1,2=2]");
}

/// Emits so many numbers, then fails.
fn fails_after(count: i64, retry: ReportedRetry) -> impl Fn(&Call<'_>) -> Script + Send + Sync {
    move |call| numbers(count)(call).fail(retry)
}

/// `semantics.md` rule 17: "its clones finish, are recorded, and the collect does not run".
#[test]
fn when_the_yielder_fails_for_good_the_rest_is_not_run() {
    let (draft, ..) = batched(Some(2), None);
    let ops = Ops::new().op("numbers", fails_after(5, ReportedRetry::Permanent)).op("clone", sum);
    let trace = run(draft, ops);
    assert_eq!(trace.begun("clone").len(), 2);
    assert_eq!(trace.outcome("clone[2]"), Some(&Outcome::Succeeded));
    let upstream = SkipReason::Upstream { node: "numbers".into() };
    assert_eq!(trace.outcome("total"), Some(&Outcome::Skipped(upstream)));
    assert_eq!(trace.status, Some(RunStatus::Failed));
}

/// One attempt emits pairs of key and value, the next others.
fn retried(before: &'static [(&str, i64)], after: &'static [(&str, i64)]) -> Trace {
    let (mut draft, yielder, _) = batched(Some(2), None);
    draft.policy(yielder).retry = Retry { max_attempts: 2, ..Retry::default() };
    let ops = Ops::new().op("clone", sum).op("numbers", move |call| {
        let pairs = if call.attempt == 1 { before } else { after };
        let emit = |script: Script, (key, n): &(&str, i64)| script.emit(0, key, *n);
        let script = pairs.iter().fold(Script::default(), emit);
        if call.attempt == 1 { script.fail(ReportedRetry::Transient) } else { script }
    });
    let simulation = Simulation::new(draft.finish(), ops).bounds(bounds(4, 100));
    simulation.order(Order::Newest).run()
}

/// `semantics.md` rule 17: a batch is the same when all its keys and bytes are.
#[test]
fn a_batch_that_comes_again_keeps_its_clone() {
    let trace = retried(&[("a", 1), ("b", 2), ("c", 3)], &[("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!(trace.begun("clone"), ["clone[a]", "clone[c]"]);
    assert_eq!(trace.inputs("total"), "[a=3,c=3]");
    let other_bytes = retried(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 3)]);
    assert_eq!(other_bytes.begun("clone"), ["clone[a]", "clone[a]"]);
    assert_eq!(other_bytes.inputs("total"), "[a=4]");
    let other_key = retried(&[("a", 1), ("b", 2)], &[("a", 1), ("c", 2)]);
    assert_eq!(other_key.begun("clone"), ["clone[a]", "clone[a]"]);
    let shorter = retried(&[("a", 1), ("b", 2)], &[("a", 1)]);
    assert_eq!(shorter.inputs("clone[a]"), "[a=1]");
    assert_eq!(shorter.inputs("total"), "[a=1]");
}

#[test]
fn a_batch_that_does_not_come_again_is_dropped() {
    let before = &[("a", 1), ("b", 2), ("c", 3), ("d", 4)];
    let trace = retried(before, &[("z", 0), ("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    assert_eq!(trace.inputs("total"), "[z=1,b=5,d=4]");
    let fewer = retried(before, &[("c", 3), ("d", 4)]);
    assert_eq!(fewer.begun("clone"), ["clone[a]", "clone[c]"]);
    assert_eq!(fewer.inputs("total"), "[c=7]");
}

/// `semantics.md` rule 9.
#[test]
fn batches_wait_for_the_end_of_a_yielder_that_says_so() {
    let (mut draft, yielder, _) = batched(Some(2), None);
    draft.policy(yielder).dispatch = Dispatch::AfterSuccess;
    let ops = Ops::new().op("numbers", numbers(9)).op("clone", sum);
    let trace = run(draft, ops);
    assert_eq!(trace.ended[0], "numbers");
    assert_eq!(trace.inputs("total"), "[0=1,2=5,4=9,6=13,8=8]");
}

/// `semantics.md` rules 13 and 14.
#[test]
fn without_elements_there_is_an_empty_list_or_a_skip() {
    for (out, inputs) in [(Out::Dynamic, "[]"), (Out::OptionalDynamic, "")] {
        let mut draft = Draft::new();
        let yielder = draft.node("numbers", ROOT, [], &[out]);
        let scope = draft.batch(yielder, 0, Some(3), None);
        let clone = draft.node("clone", scope, [Source::Element(scope)], &[Out::Required]);
        let list = draft.collect(scope, from(clone, 0));
        draft.node("total", ROOT, [list], &[Out::Required]);
        let trace = run(draft, Ops::new().op("numbers", numbers(0)));
        assert_eq!(trace.inputs("total"), inputs);
    }
}

fn in_windows(draft: &Draft, ops: &Ops, of: impl Fn(&Trace)) {
    for (items, bytes) in [(1, 1), (1, 1 << 20), (3, 8), (1024, 1)] {
        for concurrency in [1, 3] {
            let window = Credit { items, bytes };
            let bounds = Bounds { max_concurrency: concurrency, look_ahead: 0, window };
            for order in [Order::Oldest, Order::Newest, Order::Random(items + bytes)] {
                let simulation = Simulation::new(draft.clone().finish(), ops.clone());
                of(&simulation.bounds(bounds).order(order).run());
            }
        }
    }
}

/// Whatever bound a batch has, and whatever the window: what waits in it does not hold back what
/// would make it whole.
#[test]
fn elements_that_wait_for_a_batch_never_hold_their_yielder_back_for_ever() {
    for (items, bytes) in [(Some(40), None), (None, Some(64)), (Some(40), Some(1 << 20))] {
        let (draft, ..) = batched(items, bytes);
        let ops = Ops::new().op("numbers", numbers(100)).op("clone", sum).op("total", sum);
        in_windows(&draft, &ops, |trace| assert_eq!(trace.status, Some(RunStatus::Succeeded)));
    }
}

/// The rest of one output waits while the other is emitted, with clones for single elements on top.
#[test]
fn batches_of_several_outputs_and_single_elements_go_on_in_small_windows() {
    let mut draft = Draft::new();
    let yielder = draft.node("numbers", ROOT, [], &[Out::Dynamic, Out::Dynamic, Out::Dynamic]);
    for output in 0..3 {
        let scopes = [
            draft.batch(yielder, output, Some(7), None),
            draft.batch(yielder, output, None, Some(20)),
            draft.fan_out(yielder, output),
        ];
        for (at, scope) in scopes.into_iter().enumerate() {
            let name = format!("clone{output}{at}");
            draft.node(&name, scope, [Source::Element(scope)], &[Out::Required]);
        }
    }
    let ops = Ops::new().op("numbers", |_| {
        let each = (0..3).flat_map(|n| (0..11).map(move |key| (n, key)));
        let mixed = (0..9).flat_map(|key| (0..3).map(move |n| (n, 11 + key)));
        each.chain(mixed).fold(Script::default(), |script, (n, key)| script.emit(n, key, key))
    });
    in_windows(&draft, &ops, |trace| {
        assert_eq!(trace.status, Some(RunStatus::Succeeded));
        assert_eq!(trace.begun("clone00").len(), 3);
        assert_eq!(trace.begun("clone02").len(), 20);
    });
}

/// `semantics.md` rule 12: a yielder is two batches ahead, and not more.
#[test]
fn no_more_batches_wait_than_the_window_holds() {
    for (items, bytes) in [(Some(10), None), (None, Some(20))] {
        let (draft, ..) = batched(items, bytes);
        let ops = Ops::new().op("clone", sum).op("numbers", |_| {
            (0..500).fold(Script::default(), |script, key| script.emit(0, key, 7))
        });
        let window = if bytes.is_some() {
            Credit { items: 1000, bytes: 1 }
        } else {
            Credit { items: 1, bytes: 1000 }
        };
        let bounds = Bounds { max_concurrency: 1, look_ahead: 0, window };
        for order in (0..5).map(Order::Random).chain([Order::Oldest]) {
            let simulation = Simulation::new(draft.clone().finish(), ops.clone());
            let trace = simulation.bounds(bounds).order(order).run();
            assert_eq!(trace.most_frames, 3, "{order:?}");
        }
    }
}

/// What an earlier attempt emitted has another place in the next: its credit comes back for that one.
#[test]
fn credit_comes_back_for_batches_that_an_earlier_attempt_began() {
    let (mut draft, yielder, _) = batched(Some(2), None);
    draft.policy(yielder).retry = Retry { max_attempts: 4, ..Retry::default() };
    let single = draft.fan_out(yielder, 0);
    let each = draft.node("each", single, [Source::Element(single)], &[Out::Required]);
    draft.node("next", single, [from(each, 0)], &[Out::Required]);
    let emit = |keys: Vec<i64>, more: i64| {
        keys.iter().fold(Script::default(), |script, n| script.emit(0, n, n + more))
    };
    let ops = Ops::new().op("clone", sum).op("each", sum).op("numbers", move |call| {
        let before = (100..102).chain(0..8);
        match call.attempt {
            1 => emit((0..8).collect(), 0).fail(ReportedRetry::Transient),
            2 => emit(before.collect(), 0).fail(ReportedRetry::Transient),
            3 => emit((0..8).collect(), 1).fail(ReportedRetry::Transient),
            _ => emit(before.chain(200..240).collect(), 1),
        }
    });
    for seed in 0..500 {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(16, 8)).order(Order::Random(seed)).run();
        assert_eq!(trace.status, Some(RunStatus::Succeeded));
        assert_eq!(trace.inputs("clone[0]"), "[0=1,1=2]");
    }
}
