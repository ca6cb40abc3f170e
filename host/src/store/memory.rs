//! Run stores that write nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dynhost_graph::event::Recorded;

use super::{RunStore, StoreError};

/// Keeps all events in memory, as long as it lives itself.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: Mutex<HashMap<String, Vec<Recorded>>>,
}

impl RunStore for MemoryStore {
    fn append(&self, run: &str, events: &[Recorded]) -> Result<(), StoreError> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.entry(run.to_owned()).or_default().extend_from_slice(events);
        Ok(())
    }

    fn events(&self, run: &str) -> Result<Vec<Recorded>, StoreError> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(runs.get(run).cloned().unwrap_or_default())
    }
}

/// Keeps nothing, so that the memory of a run does not grow with what has happened in it.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoStore;

impl RunStore for NoStore {
    fn append(&self, _run: &str, _events: &[Recorded]) -> Result<(), StoreError> {
        Ok(())
    }

    fn events(&self, _run: &str) -> Result<Vec<Recorded>, StoreError> {
        Ok(Vec::new())
    }
}
