//! Histories that do not fit the job: it was changed since, or they are damaged.

use std::sync::Arc;

use dynhost_graph::event::{Event, Failure, RunStatus};
use dynhost_graph::job::{Job, OnFailure, Retry, ScopeId};

use super::all_kinds;
use crate::draft::{Draft, Out};
use crate::generate::Wild;
use crate::properties::{cases, simulation, try_all};
use crate::random::{Random, mix};
use crate::script::Ops;
use crate::simulator::{Simulation, started};

/// Any job can go on from the history of any other: what does not fit is ignored, and the run
/// comes to an end.
#[test]
fn the_history_of_another_job_does_no_harm() {
    try_all(cases(4000), 21, all_kinds, |wild| {
        let mut random = Random::new(mix(&[wild.seed, 8]));
        let seed = if random.chance(50) { wild.seed } else { mix(&[wild.seed, 9]) };
        let other = Wild { seed, nodes: 2 + random.below(9), ..all_kinds(wild.seed) };
        let mut other = simulation(other);
        if random.chance(30) {
            other.cancel_after = Some(random.next() % 60);
        }
        let (_, mut log) = other.run_recorded();
        log.truncate(1 + random.below(log.len()));
        simulation(wild).resume_foreign(&log);
    });
}

/// The policies of a job may be changed while a run of it is interrupted.
#[test]
fn other_policies_do_no_harm() {
    try_all(cases(3000), 22, all_kinds, |wild| {
        let mut simulation = simulation(wild);
        let mut random = Random::new(mix(&[wild.seed, 8]));
        let (_, mut log) = simulation.run_recorded();
        log.truncate(random.below(log.len() + 1));
        let mut job = Job::clone(&simulation.job);
        for node in &mut job.nodes {
            let max_attempts = 1 + crate::draft::position(random.below(3));
            node.policy.retry = Retry { max_attempts, ..Retry::default() };
            node.policy.on_failure =
                if random.chance(20) { OnFailure::Abort } else { OnFailure::Finish };
            node.policy.max_concurrency = random.chance(20).then_some(1);
        }
        simulation.job = Arc::new(job);
        simulation.resume_foreign(&log);
    });
}

/// The number of an attempt may be any.
#[test]
fn the_last_attempt_that_can_be_counted_does_no_harm() {
    let mut draft = Draft::new();
    let node = draft.node("flaky", ScopeId::ROOT, [], &[Out::Required]);
    draft.policy(node).retry = Retry { max_attempts: 3, ..Retry::default() };
    let simulation = Simulation::new(draft.finish(), Ops::new());
    let failed = Event::StepFailed {
        step: "flaky".parse().unwrap(),
        attempt: u32::MAX,
        failure: Failure::TimedOut { after_ms: 1 },
        retry_in_ms: Some(1),
        took_us: 1,
    };
    let trace = simulation.resume_foreign(&[started(), failed]);
    assert_eq!(trace.status, Some(RunStatus::Succeeded));
}

/// Events that are missing, twice there or in another order: no history is like that, but none
/// may bring the host down.
#[test]
fn a_damaged_history_does_no_harm() {
    try_all(cases(4000), 23, all_kinds, |wild| {
        let simulation = simulation(wild);
        let mut random = Random::new(mix(&[wild.seed, 8]));
        let (_, mut log) = simulation.run_recorded();
        for _ in 0..=random.below(5) {
            let (one, other) = (random.below(log.len()), random.below(log.len()));
            match random.below(4) {
                0 => drop(log.remove(one)),
                1 => log.insert(one, log[other].clone()),
                2 => log.swap(one, other),
                _ => log.insert(
                    one,
                    Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None },
                ),
            }
        }
        log.truncate(random.below(log.len() + 1));
        simulation.resume_foreign(&log);
    });
}
