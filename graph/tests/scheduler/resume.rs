//! Runs that go on from their history (`semantics.md` rule 19): random jobs, killed at any moment.

mod examples;
mod strange;

use std::collections::BTreeMap;
use std::sync::Arc;

use dynhost_graph::event::{CancelReason, Event, RunStatus};
use dynhost_graph::job::{Job, OnFailure};
use dynhost_graph::scheduler::{Action, Bounds, Scheduler, Unrecorded};

use crate::generate::{Wild, behave};
use crate::properties::{cases, compare_results, simulation, try_all};
use crate::random::{Random, mix};
use crate::reference::{Expected, interpret};
use crate::script::Ops;
use crate::simulator::{Order, Simulation, is_among};
use crate::trace::{Outcome, Trace, output_text};

fn all_kinds(seed: u64) -> Wild {
    Wild { seed, nodes: 0, fails: !seed.is_multiple_of(3), meets: seed.is_multiple_of(2) }
}

/// A run that was killed so many times, each time at any moment.
struct Killed {
    trace: Trace,
    log: Vec<Event>,
    /// Where in the log each life begins.
    lives: Vec<usize>,
}

impl Killed {
    fn new(simulation: &Simulation) -> Self {
        let (trace, log) = simulation.run_recorded();
        Self { trace, log, lives: vec![0] }
    }

    /// Cuts off what was recorded last, at least what an earlier kill left stays, and goes on.
    fn kill(&mut self, simulation: &Simulation, random: &mut Random) {
        let kept = self.lives.last().copied().unwrap_or(0);
        self.log.truncate(kept + random.below(self.log.len() - kept + 1));
        self.resume(simulation);
    }

    fn resume(&mut self, simulation: &Simulation) {
        self.lives.push(self.log.len());
        let (trace, log) = simulation.resume(&self.log);
        self.trace = trace;
        self.log.extend(log);
    }
}

/// The steps that have ended, by what was recorded of those that count.
fn read(log: &[Event]) -> BTreeMap<String, Vec<Outcome>> {
    let mut ended: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for event in log {
        let (step, outcome) = match event {
            Event::StepSucceeded { step, .. } => (step, Outcome::Succeeded),
            Event::StepFailed { step, retry_in_ms: None, .. } => (step, Outcome::Failed),
            Event::StepSkipped { step, reason } => (step, Outcome::Skipped(reason.clone())),
            Event::ClonesDropped { nodes, keys } => {
                ended.retain(|step, _| !is_among(step, nodes, keys));
                continue;
            }
            _ => continue,
        };
        ended.entry(step.to_string()).or_default().push(outcome);
    }
    ended
}

/// Compares a run and its history with what it must come to: every step that counts has ended
/// once, and none besides.
fn compare(job: &Job, expected: &Expected, killed: &Killed) {
    let dropped = killed.log.iter().any(|event| matches!(event, Event::ClonesDropped { .. }));
    compare_results(job, expected, &killed.trace, dropped);
    let ended = read(&killed.log);
    for (step, outcomes) in &ended {
        let record = expected.steps.get(step);
        let wanted = record.map(|record| std::slice::from_ref(&record.outcome));
        assert_eq!(Some(outcomes.as_slice()), wanted, "{step} in the history");
    }
    for step in expected.steps.keys() {
        assert!(ended.contains_key(step), "{step} is not in the history");
    }
    ends_at_once(job, killed);
}

/// The history of a finished run leaves nothing to be done.
fn ends_at_once(job: &Job, killed: &Killed) {
    let mut scheduler = Scheduler::replaying(Arc::new(job.clone()), Bounds::default());
    let (mut actions, mut unrecorded) = (Vec::new(), Unrecorded::default());
    for event in &killed.log {
        scheduler.replay(event, &mut actions);
        unrecorded.recorded(event);
        actions.drain(..).for_each(|action| unrecorded.found(action));
    }
    scheduler.go_live(&mut actions);
    let status = killed.trace.status.expect("it has ended");
    assert_eq!(actions, [Action::Finish { status }]);
    assert_eq!(unrecorded.into_actions(), []);
    let outputs = scheduler.outputs();
    let outputs: Vec<_> =
        outputs.iter().map(|(name, value)| (name.clone(), output_text(value))).collect();
    assert_eq!(outputs, killed.trace.outputs);
}

fn comes_to_the_same(wild: Wild, kills: usize) {
    let mut simulation = simulation(wild);
    let mut random = Random::new(mix(&[wild.seed, 7]));
    let expected = interpret(&simulation.job, &simulation.ops);
    let mut killed = Killed::new(&simulation);
    for _ in 0..kills {
        simulation.order = Order::Random(random.next());
        killed.kill(&simulation, &mut random);
    }
    compare(&simulation.job, &expected, &killed);
}

/// What a run records is all that there is to know of it, without any kill.
#[test]
fn the_history_says_what_a_run_came_to() {
    try_all(cases(2000), 11, all_kinds, |wild| comes_to_the_same(wild, 0));
}

/// `semantics.md` rule 19, on top of rules 1 to 17. The simulator sees to it that no step runs
/// again that has succeeded and counts.
#[test]
fn a_killed_run_comes_to_the_same() {
    try_all(cases(4000), 12, all_kinds, |wild| comes_to_the_same(wild, 1));
}

/// `semantics.md` rule 19: a run that was resumed can be killed again.
#[test]
fn a_run_killed_again_and_again_comes_to_the_same() {
    try_all(cases(2500), 13, all_kinds, |wild| comes_to_the_same(wild, 4));
}

/// A request to cancel holds until the run is resumed; what was interrupted runs again.
#[test]
fn a_cancelled_run_that_is_resumed_comes_to_the_same() {
    try_all(cases(3000), 14, all_kinds, |wild| {
        let mut simulation = simulation(wild);
        let mut random = Random::new(mix(&[wild.seed, 7]));
        let expected = interpret(&simulation.job, &simulation.ops);
        simulation.cancel_after = Some(random.next() % 100);
        let mut killed = Killed::new(&simulation);
        for _ in 0..2 {
            simulation.cancel_after = Some(random.next() % 60);
            simulation.order = Order::Random(random.next());
            if random.chance(50) {
                killed.kill(&simulation, &mut random);
            } else {
                killed.resume(&simulation);
            }
        }
        simulation.cancel_after = None;
        killed.resume(&simulation);
        compare(&simulation.job, &expected, &killed);
    });
}

/// `semantics.md` rules 17 and 19: an attempt that is made again may do something else than the
/// interrupted one; what that one emitted counts only where it comes again.
#[test]
fn an_attempt_made_again_may_do_something_else() {
    try_all(cases(3500), 15, all_kinds, |wild| {
        let mut simulation = simulation(wild);
        let mut random = Random::new(mix(&[wild.seed, 7]));
        let living = move |life: u64| Wild { seed: mix(&[wild.seed, life]), ..wild };
        let ops = |life| Ops::all(move |call| behave(living(life), call));
        simulation.ops = ops(0);
        let mut killed = Killed::new(&simulation);
        for life in 1..4 {
            simulation.ops = ops(life);
            simulation.order = Order::Random(random.next());
            killed.kill(&simulation, &mut random);
        }
        let lives = lives_of(&killed);
        simulation.ops = Ops::all(move |call| {
            let life = lives.get(&(call.step.to_string(), call.attempt)).copied().unwrap_or(0);
            behave(living(life), call)
        });
        let job = Arc::clone(&simulation.job);
        let expected = interpret(&job, &simulation.ops);
        let yields = |step: &String| {
            let name = step.split('[').next();
            let node = job.nodes.iter().find(|node| Some(&*node.name) == name);
            node.is_some_and(|node| node.op.outputs.iter().any(|output| output.dynamic))
        };
        // The clones of a step that failed for good remain, those of interrupted attempts too:
        // the reference does not know them.
        if !expected.failures.iter().any(yields) {
            compare(&job, &expected, &killed);
        }
    });
}

/// In which life each attempt that counts was made.
fn lives_of(killed: &Killed) -> BTreeMap<(String, u32), u64> {
    let mut lives = BTreeMap::new();
    for (place, event) in killed.log.iter().enumerate() {
        match event {
            Event::StepStarted { step, attempt } => {
                let life = killed.lives.iter().filter(|begins| **begins <= place).count() - 1;
                lives.insert((step.to_string(), *attempt), life as u64);
            }
            Event::ClonesDropped { nodes, keys } => {
                lives.retain(|(step, _), _| !is_among(step, nodes, keys));
            }
            _ => {}
        }
    }
    lives
}

/// `semantics.md` rule 15: a run that is aborted stays so, whether the request has been recorded
/// or not.
#[test]
fn an_aborted_run_that_is_resumed_stays_aborted() {
    let of = |seed| Wild { fails: true, ..all_kinds(seed) };
    try_all(cases(3000), 16, of, |wild| {
        let mut simulation = simulation(wild);
        let mut random = Random::new(mix(&[wild.seed, 7]));
        let mut job = Job::clone(&simulation.job);
        for node in job.nodes.iter_mut().step_by(2) {
            node.policy.on_failure = OnFailure::Abort;
        }
        simulation.job = Arc::new(job);
        let mut killed = Killed::new(&simulation);
        killed.kill(&simulation, &mut random);
        let aborts = |event: &Event| {
            let Event::StepFailed { step, retry_in_ms: None, .. } = event else { return false };
            let node = simulation.job.nodes.iter().find(|node| node.name == step.node);
            node.expect("of the job").policy.on_failure == OnFailure::Abort
        };
        let (before, after) = killed.log.split_at(killed.lives[1]);
        if before.iter().any(aborts) {
            assert_eq!(killed.trace.status, Some(RunStatus::Failed));
            assert_eq!(killed.trace.order, [""; 0], "it went on");
        }
        let request = |event: &Event| {
            matches!(event, Event::CancelRequested { reason: CancelReason::Aborted { .. } })
        };
        if after.iter().any(request) {
            assert_eq!(killed.trace.status, Some(RunStatus::Failed));
        }
    });
}
