//! `dynhost run`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use dynhost::graph::event::RunStatus;
use dynhost::graph::name::StepKey;
use dynhost::{RunOptions, RunResult, StepCounts, StepFailure};
use serde::Serialize;

use super::drive::drive;
use super::params::ParamArgs;
use super::{build, host, read_manifest};
use crate::cli::Watch;
use crate::error::Error;
use crate::report::failures::Places;
use crate::report::outputs::{self, Outputs, OutputsObject, Save};
use crate::report::progress::{EventFile, Reader, Show};
use crate::report::{Console, cyan, words};

/// Run a job, and print its outputs
///
/// The manifest is checked first; nothing runs if anything is wrong with it. Outputs go to stdout,
/// one `name: value` each. A step that fails is named on stderr, with what to do about it.
/// Ctrl-C cancels the run; a second one ends it at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost run job.toml
  dynhost run job.toml --param dir=/usr/share --param depth=3
  dynhost run job.toml --params params.json --fail-fast
  dynhost run thumbnails.toml --param dir=photos --save sheet=sheet.png
  dynhost run job.toml -o json | jq .outputs.total")]
pub(crate) struct RunArgs {
    /// The manifest
    manifest: PathBuf,
    #[command(flatten)]
    params: ParamArgs,
    /// Build components whose sources are newer than they are, first
    #[arg(long)]
    build: bool,
    /// Steps at once; default: what the manifest says, or the number of cores
    #[arg(long, value_name = "N")]
    max_concurrency: Option<NonZeroU32>,
    /// Cancel the run at the first step that fails
    #[arg(long)]
    fail_fast: bool,
    /// Write an output to a file as it is, a picture for instance; `-` is stdout. A list of
    /// values that are not JSON becomes a folder with a file for each
    #[arg(long, value_name = "NAME=FILE")]
    save: Vec<Save>,
    /// Write everything that happens to a file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[command(flatten)]
    watch: Watch,
}

pub(super) fn execute(arguments: &RunArgs, console: Console) -> Result<u8, Error> {
    let manifest = read_manifest(&arguments.manifest)?;
    let given = arguments.params.given()?;
    if arguments.build {
        build::build(&manifest, build::Which::Stale, console)?;
    }
    let host = host()?;
    let prepared =
        host.prepare(&manifest, &given).map_err(|error| Error::prepare(error, Some(&manifest)))?;
    let job = prepared.job();
    let names: Vec<&str> = job.outputs.iter().map(|output| output.name.as_str()).collect();
    outputs::check_saves(&arguments.save, &names, console.is_json())?;

    let mut readers: Vec<Box<dyn Reader>> = Vec::new();
    if let Some(file) = &arguments.events {
        readers.push(Box::new(event_file(file)?));
    }
    let options = RunOptions {
        max_concurrency: arguments.max_concurrency.map(NonZeroU32::get),
        fail_fast: arguments.fail_fast,
        ..RunOptions::default()
    };
    let ended = drive(&host, &prepared, options, (&arguments.watch, Show::All), readers)?;
    ended.say(Places { job, manifest: Some(&manifest) }, &arguments.watch, console);
    let code = ended.exit_code();
    let (present, absent) = Outputs::present(ended.result.outputs.clone());
    if !absent.is_empty() {
        let names = words::listed(absent.iter().map(String::as_str));
        console.say(&format!("no value for {names}: what it comes from did not give one"));
    }
    if console.is_json() {
        present.save(&arguments.save, console)?;
        console.print_json(&Report::new(&ended.result, &present, false))?;
    } else if !present.save(&arguments.save, console)? {
        console.print(&present.to_text())?;
        say_how_to_save(&present, &arguments.save, console);
    }
    ended.written.map(|()| code)
}

fn event_file(file: &std::path::Path) -> Result<EventFile, Error> {
    if file.as_os_str() == "-" {
        return Err(Error::usage("`--events -`: stdout is for the outputs")
            .with_help("name a file, or a pipe such as `--events >(jq -c .event)`"));
    }
    EventFile::create(file)
}

/// A value that cannot be shown is not lost on the user.
fn say_how_to_save(outputs: &Outputs, saves: &[Save], console: Console) {
    if !saves.is_empty() {
        return;
    }
    for (name, extension) in outputs.opaque() {
        let (file, what) = match extension {
            Some(extension) => (format!("{name}{extension}"), "it to a file"),
            None => (name.to_owned(), "each of them to a file in a folder"),
        };
        console.say(&format!("{} `--save {name}={file}` writes {what}", cyan("help:")));
    }
}

/// The object that `-o json` gives for a run.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    run: &'a str,
    status: RunStatus,
    outputs: OutputsObject<'a>,
    steps: StepCounts,
    failures: Vec<FailureObject<'a>>,
}

#[derive(Serialize)]
struct FailureObject<'a> {
    step: &'a StepKey,
    attempts: u32,
    kind: &'static str,
    message: String,
}

impl<'a> Report<'a> {
    /// With `keys`, an element of a list stands with its mapping key.
    pub(super) fn new(result: &'a RunResult, outputs: &'a Outputs, keys: bool) -> Self {
        let failure = |failed: &'a StepFailure| FailureObject {
            step: &failed.step,
            attempts: failed.attempts,
            kind: failed.failure.kind(),
            message: failed.failure.to_string(),
        };
        Self {
            run: &result.run,
            status: result.status,
            outputs: outputs.to_object(keys),
            steps: result.steps,
            failures: result.failures.iter().map(failure).collect(),
        }
    }
}
