//! How the steps of a run ended, counted from its events.

use dynhost_graph::event::Event;

use super::{StepCounts, StepFailure};

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) steps: StepCounts,
    /// The steps that failed for good, in the order in which they did.
    pub(super) failures: Vec<StepFailure>,
}

impl Tally {
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::StepSucceeded { reused: None, .. } => self.steps.succeeded += 1,
            Event::StepSucceeded { reused: Some(_), .. } => self.steps.cached += 1,
            Event::StepCancelled { .. } => self.steps.cancelled += 1,
            Event::StepSkipped { .. } => self.steps.skipped += 1,
            Event::StepFailed { step, attempt, failure, retry_in_ms: None, .. } => {
                self.steps.failed += 1;
                self.failures.push(StepFailure {
                    step: step.clone(),
                    attempts: *attempt,
                    failure: failure.clone(),
                });
            }
            // What was interrupted runs again.
            Event::RunResumed { .. } => self.steps.cancelled = 0,
            _ => {}
        }
    }
}
