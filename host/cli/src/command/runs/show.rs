//! `dynhost runs show`.

mod replay;
mod steps;

use std::time::Duration;

use clap::{Args, ValueEnum};
use dynhost::graph::event::Lineage;
use dynhost::store::history::{
    NodeSummary, RunState, RunSummary, StepFilter, StepState, StepSummary,
};
use dynhost::store::sqlite::SqliteStore;
use serde::Serialize;
use serde_json::Map;

use super::list::took;
use crate::cli::LogLevel;
use crate::command::begun::Begun;
use crate::command::ending::Report;
use crate::error::Error;
use crate::report::outputs::Outputs;
use crate::report::past::{self, Past};
use crate::report::table::{Column, pairs, table};
use crate::report::{Console, summary, time, words};

/// Failed steps that are named.
const MOST_FAILURES: usize = 10;

/// Show a run: how it went, node by node or step by step
///
/// With `-o json`, the object that `dynhost run -o json` gives, with the nodes; with `--steps`, one
/// object per line for each step.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs show last
  dynhost runs show last --steps --status failed
  dynhost runs show last --steps --node size --key readme_md
  dynhost runs show last --replay
  dynhost runs show last -o json | jq '.nodes[] | {node, steps}'")]
pub(super) struct ShowArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// List the steps
    #[arg(long, conflicts_with = "replay")]
    steps: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// Tell the run again as it was told with `--progress plain`
    #[arg(long)]
    replay: bool,
    /// With `--replay`: show what ops logged from this level on
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    log: LogLevel,
}

/// Which steps.
#[derive(Debug, Args)]
struct FilterArgs {
    /// Only steps in this state; may be given several times
    #[arg(long, value_enum, requires = "steps")]
    status: Vec<Status>,
    /// Only steps of this node
    #[arg(long, requires = "steps")]
    node: Option<String>,
    /// Only steps with this mapping key
    #[arg(long, requires = "steps")]
    key: Option<String>,
    /// So many at most; default: 100, and all with `-o json`
    #[arg(long, value_name = "N", requires = "steps")]
    limit: Option<usize>,
    /// Begin behind this place, where the page before ended
    #[arg(long, value_name = "N", requires = "steps")]
    after: Option<u64>,
}

/// The states of a step.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Running,
    /// Between two attempts
    Waiting,
    Succeeded,
    /// Taken from an earlier run
    Cached,
    Failed,
    Skipped,
    Cancelled,
    /// No longer counts
    Dropped,
}

impl From<Status> for StepState {
    fn from(status: Status) -> Self {
        match status {
            Status::Running => Self::Running,
            Status::Waiting => Self::Waiting,
            Status::Succeeded => Self::Succeeded,
            Status::Cached => Self::Cached,
            Status::Failed => Self::Failed,
            Status::Skipped => Self::Skipped,
            Status::Cancelled => Self::Cancelled,
            Status::Dropped => Self::Dropped,
        }
    }
}

pub(super) fn execute(
    arguments: &ShowArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let run = super::resolve(store, &arguments.run)?;
    if arguments.steps {
        return steps::show(store, &run, &arguments.filter, console);
    }
    if arguments.replay && console.is_json() {
        return Err(Error::usage("`--replay` tells a run in words")
            .with_help(format!("`dynhost runs events {run}` prints what happened as JSON")));
    }
    if arguments.replay {
        return replay::replay(store, &run, arguments.log, console);
    }
    let summary = store.run(&run)?;
    let mut nodes = store.nodes(&run)?;
    if let Ok(manifest) = Begun::read(store, &run).and_then(|begun| begun.manifest_then()) {
        past::in_order(&manifest, &mut nodes, |node| &node.node);
    }
    if !console.is_json() {
        let failed = failed(store, &run)?;
        return console.print(&text(&summary, &nodes, &failed));
    }
    let past = Past::read(store, &run)?;
    let (outputs, _) = Outputs::present(past::outputs(&past.outputs));
    let ended = (summary.steps, &*past.failures);
    console.print_json(&Shown {
        report: Report::new(&summary.run, summary.status, ended, &outputs),
        job: &summary.job,
        started_at: time::rfc3339(summary.started_at_us),
        finished_at: summary.ended_at_us.filter(|_| has_ended(&summary)).map(time::rfc3339),
        params: &summary.params,
        manifest: summary.manifest.as_deref(),
        parent: summary.parent.as_ref(),
        nodes: nodes.iter().map(node_object).collect(),
    })
}

/// The object that `-o json` gives.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    report: Report<'a, RunState>,
    job: &'a str,
    started_at: String,
    finished_at: Option<String>,
    params: &'a serde_json::Value,
    manifest: Option<&'a std::path::Path>,
    parent: Option<&'a Lineage>,
    nodes: Vec<NodeObject<'a>>,
}

#[derive(Serialize)]
struct NodeObject<'a> {
    node: &'a str,
    /// How many steps are in each state.
    steps: Map<String, serde_json::Value>,
    started_at: Option<String>,
    finished_at: Option<String>,
    took_us: u64,
}

fn node_object(node: &NodeSummary) -> NodeObject<'_> {
    let steps = node.steps.iter().map(|(state, n)| (steps::name(*state).to_owned(), (*n).into()));
    NodeObject {
        node: &node.node,
        steps: steps.collect(),
        started_at: node.first_started_at_us.map(time::rfc3339),
        finished_at: node.last_finished_at_us.map(time::rfc3339),
        took_us: node.took_us,
    }
}

fn has_ended(run: &RunSummary) -> bool {
    !matches!(run.status, RunState::Running | RunState::Interrupted)
}

fn text(run: &RunSummary, nodes: &[NodeSummary], failed: &[StepSummary]) -> String {
    let mut facts = vec![
        ("run", run.run.clone()),
        ("job", words::one_line(&run.job)),
        ("status", summary::state(run.status).to_owned()),
    ];
    if let Some(manifest) = &run.manifest {
        let path = crate::command::state::from_here(manifest);
        facts.push(("manifest", words::one_line(&path.display().to_string())));
    }
    if let Some(params) = run.params.as_object().filter(|params| !params.is_empty()) {
        let params = params.iter().map(|(name, value)| format!("{name}={value}"));
        let params: Vec<String> = params.collect();
        facts.push(("params", words::short(&words::one_line(&params.join(" ")), 400)));
    }
    if let Some(parent) = &run.parent {
        facts.push(("rerun of", lineage(parent)));
    }
    facts.push(("started", format!("{} UTC", time::utc(run.started_at_us))));
    let took = took(run);
    match run.status {
        RunState::Interrupted => facts.push(("stopped", format!("after {took}"))),
        RunState::Running => facts.push(("running", format!("for {took}"))),
        _ => facts.push(("took", took)),
    }
    facts.push(("steps", summary::counts(&run.steps, false)));
    let mut text = pairs(&facts);
    if !nodes.is_empty() {
        text.push('\n');
        text.push_str(&node_table(nodes));
    }
    if !failed.is_empty() {
        text.push('\n');
        text.push_str(&failures(failed, run.steps.failed));
    }
    text
}

/// The first steps that failed for good.
fn failed(store: &SqliteStore, run: &str) -> Result<Vec<StepSummary>, Error> {
    let status = vec![StepState::Failed];
    let filter = StepFilter { status, limit: MOST_FAILURES, ..StepFilter::default() };
    Ok(store.steps(run, &filter)?.items)
}

/// The run that another went on from, in words.
pub(super) fn lineage(parent: &Lineage) -> String {
    if parent.steps.is_empty() {
        format!("{}, from its failures", parent.run)
    } else {
        format!("{}, steps {}", parent.run, parent.steps.join(" "))
    }
}

fn node_table(nodes: &[NodeSummary]) -> String {
    let columns = [
        Column::Left("NODE"),
        Column::Right("TOOK"),
        Column::Right("IN ALL STEPS"),
        Column::Left("STEPS"),
    ];
    let row = |node: &NodeSummary| {
        let steps = node.steps.iter().map(|(state, n)| {
            let state = match state {
                StepState::Cached => "from earlier runs",
                other => steps::name(*other),
            };
            format!("{} {state}", words::number(*n))
        });
        let took = node
            .first_started_at_us
            .zip(node.last_finished_at_us)
            .map(|(first, last)| duration(last.saturating_sub(first)));
        [
            words::one_line(&node.node),
            took.unwrap_or_else(|| "-".to_owned()),
            duration(node.took_us),
            steps.collect::<Vec<_>>().join(", "),
        ]
    };
    table(columns, &nodes.iter().map(row).collect::<Vec<_>>())
}

fn duration(us: u64) -> String {
    words::duration(Duration::from_micros(us))
}

fn failures(failed: &[StepSummary], all: u64) -> String {
    let mut lines = vec!["failed steps:".to_owned()];
    for step in failed {
        let attempts = match step.attempts {
            0 | 1 => String::new(),
            n => format!(" ({n} attempts)"),
        };
        let why = step.error.as_deref().unwrap_or("no reason was given");
        let why = words::short(&words::one_line(why), 400);
        lines.push(format!("  {}{attempts}: {why}", step.step));
    }
    if let Some(more @ 1..) = all.checked_sub(failed.len() as u64) {
        let more = words::number(more);
        lines.push(format!("  and {more} more: `--steps --status failed` lists them"));
    }
    lines.join("\n") + "\n"
}
