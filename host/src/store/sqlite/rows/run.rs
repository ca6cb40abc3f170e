//! How a run was asked for, and what that changes when it goes on.

use dynhost_graph::event::Event;
use rusqlite::params;

use super::{RunRows, Statements, number, unwritten};
use crate::store::history::StepState;
use crate::store::sqlite::fault::Result;

impl RunRows {
    pub(super) fn began(&mut self, sql: &Statements<'_>, at_us: i64, event: &Event) -> Result<()> {
        let Event::RunStarted {
            version, job, params, components, manifest, settings, parent, ..
        } = event
        else {
            return Ok(());
        };
        let params: serde_json::Map<_, _> = params.iter().cloned().collect();
        let params = serde_json::to_string(&params).map_err(unwritten)?;
        let components = serde_json::to_string(components).map_err(unwritten)?;
        let settings = serde_json::to_string(settings).map_err(unwritten)?;
        let steps = parent.as_ref().map(|parent| serde_json::to_string(&parent.steps));
        let steps = steps.transpose().map_err(unwritten)?;
        let parent = parent.as_ref().map(|parent| &parent.run);
        let path = manifest.as_ref().map(|manifest| manifest.path.to_string_lossy());
        let working = manifest.as_ref().map(|manifest| manifest.working.to_string_lossy());
        let manifest = manifest.as_ref().map(|manifest| &manifest.text);
        let connection = sql.connection;
        connection
            .prepare_cached("UPDATE runs SET job = ?2, started_at_us = ?3 WHERE number = ?1")?
            .execute(params![self.number, job, at_us])?;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO run_inputs (run, version, params, components, settings, parent, \
                 parent_steps, manifest_path, manifest_working, manifest_text) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.number, version, params, components, settings, parent, steps, path, working,
                manifest
            ])?;
        Ok(())
    }

    /// What was interrupted runs again: it no longer has a row.
    pub(super) fn resumed(&mut self, sql: &Statements<'_>, event: &Event) -> Result<()> {
        let Event::RunResumed { components, manifest, .. } = event else { return Ok(()) };
        let components = serde_json::to_string(components).map_err(unwritten)?;
        sql.connection
            .prepare_cached("UPDATE run_inputs SET components = ?2 WHERE run = ?1")?
            .execute(params![self.number, components])?;
        if let Some(manifest) = manifest {
            let (path, working) =
                (manifest.path.to_string_lossy(), manifest.working.to_string_lossy());
            sql.connection
                .prepare_cached(
                    "UPDATE run_inputs SET manifest_path = ?2, manifest_working = ?3, manifest_text = ?4 \
                     WHERE run = ?1",
                )?
                .execute(params![self.number, path, working, manifest.text])?;
        }
        let mut delete = sql
            .connection
            .prepare_cached("DELETE FROM steps WHERE run = ?1 AND node = ?2 AND status = ?3")?;
        for (at, node) in self.nodes.iter_mut().enumerate() {
            for state in [StepState::Running, StepState::Cancelled] {
                if node.counts[state as usize] > 0 {
                    delete.execute(params![self.number, number(at), state as i64])?;
                    node.counts[state as usize] = 0;
                    node.changed = true;
                }
            }
        }
        self.open.retain(|_, open| open.state == StepState::Waiting);
        self.steps.cancelled = 0;
        (self.status, self.ended_at_us) = (None, None);
        Ok(())
    }
}
