//! The events of a run, batch by batch.

use std::ops::ControlFlow;

use dynhost_graph::event::Recorded;
use rusqlite::{Connection, OptionalExtension as _};

use super::decode::{Decoder, Fetch, batch_checksum, check, split};
use super::fault::{Fault, Result};

/// A row of events.
#[derive(Debug)]
pub(super) struct Batch {
    /// The place of the first event.
    pub(super) first: i64,
    count: i64,
    digest: Vec<u8>,
    events: Vec<u8>,
}

/// Where somebody is in the events of a run.
#[derive(Debug)]
pub(super) struct Reading {
    run: String,
    number: i64,
    /// The place of the next event to be given.
    from: i64,
    /// Events that there were when the reading began.
    events: i64,
}

impl Reading {
    /// At the event at place `from`; `None` where there is no such run.
    pub(super) fn begin(connection: &Connection, run: &str, from: i64) -> Result<Option<Self>> {
        let select = "SELECT number, events FROM runs WHERE run = ?1";
        let found = connection.prepare_cached(select)?.query_row([run], |row| {
            Ok(Self { run: run.to_owned(), number: row.get(0)?, from, events: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// The row that has the next event; `None` at the end. Nothing stays open in the database, so that a slow
    /// reader holds up nobody.
    pub(super) fn batch(&self, connection: &Connection) -> Result<Option<Batch>> {
        let select = "SELECT first, count, digest, events FROM event_batches WHERE run = ?1 AND first <= ?2 \
             ORDER BY first DESC LIMIT 1";
        let batch = connection.prepare_cached(select)?.query_row([self.number, self.from], |row| {
            Ok(Batch {
                first: row.get(0)?,
                count: row.get(1)?,
                digest: row.get(2)?,
                events: row.get_ref(3)?.as_bytes()?.to_vec(),
            })
        });
        // No row that the host wrote goes beyond the range of the numbers.
        let end = |batch: &Batch| batch.first.checked_add(batch.count);
        let is_in = |batch: &Batch| end(batch).is_some_and(|end| self.from < end);
        let batch = batch.optional()?.filter(is_in);
        if batch.is_none() && self.from < self.events {
            return Err(self.damaged("it is missing"));
        }
        Ok(batch)
    }

    /// Gives the events of a batch that were not given yet, and breaks off when `each` does.
    pub(super) fn give(
        &mut self,
        batch: &Batch,
        fetch: Fetch<'_>,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let found = batch_checksum(self.number, batch.first, &batch.events);
        check(found, &batch.digest, &|| self.what())?;
        let text = std::str::from_utf8(&batch.events);
        let text = text.map_err(|_| self.damaged("it is not UTF-8"))?;
        let events = split(text).map_err(|error| self.damaged(&error.to_string()))?;
        if i64::try_from(events.len()) != Ok(batch.count) {
            return Err(self.damaged("there are more or fewer events than there should be"));
        }
        let mut decoder = Decoder::new(fetch);
        for (place, event) in (batch.first..).zip(events) {
            if place < self.from {
                continue;
            }
            let event = decoder.event(event.get()).map_err(|unread| unread.of(&self.what()))?;
            self.from = place + 1;
            if each(event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn what(&self) -> String {
        format!("read the events of the run `{}` from number {} on", self.run, self.from)
    }

    fn damaged(&self, finding: &str) -> Fault {
        Fault::Damaged(self.what(), finding.to_owned())
    }
}
