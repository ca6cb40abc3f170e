//! A run from its start to its end: watched, and cancelled by signals or by another process.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dynhost::graph::event::{Lineage, RunStatus};
use dynhost::store::sqlite::RunLock;
use dynhost::{Events, Host, PreparedJob, Run, RunError, RunOptions, RunResult};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::{Progress, Watch};
use crate::error::Error;
use crate::report::failures::{self, Places};
use crate::report::narrator::Show;
use crate::report::progress::{self, Known, Messages, Reader};
use crate::report::{Console, summary};
use crate::signals;

/// How often a run asks whether another process wants it cancelled.
const ASK: Duration = Duration::from_millis(50);

/// How a run comes about.
#[derive(Debug, Clone)]
pub(super) enum How {
    /// A new one.
    New,
    /// One that goes on; whether with a manifest and components that have changed.
    Resume(bool),
    /// A new one that takes over what an earlier one gave.
    Rerun(Lineage),
}

/// A run that is to be made.
pub(super) struct Start<'a> {
    pub(super) host: &'a Host,
    pub(super) prepared: &'a PreparedJob,
    pub(super) options: RunOptions,
    pub(super) how: How,
    /// Tells whether another process wants the run cancelled.
    pub(super) lock: Option<&'a RunLock>,
}

/// A run that has ended.
pub(super) struct Ended {
    pub(super) result: RunResult,
    interrupted: bool,
    took: Duration,
    /// Whether everything that was to be written while it ran was.
    pub(super) written: Result<(), Error>,
}

/// Why a run did not come to its end.
pub(super) enum Broken {
    /// There are no threads for it.
    Threads(std::io::Error),
    /// The library says why.
    Run(RunError),
}

impl From<RunError> for Broken {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Threads(error) => Self::failed(format!("threads cannot be started: {error}")),
            Broken::Run(error) => error.into(),
        }
    }
}

/// Runs a job to its end.
pub(super) fn drive(
    start: Start<'_>,
    (watch, show): (&Watch, Show),
    readers: Vec<Box<dyn Reader>>,
) -> Result<Ended, Broken> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Broken::Threads)?;
    runtime.block_on(async {
        let began = Instant::now();
        let lock = start.lock;
        let lowered = start.host.admission(start.prepared, &start.options).lowered;
        let shortage = start.host.shortage();
        let told = |lowered: &String| shortage.as_ref().is_some_and(|why| lowered.ends_with(why));
        let shortage = shortage.clone().filter(|_| !lowered.as_ref().is_some_and(told));
        let mut known = Known::new(start.prepared.job(), (watch, show));
        let wanted = progress::is_wanted(watch, &readers);
        let (run, events) = start.begin(&mut known, wanted)?;
        let (watcher, messages) = progress::watch(events, known, watch, readers);
        for warning in shortage.iter().chain(&lowered) {
            messages.send(warning);
        }
        let interrupted = signals::listen(run.canceller(), messages.clone());
        let result = finished(run, lock, &messages).await;
        let took = began.elapsed();
        // Ends with the last one who may send a message.
        let written = finish(watcher).await;
        Ok(Ended { result: result?, interrupted: interrupted.is_set(), took, written })
    })
}

impl Start<'_> {
    fn begin(self, known: &mut Known, wanted: bool) -> Result<(Run, Option<Events>), RunError> {
        let Self { host, prepared, options, how, .. } = self;
        let (run, events) = match how {
            How::New if !wanted => return Ok((host.start(prepared, options), None)),
            How::New => host.watch(prepared, options),
            How::Rerun(lineage) => host.rerun(prepared, lineage, options)?,
            How::Resume(accept_changes) => {
                let run = options.id.clone().unwrap_or_default();
                if wanted {
                    options.store.read(&run, &mut |recorded| {
                        known.pass(&recorded.event);
                        ControlFlow::Continue(())
                    })?;
                }
                host.resume(prepared, &run, options, accept_changes)?
            }
        };
        Ok((run, wanted.then_some(events)))
    }
}

/// Waits for the end of a run, or for another process to ask for it.
async fn finished(
    run: Run,
    lock: Option<&RunLock>,
    messages: &Messages,
) -> Result<RunResult, RunError> {
    let canceller = run.canceller();
    let finished = run.finished();
    tokio::pin!(finished);
    let mut ticks = interval(ASK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lock = lock;
    loop {
        tokio::select! {
            result = &mut finished => return result,
            _ = ticks.tick(), if lock.is_some() => {
                if lock.is_some_and(RunLock::cancel_requested) {
                    messages.send("cancelling the run, as another process asked");
                    canceller.cancel();
                    lock = None;
                }
            }
        }
    }
}

async fn finish(watcher: tokio::task::JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    watcher.await.unwrap_or_else(|error| Err(Error::failed(format!("{error}"))))
}

impl Ended {
    /// What the process ends with.
    pub(super) fn exit_code(&self) -> u8 {
        match self.result.status {
            RunStatus::Succeeded => 0,
            _ if self.interrupted => signals::EXIT_CODE,
            _ => 1,
        }
    }

    /// Names the steps that failed, then says in a line how the run ended.
    pub(super) fn say(&self, places: Places<'_>, watch: &Watch, console: Console) {
        let RunResult { run, status, steps, failures, .. } = &self.result;
        if !failures.is_empty() {
            console.say(failures::report(failures, places).trim_end());
        }
        if watch.progress != Progress::None {
            console.say(&summary::line(run, *status, steps, self.took));
        }
    }
}
