//! The steps of a run.

use std::time::Duration;

use dynhost::store::history::{StepFilter, StepState, StepSummary};
use dynhost::store::sqlite::SqliteStore;
use serde::Serialize;

use super::super::say_more;
use super::FilterArgs;
use crate::error::Error;
use crate::report::table::{Column, table};
use crate::report::{Console, time, words};

/// Steps that are asked for at once.
const PAGE: usize = 1000;
/// Steps that people are shown, unless they say how many.
const SHOWN: usize = 100;

/// A step as it stands in JSON.
#[derive(Serialize)]
struct StepObject<'a> {
    step: &'a str,
    node: &'a str,
    keys: &'a [String],
    status: StepState,
    attempts: u32,
    cached: Option<&'a str>,
    started_at: Option<String>,
    finished_at: Option<String>,
    error: Option<&'a str>,
}

pub(super) fn show(
    store: &SqliteStore,
    run: &str,
    arguments: &FilterArgs,
    console: Console,
) -> Result<(), Error> {
    let mut filter = StepFilter {
        status: arguments.status.iter().map(|status| (*status).into()).collect(),
        node: arguments.node.clone(),
        key: arguments.key.clone(),
        step: None,
        after: arguments.after,
        limit: 0,
    };
    let default = if console.is_json() { usize::MAX } else { SHOWN };
    let mut left = arguments.limit.unwrap_or(default);
    let mut lines = console.lines();
    let mut rows = Vec::new();
    let mut next = None;
    while left > 0 {
        filter.limit = left.min(PAGE);
        let page = store.steps(run, &filter)?;
        left -= page.items.len();
        for step in &page.items {
            if console.is_json() {
                if !lines.json(&object(step))? {
                    return Ok(());
                }
            } else {
                rows.push(row(step));
            }
        }
        next = page.next;
        filter.after = page.next;
        if next.is_none() {
            break;
        }
    }
    lines.end()?;
    if !console.is_json() {
        if rows.is_empty() {
            console.say("no steps");
        } else {
            let columns = [
                Column::Left("STEP"),
                Column::Left("STATUS"),
                Column::Right("ATTEMPTS"),
                Column::Right("TOOK"),
                Column::Left("WHY"),
            ];
            console.print(&table(columns, &rows))?;
        }
    }
    if let Some(next) = next {
        say_more(console, &format!("`--after {next}` goes on"));
    }
    Ok(())
}

/// The name of a state, as it stands in the history.
pub(super) fn name(state: StepState) -> &'static str {
    match state {
        StepState::Running => "running",
        StepState::Waiting => "waiting",
        StepState::Succeeded => "succeeded",
        StepState::Cached => "cached",
        StepState::Failed => "failed",
        StepState::Skipped => "skipped",
        StepState::Cancelled => "cancelled",
        StepState::Dropped => "dropped",
        _ => "unknown",
    }
}

fn object(step: &StepSummary) -> StepObject<'_> {
    StepObject {
        step: &step.step,
        node: &step.node,
        keys: &step.keys,
        status: step.status,
        attempts: step.attempts,
        cached: step.cached.as_deref(),
        started_at: step.started_at_us.map(time::rfc3339),
        finished_at: step.finished_at_us.map(time::rfc3339),
        error: step.error.as_deref(),
    }
}

fn row(step: &StepSummary) -> [String; 5] {
    let took = step
        .started_at_us
        .zip(step.finished_at_us)
        .map(|(from, to)| words::duration(Duration::from_micros(to.saturating_sub(from))));
    let why = match (&step.error, &step.cached) {
        (Some(error), _) => words::short(&words::one_line(error), 200),
        (None, Some(origin)) => {
            let origin = origin.strip_suffix(&step.step).unwrap_or(origin).trim_end();
            format!("from run {}", words::one_line(origin))
        }
        (None, None) => String::new(),
    };
    [
        step.step.clone(),
        name(step.status).to_owned(),
        step.attempts.to_string(),
        took.unwrap_or_else(|| "-".to_owned()),
        why,
    ]
}
