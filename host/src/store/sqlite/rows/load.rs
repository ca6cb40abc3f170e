//! A run as the tables have it, for a process that goes on with it.

use std::sync::Arc;

use dynhost_graph::name::{MappingKey, StepKey};
use hashbrown::HashMap;
use rusqlite::{Connection, params};

use super::{NodeRow, Open, RunRows, STATES, json_column, number, status_of};
use crate::run::StepCounts;
use crate::store::history::StepState;
use crate::store::sqlite::fault::Result;

impl RunRows {
    /// What the tables have of a run, which is put there if it is new.
    pub(in crate::store::sqlite) fn load(
        connection: &Connection,
        run: &str,
        at_us: i64,
    ) -> Result<Self> {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO runs (run, job, started_at_us, last_at_us, events, succeeded, failed, \
                 skipped, cached, cancelled) VALUES (?1, '', ?2, ?2, 0, 0, 0, 0, 0, 0)",
            )?
            .execute(params![run, at_us])?;
        let select = "SELECT number, events, ended_at_us, last_at_us, succeeded, failed, skipped, cached, \
             cancelled, first_step, last_step, first_log, last_log, status FROM runs WHERE run = ?1";
        let mut rows = connection.prepare_cached(select)?.query_row([run], |row| {
            let pair = |first: usize| -> rusqlite::Result<Option<(i64, i64)>> {
                let both: (Option<i64>, Option<i64>) = (row.get(first)?, row.get(first + 1)?);
                Ok(both.0.zip(both.1))
            };
            Ok(Self {
                number: row.get(0)?,
                events: row.get(1)?,
                status: status_of(row.get_ref(13)?.as_str_or_null()?),
                ended_at_us: row.get(2)?,
                last_at_us: row.get(3)?,
                steps: StepCounts {
                    succeeded: row.get(4)?,
                    failed: row.get(5)?,
                    skipped: row.get(6)?,
                    cached: row.get(7)?,
                    cancelled: row.get(8)?,
                },
                step_rows: pair(9)?,
                log_rows: pair(11)?,
                nodes: Vec::new(),
                numbers: HashMap::new(),
                open: HashMap::new(),
                touched: Vec::new(),
                drops: HashMap::new(),
                keys: Vec::new(),
            })
        })?;
        if rows.events > 0 {
            rows.load_nodes(connection)?;
            rows.load_open(connection)?;
        }
        Ok(rows)
    }

    fn load_nodes(&mut self, connection: &Connection) -> Result<()> {
        let mut select = connection.prepare_cached(
            "SELECT name, first_started_at_us, first_ended, last_finished_at_us, took_us, running, waiting, \
             succeeded, cached, failed, skipped, cancelled, dropped FROM nodes WHERE run = ?1 ORDER BY node",
        )?;
        let mut rows = select.query([self.number])?;
        while let Some(row) = rows.next()? {
            let name: Arc<str> = row.get::<_, String>(0)?.into();
            let mut counts = [0; STATES];
            for (at, count) in counts.iter_mut().enumerate() {
                *count = row.get(5 + at)?;
            }
            self.numbers.insert(Arc::clone(&name), self.nodes.len());
            self.nodes.push(NodeRow {
                name,
                counts,
                first_started_at_us: row.get(1)?,
                first_ended: row.get(2)?,
                last_finished_at_us: row.get(3)?,
                took_us: row.get(4)?,
                changed: false,
            });
        }
        Ok(())
    }

    fn load_open(&mut self, connection: &Connection) -> Result<()> {
        let mut select = connection.prepare_cached(
            "SELECT step, keys, attempts, started_at_us, took_us, error FROM steps \
             WHERE run = ?1 AND node = ?2 AND status = ?3",
        )?;
        for node in 0..self.nodes.len() {
            for state in [StepState::Running, StepState::Waiting] {
                if self.nodes[node].counts[state as usize] == 0 {
                    continue;
                }
                let mut rows = select.query(params![self.number, number(node), state as i64])?;
                while let Some(row) = rows.next()? {
                    let keys: Vec<MappingKey> = json_column(&row.get::<_, String>(1)?)?;
                    let key = StepKey {
                        node: Arc::clone(&self.nodes[node].name),
                        keys: keys.into_iter().collect(),
                    };
                    let open = Open {
                        row: Some(row.get(0)?),
                        state,
                        attempts: row.get(2)?,
                        started_at_us: row.get(3)?,
                        took_us: row.get::<_, Option<i64>>(4)?.unwrap_or(0),
                        error: row.get(5)?,
                        since: self.events,
                    };
                    self.open.insert(key, open);
                }
            }
        }
        Ok(())
    }
}
