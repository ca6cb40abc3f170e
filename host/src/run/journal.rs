//! The history of a run on its way: kept by the store, then shown to whoever watches.
//!
//! The run does not wait for its store. Events are kept in the order in which they are recorded, and
//! nobody outside hears of one before it is kept (`semantics.md` rule 19). The run stops taking
//! reports while too much waits to be kept.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dynhost_graph::event::{Event, Recorded};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::Batch;
use crate::bell::Bell;
use crate::clock::RunClock;
use crate::store::{Answer, Receipt, RunStore, StoreError};

/// Events that may wait to be kept before the run waits for its store.
const MOST_EVENTS: usize = 100_000;
/// Bytes of values in them. While the store writes one half, the other comes together.
const MOST_BYTES: usize = 128 << 20;

pub(super) struct Journal {
    run: Arc<str>,
    store: Arc<dyn RunStore>,
    watcher: Option<UnboundedSender<Batch>>,
    clock: RunClock,
    /// What calls the run when the store has answered.
    bell: Arc<Bell>,
    answer: UnboundedSender<Answer>,
    answers: UnboundedReceiver<Answer>,
    /// Batches that are not kept yet, the events in them, and the bytes of their values.
    batches: usize,
    events: usize,
    bytes: usize,
}

impl Journal {
    pub(super) fn new(
        run: Arc<str>,
        store: Arc<dyn RunStore>,
        watcher: Option<UnboundedSender<Batch>>,
        (clock, bell): (RunClock, Arc<Bell>),
    ) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let (batches, events, bytes) = (0, 0, 0);
        Self { run, store, watcher, clock, bell, answer, answers, batches, events, bytes }
    }

    pub(super) fn run(&self) -> &Arc<str> {
        &self.run
    }

    /// Hands events to the store, with the present time.
    pub(super) fn record(&mut self, events: Vec<Event>) -> Batch {
        let at_us = self.clock.now_us();
        let recorded = events.into_iter().map(|event| Recorded { at_us, event }).collect();
        let recorded: Batch = Arc::new(recorded);
        if !recorded.is_empty() {
            self.batches += 1;
            self.events += recorded.len();
            self.bytes += bytes(&recorded);
            let receipt = Receipt::new(Arc::clone(&recorded), self.answer.clone());
            self.store.append(&self.run, receipt.calling(Arc::clone(&self.bell)));
        }
        recorded
    }

    /// Whether so much waits to be kept that the run should wait too.
    pub(super) fn is_behind(&self) -> bool {
        self.events > MOST_EVENTS || self.bytes > MOST_BYTES
    }

    /// Whether anything waits to be kept.
    pub(super) fn waits(&self) -> bool {
        self.batches > 0
    }

    /// Shows what has been kept in the meantime.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        while let Ok(answer) = self.answers.try_recv() {
            self.publish(answer?);
        }
        Ok(())
    }

    fn publish(&mut self, batch: Batch) {
        self.batches -= 1;
        self.events -= batch.len();
        self.bytes -= bytes(&batch);
        if let Some(watcher) = &self.watcher
            && watcher.send(batch).is_err()
        {
            self.watcher = None;
        }
    }
}

/// Bytes of the values that events were the first to bring.
fn bytes(batch: &[Recorded]) -> usize {
    let of = |recorded: &Recorded| match &recorded.event {
        Event::OutputEmitted { value, .. } => value.data.len(),
        Event::StepSucceeded { outputs, .. } => {
            outputs.iter().map(|(_, value)| value.data.len()).sum()
        }
        _ => 0,
    };
    batch.iter().map(of).sum()
}

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
