//! A run from its start to its end: watched, and cancelled by signals.

use std::time::{Duration, Instant};

use dynhost::graph::event::RunStatus;
use dynhost::{Host, PreparedJob, RunOptions, RunResult};

use crate::cli::{Progress, Watch};
use crate::error::Error;
use crate::report::failures::{self, Places};
use crate::report::progress::{self, Reader, Show};
use crate::report::{Console, dim, green, red, words, yellow};
use crate::signals;

/// A run that has ended.
pub(super) struct Ended {
    pub(super) result: RunResult,
    interrupted: bool,
    took: Duration,
    /// Whether everything that was to be written while it ran was.
    pub(super) written: Result<(), Error>,
}

/// Runs a job to its end.
pub(super) fn drive(
    host: &Host,
    prepared: &PreparedJob,
    options: RunOptions,
    (watch, show): (&Watch, Show),
    readers: Vec<Box<dyn Reader>>,
) -> Result<Ended, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("threads cannot be started: {error}")))?;
    runtime.block_on(async {
        let started = Instant::now();
        let wanted = progress::is_wanted(watch, &readers);
        let (run, events) = if wanted {
            let (run, events) = host.watch(prepared, options);
            (run, Some(events))
        } else {
            (host.start(prepared, options), None)
        };
        let (watcher, messages) = progress::watch(events, prepared.job(), (watch, show), readers);
        let interrupted = signals::listen(run.canceller(), messages);
        let result = run.finished().await?;
        let took = started.elapsed();
        let written = finish(watcher).await;
        Ok(Ended { result, interrupted: interrupted.is_set(), took, written })
    })
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
        if !self.result.failures.is_empty() {
            console.say(failures::report(&self.result.failures, places).trim_end());
        }
        if watch.progress != Progress::None {
            console.say(&self.summary());
        }
    }

    fn summary(&self) -> String {
        let steps = &self.result.steps;
        let part = |n: u64, words: &str| (n > 0).then(|| format!("{} {words}", words::number(n)));
        let parts = [
            Some(format!("{} succeeded", words::count(steps.succeeded, "step"))),
            part(steps.cached, "from the cache"),
            part(steps.failed, "failed"),
            part(steps.skipped, "skipped"),
            part(steps.cancelled, "cancelled"),
        ];
        let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let took = words::duration(self.took);
        let status = match self.result.status {
            RunStatus::Succeeded => green("succeeded"),
            RunStatus::Failed => red("failed"),
            _ => yellow("cancelled"),
        };
        format!("{status} after {took}: {parts}{}", dim(&format!(" (run {})", self.result.run)))
    }
}
