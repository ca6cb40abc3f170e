//! Failures, retries and what is left of them (`semantics.md` rules 15 to 18).

use dynhost_graph::event::{CancelReason, Event, ReportedRetry, RunStatus, SkipReason};
use dynhost_graph::job::{OnFailure, Retry, Source, Tolerance};
use dynhost_graph::name::MappingKey;
use dynhost_graph::scheduler::{Action, Bounds, Scheduler};
use dynhost_graph::value::Value;

use crate::acceptance::{ROOT, mapped, numbers, run};
use crate::draft::{Draft, Out, from, number};
use crate::script::{Call, Ops, Script};
use crate::simulator::{Order, Simulation, bounds};
use crate::trace::{Outcome, Trace};

fn twice() -> Retry {
    Retry { max_attempts: 2, ..Retry::default() }
}

/// Five clones, of which those below `bad` fail, into a collect.
fn tolerating(tolerance: Tolerance, bad: i64) -> Trace {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    draft.policy(clone).on_failure = OnFailure::Tolerate(tolerance);
    let list = draft.collect(scope, from(clone, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let ops = Ops::new().op("numbers", numbers(5)).op("clone", move |call| match call.sum(0) {
        n if n < bad => Script::default().fail(ReportedRetry::Transient),
        n => Script::default().give(0, n),
    });
    run(draft, ops)
}

/// `semantics.md` rule 15: "`tolerate` goes on while failures stay within the bound, and collect
/// receives the successes".
#[test]
fn within_the_bound_the_collect_gets_the_successes_and_the_keys_that_failed() {
    for tolerance in [Tolerance::Count(2), Tolerance::Ratio(0.4)] {
        let trace = tolerating(tolerance, 2);
        assert_eq!(trace.inputs("total"), "[2=2,3=3,4=4,!0,!1]");
        assert_eq!(trace.status, Some(RunStatus::Succeeded));
        assert_eq!(trace.failures.len(), 2);
    }
}

/// `semantics.md` rule 15.
#[test]
fn beyond_the_bound_the_collect_does_not_run() {
    for tolerance in [Tolerance::Count(2), Tolerance::Ratio(0.4)] {
        let trace = tolerating(tolerance, 3);
        let upstream = SkipReason::Upstream { node: "clone".into() };
        assert_eq!(trace.outcome("total"), Some(&Outcome::Skipped(upstream)));
        assert_eq!(trace.status, Some(RunStatus::Failed));
    }
}

/// `semantics.md` rule 15: "`abort` cancels the run at the first failure". Nothing starts, not
/// even what became ready by the failing step's own event.
#[test]
fn abort_starts_nothing_after_the_first_failure() {
    let mut draft = Draft::new();
    let (_, _, clone) = mapped(&mut draft, &[Out::Required]);
    draft.policy(clone).on_failure = OnFailure::Abort;
    draft.node("late", ROOT, [number(1)], &[Out::Required]);
    let ops = Ops::new()
        .op("numbers", numbers(100))
        .op("clone", |_| Script::default().fail(ReportedRetry::Permanent));
    let trace = Simulation::new(draft.finish(), ops).bounds(bounds(1, 4)).run();
    assert_eq!(trace.begun("clone").len(), 1);
    assert_eq!(trace.failures, ["clone[0]"]);
    assert_eq!(trace.status, Some(RunStatus::Failed));
}

/// A yielder that emits one thing in its first attempt and another in its second.
fn retried(first: fn() -> Script, second: fn() -> Script) -> Trace {
    let mut draft = Draft::new();
    let (yielder, scope, clone) = mapped(&mut draft, &[Out::Required]);
    draft.policy(yielder).retry = twice();
    let list = draft.collect(scope, from(clone, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let ops = Ops::new()
        .op("numbers", move |call: &Call<'_>| match call.attempt {
            1 => first().fail(ReportedRetry::Transient),
            _ => second(),
        })
        .op("clone", |call| Script::default().give(0, call.sum(0) * 10));
    Simulation::new(draft.finish(), ops).run()
}

/// `semantics.md` rule 17: "a key it emits again with the same bytes takes the recorded clone".
#[test]
fn a_key_emitted_again_with_the_same_bytes_keeps_its_clone() {
    let trace = retried(
        || Script::default().emit(0, "a", 1).emit(0, "b", 2),
        || Script::default().emit(0, "b", 2).emit(0, "a", 1),
    );
    assert_eq!(trace.inputs("total"), "[b=20,a=10]");
    assert_eq!(trace.begun("clone"), ["clone[a]", "clone[b]"]);
}

/// `semantics.md` rule 17: "with other bytes the clone is run again".
#[test]
fn a_key_emitted_again_with_other_bytes_is_run_again() {
    let trace = retried(|| Script::default().emit(0, "a", 1), || Script::default().emit(0, "a", 7));
    assert_eq!(trace.inputs("total"), "[a=70]");
    assert_eq!(trace.begun("clone"), ["clone[a]", "clone[a]"]);
}

/// `semantics.md` rule 17: "a key it does not emit again is dropped".
#[test]
fn a_key_not_emitted_again_is_dropped() {
    let trace = retried(
        || Script::default().emit(0, "a", 1).emit(0, "b", 2),
        || Script::default().emit(0, "c", 3),
    );
    assert_eq!(trace.inputs("total"), "[c=30]");
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// `semantics.md` rule 17: "its clones finish, are recorded, and the collect does not run".
#[test]
fn the_clones_of_a_yielder_that_failed_for_good_finish() {
    let fails = || Script::default().emit(0, "b", 2).fail(ReportedRetry::Permanent);
    let trace = retried(|| Script::default().emit(0, "a", 1), fails);
    for step in ["clone[a]", "clone[b]"] {
        assert_eq!(trace.outcome(step), Some(&Outcome::Succeeded), "{step}");
    }
    let upstream = SkipReason::Upstream { node: "numbers".into() };
    assert_eq!(trace.outcome("total"), Some(&Outcome::Skipped(upstream)));
    assert_eq!(trace.failures, ["numbers"]);
}

/// `semantics.md` rule 17: a failure inside an element that no longer counts, two levels down,
/// counts neither at its own level nor further out.
#[test]
fn a_failure_inside_a_dropped_element_does_not_count() {
    let mut draft = Draft::new();
    let outer = draft.node("outer", ROOT, [], &[Out::Dynamic]);
    let level = draft.fan_out(outer, 0);
    let inner = draft.node("inner", level, [Source::Element(level)], &[Out::Dynamic]);
    let deep = draft.fan_out(inner, 0);
    draft.node("leaf", deep, [Source::Element(deep)], &[Out::Required]);
    draft.policy(outer).retry = twice();
    draft.policy(inner).retry = twice();
    let ops = Ops::new()
        .op("outer", |call| {
            let script = Script::default().emit(0, "a", call.attempt);
            if call.attempt == 1 { script.fail(ReportedRetry::Transient) } else { script }
        })
        .op("inner", |call| match call.attempt {
            1 => Script::default().emit(0, "x", 0).fail(ReportedRetry::Transient),
            _ => Script::default().emit(0, "y", 1),
        })
        .op("leaf", |call| match call.sum(0) {
            0 => Script::default().fail(ReportedRetry::Permanent),
            n => Script::default().give(0, n),
        });
    let job = draft.finish();
    for seed in 0..200 {
        let order = Order::Random(seed);
        let trace = Simulation::new(job.clone(), ops.clone()).order(order).run();
        assert_eq!(trace.failures, [""; 0], "seed {seed}");
        assert_eq!(trace.status, Some(RunStatus::Succeeded), "seed {seed}");
    }
}

/// `semantics.md` rule 16: "Siblings run during the delay".
#[test]
fn siblings_run_while_a_clone_waits_for_its_next_attempt() {
    let mut draft = Draft::new();
    let (_, _, clone) = mapped(&mut draft, &[Out::Required]);
    draft.policy(clone).retry = twice();
    let ops = Ops::new().op("numbers", numbers(3)).op("clone", |call| {
        match (call.attempt, call.sum(0)) {
            (1, 0) => Script::default().fail(ReportedRetry::Transient),
            (_, n) => Script::default().give(0, n),
        }
    });
    // A delay is over only when nothing else can move.
    let trace = Simulation::new(draft.finish(), ops).bounds(bounds(1, 8)).run();
    assert_eq!(trace.begun("clone"), ["clone[0]", "clone[1]", "clone[2]", "clone[0]"]);
}

/// `semantics.md` rule 15: `after` a step that failed does not run.
#[test]
fn after_a_failed_step_nothing_runs() {
    let mut draft = Draft::new();
    let (_, _, clone) = mapped(&mut draft, &[Out::Required]);
    let late = draft.node("late", ROOT, [number(1)], &[Out::Required]);
    draft.after(late, clone);
    let ops = Ops::new().op("numbers", numbers(3)).op("clone", |call| match call.sum(0) {
        1 => Script::default().fail(ReportedRetry::Permanent),
        n => Script::default().give(0, n),
    });
    let trace = run(draft, ops);
    let upstream = SkipReason::Upstream { node: "clone".into() };
    assert_eq!(trace.outcome("late"), Some(&Outcome::Skipped(upstream)));
}

/// `semantics.md` rule 18: a run whose last step was to be retried when it was cancelled has
/// been cancelled, not completed.
#[test]
fn a_cancel_during_the_last_attempt_but_one_leaves_the_run_cancelled() {
    let mut draft = Draft::new();
    let only = draft.node("only", ROOT, [number(1)], &[Out::Required]);
    draft.policy(only).retry = twice();
    let ops = Ops::new().op("only", |_| Script::default().fail(ReportedRetry::Transient));
    let mut simulation = Simulation::new(draft.finish(), ops);
    for moves in 0..2 {
        simulation.cancel_after = Some(moves);
        assert_eq!(simulation.run().status, Some(RunStatus::Cancelled), "after {moves} moves");
    }
}

/// `semantics.md` rule 18: what a step emits after the request to cancel has no clones, so that its
/// success is not that of the run, even where nothing waits for the clones.
#[test]
fn an_element_emitted_after_the_request_leaves_the_run_cancelled() {
    let mut draft = Draft::new();
    mapped(&mut draft, &[Out::Required]);
    let mut scheduler = Scheduler::new(draft.finish(), Bounds::default());
    let mut actions = Vec::new();
    scheduler.start(&mut actions);
    let Some(Action::Run(numbers)) = actions.pop() else { panic!("nothing runs") };
    scheduler.cancel(CancelReason::Requested, &mut actions);
    let (step, attempt) = (numbers.step, numbers.attempt);
    let output = scheduler.job().node(numbers.id.node()).op.outputs[0].name.as_str().into();
    let (key, value) = (MappingKey::new("0").expect("a key"), Value::json_text("0"));
    let emitted = Event::OutputEmitted { step: step.clone(), attempt, output, key, value };
    let succeeded =
        Event::StepSucceeded { step, attempt, outputs: Vec::new(), took_us: 0, reused: None };
    scheduler.apply(numbers.id, &emitted, &mut actions);
    scheduler.apply(numbers.id, &succeeded, &mut actions);
    assert_eq!(actions.last(), Some(&Action::Finish { status: RunStatus::Cancelled }));
}
