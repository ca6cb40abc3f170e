//! Removing runs, cache entries, and the objects that nothing uses any more, while others write.
//!
//! First the rows go, in one transaction. Then, in another, objects without a use go: whoever writes does not rely on the
//! bytes of what nothing uses, and looks while the database is locked for writing, as it is here.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connect::Paths;
use super::fail_point;
use super::fault::Result;
use super::locks::{self, Lock};
use super::objects::{Objects, Unused};
use super::query::known;
use super::rows::whole;
use crate::run::now_us;
use crate::store::history::{Prune, Pruned};

/// Removes what is to be removed, or only says what that is.
pub(super) fn prune(
    connection: &Connection,
    paths: &Paths,
    objects: &Objects,
    what: &Prune,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    fail_point::reached("prune.before_runs");
    let transaction = immediate(connection)?;
    // Held until their rows are gone, so that none is resumed in between.
    let mut held = Vec::new();
    for (run, number) in chosen_runs(connection, what)? {
        match Lock::take(&paths.locks, &run) {
            Ok(lock) => held.push(lock),
            Err(fault) if what.runs.contains(&run) => return Err(fault),
            Err(_) => continue,
        }
        remove_run(connection, number)?;
        pruned.runs.push(run);
    }
    for entry in chosen_entries(connection, what)? {
        super::entries::remove(connection, entry)?;
        pruned.cache_entries += 1;
    }
    forget_entries(connection, pruned.cache_entries > 0)?;
    if what.dry_run {
        pruned.count(&objects.unused(connection)?);
        transaction.rollback()?;
        return Ok(pruned);
    }
    transaction.commit()?;
    fail_point::reached("prune.after_runs");
    drop(held);
    for run in &pruned.runs {
        locks::forget(&paths.locks, run);
    }
    remove_objects(connection, objects, &mut pruned)?;
    Ok(pruned)
}

impl Pruned {
    fn count(&mut self, unused: &[Unused]) {
        self.objects += unused.len() as u64;
        self.object_bytes += unused.iter().map(|unused| unused.bytes).sum::<u64>();
    }
}

fn immediate(connection: &Connection) -> Result<Transaction<'_>> {
    Ok(Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?)
}

fn remove_objects(connection: &Connection, objects: &Objects, pruned: &mut Pruned) -> Result<()> {
    let transaction = immediate(connection)?;
    fail_point::reached("prune.before_objects");
    let unused = objects.unused(connection)?;
    objects.remove(connection, &unused)?;
    pruned.count(&unused);
    objects.tidy()?;
    fail_point::reached("prune.before_commit");
    transaction.commit()?;
    fail_point::reached("prune.after_commit");
    Ok(())
}

/// The runs that may go, apart from those that a process is at.
fn chosen_runs(connection: &Connection, what: &Prune) -> Result<Vec<(String, i64)>> {
    let mut chosen = Vec::new();
    for run in &what.runs {
        chosen.push((run.clone(), known(connection, run)?));
    }
    if what.older_than.is_none() && what.keep.is_none() && what.job.is_none() {
        return Ok(chosen);
    }
    let latest = what.older_than.map_or(i64::MAX, before);
    // One that did not end goes only by its age.
    let select = "SELECT run, number, status IS NOT NULL, coalesce(ended_at_us, last_at_us) FROM runs \
         WHERE (?1 IS NULL OR job = ?1) ORDER BY number DESC";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query([&what.job])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        let (ended, at_us): (bool, i64) = (row.get(2)?, row.get(3)?);
        let kept = what.keep.is_some_and(|keep| seen <= keep)
            || at_us > latest
            || (!ended && what.older_than.is_none());
        let run: String = row.get(0)?;
        if !kept && !what.runs.contains(&run) {
            chosen.push((run, row.get(1)?));
        }
    }
    Ok(chosen)
}

fn before(age: Duration) -> i64 {
    let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
    whole(now_us().saturating_sub(age))
}

fn remove_run(connection: &Connection, number: i64) -> Result<()> {
    for delete in [
        "DELETE FROM steps WHERE run = ?1",
        "DELETE FROM logs WHERE run = ?1",
        "DELETE FROM nodes WHERE run = ?1",
        "DELETE FROM event_batches WHERE run = ?1",
        "DELETE FROM run_objects WHERE run = ?1",
        "DELETE FROM run_inputs WHERE run = ?1",
        "DELETE FROM runs WHERE number = ?1",
    ] {
        connection.prepare_cached(delete)?.execute([number])?;
    }
    Ok(())
}

/// Entries that were not used for long, then those that were not used for longest.
fn chosen_entries(connection: &Connection, what: &Prune) -> Result<Vec<i64>> {
    let mut chosen = Vec::new();
    if let Some(age) = what.cache_older_than {
        let select = "SELECT entry FROM cache_entries WHERE used_at_us <= ?1";
        let mut select = connection.prepare_cached(select)?;
        for entry in select.query_map([before(age)], |row| row.get(0))? {
            chosen.push(entry?);
        }
    }
    if let Some(most) = what.cache_bytes {
        let gone: HashSet<i64> = chosen.iter().copied().collect();
        let select = "SELECT entry, bytes FROM cache_entries ORDER BY used_at_us DESC, entry DESC";
        let mut select = connection.prepare_cached(select)?;
        let mut rows = select.query([])?;
        let mut total = 0_u64;
        while let Some(row) = rows.next()? {
            let entry: i64 = row.get(0)?;
            if gone.contains(&entry) {
                continue;
            }
            total = total.saturating_add(row.get(1)?);
            if total > most {
                chosen.push(entry);
            }
        }
    }
    Ok(chosen)
}

/// Removes what led to entries that are gone, and what they shared.
fn forget_entries(connection: &Connection, any: bool) -> Result<()> {
    if !any {
        return Ok(());
    }
    connection.execute_batch(
        "DELETE FROM cache_fresh WHERE NOT EXISTS \
             (SELECT 1 FROM cache_entries AS e WHERE e.entry = cache_fresh.entry);
         DELETE FROM cache_keys WHERE NOT EXISTS \
             (SELECT 1 FROM cache_entries AS e WHERE e.entry = cache_keys.entry);
         DELETE FROM cache_origins WHERE NOT EXISTS \
             (SELECT 1 FROM cache_entries AS e WHERE e.origin = cache_origins.origin);",
    )?;
    Ok(())
}
