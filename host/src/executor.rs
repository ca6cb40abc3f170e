//! Where steps are run: takes ready steps, gives back what they emit and how they end.
//!
//! An executor knows nothing of the graph. [`local`] runs steps in this process; one that
//! sends them elsewhere implements the same two traits.

pub mod local;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dynhost_graph::scheduler::{Credit, StepId};
use tokio::sync::Notify;

use crate::component::Component;
pub use crate::instance::{Asked, Attempt, Outcome, ReportKind, Settings, Used};
pub use crate::secret::Secrets;
use crate::trace::Span;

/// How the steps of a node are run.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// The component that holds the op.
    pub component: Component,
    /// What the attempts have in common.
    pub settings: Arc<Settings>,
    /// Steps of a higher rank go first.
    pub rank: u32,
    /// For steps that may be suspended while others run: which of the nodes that yield this is, from 0 in the order of
    /// their ranks.
    pub level: Option<u32>,
    /// An attempt that takes at least this long is handed back with its report; `None`: none is.
    pub handed_back_after: Option<Duration>,
}

/// One attempt at a step, ready to be run.
#[derive(Debug)]
pub struct Task {
    /// The step, as the scheduler calls it.
    pub id: StepId,
    /// How it is run.
    pub spec: Arc<StepSpec>,
    /// What is run.
    pub attempt: Arc<Attempt>,
    /// What the step may emit before it is granted more.
    pub credit: Credit,
}

impl Task {
    /// Whether the step has dynamic outputs.
    #[must_use]
    pub fn yields(&self) -> bool {
        self.credit != Credit::default()
    }
}

/// What an executor says of a step.
#[derive(Debug)]
pub struct Report {
    /// The step.
    pub id: StepId,
    /// Its attempt.
    pub attempt: u32,
    /// What is said.
    pub what: ReportKind,
}

/// What an executor has to know of a run.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Steps that run at once.
    pub max_concurrency: u32,
    /// One more than the highest rank of its steps.
    pub ranks: u32,
    /// How many of its nodes yield.
    pub levels: u32,
    /// Bytes of memory that a step which does not yield may need at most.
    pub largest: u64,
    /// Where what the steps do is reported.
    pub inbox: Arc<Inbox>,
}

/// Runs the steps of any number of runs.
pub trait Executor: Send + Sync {
    /// Begins to serve a run.
    fn open(&self, serving: Serving) -> Box<dyn Session>;
}

/// The steps of one run in an executor. Dropping it interrupts them all.
pub trait Session: Send {
    /// Takes steps to be run; those of a higher rank go first.
    fn run(&self, tasks: Vec<Task>);
    /// Lets a step emit so much more.
    fn grant(&self, id: StepId, credit: Credit);
    /// Interrupts a step.
    fn interrupt(&self, id: StepId);
    /// Interrupts every step, and drops those that have not begun.
    fn interrupt_all(&self);
}

/// Reports on their way from an executor to a run.
///
/// Reports are taken in batches: as long as the workers have enough to do, the run is woken
/// only now and then, because waking it costs as much as a small step.
#[derive(Debug, Default)]
pub struct Inbox {
    reports: Mutex<Waiting>,
    ready: Notify,
    /// The span of the run.
    span: Span,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: Vec<Report>,
    since: Option<Instant>,
    /// The run has been woken for what is here.
    woken: bool,
}

impl Inbox {
    /// Reports that are worth waking the run for.
    const BATCH: usize = 256;
    /// How long a report may wait for others while every worker has something to do: in a millisecond they do no more short
    /// steps than they were handed ahead of time.
    const PATIENCE: Duration = Duration::from_millis(1);

    /// The inbox of a run with this span.
    pub(crate) fn new(span: Span) -> Self {
        Self { span, ..Self::default() }
    }

    /// The span of the run.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Adds reports; `now` is about the present time. They are seen at the latest when the next
    /// one is added after a short time, or when [`Inbox::flush`] is called.
    pub fn push(&self, reports: impl IntoIterator<Item = Report>, now: Instant) {
        let wake = {
            let mut waiting = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.reports.extend(reports);
            let since = *waiting.since.get_or_insert(now);
            let due = !waiting.woken
                && (waiting.reports.len() >= Self::BATCH
                    || now.saturating_duration_since(since) >= Self::PATIENCE);
            waiting.woken |= due;
            due
        };
        if wake {
            self.ready.notify_one();
        }
    }

    /// Makes the run see what is here.
    pub fn flush(&self) {
        let wake = {
            let mut waiting = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            let due = !waiting.woken && !waiting.reports.is_empty();
            waiting.woken |= due;
            due
        };
        if wake {
            self.ready.notify_one();
        }
    }

    /// Whether all that was reported has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).reports.is_empty()
    }

    /// Waits for reports and moves them to `into`, which is empty.
    pub(crate) async fn receive(&self, into: &mut Vec<Report>) {
        loop {
            self.ready.notified().await;
            let mut waiting = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.woken = false;
            waiting.since = None;
            std::mem::swap(&mut waiting.reports, into);
            if !into.is_empty() {
                return;
            }
        }
    }
}
