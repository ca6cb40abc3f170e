//! How a run ended, or how far it is, in a line.

use std::time::Duration;

use dynhost::StepCounts;
use dynhost::graph::event::RunStatus;
use dynhost::store::history::RunState;

use super::{dim, green, red, words, yellow};

/// `succeeded after 3.2 s: 12 steps succeeded, 3 from earlier runs (run 01J…)`.
pub(crate) fn line(run: &str, status: RunStatus, steps: &StepCounts, took: Duration) -> String {
    let steps = counts(steps, true);
    let took = words::duration(took);
    let status = match status {
        RunStatus::Succeeded => green("succeeded"),
        RunStatus::Failed => red("failed"),
        _ => yellow("cancelled"),
    };
    format!("{status} after {took}: {steps}{}", dim(&format!(" (run {run})")))
}

/// How many steps ended in which way; with `noun`, it says of what there are so many.
pub(crate) fn counts(steps: &StepCounts, noun: bool) -> String {
    let part = |n: u64, words: &str| (n > 0).then(|| format!("{} {words}", words::number(n)));
    let succeeded = if noun {
        Some(format!("{} succeeded", words::count(steps.succeeded, "step")))
    } else {
        part(steps.succeeded, "succeeded")
    };
    let parts = [
        succeeded,
        part(steps.cached, "from earlier runs"),
        part(steps.failed, "failed"),
        part(steps.skipped, "skipped"),
        part(steps.cancelled, "cancelled"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// The name of a state, as it stands in the history.
pub(crate) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Interrupted => "interrupted",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
        _ => "unknown",
    }
}
