//! `dynhost runs list`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use dynhost::StepCounts;
use dynhost::graph::event::Lineage;
use dynhost::store::history::{RunFilter, RunState, RunSummary};
use dynhost::store::sqlite::SqliteStore;
use serde::Serialize;

use super::say_more;
use crate::error::Error;
use crate::report::table::{Column, table};
use crate::report::{Console, summary, time, words};

/// List runs, the newest first
///
/// With `-o json`, one object per line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs list
  dynhost runs list --job word-count --status failed --limit 5
  dynhost runs list -o json | jq -r 'select(.status == \"interrupted\").run'")]
pub(super) struct ListArgs {
    /// Only runs of this job
    #[arg(long)]
    job: Option<String>,
    /// Only runs in this state
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// So many at most
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// Only runs older than this one: the next page
    #[arg(long, value_name = "RUN")]
    before: Option<String>,
}

/// The states of a run.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    /// A process is at it
    Running,
    /// It has not ended, and no process is at it
    Interrupted,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<Status> for RunState {
    fn from(status: Status) -> Self {
        match status {
            Status::Running => Self::Running,
            Status::Interrupted => Self::Interrupted,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// A run as it stands in JSON.
#[derive(Serialize)]
struct RunObject<'a> {
    run: &'a str,
    job: &'a str,
    status: RunState,
    started_at: String,
    finished_at: Option<String>,
    steps: StepCounts,
    params: &'a serde_json::Value,
    manifest: Option<&'a std::path::Path>,
    parent: Option<&'a Lineage>,
}

pub(super) fn execute(
    arguments: &ListArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let before = arguments.before.as_deref().map(|run| store.resolve(run)).transpose()?;
    let filter = RunFilter {
        job: arguments.job.clone(),
        status: arguments.status.map(Into::into),
        before,
        // One more, to know whether there are more.
        limit: arguments.limit.saturating_add(1),
    };
    let mut runs = store.runs(&filter)?;
    let more = runs.len() > arguments.limit;
    runs.truncate(arguments.limit);
    if console.is_json() {
        let mut lines = console.lines();
        for run in &runs {
            lines.json(&object(run))?;
        }
        lines.end()?;
    } else if runs.is_empty() {
        console.say("no runs");
    } else {
        console.print(&text(&runs))?;
    }
    if let Some(last) = runs.last().filter(|_| more) {
        say_more(console, &format!("`--before {}` lists older runs", last.run));
    }
    Ok(())
}

fn object(run: &RunSummary) -> RunObject<'_> {
    let is_under_way = matches!(run.status, RunState::Running | RunState::Interrupted);
    RunObject {
        run: &run.run,
        job: &run.job,
        status: run.status,
        started_at: time::rfc3339(run.started_at_us),
        finished_at: run.ended_at_us.filter(|_| !is_under_way).map(time::rfc3339),
        steps: run.steps,
        params: &run.params,
        manifest: run.manifest.as_deref(),
        parent: run.parent.as_ref(),
    }
}

fn text(runs: &[RunSummary]) -> String {
    let columns = [
        Column::Left("RUN"),
        Column::Left("JOB"),
        Column::Left("STATUS"),
        Column::Left("STARTED (UTC)"),
        Column::Right("TOOK"),
        Column::Left("STEPS"),
    ];
    let row = |run: &RunSummary| {
        [
            run.run.clone(),
            words::one_line(&run.job),
            summary::state(run.status).to_owned(),
            time::utc(run.started_at_us),
            took(run),
            summary::counts(&run.steps, false),
        ]
    };
    table(columns, &runs.iter().map(row).collect::<Vec<_>>())
}

/// The time from the start of a run to its last event, or to now while a process is at it.
pub(super) fn took(run: &RunSummary) -> String {
    let until = match run.status {
        RunState::Running => Some(time::now_us()),
        _ => run.ended_at_us,
    };
    match until {
        Some(until) => {
            words::duration(Duration::from_micros(until.saturating_sub(run.started_at_us)))
        }
        None => "-".to_owned(),
    }
}
