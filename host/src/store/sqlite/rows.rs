//! What is asked of a run, as rows that are kept up to date with its events.
//!
//! A step gets its row when it ends. One that is still under way at the end of a transaction gets it then,
//! to be changed later. Everything here happens inside a transaction of the writer.

mod drops;
mod load;
mod run;

use std::sync::Arc;

use dynhost_graph::event::{Event, Level, RunStatus};
use dynhost_graph::name::StepKey;
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension as _, params};

use self::drops::Prefixes;
use super::encode::push_keys_json;
use super::fault::{Fault, Result};
use super::statements::{Statements, StepRow};
use crate::run::StepCounts;
use crate::store::history::StepState;

/// A run in the memory of the writer.
#[derive(Debug)]
pub(super) struct RunRows {
    /// Its number in the tables.
    pub(super) number: i64,
    /// Events so far.
    pub(super) events: i64,
    /// How it ended.
    pub(super) status: Option<RunStatus>,
    ended_at_us: Option<i64>,
    last_at_us: i64,
    steps: StepCounts,
    /// The first and the last row of its steps, and of its log.
    step_rows: Option<(i64, i64)>,
    log_rows: Option<(i64, i64)>,
    pub(super) nodes: Vec<NodeRow>,
    numbers: HashMap<Arc<str>, usize>,
    /// Steps that have begun and not ended.
    pub(super) open: HashMap<StepKey, Open>,
    /// Those of them whose rows may be behind.
    touched: Vec<StepKey>,
    /// Clones that were dropped in this transaction, by the number of their node.
    drops: HashMap<usize, Prefixes>,
    /// JSON of mapping keys.
    keys: Vec<u8>,
}

/// A node and how its steps stand.
#[derive(Debug)]
pub(super) struct NodeRow {
    pub(super) name: Arc<str>,
    /// By [`StepState`].
    pub(super) counts: [i64; STATES],
    pub(super) first_started_at_us: Option<i64>,
    /// The place among the events of the first end of one of its steps.
    pub(super) first_ended: Option<i64>,
    pub(super) last_finished_at_us: Option<i64>,
    pub(super) took_us: i64,
    changed: bool,
}

/// A step that has not ended.
#[derive(Debug)]
pub(super) struct Open {
    row: Option<i64>,
    state: StepState,
    attempts: u32,
    started_at_us: Option<i64>,
    took_us: i64,
    error: Option<String>,
    /// The place of the event that opened it.
    since: i64,
}

pub(super) const STATES: usize = 8;

/// All states, by the number that stands for them in the tables.
pub(super) const ALL_STATES: [StepState; STATES] = [
    StepState::Running,
    StepState::Waiting,
    StepState::Succeeded,
    StepState::Cached,
    StepState::Failed,
    StepState::Skipped,
    StepState::Cancelled,
    StepState::Dropped,
];

/// The number of a level in the tables.
pub(super) fn level_number(level: Level) -> i64 {
    match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    }
}

/// How a step ended.
struct End<'a> {
    state: StepState,
    attempt: u32,
    took_us: i64,
    error: Option<String>,
    cached_from: Option<&'a str>,
}

impl RunRows {
    /// Takes the next event.
    pub(super) fn take(
        &mut self,
        sql: &mut Statements<'_>,
        at_us: u64,
        event: &Event,
    ) -> Result<()> {
        let at_us = whole(at_us);
        self.last_at_us = self.last_at_us.max(at_us);
        match event {
            Event::StepStarted { step, attempt } => self.started(sql, step, *attempt, at_us)?,
            Event::StepSucceeded { step, attempt, took_us, reused, .. } => {
                let from = reused.as_ref().map(|reused| format!("{} {}", reused.run, reused.step));
                let (state, took_us) = if reused.is_some() {
                    self.steps.cached += 1;
                    (StepState::Cached, 0)
                } else {
                    self.steps.succeeded += 1;
                    (StepState::Succeeded, whole(*took_us))
                };
                let cached_from = from.as_deref();
                let end = End { state, attempt: *attempt, took_us, error: None, cached_from };
                self.ended(sql, step, at_us, &end)?;
            }
            Event::StepFailed { step, attempt, failure, retry_in_ms: Some(_), took_us } => {
                self.waits(step, *attempt, whole(*took_us), failure.to_string());
            }
            Event::StepFailed { step, attempt, failure, retry_in_ms: None, took_us } => {
                self.steps.failed += 1;
                let (state, error) = (StepState::Failed, Some(failure.to_string()));
                let took_us = whole(*took_us);
                let end = End { state, attempt: *attempt, took_us, error, cached_from: None };
                self.ended(sql, step, at_us, &end)?;
            }
            Event::StepSkipped { step, reason } => {
                self.steps.skipped += 1;
                let (state, error) = (StepState::Skipped, Some(super::words::skipped(reason)));
                let end = End { state, attempt: 0, took_us: 0, error, cached_from: None };
                self.ended(sql, step, at_us, &end)?;
            }
            Event::StepCancelled { step, attempt } => {
                self.steps.cancelled += 1;
                let state = StepState::Cancelled;
                let end =
                    End { state, attempt: *attempt, took_us: 0, error: None, cached_from: None };
                self.ended(sql, step, at_us, &end)?;
            }
            Event::ClonesDropped { nodes, keys } => self.dropped(nodes, keys),
            Event::LogWritten { step, attempt, level, message, fields } => {
                self.keys.clear();
                push_keys_json(&mut self.keys, &step.keys).map_err(unwritten)?;
                let node = self.node(&step.node);
                let fields = serde_json::to_string(fields).map_err(unwritten)?;
                let level = level_number(*level);
                let (node, keys) = (number(node), text(&self.keys));
                let row = sql.log(params![
                    self.number,
                    node,
                    keys,
                    attempt,
                    level,
                    at_us,
                    message,
                    fields
                ])?;
                self.log_rows = Some(spread(self.log_rows, row));
            }
            Event::RunStarted { .. } => self.began(sql, at_us, event)?,
            Event::RunResumed { .. } => self.resumed(sql, event)?,
            Event::RunFinished { status, .. } => {
                self.status = Some(*status);
                self.ended_at_us = Some(at_us);
            }
            _ => {}
        }
        self.events += 1;
        Ok(())
    }

    fn started(
        &mut self,
        sql: &mut Statements<'_>,
        step: &StepKey,
        attempt: u32,
        at_us: i64,
    ) -> Result<()> {
        let node = self.node(&step.node);
        if self.drop_before(node, step) {
            self.settle_step(sql, step)?;
        }
        let since = self.events;
        let row = &mut self.nodes[node];
        row.first_started_at_us.get_or_insert(at_us);
        row.counts[StepState::Running as usize] += 1;
        row.changed = true;
        let open = self.open.entry(step.clone()).or_insert_with(|| Open::new(since));
        match open.state {
            StepState::Waiting if open.attempts > 0 => {
                row.counts[StepState::Waiting as usize] -= 1;
            }
            // The one before it no longer counts, and keeps its row.
            StepState::Dropped => *open = Open::new(since),
            // It was begun before, by a process that did not end it.
            StepState::Running => row.counts[StepState::Running as usize] -= 1,
            _ => {}
        }
        open.state = StepState::Running;
        open.attempts = attempt;
        open.started_at_us.get_or_insert(at_us);
        self.touched.push(step.clone());
        Ok(())
    }

    /// A failed attempt will be followed by another.
    fn waits(&mut self, step: &StepKey, attempt: u32, took_us: i64, error: String) {
        let node = self.node(&step.node);
        let since = self.events;
        let open = self.open.entry(step.clone()).or_insert_with(|| Open::new(since));
        let row = &mut self.nodes[node];
        if open.state != StepState::Waiting {
            row.counts[open.state as usize] -= 1;
            row.counts[StepState::Waiting as usize] += 1;
        } else if open.attempts == 0 {
            row.counts[StepState::Waiting as usize] += 1;
        }
        row.took_us = row.took_us.saturating_add(took_us);
        row.changed = true;
        open.state = StepState::Waiting;
        open.attempts = attempt;
        open.took_us = open.took_us.saturating_add(took_us);
        open.error = Some(error);
        self.touched.push(step.clone());
    }

    fn ended(
        &mut self,
        sql: &mut Statements<'_>,
        step: &StepKey,
        at_us: i64,
        end: &End<'_>,
    ) -> Result<()> {
        let open = self.open.remove(step);
        let node = self.node(&step.node);
        // What is short is recorded together with its end, at one time.
        let begun = at_us.saturating_sub(end.took_us);
        let started = open.as_ref().and_then(|open| open.started_at_us);
        let started_at_us = started.map(|started| started.min(begun));
        let row = &mut self.nodes[node];
        if let Some(open) = &open {
            row.counts[open.state as usize] -= 1;
        }
        row.first_started_at_us = match (row.first_started_at_us, started_at_us) {
            (Some(first), Some(started)) => Some(first.min(started)),
            (first, started) => first.or(started),
        };
        row.counts[end.state as usize] += 1;
        row.first_ended.get_or_insert(self.events);
        row.last_finished_at_us = row.last_finished_at_us.max(Some(at_us));
        row.took_us = row.took_us.saturating_add(end.took_us);
        row.changed = true;
        let open = open.unwrap_or_else(|| Open::new(self.events));
        let took_us = open.took_us.saturating_add(end.took_us);
        let row = StepRow {
            run: self.number,
            node: number(node),
            keys: &[],
            state: end.state as i64,
            attempts: end.attempt.max(open.attempts),
            started_at_us,
            finished_at_us: Some(at_us),
            took_us: (took_us > 0 || end.state == StepState::Succeeded).then_some(took_us),
            error: end.error.as_deref(),
            cached_from: end.cached_from,
        };
        self.put(sql, open.row, step, row)?;
        Ok(())
    }

    fn put(
        &mut self,
        sql: &mut Statements<'_>,
        known: Option<i64>,
        step: &StepKey,
        row: StepRow<'_>,
    ) -> Result<i64> {
        if let Some(known) = known {
            sql.change_step(known, &row)?;
            return Ok(known);
        }
        self.keys.clear();
        push_keys_json(&mut self.keys, &step.keys).map_err(unwritten)?;
        let new = sql.add_step(&StepRow { keys: &self.keys, ..row })?;
        self.step_rows = Some(spread(self.step_rows, new));
        Ok(new)
    }

    fn node(&mut self, name: &Arc<str>) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.nodes.len();
        self.numbers.insert(Arc::clone(name), number);
        self.nodes.push(NodeRow {
            name: Arc::clone(name),
            counts: [0; STATES],
            first_started_at_us: None,
            first_ended: None,
            last_finished_at_us: None,
            took_us: 0,
            changed: true,
        });
        number
    }

    /// Writes what has only been counted so far. To be called at the end of each transaction.
    pub(super) fn settle(&mut self, sql: &mut Statements<'_>) -> Result<()> {
        self.drop_clones(sql)?;
        for step in std::mem::take(&mut self.touched) {
            self.settle_step(sql, &step)?;
        }
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if std::mem::take(&mut node.changed) {
                sql.put_node(self.number, number(at), node)?;
            }
        }
        let (first_step, last_step) = self.step_rows.unzip();
        let (first_log, last_log) = self.log_rows.unzip();
        let changed = sql
            .connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, ended_at_us = ?3, last_at_us = ?4, events = ?5, succeeded = ?6, \
                 failed = ?7, skipped = ?8, cached = ?9, cancelled = ?10, first_step = ?11, last_step = ?12, \
                 first_log = ?13, last_log = ?14 WHERE number = ?1",
            )?
            .execute(params![
                self.number,
                self.status.map(|status| status.to_string()),
                self.ended_at_us,
                self.last_at_us,
                self.events,
                self.steps.succeeded,
                self.steps.failed,
                self.steps.skipped,
                self.steps.cached,
                self.steps.cancelled,
                first_step,
                last_step,
                first_log,
                last_log,
            ])?;
        if changed == 1 { Ok(()) } else { Err(removed()) }
    }

    fn settle_step(&mut self, sql: &mut Statements<'_>, step: &StepKey) -> Result<()> {
        let Some(open) = self.open.get(step) else { return Ok(()) };
        let node = self.numbers.get(&step.node).copied().unwrap_or_default();
        let error = open.error.clone();
        let row = StepRow {
            run: self.number,
            node: number(node),
            keys: &[],
            state: open.state as i64,
            attempts: open.attempts,
            started_at_us: open.started_at_us,
            finished_at_us: None,
            took_us: (open.took_us > 0).then_some(open.took_us),
            error: error.as_deref(),
            cached_from: None,
        };
        let known = open.row;
        let new = self.put(sql, known, step, row)?;
        if let Some(open) = self.open.get_mut(step) {
            open.row = Some(new);
        }
        Ok(())
    }
}

impl Open {
    fn new(since: i64) -> Self {
        Self {
            row: None,
            state: StepState::Waiting,
            attempts: 0,
            started_at_us: None,
            took_us: 0,
            error: None,
            since,
        }
    }
}

/// How a run ended, from its column.
pub(super) fn status_of(text: Option<&str>) -> Option<RunStatus> {
    match text? {
        "succeeded" => Some(RunStatus::Succeeded),
        "failed" => Some(RunStatus::Failed),
        _ => Some(RunStatus::Cancelled),
    }
}

/// Whether a run is in the tables.
pub(super) fn number_of(connection: &Connection, run: &str) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT number FROM runs WHERE run = ?1")?;
    Ok(select.query_row([run], |row| row.get(0)).optional()?)
}

fn spread(rows: Option<(i64, i64)>, row: i64) -> (i64, i64) {
    rows.map_or((row, row), |(first, last)| (first.min(row), last.max(row)))
}

fn text(bytes: &[u8]) -> rusqlite::types::ToSqlOutput<'_> {
    rusqlite::types::ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Text(bytes))
}

/// A number as `SQLite` has it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// JSON that stands in a column.
pub(super) fn json_column<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Fault::Damaged("read a row".to_owned(), error.to_string()))
}

fn unwritten(error: serde_json::Error) -> Fault {
    let what = "put an event into words";
    crate::store::StoreError::new(crate::store::StoreErrorKind::Other, what).because(error).into()
}

fn removed() -> Fault {
    let what = "keep events of a run that was removed";
    crate::store::StoreError::new(crate::store::StoreErrorKind::Missing, what).into()
}
