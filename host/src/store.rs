//! Where the events of runs are kept.

mod error;
pub mod history;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::ops::ControlFlow;
use std::sync::Arc;

use dynhost_graph::event::{CancelReason, Event, Recorded, RunStatus};
use tokio::sync::mpsc::UnboundedSender;

pub use crate::large::LargeValues;
pub use error::{StoreError, StoreErrorKind};

use crate::bell::Bell;

/// Keeps the events of runs, in order (`semantics.md` rule 19).
pub trait RunStore: Send + Sync {
    /// Takes events that follow those taken before for the same run, and answers when they are kept or
    /// cannot be. Does not wait for that. Events are kept in the order in which they were taken, so
    /// that when some are, all before them are too.
    fn append(&self, run: &Arc<str>, receipt: Receipt);

    /// Gives all events of a run, in order, until `each` breaks off; none where the run is not known.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(
        &self,
        run: &str,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Where the values of a run are that are too large to add up in memory; `None`: all of them are in memory.
    fn large_values(&self) -> Option<Arc<LargeValues>> {
        None
    }
}

/// Whether events are kept.
pub(crate) type Answer = Result<Arc<Vec<Recorded>>, StoreError>;

/// Events that are to be kept, and who waits to hear that they are. One that is dropped without an
/// answer says that they are not.
#[derive(Debug)]
pub struct Receipt {
    events: Arc<Vec<Recorded>>,
    answer: Option<UnboundedSender<Answer>>,
    /// Who is to be called when there is one.
    bell: Option<Arc<Bell>>,
}

impl Receipt {
    pub(crate) fn new(events: Arc<Vec<Recorded>>, answer: UnboundedSender<Answer>) -> Self {
        Self { events, answer: Some(answer), bell: None }
    }

    /// The same, with who is to be called when there is an answer.
    pub(crate) fn calling(mut self, bell: Arc<Bell>) -> Self {
        self.bell = Some(bell);
        self
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &Arc<Vec<Recorded>> {
        &self.events
    }

    /// The events are kept.
    pub fn kept(mut self) {
        let events = Arc::clone(&self.events);
        self.answer(Ok(events));
    }

    /// The events cannot be kept. The run is then interrupted and ends with this error.
    pub fn failed(mut self, error: StoreError) {
        self.answer(Err(error));
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            // A run that is gone needs no answer.
            let _ = sender.send(answer);
            if let Some(bell) = &self.bell {
                bell.answered();
            }
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.answer(Err(StoreError::gone()));
    }
}

/// Records that a run which nobody is at is cancelled: one whose process died and that is not to
/// go on now. It can still be resumed. Waits until that is kept.
///
/// # Errors
/// It cannot be kept.
pub fn close_cancelled(store: &dyn RunStore, run: &str) -> Result<(), StoreError> {
    let at_us = crate::run::now_us();
    let events = [
        Event::CancelRequested { reason: CancelReason::Requested },
        Event::RunFinished { status: RunStatus::Cancelled, outputs: Vec::new() },
    ];
    let events = events.map(|event| Recorded { at_us, event });
    let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
    store.append(&run.into(), Receipt::new(Arc::new(events.to_vec()), answer));
    match futures::executor::block_on(answers.recv()) {
        Some(answer) => answer.map(drop),
        None => Err(StoreError::gone()),
    }
}
