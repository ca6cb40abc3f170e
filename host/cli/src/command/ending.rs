//! How a run is watched and what is done at its end: the same for `run`, `resume` and `rerun`.

use std::path::{Path, PathBuf};

use clap::Args;
use dynhost::graph::event::RunStatus;
use dynhost::graph::job::Job;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::name::StepKey;
use dynhost::{StepCounts, StepFailure};
use serde::Serialize;

use super::drive::Ended;
use super::keep::{CacheArgs, Kept};
use crate::cli::Watch;
use crate::error::Error;
use crate::report::failures::Places;
use crate::report::outputs::{self, Outputs, OutputsObject, Save};
use crate::report::progress::{EventFile, Reader};
use crate::report::{Console, cyan, words};

/// What becomes of outputs and events.
#[derive(Debug, Args)]
pub(crate) struct EndingArgs {
    /// Write an output to a file as it is, a picture for instance; `-` is stdout. A list of
    /// values that are not JSON becomes a folder with a file for each
    #[arg(long, value_name = "NAME=FILE")]
    save: Vec<Save>,
    /// Write everything that happens to a file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[command(flatten)]
    pub(super) watch: Watch,
    #[command(flatten)]
    cache: CacheArgs,
}

impl EndingArgs {
    /// Refuses what could not be done in the end, and opens the file for the events.
    pub(super) fn readers(
        &self,
        job: &Job,
        console: Console,
    ) -> Result<Vec<Box<dyn Reader>>, Error> {
        let names: Vec<&str> = job.outputs.iter().map(|output| output.name.as_str()).collect();
        outputs::check_saves(&self.save, &names, console.is_json())?;
        match &self.events {
            Some(file) => Ok(vec![Box::new(event_file(file)?)]),
            None => Ok(Vec::new()),
        }
    }

    /// Says how the run ended, prints and saves its outputs; gives the exit code.
    pub(super) fn end(
        &self,
        ended: Ended,
        manifest: &Manifest,
        kept: Option<&Kept>,
        console: Console,
    ) -> Result<u8, Error> {
        ended.say(Places { manifest: Some(manifest) }, &self.watch, console);
        let present = say_absent(ended.result.outputs.clone(), console);
        if let Some(kept) = kept {
            kept.say_how_to_go_on(ended.result.status, console);
        }
        let code = ended.exit_code();
        if console.is_json() {
            present.save(&self.save, console)?;
            let steps = (ended.result.steps, &*ended.result.failures);
            let report = Report::new(&ended.result.run, ended.result.status, steps, &present);
            console.print_json(&report)?;
        } else {
            print(&present, &self.save, console)?;
        }
        if let Some(kept) = kept {
            kept.trim(&self.cache, console);
        }
        ended.written.map(|()| code)
    }
}

/// The outputs that are there; says which are not.
pub(super) fn say_absent(
    outputs: Vec<(String, dynhost::graph::scheduler::JobOutputValue)>,
    console: Console,
) -> Outputs {
    let (present, absent) = Outputs::present(outputs);
    if !absent.is_empty() {
        let names = words::listed(absent.iter().map(String::as_str));
        console.say(&format!("no value for {names}: what it comes from did not give one"));
    }
    present
}

/// Prints outputs for people, and saves those that are to be.
pub(super) fn print(present: &Outputs, saves: &[Save], console: Console) -> Result<(), Error> {
    if !present.save(saves, console)? {
        console.print(&present.to_text())?;
        say_how_to_save(present, saves, console);
    }
    Ok(())
}

fn event_file(file: &Path) -> Result<EventFile, Error> {
    if file.as_os_str() == "-" {
        return Err(Error::usage("`--events -`: stdout is for the outputs")
            .with_help("name a file, or a pipe such as `--events >(jq -c .event)`"));
    }
    EventFile::create(file)
}

/// A value that cannot be shown is not lost on the user.
pub(super) fn say_how_to_save(outputs: &Outputs, saves: &[Save], console: Console) {
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

/// The object that `-o json` gives for a run; `status` is written as it stands in the history.
#[derive(Serialize)]
pub(super) struct Report<'a, S = RunStatus> {
    run: &'a str,
    status: S,
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

impl<'a, S> Report<'a, S> {
    pub(super) fn new(
        run: &'a str,
        status: S,
        (steps, failures): (StepCounts, &'a [StepFailure]),
        outputs: &'a Outputs,
    ) -> Self {
        let failure = |failed: &'a StepFailure| FailureObject {
            step: &failed.step,
            attempts: failed.attempts,
            kind: failed.failure.kind(),
            message: failed.failure.to_string(),
        };
        let failures = failures.iter().map(failure).collect();
        Self { run, status, outputs: outputs.to_object(false), steps, failures }
    }

    /// An element of a list stands with its mapping key.
    pub(super) fn with_keys(mut self, outputs: &'a Outputs) -> Self {
        self.outputs = outputs.to_object(true);
        self
    }
}
