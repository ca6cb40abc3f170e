//! Questions about runs: which there are, and how they stand.

use std::path::Path;

use dynhost_graph::event::Lineage;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Result;
use super::locks;
use super::rows::{ALL_STATES, STATES, json_column, number_of, status_of};
use crate::run::StepCounts;
use crate::store::history::{NodeSummary, RunFilter, RunState, RunSummary};
use crate::store::{StoreError, StoreErrorKind};

/// What a summary of a run reads.
const SUMMARY: &str = "r.run, r.job, r.status, r.started_at_us, r.ended_at_us, r.last_at_us, r.succeeded, \
     r.failed, r.skipped, r.cached, r.cancelled, i.parent, i.parent_steps, i.manifest_path, i.params \
     FROM runs AS r LEFT JOIN run_inputs AS i ON i.run = r.number";

/// The number of a run in the tables.
pub(super) fn known(connection: &Connection, run: &str) -> Result<i64> {
    number_of(connection, run)?.ok_or_else(|| unknown(format!("there is no run `{run}`")))
}

fn unknown(what: String) -> super::fault::Fault {
    StoreError::new(StoreErrorKind::Unknown, what).into()
}

/// The id of the run that a text means.
pub(super) fn resolve(connection: &Connection, text: &str) -> Result<String> {
    let newest = "SELECT run FROM runs ORDER BY number DESC LIMIT 1";
    let newest: Option<String> =
        connection.prepare_cached(newest)?.query_row([], |row| row.get(0)).optional()?;
    let Some(newest) = newest else {
        return Err(unknown(format!("there is no run `{text}`: there are no runs yet")));
    };
    if text == "last" {
        return Ok(newest);
    }
    if number_of(connection, text)?.is_some() {
        return Ok(text.to_owned());
    }
    // Ids are written in capitals, and typed as one likes.
    let begins = "SELECT run FROM runs WHERE substr(run, 1, length(?1)) = ?1 COLLATE NOCASE \
         ORDER BY number DESC LIMIT 4";
    let mut begins = connection.prepare_cached(begins)?;
    let found = begins.query_map([text], |row| row.get(0))?;
    let found = found.collect::<Result<Vec<String>, _>>()?;
    match found.as_slice() {
        [one] if !text.is_empty() => Ok(one.clone()),
        [] => Err(unknown(format!("there is no run `{text}`; the newest is `{newest}`"))),
        several => {
            let shown: Vec<_> = several.iter().take(3).map(|run| format!("`{run}`")).collect();
            let more = if several.len() > 3 { ", …" } else { "" };
            let shown = shown.join(", ");
            Err(unknown(format!("`{text}` is the beginning of several runs: {shown}{more}")))
        }
    }
}

/// One run.
pub(super) fn run(connection: &Connection, locks: &Path, run: &str) -> Result<RunSummary> {
    let select = format!("SELECT {SUMMARY} WHERE r.run = ?1");
    let found = connection.prepare_cached(&select)?.query_row([run], |row| Ok(summary(row, locks)));
    match found.optional()? {
        Some(found) => found,
        None => Err(unknown(format!("there is no run `{run}`"))),
    }
}

/// Runs, newest first.
pub(super) fn runs(
    connection: &Connection,
    locks: &Path,
    filter: &RunFilter,
) -> Result<Vec<RunSummary>> {
    let before = match &filter.before {
        Some(before) => known(connection, before)?,
        None => i64::MAX,
    };
    // Whether a process is at a run is not in the tables, so that some may be left out afterwards.
    let status = match filter.status {
        None => None,
        Some(RunState::Running | RunState::Interrupted) => Some("unfinished"),
        Some(RunState::Succeeded) => Some("succeeded"),
        Some(RunState::Failed) => Some("failed"),
        Some(RunState::Cancelled) => Some("cancelled"),
    };
    let select = format!(
        "SELECT {SUMMARY} WHERE r.number < ?1 AND (?2 IS NULL OR r.job = ?2) \
         AND (?3 IS NULL OR coalesce(r.status, 'unfinished') = ?3) ORDER BY r.number DESC"
    );
    let mut select = connection.prepare_cached(&select)?;
    let mut rows = select.query(params![before, filter.job, status])?;
    let mut runs = Vec::new();
    while runs.len() < filter.limit
        && let Some(row) = rows.next()?
    {
        let run = summary(row, locks)?;
        if filter.status.is_none_or(|status| status == run.status) {
            runs.push(run);
        }
    }
    Ok(runs)
}

fn summary(row: &Row<'_>, locks: &Path) -> Result<RunSummary> {
    let run: String = row.get(0)?;
    let status = status_of(row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?);
    let (status, ended_at_us) = match status {
        Some(status) => (status.into(), row.get(4)?),
        None if locks::is_locked(locks, &run) => (RunState::Running, None),
        None => (RunState::Interrupted, row.get(5)?),
    };
    let steps = StepCounts {
        succeeded: row.get(6)?,
        failed: row.get(7)?,
        skipped: row.get(8)?,
        cached: row.get(9)?,
        cancelled: row.get(10)?,
    };
    let parent = match row.get::<_, Option<String>>(11)? {
        Some(run) => {
            let steps: Option<String> = row.get(12)?;
            Some(Lineage { run, steps: json_column(steps.as_deref().unwrap_or("[]"))? })
        }
        None => None,
    };
    let params: Option<String> = row.get(14)?;
    Ok(RunSummary {
        run,
        job: row.get(1)?,
        status,
        started_at_us: row.get(3)?,
        ended_at_us,
        steps,
        parent,
        manifest: row.get::<_, Option<String>>(13)?.map(Into::into),
        params: json_column(params.as_deref().unwrap_or("{}"))?,
    })
}

/// The nodes of a run, in the order in which their first step ended.
pub(super) fn nodes(connection: &Connection, run: &str) -> Result<Vec<NodeSummary>> {
    let mut select = connection.prepare_cached(
        "SELECT name, first_started_at_us, last_finished_at_us, took_us, running, waiting, succeeded, cached, \
         failed, skipped, cancelled, dropped FROM nodes WHERE run = ?1 \
         ORDER BY first_ended IS NULL, first_ended, node",
    )?;
    let nodes = select.query_map([known(connection, run)?], |row| {
        let mut steps = Vec::new();
        for (at, state) in (0..STATES).zip(ALL_STATES) {
            let count: u64 = row.get(4 + at)?;
            if count > 0 {
                steps.push((state, count));
            }
        }
        Ok(NodeSummary {
            node: row.get(0)?,
            steps,
            first_started_at_us: row.get(1)?,
            last_finished_at_us: row.get(2)?,
            took_us: row.get(3)?,
        })
    })?;
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    // A node may have a row for its log alone, or for steps that are to be run again.
    Ok(nodes.into_iter().filter(|node| !node.steps.is_empty()).collect())
}
