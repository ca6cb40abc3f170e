//! Run stores that write nothing to disk.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use dynhost_graph::event::Recorded;

use super::{Receipt, RunStore, StoreError};

/// Keeps all events in memory, as long as it lives itself.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: Mutex<HashMap<Arc<str>, Batches>>,
}

/// The events of a run, as they were handed over.
type Batches = Vec<Arc<Vec<Recorded>>>;

impl MemoryStore {
    /// Takes over the history of a run, or a part of it, from elsewhere.
    pub fn insert(&self, run: &str, events: Vec<Recorded>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.entry(run.into()).or_default().push(Arc::new(events));
    }
}

impl RunStore for MemoryStore {
    fn append(&self, run: &Arc<str>, receipt: Receipt) {
        {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.entry(Arc::clone(run)).or_default().push(Arc::clone(receipt.events()));
        }
        receipt.kept();
    }

    fn read(
        &self,
        run: &str,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let batches = {
            let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.get(run).cloned().unwrap_or_default()
        };
        for event in batches.iter().flat_map(|batch| batch.iter()) {
            if each(event.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Keeps nothing, so that the memory of a run does not grow with what has happened in it.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoStore;

impl RunStore for NoStore {
    fn append(&self, _run: &Arc<str>, receipt: Receipt) {
        receipt.kept();
    }

    fn read(
        &self,
        _run: &str,
        _each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}
