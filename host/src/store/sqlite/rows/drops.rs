//! Clones that no longer count (`semantics.md` rule 17).

use std::sync::Arc;

use dynhost_graph::name::{MappingKey, StepKey};
use hashbrown::HashMap;
use rusqlite::params;

use super::{RunRows, Statements, json_column, number};
use crate::store::history::StepState;
use crate::store::sqlite::fault::Result;

impl RunRows {
    pub(super) fn dropped(&mut self, nodes: &[Arc<str>], keys: &[MappingKey]) {
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let last_row = self.step_rows.map_or(0, |(_, last)| last);
        for node in nodes {
            let node = self.node(node);
            self.drops.entry(node).or_default().add(&keys, self.events, last_row);
        }
    }

    /// Marks the rows of clones that no longer count, in one walk over the nodes that any are of.
    pub(super) fn drop_clones(&mut self, sql: &mut Statements<'_>) -> Result<()> {
        if self.drops.is_empty() {
            return Ok(());
        }
        let open: Vec<StepKey> = self.open.keys().cloned().collect();
        for step in open {
            let node = self.node(&step.node);
            if self.drop_before(node, &step) {
                self.touched.push(step);
            }
        }
        for (node, prefixes) in &std::mem::take(&mut self.drops) {
            let mut select = sql.connection.prepare_cached(
                "SELECT step, status, keys FROM steps WHERE run = ?1 AND node = ?2 AND status IN (2, 3, 4, 5)",
            )?;
            let mut rows = select.query(params![self.number, number(*node)])?;
            let mut dropped = Vec::new();
            while let Some(row) = rows.next()? {
                let (step, status): (i64, usize) = (row.get(0)?, row.get(1)?);
                let keys: Vec<String> =
                    json_column(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
                if prefixes.covers(&keys, |bounds| step <= bounds.last_row) {
                    dropped.push((step, status));
                }
            }
            let mut update =
                sql.connection.prepare_cached("UPDATE steps SET status = 7 WHERE step = ?1")?;
            let node = &mut self.nodes[*node];
            for (step, status) in dropped {
                update.execute([step])?;
                node.counts[status] -= 1;
                node.counts[StepState::Dropped as usize] += 1;
                node.changed = true;
            }
        }
        Ok(())
    }

    /// Marks a step that is under way as dropped, if it was dropped in this transaction after it began.
    pub(super) fn drop_before(&mut self, node: usize, step: &StepKey) -> bool {
        let Some(prefixes) = self.drops.get(&node) else { return false };
        let Some(open) = self.open.get_mut(step) else { return false };
        let keys = step.keys.keys();
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let dropped = open.state != StepState::Dropped
            && prefixes.covers(&keys, |bounds| open.since <= bounds.at);
        if dropped {
            let row = &mut self.nodes[node];
            row.counts[open.state as usize] -= 1;
            row.counts[StepState::Dropped as usize] += 1;
            row.changed = true;
            open.state = StepState::Dropped;
        }
        dropped
    }
}

/// Beginnings of mapping keys, by their length.
#[derive(Debug, Default)]
pub(super) struct Prefixes(HashMap<usize, HashMap<Vec<String>, DropBounds>>);

/// Until when a clone must have begun to be one of those that were dropped.
#[derive(Debug, Clone, Copy)]
struct DropBounds {
    at: i64,
    last_row: i64,
}

impl Prefixes {
    fn add(&mut self, keys: &[String], at: i64, last_row: i64) {
        let same = self.0.entry(keys.len()).or_default();
        // A later one goes further.
        same.insert(keys.to_vec(), DropBounds { at, last_row });
    }

    fn covers(&self, keys: &[String], within: impl Fn(DropBounds) -> bool) -> bool {
        self.0.iter().any(|(length, same)| {
            let begin = keys.get(..*length);
            begin.and_then(|begin| same.get(begin)).is_some_and(|bounds| within(*bounds))
        })
    }
}
