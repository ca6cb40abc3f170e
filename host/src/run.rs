//! One run: the loop that joins scheduler, executor, store and subscribers.
//!
//! Every report becomes an event; an event is kept by the store, shown to subscribers, and only then
//! applied to the scheduler, whose actions go to the executor. Knows no words for people.

mod drive;

use std::sync::Arc;

use dynhost_graph::event::{Failure, Recorded, RunStatus};
use dynhost_graph::job::{Job, OnFailure};
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::JobOutputValue;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::engine::INSTANCES;
use crate::host::Host;
use crate::prepare::PreparedJob;
use crate::store::memory::NoStore;
use crate::store::{RunStore, StoreError};

/// The greatest number of steps of a run at once: half of the instances that an engine has, the
/// other half being for steps that are suspended in `emit`.
pub const MAX_CONCURRENCY: u32 = INSTANCES / 2;

/// How a run is started.
#[derive(Clone)]
pub struct RunOptions {
    /// Steps at once, [`MAX_CONCURRENCY`] at most; `None`: what the manifest says, or else as many
    /// as the host has workers.
    pub max_concurrency: Option<u32>,
    /// Cancel the run at the first failure, whatever the nodes say.
    pub fail_fast: bool,
    /// Where the events are kept; by default nowhere.
    pub store: Arc<dyn RunStore>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { max_concurrency: None, fail_fast: false, store: Arc::new(NoStore) }
    }
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

/// How many steps ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
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
    /// Its events could not be kept.
    #[error("the run was stopped because its events could not be kept")]
    Store(#[from] StoreError),
    /// The loop panicked, or the runtime was shut down under it.
    #[error("the run was torn down before its end")]
    Lost(#[source] tokio::task::JoinError),
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

    fn start_with(
        &self,
        prepared: &PreparedJob,
        options: RunOptions,
        watcher: Option<mpsc::UnboundedSender<Batch>>,
    ) -> Run {
        let id = ulid::Ulid::new().to_string();
        let cancel = Arc::new(Notify::new());
        let fail_fast = options.fail_fast;
        let prepared = PreparedJob {
            job: if fail_fast { abort_on_failure(&prepared.job) } else { prepared.job.clone() },
            components: prepared.components.clone(),
        };
        let driver = drive::Driver::new(self, &prepared, options, id.clone(), watcher);
        let driver = tokio::spawn(driver.drive(Arc::clone(&cancel)));
        Run { id, driver, cancel }
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

fn abort_on_failure(job: &Job) -> Arc<Job> {
    let mut job = job.clone();
    for node in &mut job.nodes {
        node.policy.on_failure = OnFailure::Abort;
    }
    Arc::new(job)
}

impl Run {
    /// The run's id: a ULID, so that ids sort by the time of their start.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Cancels the run; [`Run::finished`] then tells how it ended.
    pub fn cancel(&self) {
        self.cancel.notify_one();
    }

    /// A handle that cancels the run from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
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
