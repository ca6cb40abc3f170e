//! Who watches a run from outside of it: subscribers of `tracing`, and a collector of OpenTelemetry.

use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{Event, RunStatus};
use dynhost_graph::job::Node;
use dynhost_graph::name::StepKey;

use crate::executor::{Inbox, Outcome, Used};
use crate::host::Host;
#[cfg(feature = "otel")]
use crate::telemetry::RunTelemetry;

/// An attempt that has ended.
#[cfg_attr(
    not(feature = "otel"),
    expect(dead_code, reason = "`tracing` hears of it by the worker")
)]
pub(crate) struct EndedAttempt<'a> {
    pub(crate) node: &'a Node,
    pub(crate) step: &'a StepKey,
    pub(crate) number: u32,
    pub(crate) outcome: &'a Outcome,
    pub(crate) took: Duration,
    pub(crate) used: Used,
}

/// All who watch a run.
pub(super) struct Observers {
    /// Holds the run's span, where workers find it.
    inbox: Arc<Inbox>,
    #[cfg(feature = "otel")]
    telemetry: Option<Box<RunTelemetry>>,
}

impl Observers {
    /// Those who watch a run of this job.
    pub(super) fn new(host: &Host, (run, job): (&str, &str), inbox: &Arc<Inbox>) -> Self {
        #[cfg(not(feature = "otel"))]
        let _ = (host, run, job);
        Self {
            inbox: Arc::clone(inbox),
            #[cfg(feature = "otel")]
            telemetry: host.telemetry().map(|telemetry| Box::new(telemetry.run(run, job))),
        }
    }

    pub(super) fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        #[cfg(not(feature = "otel"))]
        let _ = (self, attempt);
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.attempt_ended(attempt);
        }
    }

    /// Something was recorded.
    pub(super) fn event(&self, event: &Event) {
        self.inbox.span().event(event);
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.event(event);
        }
    }

    pub(super) fn run_ended(&self, status: RunStatus) {
        self.inbox.span().run_ended(status);
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.run_ended(status);
        }
    }
}
