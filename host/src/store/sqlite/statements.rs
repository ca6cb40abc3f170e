//! The statements that run many times in each transaction, prepared once.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, Statement, params};

use super::fault::Result;
use super::rows::NodeRow;

/// The statements of one writer.
#[derive(Debug)]
pub(super) struct Statements<'c> {
    pub(super) connection: &'c Connection,
    batch: Statement<'c>,
    add_step: Statement<'c>,
    change_step: Statement<'c>,
    node: Statement<'c>,
    log: Statement<'c>,
}

/// A row of `steps`.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepRow<'a> {
    pub(super) run: i64,
    pub(super) node: i64,
    /// A JSON array.
    pub(super) keys: &'a [u8],
    pub(super) state: i64,
    pub(super) attempts: u32,
    pub(super) started_at_us: Option<i64>,
    pub(super) finished_at_us: Option<i64>,
    pub(super) took_us: Option<i64>,
    pub(super) error: Option<&'a str>,
    pub(super) cached_from: Option<&'a str>,
}

/// Events that stand in one row.
#[derive(Debug)]
pub(super) struct BatchRow<'a> {
    pub(super) run: i64,
    /// The place of the first.
    pub(super) first: i64,
    pub(super) count: i64,
    /// A JSON array.
    pub(super) events: &'a [u8],
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            batch: connection.prepare(
                "INSERT INTO event_batches (run, first, count, digest, events) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            add_step: connection.prepare(
                "INSERT INTO steps (run, node, keys, status, attempts, started_at_us, finished_at_us, took_us, \
                 error, cached_from) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            change_step: connection.prepare(
                "UPDATE steps SET status = ?2, attempts = ?3, started_at_us = ?4, finished_at_us = ?5, \
                 took_us = ?6, error = ?7, cached_from = ?8 WHERE step = ?1",
            )?,
            node: connection.prepare(
                "INSERT OR REPLACE INTO nodes (run, node, name, running, waiting, succeeded, cached, failed, \
                 skipped, cancelled, dropped, first_started_at_us, first_ended, last_finished_at_us, took_us) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?,
            log: connection.prepare(
                "INSERT INTO logs (run, node, keys, attempt, level, at_us, message, fields) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
        })
    }

    pub(super) fn add_batch(&mut self, row: &BatchRow<'_>) -> Result<()> {
        let digest = super::decode::batch_checksum(row.run, row.first, row.events);
        let events = ToSqlOutput::Borrowed(ValueRef::Text(row.events));
        self.batch.execute(params![row.run, row.first, row.count, digest.as_slice(), events])?;
        Ok(())
    }

    /// Adds a step and answers with its row.
    pub(super) fn add_step(&mut self, row: &StepRow<'_>) -> Result<i64> {
        let add = &mut self.add_step;
        add.raw_bind_parameter(1, row.run)?;
        add.raw_bind_parameter(2, row.node)?;
        add.raw_bind_parameter(3, ToSqlOutput::Borrowed(ValueRef::Text(row.keys)))?;
        add.raw_bind_parameter(4, row.state)?;
        add.raw_bind_parameter(5, row.attempts)?;
        add.raw_bind_parameter(6, row.started_at_us)?;
        add.raw_bind_parameter(7, row.finished_at_us)?;
        add.raw_bind_parameter(8, row.took_us)?;
        add.raw_bind_parameter(9, row.error)?;
        add.raw_bind_parameter(10, row.cached_from)?;
        add.raw_execute()?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn change_step(&mut self, step: i64, row: &StepRow<'_>) -> Result<()> {
        self.change_step.execute(params![
            step,
            row.state,
            row.attempts,
            row.started_at_us,
            row.finished_at_us,
            row.took_us,
            row.error,
            row.cached_from
        ])?;
        Ok(())
    }

    pub(super) fn put_node(&mut self, run: i64, number: i64, node: &NodeRow) -> Result<()> {
        let [running, waiting, succeeded, cached, failed, skipped, cancelled, dropped] =
            node.counts;
        self.node.execute(params![
            run,
            number,
            &*node.name,
            running,
            waiting,
            succeeded,
            cached,
            failed,
            skipped,
            cancelled,
            dropped,
            node.first_started_at_us,
            node.first_ended,
            node.last_finished_at_us,
            node.took_us
        ])?;
        Ok(())
    }

    /// Adds a line of a log and answers with its row.
    pub(super) fn log(&mut self, row: impl Params) -> Result<i64> {
        self.log.execute(row)?;
        Ok(self.connection.last_insert_rowid())
    }
}
