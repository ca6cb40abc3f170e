//! Where the events of runs are kept.

pub mod memory;

use dynhost_graph::event::Recorded;

/// Keeps the events of runs, in order. An event is kept before it is acted on
/// (`semantics.md` rule 19).
pub trait RunStore: Send + Sync {
    /// Adds events to a run, all or none of them.
    ///
    /// # Errors
    /// They could not be kept. The run is then cancelled and ends with this error.
    fn append(&self, run: &str, events: &[Recorded]) -> Result<(), StoreError>;

    /// All events of a run, in order; empty where the run is not known.
    ///
    /// # Errors
    /// They cannot be read.
    fn events(&self, run: &str) -> Result<Vec<Recorded>, StoreError>;
}

/// Why events cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("the run store cannot {what}")]
pub struct StoreError {
    /// What was tried, such as "append events".
    pub what: &'static str,
    /// Why it did not work.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
