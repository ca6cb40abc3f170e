//! `dynhost run`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use dynhost::{RunOptions, new_run_id};

use super::drive::{Broken, Ended, How, Start, drive};
use super::ending::EndingArgs;
use super::guard::{LockedArgs, PolicyArgs};
use super::keep::Kept;
use super::params::ParamArgs;
use super::state::NewStateArgs;
use super::{build, read_manifest};
use crate::error::Error;
use crate::report::Console;
use crate::report::narrator::Show;
use crate::report::progress::Reader;

/// Run a job, and print its outputs
///
/// The manifest is checked first; nothing runs if anything is wrong with it. Outputs go to stdout,
/// one `name: value` each. A step that fails is named on stderr, with what to do about it.
/// Ctrl-C cancels the run; a second one ends it at once. Everything that happens is kept in
/// `.dynhost` beside the manifest, so that an interrupted run can go on (`dynhost resume`) and a step
/// that had the same inputs before need not run again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost run job.toml
  dynhost run job.toml --param dir=/usr/share --param depth=3
  dynhost run job.toml --params params.json --fail-fast
  dynhost run thumbnails.toml --param dir=photos --save sheet=sheet.png
  dynhost run job.toml --no-cache
  dynhost run job.toml -o json | jq .outputs.total")]
pub(crate) struct RunArgs {
    /// The manifest
    manifest: PathBuf,
    #[command(flatten)]
    params: ParamArgs,
    /// Build components whose sources are newer than they are, first
    #[arg(long)]
    build: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    locked: LockedArgs,
    #[command(flatten)]
    bounds: BoundArgs,
    #[command(flatten)]
    state: NewStateArgs,
    #[command(flatten)]
    ending: EndingArgs,
}

/// How a new run is run.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// Steps at once; default: what the manifest says, or the number of cores
    #[arg(long, value_name = "N")]
    max_concurrency: Option<NonZeroU32>,
    /// Cancel the run at the first step that fails
    #[arg(long)]
    fail_fast: bool,
    /// Run every step, whatever earlier runs have of it, and keep nothing for later ones
    #[arg(long, help_heading = "Cache")]
    pub(super) no_cache: bool,
}

impl BoundArgs {
    pub(super) fn options(&self) -> RunOptions {
        RunOptions {
            max_concurrency: self.max_concurrency.map(NonZeroU32::get),
            fail_fast: self.fail_fast,
            ..RunOptions::default()
        }
    }
}

pub(super) fn execute(arguments: &RunArgs, console: Console) -> Result<u8, Error> {
    let mut manifest = read_manifest(&arguments.manifest)?;
    let given = arguments.params.given()?;
    let state = arguments.state.of(&manifest.path)?;
    if arguments.build {
        build::build(&manifest, build::Which::Stale, console)?;
    }
    arguments.locked.pin(&mut manifest)?;
    let host = arguments.policy.host()?;
    let prepared =
        host.prepare(&manifest, &given).map_err(|error| Error::prepare(error, Some(&manifest)))?;
    let readers = arguments.ending.readers(prepared.job(), console)?;

    let kept = match state {
        Some(state) => {
            let store = state.open()?;
            Some(Kept::new(state, store, &new_run_id(), !arguments.bounds.no_cache)?)
        }
        None => None,
    };
    let options = arguments.bounds.options();
    let start = Start { host: &host, prepared: &prepared, options, how: How::New, lock: None };
    let ended = drive_kept(start, kept.as_ref(), &arguments.ending, readers)?;
    arguments.ending.end(ended, &manifest, kept.as_ref(), console)
}

/// Runs a job to its end where it is kept; an error says how to go on.
pub(super) fn drive_kept<'a>(
    start: Start<'a>,
    kept: Option<&'a Kept>,
    ending: &EndingArgs,
    readers: Vec<Box<dyn Reader>>,
) -> Result<Ended, Error> {
    let watch = (&ending.watch, Show::All);
    let Some(kept) = kept else { return Ok(drive(start, watch, readers)?) };
    let mut start = Start { lock: Some(kept.lock()), ..start };
    kept.settle(&mut start.options);
    drive(start, watch, readers).map_err(|broken| match broken {
        Broken::Run(error) => kept.broke_off(error),
        other @ Broken::Threads(_) => other.into(),
    })
}
