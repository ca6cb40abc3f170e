//! What a report of the executor is in the history.

use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{Event, Failure};
use dynhost_graph::name::StepKey;
use dynhost_graph::retry::retry_delay;
use dynhost_graph::scheduler::StepId;

use super::super::observe::EndedAttempt;
use super::super::reuse::is_pure;
use super::{Applied, Driver};
use crate::executor::{Outcome, Report, ReportKind};

impl Driver {
    pub(super) fn read(&self, report: Report, events: &mut Vec<Event>, applied: &mut Vec<Applied>) {
        let Report { id, attempt, what } = report;
        if let ReportKind::Suspended { granted } = what {
            applied.push(Applied::Suspended(id, granted));
            return;
        }
        let Some(step) = self.scheduler.key(id) else { return };
        let (event, handed_back) = match what {
            ReportKind::Ended { attempt: handed_back, outcome, took, used } => {
                // What a dropped step gave is nothing that a resumed run may take for what
                // the step of the same name that follows it gave.
                let outcome = if self.scheduler.counts(id) { outcome } else { Outcome::Cancelled };
                self.observers.attempt_ended(&EndedAttempt {
                    node: self.scheduler.job().node(id.node()),
                    step: &step,
                    number: attempt,
                    outcome: &outcome,
                    took,
                    used,
                });
                (self.ended(id, (step, attempt), (outcome, took)), handed_back)
            }
            what => match self.under_way(id, (step, attempt), what) {
                Some(event) => (event, None),
                None => return,
            },
        };
        events.push(event);
        applied.push(Applied::Event(id, handed_back));
    }

    fn output_name(&self, id: StepId, output: u32) -> Arc<str> {
        Arc::clone(&self.specs[id.node().index()].outputs[output as usize])
    }

    fn under_way(
        &self,
        id: StepId,
        (step, attempt): (StepKey, u32),
        what: ReportKind,
    ) -> Option<Event> {
        Some(match what {
            ReportKind::Started if self.scheduler.counts(id) => {
                Event::StepStarted { step, attempt }
            }
            ReportKind::Emitted { output, key, value } if self.scheduler.counts(id) => {
                let output = self.output_name(id, output);
                Event::OutputEmitted { step, attempt, output, key, value }
            }
            ReportKind::Logged { level, message, fields } => {
                Event::LogWritten { step, attempt, level, message, fields }
            }
            ReportKind::Progressed { done, total } => {
                Event::ProgressMade { step, attempt, done, total }
            }
            _ => return None,
        })
    }

    fn ended(
        &self,
        id: StepId,
        (step, attempt): (StepKey, u32),
        (outcome, took): (Outcome, Duration),
    ) -> Event {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Outcome::Succeeded(outputs) => {
                let outputs = outputs.into_iter();
                let outputs = outputs.map(|(output, value)| (self.output_name(id, output), value));
                let outputs = outputs.collect();
                Event::StepSucceeded { step, attempt, outputs, took_us, reused: None }
            }
            Outcome::Cancelled => Event::StepCancelled { step, attempt },
            Outcome::Failed(failure) => {
                let node = self.scheduler.job().node(id.node());
                let pure = is_pure(node, &self.specs[id.node().index()].component);
                let grows = matches!(failure, Failure::LimitExceeded { limit, .. }
                    if node.policy.limits.grow_after(limit, attempt));
                let policy = &node.policy.retry;
                let same = pure && !grows;
                let retry_in_ms = retry_delay(policy, &failure, attempt, same, fastrand::f64());
                Event::StepFailed { step, attempt, failure, retry_in_ms, took_us }
            }
        }
    }
}
