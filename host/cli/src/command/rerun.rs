//! `dynhost rerun`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use dynhost::graph::event::{Event, Lineage, Recorded, Reused, ReusedFrom};
use dynhost::{RunOptions, new_run_id};

use super::begun::Begun;
use super::build;
use super::drive::{How, Start};
use super::ending::EndingArgs;
use super::guard::{LockedArgs, PolicyArgs};
use super::keep::Kept;
use super::params::ParamArgs;
use super::run::{BoundArgs, drive_kept};
use super::state::StateArgs;
use crate::cli::Progress;
use crate::error::Error;
use crate::report::progress::Reader;
use crate::report::{Console, words};

/// Run a part of an earlier run again, in a new run
///
/// The new run takes the manifest and the components as they are now and the params of the earlier run. A
/// step whose inputs are the same as before takes over what it gave then; all others are run.
#[derive(Debug, Args)]
#[command(override_usage = "dynhost rerun [OPTIONS] <RUN> <--from-failure|--steps <SELECTOR>...>")]
#[command(group = clap::ArgGroup::new("what").required(true).args(["from_failure", "steps"]))]
#[command(after_help = "\
Selectors:
  size              all steps of a node
  size[readme_md]   one clone; size[*_md] all that are like it
  size+             with all steps that depend on them
  +size             with all steps that they depend on
  clean, clean/*    all nodes of a graph

Examples:
  dynhost rerun last --from-failure
  dynhost rerun last --steps 'size[readme_md]' 'total+'
  dynhost rerun 01JD3Q8F --steps 'size+' --param unit=KiB")]
pub(crate) struct RerunArgs {
    /// The earlier run: its id, the beginning of it, or `last`
    run: String,
    /// Run what had not succeeded, and what depends on it
    #[arg(long)]
    from_failure: bool,
    /// Run these steps in any case; see below
    #[arg(long, value_name = "SELECTOR", num_args = 1..)]
    steps: Vec<String>,
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
    /// Take the manifest from this file; default: where it stands beside the state folder, or where it
    /// was
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    ending: EndingArgs,
}

pub(super) fn execute(arguments: &RerunArgs, console: Console) -> Result<u8, Error> {
    let state = arguments.state.find()?;
    let store = state.open()?;
    let earlier = store.resolve(&arguments.run)?;
    let mut begun = Begun::read(&store, &earlier)?;
    begun.relocate((&state, arguments.manifest.as_deref()), console)?;
    let mut manifest = begun.manifest_now()?.ok_or_else(|| gone(&begun))?;
    if arguments.build {
        build::build(&manifest, build::Which::Stale, console)?;
    }
    arguments.locked.pin(&mut manifest)?;
    let host = arguments.policy.host()?;
    let given = begun.params(&manifest, arguments.params.given()?);
    let prepared = begun.prepare(&host, &manifest, &given)?;
    let mut readers = arguments.ending.readers(prepared.job(), console)?;
    let reused = Arc::new(AtomicU64::new(0));
    let says = arguments.ending.watch.progress != Progress::None;
    if says {
        readers.push(Box::new(Counter(Arc::clone(&reused))));
    }

    let kept = Kept::new(state, store, &new_run_id(), !arguments.bounds.no_cache)?;
    let options: RunOptions = arguments.bounds.options();
    let how = How::Rerun(Lineage { run: earlier.clone(), steps: arguments.steps.clone() });
    let start = Start { host: &host, prepared: &prepared, options, how, lock: None };
    let ended = drive_kept(start, Some(&kept), &arguments.ending, readers)?;
    if says {
        let steps = words::count(reused.load(Ordering::Relaxed), "step");
        let changed = begun.changed_components(&prepared);
        let changed = match changed.len() {
            0 => String::new(),
            _ => format!(
                "; changed since: component {}",
                words::listed(changed.iter().map(String::as_str))
            ),
        };
        console.say(&format!("{steps} taken over from run {earlier}{changed}"));
    }
    arguments.ending.end(ended, &manifest, Some(&kept), console)
}

fn gone(begun: &Begun) -> Error {
    let path = begun.path();
    Error::usage(format!("the manifest `{}` of run `{}` is gone", path.display(), begun.run))
        .with_help("a rerun takes the manifest as it is now: put it back, or name it with `--manifest FILE`")
}

/// Counts the steps that the earlier run stands for.
struct Counter(Arc<AtomicU64>);

impl Reader for Counter {
    fn read(&mut self, recorded: &Recorded) -> Result<(), Error> {
        let reused = match &recorded.event {
            Event::StepSucceeded { reused, .. } => reused.as_ref(),
            _ => None,
        };
        if let Some(Reused { from: ReusedFrom::Parent, .. }) = reused {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
