//! Reports on their way from an executor to a run.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Report;
use crate::bell::Bell;
use crate::trace::Span;

/// Reports on their way from an executor to a run.
///
/// Reports are taken in batches: as long as the workers have enough to do, the run's own task is woken
/// only now and then, because waking it costs as much as a small step. A worker that has nothing else to do
/// takes them itself ([`Inbox::turn`]).
#[derive(Default)]
pub struct Inbox {
    reports: Mutex<Waiting>,
    bell: Arc<Bell>,
    run: OnceLock<Weak<dyn Turn>>,
    /// The span of the run.
    span: Span,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("reports", &self.reports).finish_non_exhaustive()
    }
}

/// A run whose loop goes on by turns, on whatever thread.
pub(crate) trait Turn: Send + Sync {
    /// Takes what waits in the inbox and does what follows from it; false where that is not possible now, and the run's own
    /// task does it.
    fn turn(&self) -> bool;
}

#[derive(Debug, Default)]
struct Waiting {
    reports: Vec<Report>,
    since: Option<Instant>,
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

    /// What calls the run's own task.
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// From now on this run takes the reports.
    pub(crate) fn serve(&self, run: Weak<dyn Turn>) {
        // It is called once.
        let _ = self.run.set(run);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds reports, or none; `now` is about the present time. They are seen at the latest when this is called again after a
    /// short time, or when [`Inbox::flush`] or [`Inbox::turn`] is called.
    pub fn push(&self, reports: impl IntoIterator<Item = Report>, now: Instant) {
        let is_due = {
            let mut waiting = self.lock();
            waiting.reports.extend(reports);
            if waiting.reports.is_empty() {
                return;
            }
            let since = *waiting.since.get_or_insert(now);
            waiting.reports.len() >= Self::BATCH
                || now.saturating_duration_since(since) >= Self::PATIENCE
        };
        if is_due {
            self.bell.ring();
        }
    }

    /// Makes the run see what is here.
    pub fn flush(&self) {
        if self.has_reports() {
            self.bell.ring();
        }
    }

    /// Whether reports wait to be taken.
    #[must_use]
    pub fn has_reports(&self) -> bool {
        !self.lock().reports.is_empty()
    }

    /// Lets the run take what is here, and do what follows from it, on this thread: where that is not possible, it is made
    /// to see it. True where it was done: there may be steps to be run now.
    #[must_use]
    pub fn turn(&self) -> bool {
        if !self.has_reports() {
            return false;
        }
        let done = self.run.get().and_then(Weak::upgrade).is_some_and(|run| run.turn());
        if !done {
            self.bell.ring();
        }
        done
    }

    /// Moves the reports to `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<Report>) {
        let mut waiting = self.lock();
        waiting.since = None;
        std::mem::swap(&mut waiting.reports, into);
    }
}
