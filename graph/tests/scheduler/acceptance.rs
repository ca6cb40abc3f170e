//! The cases of the system that the rules come from, with its numbers.

use dynhost_graph::event::{ReportedRetry, RunStatus, SkipReason};
use dynhost_graph::job::{NodeId, ScopeId, Source};
use serde_json::{Value as Json, json};

use crate::draft::{Draft, Out, from, number};
use crate::random::Random;
use crate::script::{Call, Ops, Script};
use crate::simulator::{Order, Simulation, bounds};
use crate::trace::{Outcome, Trace};

pub(crate) const ROOT: ScopeId = ScopeId::ROOT;

/// Emits the numbers below `count` under themselves as keys.
pub(crate) fn numbers(count: i64) -> impl Fn(&Call<'_>) -> Script + Send + Sync + 'static {
    move |_| (0..count).fold(Script::default(), |script, n| script.emit(0, n, n))
}

/// Emits the elements of its first input under their position.
fn elements(call: &Call<'_>) -> Script {
    let list = call.json(0);
    let list = list.as_array().expect("a list").iter().enumerate();
    list.fold(Script::default(), |script, (at, n)| script.emit(0, at, n.clone()))
}

fn times(by: i64) -> impl Fn(&Call<'_>) -> Script + Send + Sync + 'static {
    move |call| Script::default().give(0, call.sum(0) * by)
}

/// Gives the sum of its first input.
pub(crate) fn sum(call: &Call<'_>) -> Script {
    Script::default().give(0, call.sum(0))
}

pub(crate) fn run(draft: Draft, ops: Ops) -> Trace {
    let job = draft.finish();
    let first = Simulation::new(job, ops);
    let trace = first.run();
    for order in (0..20).map(Order::Random).chain([Order::Newest]) {
        let concurrency = match order {
            Order::Random(seed) => 1 + crate::draft::position(Random::new(seed).below(3)),
            Order::Oldest | Order::Newest => 4,
        };
        let other = first.clone().bounds(bounds(concurrency, 2)).order(order).run();
        assert_eq!(other.steps, trace.steps, "{order:?}");
        assert_eq!(other.outputs, trace.outputs, "{order:?}");
        assert_eq!(other.status, trace.status, "{order:?}");
    }
    trace
}

/// `numbers`, a node over its elements, and the scope between.
pub(crate) fn mapped(draft: &mut Draft, outputs: &[Out]) -> (NodeId, ScopeId, NodeId) {
    let numbers = draft.node("numbers", ROOT, [], &[Out::Dynamic]);
    let scope = draft.fan_out(numbers, 0);
    let clone = draft.node("clone", scope, [Source::Element(scope)], outputs);
    (numbers, scope, clone)
}

fn multiplied(count: i64) -> Trace {
    let mut draft = Draft::new();
    let emit = draft.node("emit", ROOT, [], &[Out::Dynamic]);
    let ten = draft.node("ten", ROOT, [], &[Out::Required]);
    let scope = draft.fan_out(emit, 0);
    let inputs = [Source::Element(scope), from(ten, 0)];
    let product = draft.node("multiply_inputs", scope, inputs, &[Out::Required]);
    let double = draft.node("multiply_by_two", scope, [from(product, 0)], &[Out::Required]);
    let list = draft.collect(scope, from(double, 0));
    let total = draft.node("sum", ROOT, [list], &[Out::Required]);
    let doubled = draft.node("double_total", ROOT, [from(total, 0)], &[Out::Required]);
    let echo = draft.node("echo", ROOT, [from(doubled, 0)], &[Out::Required]);
    for node in [total, doubled, echo] {
        draft.output(from(node, 0));
    }
    let ops = Ops::new()
        .op("emit", numbers(count))
        .op("ten", |_| Script::default().give(0, 10))
        .op("multiply_inputs", |call| Script::default().give(0, call.sum(0) * call.sum(1)))
        .op("multiply_by_two", times(2))
        .op("sum", sum)
        .op("double_total", times(2))
        .op("echo", sum);
    run(draft, ops)
}

/// `semantics.md` rules 1, 3 and 13.
#[test]
fn a_fan_out_of_three_through_two_clones_sums_to_60() {
    let trace = multiplied(3);
    assert_eq!(trace.outputs.iter().map(|o| &o.1).collect::<Vec<_>>(), ["60", "120", "120"]);
    for key in ["multiply_inputs[0]", "multiply_inputs[1]", "multiply_by_two[2]"] {
        assert_eq!(trace.outcome(key), Some(&Outcome::Succeeded), "{key}");
    }
    assert_eq!(trace.inputs("multiply_inputs[2]"), "2 10");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// `semantics.md` rule 13: "Zero dynamic outputs: it runs with an empty list".
#[test]
fn an_empty_fan_out_sums_to_0() {
    let trace = multiplied(0);
    assert_eq!(trace.inputs("sum"), "[]");
    assert_eq!(trace.output(0), "0");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

fn three_in_a_row(count: i64) -> Trace {
    let mut draft = Draft::new();
    let mut ops = Ops::new().op("emit0", numbers(count)).op("sum", sum);
    let mut emit = draft.node("emit0", ROOT, [], &[Out::Dynamic]);
    for round in 0..3 {
        let scope = draft.fan_out(emit, 0);
        let name = format!("double{round}");
        let double = draft.node(&name, scope, [Source::Element(scope)], &[Out::Required]);
        ops = ops.op(&name, times(2));
        let list = draft.collect(scope, from(double, 0));
        if round == 2 {
            let total = draft.node("sum", ROOT, [list], &[Out::Required]);
            draft.output(from(total, 0));
        } else {
            let name = format!("emit{}", round + 1);
            emit = draft.node(&name, ROOT, [list], &[Out::Dynamic]);
            ops = ops.op(&name, elements);
        }
    }
    run(draft, ops)
}

/// Fan-outs that follow each other, full and empty, end the run as succeeded.
#[test]
fn three_fan_outs_in_a_row_give_24_and_empty_0() {
    assert_eq!(three_in_a_row(3).output(0), "24");
    let empty = three_in_a_row(0);
    assert_eq!((empty.output(0), empty.status), ("0", Some(RunStatus::Succeeded)));
}

/// An output that nothing maps costs nothing, and does not keep the others from being used.
#[test]
fn of_two_dynamic_outputs_and_a_plain_one_only_one_is_mapped() {
    let mut draft = Draft::new();
    let outs = [Out::Dynamic, Out::Dynamic, Out::Required];
    let several = draft.node("several", ROOT, [], &outs);
    let scope = draft.fan_out(several, 1);
    let inputs = [Source::Element(scope), from(several, 2)];
    let clone = draft.node("clone", scope, inputs, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.output(list);
    let ops = Ops::new()
        .op("several", |_| {
            Script::default().emit(0, "a", 1).emit(1, "a", 2).emit(0, "b", 3).give(2, 10)
        })
        .op("clone", |call| Script::default().give(0, call.sum(0) + call.sum(1)));
    assert_eq!(run(draft, ops).output(0), "[a=12]");
}

/// `semantics.md` rule 14: "A skipped clone is left out of the collect; when every clone was
/// skipped, so is the collect".
#[test]
fn three_optional_outputs_collect_to_1_and_2_3_and_nothing() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Optional; 3]);
    for (output, name) in [(0, "first"), (1, "second"), (2, "third")] {
        let list = draft.collect(scope, from(clone, output));
        let node = draft.node(name, ROOT, [list], &[Out::Required]);
        draft.output(from(node, 0));
    }
    let ops = Ops::new()
        .op("numbers", |_| Script::default().emit(0, "a", 1).emit(0, "b", 2).emit(0, "c", 3))
        .op("clone", |call| {
            let n = call.sum(0);
            Script::default().give(u32::from(n > 1), n)
        });
    let trace = run(draft, ops);
    assert_eq!(trace.inputs("first"), "[a=1]");
    assert_eq!(trace.inputs("second"), "[b=2,c=3]");
    let skipped = SkipReason::NotEmitted { input: "in0".to_owned() };
    assert_eq!(trace.outcome("third"), Some(&Outcome::Skipped(skipped)));
    assert_eq!((trace.output(2), trace.status), ("absent", Some(RunStatus::Succeeded)));
}

/// A clone's key is its own; outside a map there is none.
#[test]
fn the_mapping_key_is_absent_outside_a_map() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    let end = draft.node("last", ROOT, [list.clone()], &[Out::Required]);
    draft.output(list);
    draft.output(from(end, 0));
    let key = |call: &Call<'_>| Script::default().give(0, call.key().map(str::to_owned));
    let ops = Ops::new().op("numbers", numbers(2)).op("clone", key).op("last", key);
    let trace = run(draft, ops);
    assert_eq!((trace.output(0), trace.output(1)), ("[0=\"0\",1=\"1\"]", "null"));
}

fn fed_by_its_own_collect(through: bool) -> Trace {
    let mut draft = Draft::new();
    let numbers_ = draft.node("numbers", ROOT, [], &[Out::Dynamic]);
    let scope = draft.fan_out(numbers_, 0);
    let echo = draft.node("echo", scope, [Source::Element(scope)], &[Out::Required]);
    let mut all = draft.collect(scope, from(echo, 0));
    if through {
        all = from(draft.node("gather", ROOT, [all], &[Out::Required]), 0);
    }
    let add = draft.node("add", scope, [Source::Element(scope), all], &[Out::Required]);
    let list = draft.collect(scope, from(add, 0));
    let end = draft.node("last", ROOT, [list], &[Out::Required]);
    draft.output(from(end, 0));
    let same = |call: &Call<'_>| Script::default().give(0, call.json(0));
    let ops = Ops::new()
        .op("numbers", numbers(3))
        .op("echo", same)
        .op("gather", same)
        .op("last", same)
        .op("add", |call| {
            let list = call.json(1);
            let list = list.as_array().expect("a list").iter();
            let sums = list.map(|n| json!(n.as_i64().expect("a number") + call.sum(0)));
            Script::default().give(0, sums.collect::<Vec<Json>>())
        });
    run(draft, ops)
}

/// Map and collect of one fan-out in one node: it waits for all, then clones.
#[test]
fn a_clone_takes_the_collect_of_its_own_fan_out() {
    for through in [true, false] {
        let trace = fed_by_its_own_collect(through);
        assert_eq!(trace.output(0), "[[0,1,2],[1,2,3],[2,3,4]]", "through an op: {through}");
    }
}

/// Two collects are two inputs of one op.
#[test]
fn two_collects_into_one_op() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let (one, other) =
        (draft.collect(scope, from(clone, 0)), draft.collect(scope, Source::Element(scope)));
    let both = draft.node("both", ROOT, [one, other], &[Out::Required]);
    draft.output(from(both, 0));
    let same = |call: &Call<'_>| Script::default().give(0, call.json(0));
    let ops = Ops::new().op("numbers", numbers(3)).op("clone", same).op("both", |call| {
        let lists = [call.json(0), call.json(1)];
        let all = lists.iter().flat_map(|list| list.as_array().expect("a list").clone());
        Script::default().give(0, all.collect::<Vec<Json>>())
    });
    assert_eq!(run(draft, ops).output(0), "[0,1,2,0,1,2]");
}

/// `semantics.md` rule 14: "A list of ordinary references takes those that are there".
#[test]
fn a_list_of_a_sum_an_empty_sum_and_a_skipped_branch_is_6() {
    let mut draft = Draft::new();
    let mut sums = Vec::new();
    for (name, count) in [("full", 4), ("empty", 0)] {
        let yielder = draft.node(name, ROOT, [number(count)], &[Out::Dynamic]);
        let scope = draft.fan_out(yielder, 0);
        let list = draft.collect(scope, Source::Element(scope));
        sums.push(from(draft.node(&format!("sum_{name}"), ROOT, [list], &[Out::Required]), 0));
    }
    let branch = draft.node("branch", ROOT, [], &[Out::Optional]);
    sums.push(from(draft.node("sum_branch", ROOT, [from(branch, 0)], &[Out::Required]), 0));
    let total = draft.node("total", ROOT, [Source::List(sums)], &[Out::Required]);
    draft.output(from(total, 0));
    let count = |call: &Call<'_>| numbers(call.sum(0))(call);
    let ops = Ops::new()
        .op("full", count)
        .op("empty", count)
        .op("branch", |_| Script::default())
        .op("sum_full", sum)
        .op("sum_empty", sum)
        .op("sum_branch", sum)
        .op("total", sum);
    let trace = run(draft, ops);
    assert_eq!((trace.inputs("total"), trace.output(0)), ("[0=6,1=0]", "6"));
}

/// `semantics.md` rule 14: "a skip passes downstream".
#[test]
fn a_skipped_yielder_skips_collect_and_all_below() {
    let mut draft = Draft::new();
    let branch = draft.node("branch", ROOT, [], &[Out::Optional]);
    let yielder = draft.node("yielder", ROOT, [from(branch, 0)], &[Out::Dynamic]);
    let scope = draft.fan_out(yielder, 0);
    let clone = draft.node("clone", scope, [Source::Element(scope)], &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    let total = draft.node("total", ROOT, [list], &[Out::Required]);
    let below = draft.node("below", ROOT, [from(total, 0)], &[Out::Required]);
    let after = draft.node("after", ROOT, [], &[Out::Required]);
    draft.after(after, below);
    let trace = run(draft, Ops::new().op("branch", |_| Script::default()));
    for step in ["yielder", "total", "below"] {
        assert!(matches!(trace.outcome(step), Some(Outcome::Skipped(_))), "{step}");
    }
    // `after` asks for an end, not for success.
    assert_eq!(trace.outcome("after"), Some(&Outcome::Succeeded));
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// `semantics.md` rule 14: "An optional dynamic output with no element at all counts as not
/// emitted: its collect is skipped".
#[test]
fn without_elements_an_optional_output_is_skipped_and_a_required_one_empty() {
    for (out, inputs) in [(Out::Dynamic, "[]"), (Out::OptionalDynamic, "")] {
        let mut draft = Draft::new();
        let yielder = draft.node("yielder", ROOT, [], &[out]);
        let scope = draft.fan_out(yielder, 0);
        let list = draft.collect(scope, Source::Element(scope));
        draft.node("total", ROOT, [list], &[Out::Required]);
        let trace = run(draft, Ops::new().op("yielder", |_| Script::default()));
        assert_eq!(trace.inputs("total"), inputs, "{out:?}");
    }
}

/// The nodes of a graph stand in the job under their path.
#[test]
fn a_graph_inside_a_map_collects_under_the_keys() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let inner = draft.node("outer/inner/trim", scope, [from(clone, 0)], &[Out::Required]);
    let list = draft.collect(scope, from(inner, 0));
    draft.output(list);
    let same = |call: &Call<'_>| Script::default().give(0, call.json(0));
    let ops = Ops::new().op("numbers", numbers(3)).op("clone", same).op("outer/inner/trim", same);
    let trace = run(draft, ops);
    assert_eq!(trace.output(0), "[0=0,1=1,2=2]");
    assert_eq!(trace.outcome("outer/inner/trim[2]"), Some(&Outcome::Succeeded));
}

/// `semantics.md` rule 15.
#[test]
fn one_clone_of_four_fails_and_the_others_finish() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let next = draft.node("next", scope, [from(clone, 0)], &[Out::Required]);
    let list = draft.collect(scope, from(next, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    draft.node("other", ROOT, [number(1)], &[Out::Required]);
    let ops = Ops::new().op("numbers", numbers(4)).op("clone", |call| match call.sum(0) {
        2 => Script::default().fail(ReportedRetry::Permanent),
        n => Script::default().give(0, n),
    });
    let trace = run(draft, ops);
    for step in ["clone[0]", "next[0]", "clone[3]", "next[3]", "other"] {
        assert_eq!(trace.outcome(step), Some(&Outcome::Succeeded), "{step}");
    }
    let upstream = Outcome::Skipped(SkipReason::Upstream { node: "clone".into() });
    assert_eq!(trace.outcome("next[2]"), Some(&upstream));
    assert_eq!(trace.outcome("total"), Some(&upstream));
    assert_eq!((trace.failures, trace.status), (vec!["clone[2]".into()], Some(RunStatus::Failed)));
}

/// `semantics.md` rule 13: "its list is in emission order, whatever the order of completion".
#[test]
fn completion_alpha_mid_zeta_collects_as_zeta_alpha_mid() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.output(list);
    let ops = Ops::new()
        .op("numbers", |_| {
            Script::default().emit(0, "zeta", 1).emit(0, "alpha", 2).emit(0, "mid", 3)
        })
        .op("clone", sum);
    let job = draft.finish();
    let mut completed = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let order = Order::Random(seed);
        let trace = Simulation::new(job.clone(), ops.clone()).order(order).run();
        assert_eq!(trace.output(0), "[zeta=1,alpha=2,mid=3]");
        completed.insert(trace.ended);
    }
    let alphabetical = ["numbers", "clone[alpha]", "clone[mid]", "clone[zeta]"];
    assert!(completed.iter().any(|order| order == &alphabetical), "{completed:?}");
}
