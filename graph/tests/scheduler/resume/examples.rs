//! Runs that are interrupted at a moment that matters (`semantics.md` rules 17 and 19).

use std::sync::Arc;

use dynhost_graph::event::{
    CancelReason, Event, Failure, ReportedRetry, ReusedFrom, RunStatus, SkipReason,
};
use dynhost_graph::job::{Job, OnFailure, Retry, Source};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::{Action, Bounds, Credit, Dispatch, Input, Scheduler, Unrecorded};
use dynhost_graph::value::Value;

use crate::acceptance::{ROOT, mapped};
use crate::draft::{Draft, Out, from, number};
use crate::simulator::bounds;

fn key(step: &str) -> StepKey {
    step.parse().expect("a step key")
}

fn value(number: i64) -> Value {
    Value::json(&number.into())
}

fn began(step: &str, attempt: u32) -> Event {
    Event::StepStarted { step: key(step), attempt }
}

fn emitted(step: &str, attempt: u32, of: &str, number: i64) -> Event {
    let (of, value) = (MappingKey::new(of).expect("a key"), value(number));
    Event::OutputEmitted { step: key(step), attempt, output: "out0".into(), key: of, value }
}

fn succeeded(step: &str, attempt: u32, gives: Option<i64>) -> Event {
    let outputs = gives.map(|number| ("out0".into(), value(number))).into_iter().collect();
    Event::StepSucceeded { step: key(step), attempt, outputs, took_us: 0, reused: None }
}

fn failed(step: &str, attempt: u32, retry_in_ms: Option<u64>) -> Event {
    let (message, retry) = ("as the test says".to_owned(), ReportedRetry::Transient);
    let failure = Failure::Reported { message, detail: None, retry };
    Event::StepFailed { step: key(step), attempt, failure, retry_in_ms, took_us: 0 }
}

fn cancelled(step: &str, attempt: u32) -> Event {
    Event::StepCancelled { step: key(step), attempt }
}

fn resumed() -> Event {
    Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None }
}

fn started() -> Event {
    crate::simulator::started()
}

/// `numbers` → `clone` → `total`.
fn chain() -> Draft {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    let list = draft.collect(scope, from(clone, 0));
    draft.node("total", ROOT, [list], &[Out::Required]);
    draft
}

/// A scheduler and what it said last.
struct Resumed {
    scheduler: Scheduler,
    actions: Vec<Action>,
}

impl Resumed {
    /// What goes on from these events, after the start of the run.
    fn new(job: &Arc<Job>, events: &[Event]) -> Self {
        let mut all = Self::replaying(job, events);
        all.actions.clear();
        all.scheduler.go_live(&mut all.actions);
        all
    }

    fn replaying(job: &Arc<Job>, events: &[Event]) -> Self {
        let mut scheduler = Scheduler::replaying(Arc::clone(job), bounds(8, 8));
        let mut actions = Vec::new();
        scheduler.replay(&started(), &mut actions);
        for event in events {
            scheduler.replay(event, &mut actions);
        }
        Self { scheduler, actions }
    }

    /// The steps that are handed out, with their attempts.
    fn runs(&self) -> Vec<String> {
        let run = |action: &Action| match action {
            Action::Run(dispatch) => Some(format!("{} {}", dispatch.step, dispatch.attempt)),
            _ => None,
        };
        self.actions.iter().filter_map(run).collect()
    }

    fn dispatch(&self, step: &str) -> Dispatch {
        let run = |action: &Action| match action {
            Action::Run(dispatch) if dispatch.step == key(step) => Some(dispatch.clone()),
            _ => None,
        };
        self.actions.iter().find_map(run).expect("it is handed out")
    }

    /// Applies an event of a step that was handed out; says which steps are handed out then.
    fn apply(&mut self, of: &Dispatch, event: &Event) -> Vec<String> {
        self.actions.clear();
        self.scheduler.apply(of.id, event, &mut self.actions);
        self.runs()
    }
}

/// Elements a, b and c; the clone of a has succeeded, that of b runs, that of c has not begun.
fn interrupted() -> Vec<Event> {
    vec![
        began("numbers", 1),
        emitted("numbers", 1, "a", 1),
        emitted("numbers", 1, "b", 2),
        began("clone[a]", 1),
        succeeded("clone[a]", 1, Some(10)),
        emitted("numbers", 1, "c", 3),
        began("clone[b]", 1),
    ]
}

/// "runs exactly the steps that had not finished, those never scheduled included", and "a key it
/// emits again with the same bytes takes the recorded clone …; a key it does not emit again is
/// dropped": though no policy retries it, as an interrupted attempt is no failed one.
#[test]
fn an_interrupted_yielder_emits_again() {
    let mut run = Resumed::new(&chain().finish(), &interrupted());
    assert_eq!(run.runs(), ["clone[b] 1", "clone[c] 1", "numbers 1"]);
    let numbers = run.dispatch("numbers");
    let (b, c) = (run.dispatch("clone[b]"), run.dispatch("clone[c]"));
    assert_eq!(run.apply(&numbers, &emitted("numbers", 1, "a", 1)), [""; 0]);
    assert_eq!(run.apply(&numbers, &emitted("numbers", 1, "b", 2)), [""; 0]);
    assert_eq!(run.apply(&numbers, &emitted("numbers", 1, "d", 4)), ["clone[d] 1"]);
    let d = run.dispatch("clone[d]");
    assert!(run.scheduler.may_drop(numbers.id) && run.scheduler.counts(c.id));
    assert_eq!(run.apply(&numbers, &succeeded("numbers", 1, None)), [""; 0]);
    assert!(!run.scheduler.may_drop(numbers.id) && !run.scheduler.counts(c.id));
    let dropped = Action::Drop {
        nodes: vec!["clone".into()],
        keys: vec![MappingKey::new("c").expect("a key")],
    };
    assert_eq!(run.actions, [dropped, Action::Interrupt { id: c.id }]);
    run.apply(&c, &cancelled("clone[c]", 1));
    run.apply(&d, &succeeded("clone[d]", 1, Some(40)));
    assert_eq!(run.apply(&b, &succeeded("clone[b]", 1, Some(20))), ["total 1"]);
    let total = run.dispatch("total");
    assert_eq!(crate::trace::inputs_text(&total.inputs), "[a=10,b=20,d=40]");
    run.apply(&total, &succeeded("total", 1, Some(70)));
    assert_eq!(run.actions, [Action::Finish { status: RunStatus::Succeeded }]);
    assert_eq!(run.scheduler.frames_alive(), 1);
}

/// "with other bytes the clone is run again".
#[test]
fn an_interrupted_yielder_may_emit_other_bytes() {
    let mut run = Resumed::new(&chain().finish(), &interrupted());
    let numbers = run.dispatch("numbers");
    assert_eq!(run.apply(&numbers, &emitted("numbers", 1, "a", 7)), ["clone[a] 1"]);
    let keys = vec![MappingKey::new("a").expect("a key")];
    assert_eq!(run.actions[0], Action::Drop { nodes: vec!["clone".into()], keys });
    assert_eq!(run.dispatch("clone[a]").inputs, [Input::Single(value(7))]);
}

/// The attempts of a clone that is retried go on where they were; those that were interrupted do not
/// count.
#[test]
fn an_interrupted_attempt_does_not_count() {
    let mut draft = Draft::new();
    let only = draft.node("only", ROOT, [number(1)], &[Out::Required]);
    draft.policy(only).retry = Retry { max_attempts: 3, ..Retry::default() };
    let job = draft.finish();
    let mut events = vec![began("only", 1), failed("only", 1, Some(5)), began("only", 2)];
    assert_eq!(Resumed::new(&job, &events).runs(), ["only 2"]);
    events.extend([resumed(), began("only", 2), cancelled("only", 2)]);
    assert_eq!(Resumed::new(&job, &events).runs(), ["only 2"]);
    events.extend([began("only", 2), failed("only", 2, Some(5)), resumed()]);
    let mut run = Resumed::replaying(&job, &events);
    let Some(Action::WakeLater { id, after_ms: 5 }) = run.actions.pop() else {
        panic!("it is not to be woken: {:?}", run.actions)
    };
    run.actions.clear();
    run.scheduler.go_live(&mut run.actions);
    assert_eq!(run.actions, [], "it waits for its delay");
    run.scheduler.wake(id, &mut run.actions);
    assert_eq!(run.runs(), ["only 3"]);
}

/// While events are taken in, a step has inputs as soon as it may run and until it has ended.
#[test]
fn what_a_recorded_step_was_given_is_known_before_its_end() {
    let job = chain().finish();
    let events = interrupted();
    let inputs = |count: usize, step: &str| {
        Resumed::replaying(&job, &events[..count]).scheduler.inputs_of(&key(step))
    };
    let one = Some(vec![Input::Single(value(1))]);
    assert_eq!(inputs(1, "clone[a]"), None, "not emitted");
    assert_eq!(inputs(2, "clone[a]"), one, "not begun");
    assert_eq!(inputs(4, "clone[a]"), one, "under way");
    assert_eq!(inputs(5, "clone[a]"), None, "ended");
    assert_eq!(inputs(7, "total"), None, "waits");
    assert_eq!(inputs(7, "clone[a][b]"), None, "of no such scope");
    assert_eq!(inputs(7, "other[a]"), None, "of no such node");
    let live = Resumed::new(&job, &events).scheduler;
    assert_eq!(live.inputs_of(&key("clone[b]")), None, "no longer taking in");
}

/// A step whose outputs were reused is not said to have begun.
#[test]
fn reused_outputs_count_though_the_step_never_began() {
    let reused = |step: &str, gives| {
        let mut event = succeeded(step, 1, gives);
        if let Event::StepSucceeded { reused, step, .. } = &mut event {
            let (from, run) = (ReusedFrom::Cache, "earlier".to_owned());
            *reused = Some(dynhost_graph::event::Reused { from, run, step: step.clone() });
        }
        event
    };
    let job = chain().finish();
    let mut events = vec![
        emitted("numbers", 1, "a", 1),
        emitted("numbers", 1, "b", 2),
        reused("clone[b]", Some(20)),
    ];
    let run = Resumed::new(&job, &events);
    assert_eq!(run.runs(), ["clone[a] 1", "numbers 1"], "killed before it was said to have ended");
    events.push(reused("numbers", None));
    events.push(reused("clone[a]", Some(10)));
    let run = Resumed::new(&job, &events);
    assert_eq!(run.runs(), ["total 1"]);
    assert_eq!(crate::trace::inputs_text(&run.dispatch("total").inputs), "[a=10,b=20]");
}

/// Steps go on in the order in which their elements were emitted, whatever ended first; deeper ones
/// go first.
#[test]
fn what_may_run_is_queued_in_the_order_of_emission() {
    let mut draft = Draft::new();
    let (_, scope, clone) = mapped(&mut draft, &[Out::Required]);
    draft.node("second", scope, [from(clone, 0)], &[Out::Required]);
    let mut events = vec![began("numbers", 1)];
    for of in ["d", "c", "b", "a"] {
        events.push(emitted("numbers", 1, of, 1));
    }
    for of in ["a", "d"] {
        events.push(began(&format!("clone[{of}]"), 1));
        events.push(succeeded(&format!("clone[{of}]"), 1, Some(1)));
    }
    events.extend([began("clone[c]", 1), succeeded("numbers", 1, None)]);
    let run = Resumed::new(&draft.finish(), &events);
    assert_eq!(run.runs(), ["second[d] 1", "second[a] 1", "clone[c] 1", "clone[b] 1"]);
}

/// `semantics.md` rules 4 and 17: what an interrupted attempt emitted meets others after the run has
/// gone on, and then comes with other bytes: they meet again.
#[test]
fn what_comes_again_with_other_bytes_meets_again() {
    let mut draft = Draft::new();
    let one = draft.node("one", ROOT, [], &[Out::Dynamic]);
    let other = draft.node("other", ROOT, [], &[Out::Dynamic]);
    let parts = [draft.fan_out(one, 0), draft.fan_out(other, 0)];
    let both = draft.zip(&parts, false);
    draft.node("pair", both, parts.map(Source::Element), &[Out::Required]);
    let events = [began("one", 1), emitted("one", 1, "k", 1)];
    let mut run = Resumed::new(&draft.finish(), &events);
    let (one, other) = (run.dispatch("one"), run.dispatch("other"));
    assert_eq!(run.apply(&other, &emitted("other", 1, "k", 5)), ["pair[k] 1"]);
    let pair = run.dispatch("pair[k]");
    run.apply(&one, &emitted("one", 1, "k", 2));
    assert!(!run.scheduler.counts(pair.id));
    assert_eq!(run.apply(&pair, &cancelled("pair[k]", 1)), ["pair[k] 1"]);
    let inputs = [Input::Single(value(2)), Input::Single(value(5))];
    assert_eq!(run.dispatch("pair[k]").inputs, inputs);
}

/// Elements that nothing is mapped over have no clones to be dropped.
#[test]
fn without_clones_none_are_dropped() {
    let mut draft = Draft::new();
    let numbers = draft.node("numbers", ROOT, [], &[Out::Dynamic]);
    let scope = draft.fan_out(numbers, 0);
    let list = draft.collect(scope, Source::Element(scope));
    draft.node("total", ROOT, [list], &[Out::Required]);
    let events = [began("numbers", 1), emitted("numbers", 1, "a", 1)];
    let mut run = Resumed::new(&draft.finish(), &events);
    let numbers = run.dispatch("numbers");
    run.apply(&numbers, &emitted("numbers", 1, "a", 2));
    assert_eq!(run.actions, []);
    assert_eq!(run.apply(&numbers, &succeeded("numbers", 1, None)), ["total 1"]);
    assert_eq!(crate::trace::inputs_text(&run.dispatch("total").inputs), "[a=2]");
}

/// Events of attempts that are not under way are not those of this job: a key that a zip lacked
/// before the job was changed, say.
#[test]
fn events_of_other_attempts_change_nothing() {
    let job = chain().finish();
    let mut events = vec![began("numbers", 1), emitted("numbers", 1, "a", 1)];
    events.extend([failed("clone[a]", 0, None), cancelled("clone[a]", 1)]);
    events.push(began("clone[a]", 1));
    events.extend([cancelled("clone[a]", 2), succeeded("clone[a]", 2, Some(1))]);
    events.push(emitted("numbers", 2, "b", 1));
    let mut run = Resumed::replaying(&job, &events);
    assert_eq!(run.scheduler.steps_out(), 2);
    run.scheduler.go_live(&mut run.actions);
    assert_eq!(run.runs(), ["clone[a] 1", "numbers 1"]);
}

/// `semantics.md` rule 12 holds from the first moment on, whatever ran before.
#[test]
fn a_resumed_run_keeps_to_its_bounds() {
    let window = Credit { items: 8, bytes: 8 };
    let bounds = Bounds { max_concurrency: 1, look_ahead: 0, window };
    let mut scheduler = Scheduler::replaying(chain().finish(), bounds);
    let mut actions = Vec::new();
    scheduler.replay(&started(), &mut actions);
    for event in interrupted() {
        scheduler.replay(&event, &mut actions);
    }
    assert_eq!(actions, [], "nothing is handed out or granted");
    scheduler.go_live(&mut actions);
    assert_eq!(actions.len(), 1);
    assert_eq!(scheduler.steps_out(), 1);
}

/// What a dropped clone did is not recorded, and it is not begun again.
#[test]
fn a_clone_that_was_dropped_is_not_run_again() {
    let mut draft = chain();
    draft.policy(dynhost_graph::job::NodeId(0)).retry =
        Retry { max_attempts: 2, ..Retry::default() };
    let job = draft.finish();
    let mut events = interrupted();
    events.extend([
        failed("numbers", 1, Some(1)),
        began("numbers", 2),
        emitted("numbers", 2, "b", 5),
        succeeded("numbers", 2, None),
    ]);
    let run = Resumed::new(&job, &events);
    assert_eq!(run.runs(), ["clone[b] 1"]);
    assert_eq!(run.dispatch("clone[b]").inputs, [Input::Single(value(5))]);
    // The dropped clone of b is said to be interrupted, then the other begins.
    events.extend([cancelled("clone[b]", 1), began("clone[b]", 1)]);
    events.push(succeeded("clone[b]", 1, Some(50)));
    let run = Resumed::new(&job, &events);
    assert_eq!(run.runs(), ["total 1"]);
    assert_eq!(crate::trace::inputs_text(&run.dispatch("total").inputs), "[b=50]");
}

/// A request to cancel holds until the run is resumed; one that a failure made is made again.
#[test]
fn only_an_abort_outlasts_the_process() {
    let request = |reason| Event::CancelRequested { reason };
    let mut events = interrupted();
    events.push(request(CancelReason::Requested));
    events.extend([cancelled("clone[b]", 1), cancelled("numbers", 1)]);
    events.push(Event::RunFinished { status: RunStatus::Cancelled, outputs: Vec::new() });
    let run = Resumed::new(&chain().finish(), &events);
    assert_eq!(run.runs(), ["clone[b] 1", "clone[c] 1", "numbers 1"]);

    let mut draft = chain();
    draft.policy(dynhost_graph::job::NodeId(1)).on_failure = OnFailure::Abort;
    let job = draft.finish();
    let mut events = interrupted();
    events.push(failed("clone[b]", 1, None));
    let reason = CancelReason::Aborted { step: key("clone[b]") };
    for recorded in [false, true] {
        if recorded {
            events.push(request(reason.clone()));
        }
        let mut run = Resumed::replaying(&job, &events);
        assert_eq!(run.actions, [Action::Abort { reason: reason.clone() }]);
        run.actions.clear();
        run.scheduler.go_live(&mut run.actions);
        assert_eq!(run.actions, [], "nothing new starts");
        run.scheduler.cancel(reason.clone(), &mut run.actions);
        assert_eq!(run.actions.last(), Some(&Action::Finish { status: RunStatus::Failed }));
    }
}

/// A run without any event begins.
#[test]
fn an_empty_history_is_that_of_a_new_run() {
    let mut scheduler = Scheduler::replaying(chain().finish(), Bounds::default());
    let mut actions = Vec::new();
    scheduler.go_live(&mut actions);
    assert!(matches!(&actions[..], [Action::Run(_)]), "{actions:?}");
}

/// What was found and not recorded is to be recorded, except of clones that have been dropped
/// since: in the run they may have waited for others to end, and nothing came of them.
#[test]
fn what_is_missing_in_a_history_is_known() {
    let skip = |step: &str| {
        let reason = SkipReason::NotEmitted { input: "in0".to_owned() };
        Action::Skip { step: key(step), reason }
    };
    let skipped = |step: &str| {
        let reason = SkipReason::NotEmitted { input: "in0".to_owned() };
        Event::StepSkipped { step: key(step), reason }
    };
    let (nodes, keys) = (vec!["clone".into()], vec![MappingKey::new("a").expect("a key")]);
    let drop = Action::Drop { nodes: nodes.clone(), keys: keys.clone() };
    let dropped = Event::ClonesDropped { nodes, keys };
    let missing = |recorded: &[Event]| {
        let mut unrecorded = Unrecorded::default();
        for action in ["clone[a]", "clone[b]", "total"].map(skip) {
            unrecorded.found(action);
        }
        unrecorded.found(drop.clone());
        unrecorded.found(skip("clone[a][x]"));
        unrecorded.found(skip("clone[a]"));
        for event in recorded {
            unrecorded.recorded(event);
        }
        unrecorded.into_actions()
    };
    let after = [skip("clone[a][x]"), skip("clone[a]")];
    assert_eq!(missing(&[])[..3], [skip("clone[b]"), skip("total"), drop.clone()]);
    assert_eq!(missing(&[])[3..], after);
    let both = [skipped("clone[a]"), skipped("total"), dropped.clone()];
    assert_eq!(missing(&both)[1..], after);
    assert_eq!(missing(&[dropped, skipped("clone[a]")])[2..], after[..1]);
}
