//! Back-pressure, places and order (`semantics.md` rules 9, 10 and 12).

use std::sync::{Arc, Mutex, Weak};

use dynhost_graph::event::RunStatus;
use dynhost_graph::job::{Dispatch, NodeId, ScopeId, Source};
use dynhost_graph::scheduler::{Bounds, Collection, Credit, Input};

use crate::acceptance::{ROOT, mapped, numbers, sum};
use crate::draft::{Draft, Out, from};
use crate::script::{Ops, Script};
use crate::simulator::{Order, Simulation, bounds};

/// `semantics.md` rule 12: "An op that emits faster than its clones run is suspended in `emit`".
#[test]
fn no_more_elements_wait_than_the_window_holds() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    let total = draft.node("total", ROOT, [list], &[Out::Required]);
    draft.output(from(total, 0));
    let job = draft.finish();
    let ops = Ops::new().op("numbers", numbers(500)).op("clone", sum).op("total", sum);
    for window in [1, 3, 16] {
        for concurrency in [1, 3] {
            let order = Order::Random(window);
            let simulation = Simulation::new(Arc::clone(&job), ops.clone());
            let trace = simulation.bounds(bounds(concurrency, window)).order(order).run();
            let frames = usize::try_from(window).expect("small") + 1;
            assert!(trace.most_frames <= frames, "{} frames", trace.most_frames);
            assert_eq!(trace.output(0), "124750");
        }
    }
}

/// An element larger than the whole window passes, alone.
#[test]
fn a_window_of_bytes_holds_back_without_locking_out() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.output(list);
    let ops = Ops::new()
        .op("numbers", |_| (0..5).fold(Script::default(), |s, n| s.emit(0, n, "x".repeat(50))))
        .op("clone", |_| Script::default().give(0, 1));
    let window = Credit { items: 100, bytes: 10 };
    let bounds = Bounds { max_concurrency: 2, look_ahead: 0, window };
    let trace = Simulation::new(draft.finish(), ops).bounds(bounds).run();
    assert_eq!(trace.output(0), "[0=1,1=1,2=1,3=1,4=1]");
    assert_eq!(trace.most_frames, 2);
}

/// One in 64 elements of the window may be under way whatever their size, up to 16 times its bytes: large elements keep as
/// many steps busy as small ones do.
#[test]
fn a_few_large_elements_are_under_way_at_once() {
    for (bytes, under_way) in [(5, 4), (50, 4), (100, 2), (1000, 1)] {
        let mut draft = Draft::new();
        let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
        let list = draft.collect(scope, from(clone, 0));
        draft.output(list);
        let ops = Ops::new()
            .op("numbers", move |_| {
                (0..9).fold(Script::default(), |s, n| s.emit(0, n, "x".repeat(bytes)))
            })
            .op("clone", |_| Script::default().give(0, 1));
        let window = Credit { items: 256, bytes: 10 };
        let bounds = Bounds { max_concurrency: 4, look_ahead: 0, window };
        let trace = Simulation::new(draft.finish(), ops).bounds(bounds).run();
        assert_eq!(trace.output(0), "[0=1,1=1,2=1,3=1,4=1,5=1,6=1,7=1,8=1]");
        assert_eq!(trace.most_frames, 1 + under_way, "elements of {bytes} bytes");
    }
}

/// Fan-outs within fan-outs: each level yields the next.
fn nested(draft: &mut Draft, levels: usize) -> (NodeId, ScopeId) {
    let mut scope = ROOT;
    let mut inputs = Vec::new();
    for level in 0..levels {
        let node = draft.node(&format!("level{level}"), scope, inputs, &[Out::Dynamic]);
        scope = draft.fan_out(node, 0);
        inputs = vec![Source::Element(scope)];
    }
    (draft.node("leaf", scope, inputs, &[Out::Required]), scope)
}

/// A yielder that waits does not hold the place that its clones need, at any depth.
#[test]
fn one_place_is_enough_for_four_levels_with_a_window_of_one() {
    let mut draft = Draft::new();
    let (_, _) = nested(&mut draft, 4);
    let ops = (0..4).fold(Ops::new(), |ops, level| ops.op(&format!("level{level}"), numbers(3)));
    for order in [Order::Oldest, Order::Random(1), Order::Random(2)] {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(1, 1)).order(order).run();
        assert_eq!(trace.begun("leaf").len(), 81);
        assert_eq!(trace.most_placed, 1);
        assert_eq!(trace.most_frames, 5, "one element of each level");
    }
}

/// Clones that wait for the end of another fan-out, whose clones wait for the end of theirs: no
/// yielder may wait for both.
#[test]
fn two_fan_outs_whose_clones_wait_for_each_other_end() {
    let mut draft = Draft::new();
    let mut scopes = Vec::new();
    for name in ["left", "right"] {
        let yielder = draft.node(name, ROOT, [], &[Out::Dynamic]);
        scopes.push(draft.fan_out(yielder, 0));
    }
    let lists: Vec<Source> = scopes
        .iter()
        .zip(["one", "two"])
        .map(|(&scope, name)| {
            let node = draft.node(name, scope, [Source::Element(scope)], &[Out::Required]);
            draft.collect(scope, from(node, 0))
        })
        .collect();
    draft.node("three", scopes[0], [lists[1].clone()], &[Out::Required]);
    draft.node("four", scopes[1], [lists[0].clone()], &[Out::Required]);
    let ops = Ops::new().op("left", numbers(20)).op("right", numbers(20));
    for seed in 0..20 {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(2, 2)).order(Order::Random(seed)).run();
        assert_eq!(trace.begun("three").len() + trace.begun("four").len(), 40);
    }
}

/// An inner yielder whose clones wait for the collect over the outer fan-out: the outer yielder
/// can only end when the inner one goes on.
#[test]
fn an_inner_fan_out_that_waits_for_the_outer_collect_ends() {
    let mut draft = Draft::new();
    let outer = draft.node("outer", ROOT, [], &[Out::Dynamic]);
    let level = draft.fan_out(outer, 0);
    let inner = draft.node("inner", level, [Source::Element(level)], &[Out::Dynamic]);
    let deep = draft.fan_out(inner, 0);
    let all = draft.collect(level, Source::Element(level));
    draft.node("leaf", deep, [all], &[Out::Required]);
    let ops = Ops::new().op("outer", numbers(6)).op("inner", numbers(6));
    for seed in 0..20 {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(1, 1)).order(Order::Random(seed)).run();
        assert_eq!(trace.begun("leaf").len(), 36);
    }
}

/// `semantics.md` rule 10: "Deeper steps go first".
#[test]
fn a_chain_inside_a_map_goes_on_before_the_next_clone_begins() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    draft.node("next", scope, [from(clone, 0)], &[Out::Required]);
    let trace = Simulation::new(draft.finish(), Ops::new().op("numbers", numbers(2)))
        .bounds(bounds(1, 8))
        .run();
    assert_eq!(trace.order, ["numbers", "clone[0]", "next[0]", "clone[1]", "next[1]"]);
}

/// `semantics.md` rule 9: a clone starts while the yielder runs, or after it.
#[test]
fn clones_start_at_once_unless_the_yielder_says_after_success() {
    for (dispatch, first) in [(Dispatch::Eager, "clone[0]"), (Dispatch::AfterSuccess, "numbers")] {
        let mut draft = Draft::new();
        let (yielder, _, _) = mapped(&mut draft, &[Out::Required]);
        draft.policy(yielder).dispatch = dispatch;
        let simulation = Simulation::new(draft.finish(), Ops::new().op("numbers", numbers(9)));
        let trace = simulation.bounds(bounds(1, 1)).run();
        assert_eq!(trace.ended[0], first);
        assert_eq!(trace.begun("clone").len(), 9);
        assert_eq!(trace.status, Some(RunStatus::Succeeded));
    }
}

/// `semantics.md` rule 12. The simulator sees to it that the bounds are kept; here they are
/// reached.
#[test]
fn a_node_and_a_pool_run_as_many_steps_as_they_may() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let next = draft.node("next", scope, [Source::Element(scope)], &[Out::Required]);
    let pool = draft.pool(3);
    draft.policy(clone).max_concurrency = Some(2);
    draft.policy(clone).pool = Some(pool);
    draft.policy(next).pool = Some(pool);
    let ops = Ops::new().op("numbers", numbers(50));
    let mut most = 0;
    for seed in 0..5 {
        let simulation = Simulation::new(draft.clone().finish(), ops.clone());
        let trace = simulation.bounds(bounds(16, 64)).order(Order::Random(seed)).run();
        most = most.max(trace.most_placed);
    }
    assert_eq!(most, 4, "three of the pool and the yielder");
}

/// The list of a fan-in goes when its readers have ended, though the run goes on.
#[test]
fn a_list_is_dropped_when_all_that_read_it_have_ended() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    let total = draft.node("total", ROOT, [list.clone()], &[Out::Required]);
    let again = draft.node("again", scope, [list], &[Out::Required]);
    let end = draft.node("last", ROOT, [from(total, 0)], &[Out::Required]);
    draft.after(end, again);
    let seen: Arc<Mutex<Weak<Collection>>> = Arc::default();
    let (at_total, at_last) = (Arc::clone(&seen), Arc::clone(&seen));
    let ops = Ops::new()
        .op("numbers", numbers(3))
        .op("clone", sum)
        .op("total", move |call| {
            let Input::Many(list) = &call.inputs[0] else { panic!("a fan-in is a list") };
            *at_total.lock().expect("one thread") = Arc::downgrade(list);
            Script::default().give(0, 1)
        })
        .op("last", move |_| {
            let list = at_last.lock().expect("one thread").upgrade();
            assert!(list.is_none(), "the list is still there");
            Script::default().give(0, 1)
        });
    let trace = Simulation::new(draft.finish(), ops).run();
    assert_eq!(trace.inputs("again[2]"), "[0=0,1=1,2=2]");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}
