//! What an op says while it runs, within bounds: its log, and how far it is.

use std::time::{Duration, Instant};

use dynhost_graph::event::{Level, bytes_in_words};

use super::{ReportKind, StepLimits};
use crate::trace;

/// How often what an op says of its progress is passed on.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What one attempt may still say. Progress that is said too fast is passed on later, or not at all.
pub(super) struct Words {
    log: u64,
    log_left: u64,
    passed_on: Option<Instant>,
    waiting: Option<(u64, Option<u64>)>,
}

impl Words {
    pub(super) fn new(limits: &StepLimits) -> Self {
        Self { log: limits.log, log_left: limits.log, passed_on: None, waiting: None }
    }

    /// A message on its way, as long as the log has room.
    pub(super) fn log(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Option<ReportKind> {
        let text = message.len() + fields.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        let bytes = (text + 64 * (1 + fields.len())) as u64;
        if self.log_left == 0 {
            return None;
        }
        if bytes > self.log_left {
            self.log_left = 0;
            let message = format!(
                "the step's log is full at its limit of {}; what follows is dropped (`limits.log`)",
                bytes_in_words(self.log)
            );
            return Some(ReportKind::Logged { level: Level::Warn, message, fields: Vec::new() });
        }
        self.log_left -= bytes;
        trace::guest_log(level, &message, &fields);
        Some(ReportKind::Logged { level, message, fields })
    }

    /// Notes how far the op is; a report, where it is time for one.
    pub(super) fn progress(&mut self, done: u64, total: Option<u64>) -> Option<ReportKind> {
        self.waiting = Some((done, total));
        let now = Instant::now();
        let soon = |at: Instant| now.saturating_duration_since(at) < PROGRESS_EVERY;
        if self.passed_on.is_some_and(soon) {
            return None;
        }
        self.passed_on = Some(now);
        self.rest()
    }

    /// What was not passed on yet.
    pub(super) fn rest(&mut self) -> Option<ReportKind> {
        let (done, total) = self.waiting.take()?;
        Some(ReportKind::Progressed { done, total })
    }
}
