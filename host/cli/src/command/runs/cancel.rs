//! `dynhost runs cancel`.

use std::time::{Duration, Instant};

use clap::Args;
use dynhost::store::close_cancelled;
use dynhost::store::history::RunState;
use dynhost::store::sqlite::SqliteStore;
use serde_json::json;

use crate::error::Error;
use crate::report::{Console, summary};

/// How long a run that another process is at may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked whether it has.
const ASK: Duration = Duration::from_millis(50);

/// Cancel a run
///
/// A process that is at the run is asked to cancel it, and waited for. `dynhost resume` can go on with a
/// cancelled run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs cancel last
  dynhost runs cancel 01JD3Q8F")]
pub(super) struct CancelArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

pub(super) fn execute(
    arguments: &CancelArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let run = super::resolve(store, &arguments.run)?;
    let before = store.run(&run)?.status;
    if !matches!(before, RunState::Running | RunState::Interrupted) {
        let status = summary::state(before);
        let status = if before == RunState::Cancelled { "was cancelled" } else { status };
        return Err(Error::usage(format!("run `{run}` has ended: it {status}"))
            .with_help("only a run that has not ended can be cancelled"));
    }
    let status = if store.request_cancel(&run)? {
        wait(store, &run)?
    } else {
        close(store, &run)?;
        store.run(&run)?.status
    };
    if console.is_json() {
        return console.print_json(&json!({ "run": run, "status": status }));
    }
    console.print(&match status {
        RunState::Cancelled => format!("cancelled run {run}\n"),
        other => format!("run {run} ended by itself: it {}\n", summary::state(other)),
    })
}

/// Waits until the process that is at the run has ended it.
fn wait(store: &SqliteStore, run: &str) -> Result<RunState, Error> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match store.run(run)?.status {
            RunState::Running => std::thread::sleep(ASK),
            // The process ended without a word; nobody is at the run any more.
            RunState::Interrupted => {
                close(store, run)?;
                return Ok(store.run(run)?.status);
            }
            ended => return Ok(ended),
        }
    }
    let seconds = PATIENCE.as_secs();
    Err(Error::failed(format!("run `{run}` has not ended within {seconds} s of being asked to"))
        .with_help("it may still; `dynhost runs show` tells, and ending its process leaves a run that can be resumed"))
}

/// Records that a run which nobody is at is cancelled.
fn close(store: &SqliteStore, run: &str) -> Result<(), Error> {
    let _lock = store.lock(run)?;
    Ok(close_cancelled(store, run)?)
}
