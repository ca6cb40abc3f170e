//! One run: the loop that joins scheduler, executor, store and subscribers.
//!
//! Every report becomes an event, which is handed to the store and applied to the scheduler, whose
//! actions go to the executor. Whoever watches hears of an event when it is kept. Knows no words
//! for people.

mod drive;
mod fingerprint;
mod journal;
mod observe;
mod parent;
mod playback;
mod restore;
mod reuse;
mod spec;
mod tally;

use std::fmt;
use std::sync::Arc;

use dynhost_graph::event::{Failure, Lineage, ManifestRecord, Recorded, RunStatus};
use dynhost_graph::job::{Job, OnFailure};
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::JobOutputValue;
use dynhost_graph::select::SelectError;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::cache::Cache;
use crate::engine::INSTANCES;
use crate::host::Host;
use crate::prepare::PreparedJob;
use crate::store::memory::NoStore;
use crate::store::{RunStore, StoreError};

pub(crate) use journal::now_us;
#[cfg(feature = "otel")]
pub(crate) use observe::EndedAttempt;
pub use reuse::CHEAP;

/// The greatest number of steps of a run at once: half of the instances that an engine has, the
/// other half being for steps that are suspended in `emit`.
pub const MAX_CONCURRENCY: u32 = INSTANCES / 2;

/// How a run is started.
#[derive(Clone)]
pub struct RunOptions {
    /// Its id; `None`: a new one. See [`new_run_id`].
    pub id: Option<String>,
    /// Steps at once, [`MAX_CONCURRENCY`] at most; `None`: what the manifest says, or else as many
    /// as the host has workers.
    pub max_concurrency: Option<u32>,
    /// Cancel the run at the first failure, whatever the nodes say.
    pub fail_fast: bool,
    /// Where the events are kept; by default nowhere.
    pub store: Arc<dyn RunStore>,
    /// Where earlier successes are looked up and new ones kept; by default nowhere.
    pub cache: Option<Arc<dyn Cache>>,
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("id", &self.id)
            .field("max_concurrency", &self.max_concurrency)
            .field("fail_fast", &self.fail_fast)
            .field("cache", &self.cache.is_some())
            .finish_non_exhaustive()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            id: None,
            max_concurrency: None,
            fail_fast: false,
            store: Arc::new(NoStore),
            cache: None,
        }
    }
}

/// An id for a run: a ULID, so that ids sort by the time of their start.
#[must_use]
pub fn new_run_id() -> String {
    ulid::Ulid::new().to_string()
}

/// A run that is under way. Dropping it cancels the run (`semantics.md` rule 18).
#[derive(Debug)]
pub struct Run {
    id: String,
    driver: JoinHandle<Result<RunResult, RunError>>,
    cancel: Arc<Notify>,
}

/// How a run ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunResult {
    /// The run.
    pub run: String,
    /// How it ended.
    pub status: RunStatus,
    /// The outputs of the job, in its order.
    pub outputs: Vec<(String, JobOutputValue)>,
    /// How its steps ended.
    pub steps: StepCounts,
    /// The steps that failed for good, in the order in which they did.
    pub failures: Vec<StepFailure>,
}

impl RunResult {
    /// An output of the job as JSON, a list where it has several values; `None`: there is no such output, it is absent,
    /// or it is no JSON.
    #[must_use]
    pub fn json(&self, output: &str) -> Option<serde_json::Value> {
        let (_, value) = self.outputs.iter().find(|(name, _)| name == output)?;
        match value {
            JobOutputValue::Absent => None,
            JobOutputValue::Single(value) => value.to_json().ok(),
            JobOutputValue::Many(list) => {
                list.elements.iter().map(|element| element.value.to_json().ok()).collect()
            }
        }
    }
}

/// How many steps ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct StepCounts {
    /// Ran and succeeded.
    pub succeeded: u64,
    /// Failed for good.
    pub failed: u64,
    /// Did not run: nothing to run on, or something that they depend on failed.
    pub skipped: u64,
    /// Taken from an earlier success instead of being run.
    pub cached: u64,
    /// Interrupted.
    pub cancelled: u64,
}

/// A step that failed for good.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFailure {
    /// The step.
    pub step: StepKey,
    /// Attempts in all.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub failure: Failure,
}

/// Why a run could not be brought to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its history cannot be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run that is to go on has ended.
    #[error("run `{run}` has ended: it {status}")]
    Ended {
        /// The run.
        run: String,
        /// How it ended.
        status: RunStatus,
    },
    /// A run that is to go on was begun with something else.
    #[error("what the run was begun with has changed since")]
    Changed(Vec<Change>),
    /// The steps to be run again cannot be selected.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The job asks for more than the host's policy allows, or than its memory can give. A job that is prepared from a
    /// manifest is refused before.
    #[error("the job is refused: {0}")]
    Refused(String),
    /// The loop panicked, or the runtime was shut down under it.
    #[error("the run was torn down before its end")]
    Lost(#[source] tokio::task::JoinError),
}

/// Something that is another than when a run began.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The text of the manifest.
    Manifest {
        /// As it was.
        recorded: ManifestRecord,
        /// As it is.
        now: ManifestRecord,
    },
    /// A component.
    Component {
        /// The name that the manifest gives it.
        alias: String,
        /// SHA-256 of the file as it was; `None`: there was none of this name.
        recorded: Option<String>,
        /// As it is; `None`: there is none any more.
        now: Option<String>,
    },
}

impl Host {
    /// Starts a run of a job. To be called in a tokio runtime; guests run on the host's own
    /// threads.
    #[must_use]
    pub fn start(&self, prepared: &PreparedJob, options: RunOptions) -> Run {
        self.start_with(prepared, options, None)
    }

    /// As [`Host::start`], with the events of the run.
    #[must_use]
    pub fn watch(&self, prepared: &PreparedJob, options: RunOptions) -> (Run, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        (self.start_with(prepared, options, Some(sender)), Events(events))
    }

    /// Goes on with an interrupted or cancelled run under the same id: exactly the steps that had not
    /// ended are run (`semantics.md` rule 19). The job must be prepared from the same manifest and
    /// params, with the options of the first start. The events begin with `RunResumed`. Blocks while it
    /// reads the history; nobody else may be at the run.
    ///
    /// # Errors
    /// The history cannot be read, the run is not there or has ended, or the manifest or a component
    /// is another than it was and `accept_changes` is not given.
    pub fn resume(
        &self,
        prepared: &PreparedJob,
        run: &str,
        options: RunOptions,
        accept_changes: bool,
    ) -> Result<(Run, Events), RunError> {
        let options = RunOptions { id: Some(run.to_owned()), ..options };
        let (sender, events) = mpsc::unbounded_channel();
        let driver = drive::Driver::resume(self, prepared, options, (sender, accept_changes))?;
        Ok((Run::of(driver), Events(events)))
    }

    /// Starts a run that takes from an earlier one what its steps gave, where they had the same
    /// inputs (`semantics.md` rule 20). Steps that the lineage selects are run in any case. Blocks
    /// while it reads the history of the earlier run.
    ///
    /// # Errors
    /// That history cannot be read, or a selector selects nothing.
    pub fn rerun(
        &self,
        prepared: &PreparedJob,
        lineage: Lineage,
        options: RunOptions,
    ) -> Result<(Run, Events), RunError> {
        let (sender, events) = mpsc::unbounded_channel();
        let driver = drive::Driver::rerun(self, prepared, options, (Some(sender), lineage))?;
        Ok((Run::of(driver), Events(events)))
    }

    fn start_with(
        &self,
        prepared: &PreparedJob,
        options: RunOptions,
        watcher: Option<mpsc::UnboundedSender<Batch>>,
    ) -> Run {
        Run::of(drive::Driver::start(self, prepared, options, watcher))
    }
}

/// Events that were recorded together.
type Batch = Arc<Vec<Recorded>>;

/// The events of a run, from the first on. None is lost, and the run never waits for its reader:
/// what is not read is kept in memory, so they should be read or dropped.
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Batch>);

impl Events {
    /// The next events, in order; `None` after the last.
    pub async fn next(&mut self) -> Option<Arc<Vec<Recorded>>> {
        self.0.recv().await
    }
}

/// The job as the options want it.
fn with_options(job: &Arc<Job>, options: &RunOptions) -> Arc<Job> {
    if !options.fail_fast {
        return Arc::clone(job);
    }
    let mut job = Job::clone(job);
    for node in &mut job.nodes {
        node.policy.on_failure = OnFailure::Abort;
    }
    Arc::new(job)
}

impl Run {
    fn of(driver: drive::Driver) -> Self {
        let id = driver.run().to_string();
        let cancel = Arc::new(Notify::new());
        let driver = tokio::spawn(drive::drive(driver, Arc::clone(&cancel)));
        Self { id, driver, cancel }
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Cancels the run; [`Run::finished`] then tells how it ended.
    pub fn cancel(&self) {
        self.cancel.notify_one();
    }

    /// Ends the loop at once, as the end of the process would.
    pub(crate) fn tear_down(self) {
        self.driver.abort();
    }

    /// A handle that cancels the run from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
    }

    /// Leaves the run where it is: its steps are interrupted, and nothing more is recorded, so that [`Host::resume`] can go
    /// on with it, in this process or another one. For a program that is to end and has no time for its runs.
    pub async fn leave(mut self) {
        self.driver.abort();
        // Whether it was aborted or had just ended, nothing of it is under way any more.
        let _ = (&mut self.driver).await;
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// The host failed, not the job: a job that failed is a [`RunResult`] with that status.
    pub async fn finished(mut self) -> Result<RunResult, RunError> {
        match (&mut self.driver).await {
            Ok(result) => result,
            Err(error) => Err(RunError::Lost(error)),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.notify_one();
    }
}

/// Cancels a run.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<Notify>);

impl Canceller {
    /// Cancels the run, if it is still under way.
    pub fn cancel(&self) {
        self.0.notify_one();
    }
}
