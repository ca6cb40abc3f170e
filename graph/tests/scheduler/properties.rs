//! Random jobs in random orders of completion come to what the reference interpreter computes.
//!
//! `DYNHOST_CASES` sets how many jobs each property tries.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dynhost_graph::event::RunStatus;
use dynhost_graph::job::{Job, OnFailure, Origin, Policy, ScopeId, Tolerance};
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::{Bounds, Credit};

use crate::generate::{Wild, generate};
use crate::random::{Random, mix};
use crate::reference::{Expected, interpret, locate};
use crate::simulator::{Order, Simulation};
use crate::trace::{Outcome, Trace};

pub(crate) fn cases(default: u64) -> u64 {
    std::env::var("DYNHOST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Tries `cases` random jobs, the small ones first, so that the first that fails is a small one.
pub(crate) fn try_all(cases: u64, salt: u64, of: impl Fn(u64) -> Wild, test: impl Fn(Wild)) {
    for case in 0..cases {
        let nodes = 2 + usize::try_from(case * 9 / cases).expect("small");
        let wild = Wild { nodes, ..of(mix(&[salt, case])) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(wild))) {
            eprintln!("{wild:?}\n{}", picture(generate(wild).0.job()));
            std::panic::resume_unwind(panic);
        }
    }
}

/// A job on a few lines.
fn picture(job: &Job) -> String {
    let mut lines = Vec::new();
    for (index, scope) in job.scopes.iter().enumerate() {
        lines.push(format!("scope {index}: in {:?}, {:?}", scope.parent, scope.origin));
    }
    for (index, collect) in job.collects.iter().enumerate() {
        lines.push(format!("collect {index}: over {:?} of {:?}", collect.scope, collect.of));
    }
    for node in &job.nodes {
        let Policy { max_concurrency, pool, retry, dispatch, on_failure, .. } = &node.policy;
        let outs: Vec<_> = node.op.outputs.iter().map(|o| (o.required, o.dynamic)).collect();
        let inputs: Vec<_> = node.inputs.iter().flatten().collect();
        lines.push(format!(
            "{}: {:?} takes {inputs:?} after {:?}",
            node.name, node.scope, node.after
        ));
        lines.push(format!(
            "  gives {outs:?}, {max_concurrency:?} at once, {pool:?}, {} attempts, {dispatch:?}, {on_failure:?}",
            retry.max_attempts,
        ));
    }
    let outputs: Vec<_> = job.outputs.iter().map(|output| &output.source).collect();
    lines.push(format!("outputs {outputs:?}"));
    lines.join("\n")
}

pub(crate) fn simulation(wild: Wild) -> Simulation {
    let (draft, ops) = generate(wild);
    let mut random = Random::new(mix(&[wild.seed, 3]));
    let bounds = Bounds {
        max_concurrency: 1 + crate::draft::position(random.below(3)),
        look_ahead: crate::draft::position(random.below(2)),
        window: Credit {
            items: *random.choose(&[1, 2, 3, 256]),
            bytes: *random.choose(&[1, 8, 1 << 20]),
        },
    };
    let order = if random.chance(20) { Order::Newest } else { Order::Random(random.next()) };
    Simulation::new(draft.finish(), ops).bounds(bounds).order(order)
}

/// Whether a step belongs to an element that no longer counts.
fn is_dropped(job: &Job, expected: &Expected, step: &str) -> bool {
    let step: StepKey = step.parse().expect("step keys survive text");
    let node = job.nodes.iter().find(|node| node.name == step.node).expect("a node of the job");
    let path: Vec<String> = step.keys.keys().iter().map(ToString::to_string).collect();
    let inside = |(scope, dropped): &(_, Vec<String>)| {
        locate(job, node.scope, &path, *scope).as_ref() == Some(dropped)
    };
    expected.dropped.iter().any(inside)
}

fn compare(job: &Arc<Job>, expected: &Expected, trace: &Trace) {
    let mut begun: BTreeMap<&str, u32> = BTreeMap::new();
    for step in &trace.order {
        *begun.entry(step).or_default() += 1;
    }
    for (step, begun) in begun {
        let attempts = trace.steps[step].attempts;
        assert!(begun == attempts || is_dropped(job, expected, step), "{step} ran too often");
    }
    for step in trace.steps.keys() {
        let known = expected.steps.contains_key(step) || is_dropped(job, expected, step);
        assert!(known, "{step} was not to be: {:?}", trace.steps[step]);
    }
    compare_results(job, expected, trace, !expected.dropped.is_empty());
}

/// Compares how the steps that count came out, and the run.
pub(crate) fn compare_results(job: &Job, expected: &Expected, trace: &Trace, dropped: bool) {
    for (step, record) in &expected.steps {
        assert_eq!(trace.steps.get(step), Some(record), "{step}");
    }
    let outputs: Vec<&String> = trace.outputs.iter().map(|(_, text)| text).collect();
    assert_eq!(outputs, expected.outputs.iter().collect::<Vec<_>>());
    assert_eq!(trace.failures.iter().cloned().collect::<BTreeSet<_>>(), expected.failures);
    assert_eq!(trace.failures.len(), expected.failures.len(), "a failure is named twice");
    let by_ratio = |node: &dynhost_graph::job::Node| {
        matches!(node.policy.on_failure, OnFailure::Tolerate(Tolerance::Ratio(_)))
    };
    // Steps that no longer count are part of all the steps that a ratio of the run is of.
    if !dropped || !job.nodes.iter().any(by_ratio) {
        assert_eq!(trace.status, Some(expected.status));
    }
}

fn agrees(wild: Wild) {
    let simulation = simulation(wild);
    let expected = interpret(&simulation.job, &simulation.ops);
    compare(&simulation.job, &expected, &simulation.run());
}

/// `semantics.md` rules 1 to 3, 5 and 8 to 14.
#[test]
fn any_order_of_completion_comes_to_the_same() {
    let of = |seed| Wild { seed, nodes: 0, fails: false, meets: false };
    try_all(cases(6000), 1, of, agrees);
}

/// `semantics.md` rules 15 to 17 on top.
#[test]
fn failures_and_retries_come_to_the_same() {
    let of = |seed| Wild { seed, nodes: 0, fails: true, meets: false };
    try_all(cases(12_000), 2, of, agrees);
}

/// `semantics.md` rule 4 on top.
#[test]
fn scopes_that_meet_come_to_the_same() {
    let of = |seed| Wild { seed, nodes: 0, fails: seed % 2 == 0, meets: true };
    try_all(cases(12_000), 3, of, agrees);
}

/// `semantics.md` rule 18. The simulator sees to it that nothing begins afterwards.
#[test]
fn a_cancelled_run_ends_whenever_it_is_cancelled() {
    let of = |seed| Wild { seed, nodes: 0, fails: seed % 2 == 0, meets: seed % 3 == 0 };
    try_all(cases(5000), 4, of, |wild| {
        let mut simulation = simulation(wild);
        simulation.cancel_after = Some(wild.seed % 60);
        let trace = simulation.run();
        let open = trace.steps.values().any(|record| record.outcome == Outcome::Cancelled);
        assert!(!open || trace.status == Some(RunStatus::Cancelled), "{:?}", trace.status);
    });
}

/// `semantics.md` rule 15: with `abort`, what did run is what would have run anyway.
#[test]
fn an_aborted_run_has_failed_and_did_nothing_of_its_own() {
    let of = |seed| Wild { seed, nodes: 0, fails: true, meets: seed % 3 == 0 };
    try_all(cases(3000), 5, of, |wild| {
        let mut simulation = simulation(wild);
        let mut job = Job::clone(&simulation.job);
        for node in job.nodes.iter_mut().step_by(2) {
            node.policy.on_failure = OnFailure::Abort;
        }
        simulation.job = Arc::new(job);
        let expected = interpret(&simulation.job, &simulation.ops);
        let trace = simulation.run();
        for step in &trace.failures {
            let known =
                expected.failures.contains(step) || is_dropped(&simulation.job, &expected, step);
            assert!(known, "{step} was not to fail");
        }
        let aborted = |step: &String| {
            let node = step.split('[').next().expect("a node");
            let node = simulation.job.nodes.iter().find(|n| &*n.name == node);
            node.expect("of the job").policy.on_failure == OnFailure::Abort
        };
        if trace.failures.iter().any(aborted) {
            assert_eq!(trace.status, Some(RunStatus::Failed));
        }
    });
}

/// The generator reaches what the properties are about.
#[test]
fn random_jobs_are_varied() {
    let mut seen = [0_u32; 11];
    for seed in 0..1000 {
        let wild = Wild { seed: mix(&[6, seed]), nodes: 10, fails: true, meets: true };
        let (draft, ops) = generate(wild);
        let job = draft.finish();
        let expected = interpret(&job, &ops);
        let failed = |record: &crate::trace::Record| record.outcome == Outcome::Failed;
        let skipped = |record: &crate::trace::Record| matches!(record.outcome, Outcome::Skipped(_));
        let retried = |record: &crate::trace::Record| record.attempts > 1;
        let met = |node: &dynhost_graph::job::Node| job.scope(node.scope).origin.clone();
        let is_batch = |scope: &ScopeId| matches!(job.scope(*scope).origin, Origin::Batch { .. });
        let is_batched = |step: &str| {
            let name = step.split('[').next();
            let node = job.nodes.iter().find(|node| Some(&*node.name) == name);
            node.is_some_and(|node| is_batch(&node.scope))
        };
        let marks = [
            job.scopes.iter().any(|scope| scope.depth >= 3),
            expected.steps.values().any(failed),
            expected.steps.values().any(skipped),
            expected.steps.values().any(retried),
            !expected.dropped.is_empty(),
            job.nodes.iter().any(|node| matches!(met(node), Origin::Zip { .. })),
            job.nodes.iter().any(|node| matches!(met(node), Origin::Cross { .. })),
            expected.steps.len() > 30,
            expected.steps.keys().any(|step| is_batched(step)),
            expected.dropped.iter().any(|(scope, _)| is_batch(scope)),
            job.scopes.iter().any(|s| s.depth >= 2 && matches!(s.origin, Origin::Batch { .. })),
        ];
        for (count, mark) in seen.iter_mut().zip(marks) {
            *count += u32::from(mark);
        }
    }
    assert!(seen.iter().all(|count| *count >= 15), "{seen:?}");
}
