//! What can be asked of the history of runs.

use std::time::Duration;

use dynhost_graph::event::{Level, Lineage, RunStatus};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunState {
    /// A process is at it.
    Running,
    /// It has not ended, and no process is at it: it can be resumed.
    Interrupted,
    /// It ended well.
    Succeeded,
    /// A step failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl From<RunStatus> for RunState {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Succeeded,
            RunStatus::Failed => Self::Failed,
            _ => Self::Cancelled,
        }
    }
}

/// A run in a list of runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// The run.
    pub run: String,
    /// The job's name.
    pub job: String,
    /// How far it is.
    pub status: RunState,
    /// Microseconds since 1970-01-01 UTC.
    pub started_at_us: u64,
    /// The last event, or the end.
    pub ended_at_us: Option<u64>,
    /// How its steps ended.
    pub steps: crate::run::StepCounts,
    /// The run that it went on from.
    pub parent: Option<Lineage>,
    /// The file of the manifest.
    pub manifest: Option<std::path::PathBuf>,
    /// The parameters, as a JSON object.
    pub params: serde_json::Value,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this job.
    pub job: Option<String>,
    /// In this state.
    pub status: Option<RunState>,
    /// Older than this run: where the page before ended.
    pub before: Option<String>,
    /// So many at most.
    pub limit: usize,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// It is under way, or was when the process ended.
    Running,
    /// It failed, and waits for its next attempt.
    Waiting,
    /// It ran and succeeded.
    Succeeded,
    /// It was taken from an earlier success.
    Cached,
    /// It failed for good.
    Failed,
    /// It did not run.
    Skipped,
    /// It was interrupted.
    Cancelled,
    /// It no longer counts (`semantics.md` rule 17).
    Dropped,
}

/// The steps of one node.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct NodeSummary {
    /// The node.
    pub node: String,
    /// How many steps are in each state, in the order of [`StepState`]; states without any are left
    /// out.
    pub steps: Vec<(StepState, u64)>,
    /// When its first step started, in microseconds since 1970-01-01 UTC.
    pub first_started_at_us: Option<u64>,
    /// When its last step finished.
    pub last_finished_at_us: Option<u64>,
    /// The time of all attempts that ended, in microseconds.
    pub took_us: u64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct StepSummary {
    /// The step key.
    pub step: String,
    /// The node.
    pub node: String,
    /// The mapping keys, outermost first.
    pub keys: Vec<String>,
    /// How it stands.
    pub status: StepState,
    /// Attempts begun.
    pub attempts: u32,
    /// Where its outputs were taken from: `run step`.
    pub cached: Option<String>,
    /// Microseconds since 1970-01-01 UTC.
    pub started_at_us: Option<u64>,
    /// Microseconds since 1970-01-01 UTC.
    pub finished_at_us: Option<u64>,
    /// Why it failed or was skipped, in words.
    pub error: Option<String>,
}

/// Which steps of a run.
#[derive(Debug, Clone, Default)]
pub struct StepFilter {
    /// In one of these states; empty: in any.
    pub status: Vec<StepState>,
    /// Of this node.
    pub node: Option<String>,
    /// One of whose mapping keys is this.
    pub key: Option<String>,
    /// Exactly this step key.
    pub step: Option<String>,
    /// Where the page before ended.
    pub after: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

/// Part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What was asked for.
    pub items: Vec<T>,
    /// To be given as `after` for the next page; `None` at the end.
    pub next: Option<u64>,
}

/// A line of a step's log.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct LogLine {
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: u64,
    /// The step.
    pub step: String,
    /// Its attempt.
    pub attempt: u32,
    /// How urgent it is.
    pub level: Level,
    /// The message.
    pub message: String,
    /// Further fields, by name.
    pub fields: Vec<(String, String)>,
}

/// Which log lines of a run.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of this step.
    pub step: Option<String>,
    /// Of this node.
    pub node: Option<String>,
    /// From this level on.
    pub level: Option<Level>,
    /// Where the page before ended.
    pub after: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

/// What is to be removed. A run is removed when every bound that is given says so; one that is
/// running, or not ended and younger than the age, never is.
#[derive(Debug, Clone, Default)]
pub struct Prune {
    /// These runs, whatever the other bounds say.
    pub runs: Vec<String>,
    /// Runs that ended longer ago than this.
    pub older_than: Option<Duration>,
    /// All but the newest so many.
    pub keep: Option<usize>,
    /// Runs of this job only.
    pub job: Option<String>,
    /// Entries of the cache that were not used for so long.
    pub cache_older_than: Option<Duration>,
    /// The entries of the cache that were not used for longest, until what is left has no more than so
    /// many bytes.
    pub cache_bytes: Option<u64>,
    /// Only say what would be removed.
    pub dry_run: bool,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// The runs.
    pub runs: Vec<String>,
    /// Entries of the cache.
    pub cache_entries: u64,
    /// Objects that nothing uses any more.
    pub objects: u64,
    /// What the objects had, in bytes.
    pub object_bytes: u64,
}
