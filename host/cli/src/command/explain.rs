//! `dynhost explain`.

mod causes;
mod nodes;
mod origin;
mod step;

use clap::Args;
use dynhost::graph::event::{Failure, RunSettings, SkipReason};
use dynhost::graph::manifest::Manifest;

use serde::Serialize;

use super::state::StateArgs;
use crate::error::Error;
use crate::report::{Console, past};

/// Say why the steps of a run ran, were taken from earlier runs, were skipped or failed
///
/// Without a step, a line for each node. Everything comes from the history; no component is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost explain last
  dynhost explain last 'size[readme_md]'
  dynhost explain 01JD3Q8F total -o json | jq .differences")]
pub(crate) struct ExplainArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step, such as `size` or `size[readme_md]`
    step: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn execute(arguments: &ExplainArgs, console: Console) -> Result<u8, Error> {
    let store = arguments.state.find()?.read()?;
    let run = store.resolve(&arguments.run)?;
    match &arguments.step {
        Some(step) => step::explain(&store, &run, step, console)?,
        None => nodes::explain(&store, &run, console)?,
    }
    Ok(0)
}

/// Why no step of a node is looked up in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum NoCache {
    /// The run was made without it.
    Run,
    /// The node says so.
    Node,
    /// The op is granted something, and the node does not ask for it.
    Grants,
}

impl NoCache {
    /// `None`: the steps of the node are looked up.
    fn of(settings: &RunSettings, manifest: Option<&Manifest>, node: &str) -> Option<Self> {
        if !settings.cache {
            return Some(Self::Run);
        }
        let (node, _) = past::find_node(manifest?, node)?;
        match node.settings.policy.cache {
            Some(false) => Some(Self::Node),
            None if !node.settings.grants.are_pure() => Some(Self::Grants),
            _ => None,
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Run => "`--no-cache`",
            Self::Node => "`cache = false`",
            Self::Grants => {
                "its grants are not the same each time, and the node does not say `cache = true`"
            }
        }
    }

    fn long(self) -> &'static str {
        match self {
            Self::Run => "the run was made with `--no-cache`",
            Self::Node => "the node says `cache = false`",
            Self::Grants => {
                "the op is granted folders, hosts, secrets, real time or randomness, so that equal inputs need not give equal outputs; `cache = true` on the node says that they do"
            }
        }
    }
}

/// Why a step was skipped, in words.
fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::NotEmitted { input } => {
            format!("there was nothing to give to its input `{input}`")
        }
        SkipReason::Upstream { node } => {
            format!("`{node}`, which it depends on, failed or was not run")
        }
        _ => "there was nothing to run it on".to_owned(),
    }
}

/// The kind of a failure, in words.
fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Reported { .. } => "the op said so",
        Failure::Trap { .. } => "the op trapped",
        Failure::LimitExceeded { .. } => "a limit was exceeded",
        Failure::TimedOut { .. } => "it took too long",
        Failure::BadOutput { .. } => "the op broke its interface",
        _ => "it could not be run",
    }
}
