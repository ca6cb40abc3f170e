//! The cache: earlier successes by the digest of what they were made of.
//!
//! `cache_keys` leads from the first eight bytes of a digest to the entry. These come in random order, so that
//! nearly each would change a page of its own: new ones stand in `cache_fresh`, which is small, and are moved
//! in order and many at a time. What entries of one op, configuration and run have in common is their origin.

use std::borrow::Cow;

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::decode::{Decoder, check, checksum};
use super::encode::{Encoder, INLINE_BYTES};
use super::fault::{Fault, Result};
use super::objects::{Objects, digest, from_hex, hex};
use super::rows::{json_column, whole};
use super::{CachedBy, Comparison};
use crate::cache::{CacheEntry, CacheKey, CachedSuccess, Digest, Holdings};
use crate::run::now_us;

/// The time after which it is noted that an entry is still in use, in microseconds.
const NOTE_AFTER_US: u64 = 24 * 3600 * 1_000_000;

/// Entries that are looked at for the one that is most like another.
const COMPARED: usize = 100_000;

/// An entry that was found, and whether it is time to note that it was used.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) entry: i64,
    pub(super) note_at_us: Option<u64>,
    pub(super) success: CachedSuccess,
}

/// Keys that stand in `cache_fresh` before they are moved.
const FRESH: usize = 20_000;

/// Writes entries.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// The origins that this transaction has met, with the kind of entry.
    origins: Vec<(CacheKey, String, i64)>,
    /// Keys in `cache_fresh`, where it is known.
    fresh: Option<usize>,
    text: Vec<u8>,
    kept: bool,
}

impl Keeper {
    /// Puts an entry in place of one of the same digest and answers with its number.
    pub(super) fn keep(
        &mut self,
        connection: &Connection,
        encoder: &mut Encoder,
        entry: &CacheEntry,
    ) -> Result<i64> {
        let key = &entry.key;
        let short = short(&key.digest);
        let former = "SELECT entry FROM cache_fresh WHERE short = ?1 \
             UNION ALL SELECT entry FROM cache_keys WHERE short = ?1 LIMIT 1";
        let mut former = connection.prepare_cached(former)?;
        if let Some(former) = former.query_row([short], |row| row.get(0)).optional()? {
            remove(connection, former)?;
        }
        self.text.clear();
        encoder.given(&entry.success.outputs, &mut self.text).map_err(unwritten)?;
        let checksum = checksum(&[&key.digest], &self.text);
        let inputs = inputs_json(key)?;
        let objects = encoder.objects.iter().map(|(_, bytes)| bytes.len());
        let bytes = objects.sum::<usize>() + self.text.len() + inputs.len();
        let object = (self.text.len() > INLINE_BYTES).then(|| digest(&self.text));
        if let Some(object) = object {
            encoder.objects.push((object, Bytes::from(std::mem::take(&mut self.text))));
        }
        let outputs = object.is_none().then(|| ToSqlOutput::Borrowed(ValueRef::Text(&self.text)));
        let mut insert = connection.prepare_cached(
            "INSERT INTO cache_entries (origin, digest, inputs, identity, step, took_us, created_at_us, \
             used_at_us, bytes, checksum, outputs, object) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute(params![
            origin(&mut self.origins, connection, key, &entry.run)?,
            key.digest.as_slice(),
            ToSqlOutput::Borrowed(ValueRef::Text(&inputs)),
            key.step,
            entry.success.step.to_string(),
            whole(entry.success.took_us),
            whole(now_us()),
            i64::try_from(bytes).unwrap_or(i64::MAX),
            checksum.as_slice(),
            outputs,
            object.as_ref().map(Digest::as_slice),
        ])?;
        let number = connection.last_insert_rowid();
        connection
            .prepare_cached("INSERT OR REPLACE INTO cache_fresh (short, entry) VALUES (?1, ?2)")?
            .execute([short, number])?;
        self.kept = true;
        self.fresh = self.fresh.map(|fresh| fresh + 1);
        Ok(number)
    }

    /// Moves new keys to the others, when there are many. To be called at the end of each transaction.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        // Another process may remove an origin when this transaction is over.
        self.origins.clear();
        if !std::mem::take(&mut self.kept) {
            return Ok(());
        }
        let fresh = match self.fresh {
            Some(fresh) => fresh,
            None => {
                connection.query_row("SELECT count(*) FROM cache_fresh", [], |row| row.get(0))?
            }
        };
        self.fresh = Some(fresh);
        if fresh >= FRESH {
            connection.execute_batch(
                "INSERT OR REPLACE INTO cache_keys SELECT short, entry FROM cache_fresh ORDER BY short;
                 DELETE FROM cache_fresh;",
            )?;
            self.fresh = Some(0);
        }
        Ok(())
    }
}

/// The inputs of a key as they stand in the tables.
fn inputs_json(key: &CacheKey) -> Result<Vec<u8>> {
    let mut text = vec![b'['];
    for (at, (name, digest)) in key.inputs.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"[" } else { b",[" });
        serde_json::to_writer(&mut text, name).map_err(unwritten)?;
        text.extend_from_slice(b",\"");
        text.extend_from_slice(hex(digest).as_bytes());
        text.extend_from_slice(b"\"]");
    }
    text.push(b']');
    Ok(text)
}

/// The number of what an entry shares with others, from those that are known or from the tables.
fn origin(
    known: &mut Vec<(CacheKey, String, i64)>,
    connection: &Connection,
    key: &CacheKey,
    run: &str,
) -> Result<i64> {
    let same = known.iter().find(|(other, other_run, _)| {
        other.config == key.config
            && other.step.is_some() == key.step.is_some()
            && other.op == key.op
            && other.component == key.component
            && other.interface == key.interface
            && other_run == run
    });
    if let Some((_, _, origin)) = same {
        return Ok(*origin);
    }
    let origin = stored_origin(connection, key, run)?;
    known.push((key.clone(), run.to_owned(), origin));
    Ok(origin)
}

/// The same from the tables, where it is put if it is new. Notes which kinds of entries there are.
fn stored_origin(connection: &Connection, key: &CacheKey, run: &str) -> Result<i64> {
    let (by_inputs, by_step) = (key.step.is_none(), key.step.is_some());
    let mut select = connection.prepare_cached(
        "SELECT origin, by_inputs, by_step FROM cache_origins \
         WHERE op = ?1 AND component = ?2 AND run = ?3 AND config = ?4 AND interface = ?5",
    )?;
    let config = key.config.as_slice();
    let parts = params![key.op, key.component, run, config, key.interface];
    let known = select.query_row(parts, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?))
    });
    if let Some((origin, had_inputs, had_step)) = known.optional()? {
        if (by_inputs && !had_inputs) || (by_step && !had_step) {
            let update = "UPDATE cache_origins SET by_inputs = by_inputs OR ?2, by_step = by_step OR ?3 \
                 WHERE origin = ?1";
            connection.prepare_cached(update)?.execute(params![origin, by_inputs, by_step])?;
        }
        return Ok(origin);
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO cache_origins (op, component, run, config, interface, by_inputs, by_step) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![
        key.op,
        key.component,
        run,
        config,
        key.interface,
        by_inputs,
        by_step
    ])?;
    Ok(connection.last_insert_rowid())
}

/// Removes an entry; its key is left to whoever calls this.
pub(super) fn remove(connection: &Connection, entry: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM cache_objects WHERE entry = ?1")?.execute([entry])?;
    connection.prepare_cached("DELETE FROM cache_entries WHERE entry = ?1")?.execute([entry])?;
    Ok(())
}

/// Notes that an entry was used.
pub(super) fn used(connection: &Connection, entry: i64, at_us: u64) -> Result<()> {
    connection
        .prepare_cached("UPDATE cache_entries SET used_at_us = ?2 WHERE entry = ?1")?
        .execute([entry, whole(at_us)])?;
    Ok(())
}

/// The entry under a key.
pub(super) fn find(
    connection: &Connection,
    objects: &Objects,
    key: &Digest,
) -> Result<Option<Hit>> {
    let mut select = connection.prepare_cached(
        "SELECT e.entry, e.digest, o.run, e.step, e.took_us, e.used_at_us, e.checksum, e.outputs, e.object \
         FROM cache_entries AS e JOIN cache_origins AS o ON o.origin = e.origin WHERE e.entry = \
         (SELECT entry FROM cache_fresh WHERE short = ?1 \
         UNION ALL SELECT entry FROM cache_keys WHERE short = ?1 LIMIT 1)",
    )?;
    let mut rows = select.query([short(key)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let what = || format!("read the cache entry `{}`", hex(key));
    let damaged = |finding: &str| Fault::Damaged(what(), finding.to_owned());
    if row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)? != key {
        return Ok(None);
    }
    let kept = row.get_ref(6)?.as_blob().map_err(rusqlite::Error::from)?;
    let fetch = |digest: &Digest| objects.find(connection, digest)?.read();
    let mut decoder = Decoder::new(&fetch);
    let mut read = |text: &[u8]| {
        check(checksum(&[key], text), kept, &what)?;
        let text = std::str::from_utf8(text).map_err(|_| damaged("it is not UTF-8"))?;
        decoder.given(text).map_err(|unreadable| unreadable.of(&what()))
    };
    let outputs = match row.get::<_, Option<Digest>>(8)? {
        Some(object) => read(&fetch(&object)?)?,
        None => read(row.get_ref(7)?.as_bytes().map_err(rusqlite::Error::from)?)?,
    };
    let step = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let step = step.parse().map_err(|_| damaged("its step is no step key"))?;
    let (now, used_at_us) = (now_us(), row.get::<_, u64>(5)?);
    Ok(Some(Hit {
        entry: row.get(0)?,
        note_at_us: (now > used_at_us.saturating_add(NOTE_AFTER_US)).then_some(now),
        success: CachedSuccess { run: row.get(2)?, step, took_us: row.get(4)?, outputs },
    }))
}

/// Which kinds of entries there may be of an op.
pub(super) fn holdings(connection: &Connection, component: &str, op: &str) -> Result<Holdings> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM cache_origins WHERE op = ?1 AND component = ?2 AND by_inputs), \
         EXISTS (SELECT 1 FROM cache_origins WHERE op = ?1 AND component = ?2 AND by_step)",
    )?;
    let holdings = select.query_row([op, component], |row| {
        Ok(Holdings { by_inputs: row.get(0)?, by_step: row.get(1)? })
    });
    Ok(holdings?)
}

/// What a comparison reads of an entry.
const PARTS: &str = "e.entry, e.digest, o.component, o.op, o.interface, o.config, e.inputs, e.identity, o.run, \
     e.step, e.created_at_us";

/// The entry that a step of a run made, beside the one that is most like it of an earlier run.
pub(super) fn compare(
    connection: &Connection,
    run: &str,
    step: &str,
) -> Result<Option<Comparison>> {
    let select = format!(
        "SELECT {PARTS} FROM cache_origins AS o JOIN cache_entries AS e ON e.origin = o.origin \
         WHERE o.run = ?1 AND e.step = ?2 ORDER BY e.entry DESC LIMIT 1"
    );
    let own = connection.prepare_cached(&select)?.query_row([run, step], parts).optional()?;
    let Some((entry, own, _)) = own.transpose()? else { return Ok(None) };
    let mut origins = connection.prepare_cached(
        "SELECT origin FROM cache_origins WHERE op = ?1 AND run <> ?2 ORDER BY origin DESC",
    )?;
    let origins = origins.query_map([&*own.op, run], |row| row.get::<_, i64>(0))?;
    let origins = origins.collect::<Result<Vec<_>, _>>()?;
    let select = format!(
        "SELECT {PARTS} FROM cache_entries AS e JOIN cache_origins AS o ON o.origin = e.origin \
         WHERE e.origin = ?1 AND e.entry < ?2 ORDER BY e.entry DESC LIMIT ?3"
    );
    let mut select = connection.prepare_cached(&select)?;
    let mut left = COMPARED;
    let mut closest: Option<(_, (CacheKey, CachedBy))> = None;
    for origin in origins {
        let limit = i64::try_from(left).unwrap_or(i64::MAX);
        for other in select.query_map([origin, entry, limit], parts)? {
            let (number, key, by) = other??;
            left -= 1;
            let rank = (alike(&own, &key), own.component == key.component, by.step == step, number);
            if closest.as_ref().is_none_or(|(best, _)| rank > *best) {
                closest = Some((rank, (key, by)));
            }
        }
    }
    Ok(Some(Comparison { key: own, closest: closest.map(|(_, closest)| closest) }))
}

/// How many parts of two keys are equal.
fn alike(one: &CacheKey, other: &CacheKey) -> usize {
    let inputs = one.inputs.iter().filter(|input| other.inputs.contains(input)).count();
    usize::from(one.component == other.component)
        + usize::from(one.interface == other.interface)
        + usize::from(one.config == other.config)
        + usize::from(one.step == other.step)
        + inputs
}

fn parts(row: &Row<'_>) -> rusqlite::Result<Result<(i64, CacheKey, CachedBy)>> {
    let inputs: String = row.get(6)?;
    let inputs = json_column::<Vec<(String, String)>>(&inputs).and_then(|inputs| {
        let inputs = inputs.into_iter().map(|(name, text)| {
            let digest = from_hex(&text).ok_or_else(|| {
                let what = "read a cache entry".to_owned();
                Fault::Damaged(what, "an input's digest is none".to_owned())
            });
            Ok((name, digest?))
        });
        inputs.collect::<Result<Vec<_>>>()
    });
    let inputs = match inputs {
        Ok(inputs) => inputs,
        Err(fault) => return Ok(Err(fault)),
    };
    let key = CacheKey {
        digest: row.get(1)?,
        component: row.get(2)?,
        op: row.get(3)?,
        interface: Cow::Owned(row.get(4)?),
        config: row.get(5)?,
        inputs,
        step: row.get(7)?,
    };
    let by = CachedBy { run: row.get(8)?, step: row.get(9)?, at_us: row.get(10)? };
    Ok(Ok((row.get(0)?, key, by)))
}

/// What leads to an entry.
fn short(digest: &Digest) -> i64 {
    let mut short = [0; 8];
    short.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(short)
}

fn unwritten(error: serde_json::Error) -> Fault {
    let what = "put a cache entry into words";
    crate::store::StoreError::new(crate::store::StoreErrorKind::Other, what).because(error).into()
}
