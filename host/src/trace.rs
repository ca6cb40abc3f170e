//! What runs tell `tracing`: a span for each run and each attempt, events for what has no attempt, and the log of guests;
//! and which compiled code is not used.
//!
//! Whatever a subscriber does, the run goes on: what it panics with ends here. Where none is interested, this costs a
//! look at a level for each attempt.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dynhost_graph::event::{Event, Level, RunStatus};
use dynhost_graph::name::{KeyPath, StepKey};
use tracing::field::{Empty, display};

use crate::instance::{Outcome, Used};

const RUN: &str = "dynhost::run";
const STEP: &str = "dynhost::step";
const GUEST: &str = "dynhost::guest";
const CODE: &str = "dynhost::code";

/// A span of a subscriber that may panic.
#[derive(Debug)]
pub(crate) struct Span(tracing::Span);

impl Default for Span {
    fn default() -> Self {
        Self(tracing::Span::none())
    }
}

/// Does what may end in a panic of a subscriber.
fn quietly<T>(what: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(what)).ok()
}

impl Span {
    /// The span of a run, inside of the one that is current.
    pub(crate) fn of_run(run: &str, job: &str) -> Self {
        let span = || tracing::info_span!(target: RUN, "run", run, job, status = Empty);
        Self(quietly(span).unwrap_or_else(tracing::Span::none))
    }

    /// The span of an attempt, inside of its run's.
    pub(crate) fn of_attempt(&self, run: &str, step: &StepKey, attempt: u32) -> Self {
        let enabled = quietly(|| tracing::enabled!(target: STEP, tracing::Level::INFO));
        if enabled != Some(true) {
            return Self::default();
        }
        let span = || {
            tracing::info_span!(
                target: STEP, parent: &self.0, "attempt",
                run, step = &*step.node, key = display(Keys(&step.keys)), attempt,
                status = Empty, failure = Empty, memory = Empty, fuel = Empty, output = Empty,
            )
        };
        Self(quietly(span).unwrap_or_else(tracing::Span::none))
    }

    fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Does something inside of the span.
    pub(crate) fn inside<T>(&self, what: impl FnOnce() -> T) -> T {
        if self.is_none() {
            return what();
        }
        let entered = quietly(|| self.0.enter());
        let value = what();
        quietly(|| drop(entered));
        value
    }

    /// Notes how the attempt ended.
    pub(crate) fn attempt_ended(&self, outcome: &Outcome, used: Used) {
        if self.is_none() {
            return;
        }
        quietly(|| {
            self.0.record("status", outcome.status());
            if let Outcome::Failed(failure) = outcome {
                self.0.record("failure", display(failure));
            }
            self.0.record("memory", used.memory);
            self.0.record("fuel", used.fuel);
            self.0.record("output", used.output);
        });
    }

    /// Notes how the run ended.
    pub(crate) fn run_ended(&self, status: RunStatus) {
        if !self.is_none() {
            quietly(|| self.0.record("status", display(status)));
        }
    }

    /// Passes on what happened to a step that no span of an attempt tells.
    pub(crate) fn event(&self, event: &Event) {
        match event {
            Event::StepSkipped { step, reason } => drop(quietly(|| {
                let (node, key) = (&*step.node, display(Keys(&step.keys)));
                tracing::debug!(target: STEP, parent: &self.0, step = node, key, ?reason, "skipped");
            })),
            Event::StepSucceeded { step, reused: Some(_), .. } => drop(quietly(|| {
                let (node, key) = (&*step.node, display(Keys(&step.keys)));
                tracing::debug!(target: STEP, parent: &self.0, step = node, key, "reused");
            })),
            Event::StepFailed { step, attempt, failure, retry_in_ms, .. } => drop(quietly(|| {
                let (node, key) = (&*step.node, display(Keys(&step.keys)));
                if let Some(retry_in_ms) = retry_in_ms {
                    tracing::info!(
                        target: STEP, parent: &self.0,
                        step = node, key, attempt, %failure, retry_in_ms, "failed, and is tried again",
                    );
                } else {
                    tracing::warn!(
                        target: STEP, parent: &self.0, step = node, key, attempt, %failure, "failed",
                    );
                }
            })),
            _ => {}
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if !self.is_none() {
            let span = std::mem::replace(&mut self.0, tracing::Span::none());
            quietly(|| drop(span));
        }
    }
}

/// Says that kept code is not used, nor new code kept there.
pub(crate) fn code_not_used(path: &Path, why: &str) {
    quietly(
        || tracing::warn!(target: CODE, path = %path.display(), why, "compiled code is not used"),
    );
}

/// Passes a line of a guest's log on, inside of the span that is current.
pub(crate) fn guest_log(level: Level, message: &str, fields: &[(String, String)]) {
    macro_rules! pass_on {
        ($level:ident) => {{
            let fields = (!fields.is_empty()).then(|| display(Fields(fields)));
            tracing::$level!(target: GUEST, fields, "{message}");
        }};
    }
    quietly(|| match level {
        Level::Trace => pass_on!(trace),
        Level::Debug => pass_on!(debug),
        Level::Info => pass_on!(info),
        Level::Warn => pass_on!(warn),
        Level::Error => pass_on!(error),
    });
}

/// Mapping keys, outermost first.
struct Keys<'a>(&'a KeyPath);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, key) in self.0.keys().iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{key}")?;
        }
        Ok(())
    }
}

/// The fields of a guest, whose names no subscriber knows beforehand.
struct Fields<'a>(&'a [(String, String)]);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.0.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}
