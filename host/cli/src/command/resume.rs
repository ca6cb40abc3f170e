//! `dynhost resume`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use dynhost::graph::event::RunStatus;
use dynhost::graph::params::GivenParams;
use dynhost::store::history::RunState;
use dynhost::{RunError, RunOptions};

use super::begun::Begun;
use super::drive::{How, Start};
use super::ending::EndingArgs;
use super::guard::{LockedArgs, PolicyArgs};
use super::keep::Kept;
use super::run::drive_kept;
use super::state::StateArgs;
use crate::error::Error;
use crate::report::Console;

/// Go on with a run that was interrupted or cancelled
///
/// What the run has done stays done; exactly the steps that had not ended are run, and the outputs are
/// those of a run that nothing disturbed. The run keeps its id, params and flags. It does not go on with
/// another manifest or other components than it began with, unless `--accept-changes` is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost resume last
  dynhost resume 01JD3Q8F
  dynhost resume last --max-concurrency 2 --save sheet=sheet.png
  dynhost resume last --state-dir /data/jobs/.dynhost -o json")]
pub(crate) struct ResumeArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Go on although the manifest or components have changed; steps that ended are not run again
    #[arg(long)]
    accept_changes: bool,
    /// Steps at once; default: as before
    #[arg(long, value_name = "N")]
    max_concurrency: Option<NonZeroU32>,
    /// Take the manifest from this file; default: where it stands beside the state folder, or where it
    /// was
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    locked: LockedArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    ending: EndingArgs,
}

pub(super) fn execute(arguments: &ResumeArgs, console: Console) -> Result<u8, Error> {
    let state = arguments.state.find()?;
    let store = state.open()?;
    let run = store.resolve(&arguments.run)?;
    let mut begun = Begun::read(&store, &run)?;
    begun.relocate((&state, arguments.manifest.as_deref()), console)?;
    let kept = Kept::new(state, store, &run, begun.settings.cache)?;
    refuse_ended(&kept, &run)?;

    let mut manifest = match begun.manifest_now()? {
        Some(manifest) => manifest,
        None if arguments.accept_changes => begun.manifest_then()?,
        None => return Err(gone(&begun)),
    };
    arguments.locked.pin(&mut manifest)?;
    let host = arguments.policy.host()?;
    let given = begun.params(&manifest, GivenParams::new());
    let prepared = begun.prepare(&host, &manifest, &given)?;
    let readers = arguments.ending.readers(prepared.job(), console)?;
    let max_concurrency = arguments.max_concurrency.map(NonZeroU32::get);
    let options = RunOptions {
        max_concurrency: max_concurrency.or(begun.settings.max_concurrency),
        fail_fast: begun.settings.fail_fast,
        ..RunOptions::default()
    };
    let how = How::Resume(arguments.accept_changes);
    let start = Start { host: &host, prepared: &prepared, options, how, lock: None };
    let ended = drive_kept(start, Some(&kept), &arguments.ending, readers)?;
    arguments.ending.end(ended, &manifest, Some(&kept), console)
}

/// Before the components are loaded: a run that has ended need not fit them.
fn refuse_ended(kept: &Kept, run: &str) -> Result<(), Error> {
    let status = match kept.store().run(run)?.status {
        RunState::Succeeded => RunStatus::Succeeded,
        RunState::Failed => RunStatus::Failed,
        _ => return Ok(()),
    };
    Err(RunError::Ended { run: run.to_owned(), status }.into())
}

fn gone(begun: &Begun) -> Error {
    let (run, path) = (&begun.run, begun.path());
    let message = format!("the manifest `{}` of run `{run}` is gone", path.display());
    Error::usage(message).with_help(
        "put it back, name it with `--manifest FILE`, or go on with the manifest as the run recorded it: `--accept-changes`",
    )
}
