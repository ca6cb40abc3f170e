//! A database whose rows are not what the host wrote: their checksums are right, so that what they
//! hold is read. Every question is answered or refused.

#![no_main]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use arbitrary::Arbitrary;
use dynhost::graph::event::Level;
use dynhost::store::RunStore as _;
use dynhost::store::history::{LogFilter, RunFilter, StepFilter};
use dynhost::store::sqlite::SqliteStore;
use libfuzzer_sys::fuzz_target;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params};

const RUN: &str = "01A";
/// Events that may be read from one database: more are there only if the store gives some twice.
const EVENTS: usize = 100_000;

#[derive(Debug, Arbitrary)]
struct Rows<'a> {
    run: [Cell<'a>; 5],
    inputs: [Cell<'a>; 6],
    batches: Vec<Batch<'a>>,
    node: [Cell<'a>; 3],
    step: [Cell<'a>; 5],
    log: [Cell<'a>; 5],
    from: u64,
    asked: &'a str,
}

/// What stands in a column: mostly what is expected.
#[derive(Debug, Arbitrary)]
enum Cell<'a> {
    Usual,
    Null,
    Number(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
struct Batch<'a> {
    first: i64,
    count: i64,
    events: &'a [u8],
    /// The first event and the number of events are those that fit.
    fits: bool,
}

/// The store and a connection beside it.
static STORE: LazyLock<(SqliteStore, Mutex<Connection>)> = LazyLock::new(|| {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("dynhost-fuzz-store-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let store = SqliteStore::open(&folder).expect("a store can be made");
    let connection = Connection::open(folder.join("runs.db")).expect("the database is there");
    connection.pragma_update(None, "synchronous", "OFF").expect("a setting");
    (store, Mutex::new(connection))
});

fuzz_target!(|rows: Rows<'_>| {
    let (store, connection) = &*STORE;
    let written = write(&mut connection.lock().expect("one thread"), &rows);
    if written.is_ok() {
        ask(store, &rows);
    }
});

fn ask(store: &SqliteStore, rows: &Rows<'_>) {
    for from in [0, rows.from] {
        let mut given = 0;
        let _ = store.read_from(RUN, from, &mut |recorded| {
            given += 1;
            assert!(given < EVENTS, "events without end");
            let _ = format!("{recorded:?}");
            ControlFlow::Continue(())
        });
    }
    let _ = store.read(rows.asked, &mut |_| ControlFlow::Continue(()));
    let (_, _) = (store.resolve("last"), store.resolve(rows.asked));
    let filter = RunFilter { limit: 10, before: Some(rows.asked.to_owned()), ..Default::default() };
    let (_, _) = (store.runs(&RunFilter { limit: 10, ..Default::default() }), store.runs(&filter));
    let (_, _) = (store.run(RUN), store.nodes(RUN));
    let asked = Some(rows.asked.to_owned());
    for (key, step, after) in [(None, None, None), (asked.clone(), asked, Some(rows.from))] {
        let filter = StepFilter { key, step: step.clone(), after, limit: 10, ..Default::default() };
        let _ = store.steps(RUN, &filter);
        let level = Some(Level::Debug);
        let _ = store.logs(RUN, &LogFilter { step, level, after, limit: 10, ..Default::default() });
    }
    let _ = store.compare(RUN, rows.asked);
}

/// Puts the rows in the place of those before.
fn write(connection: &mut Connection, rows: &Rows<'_>) -> rusqlite::Result<()> {
    let all = connection.transaction()?;
    for table in ["runs", "run_inputs", "event_batches", "nodes", "steps", "logs"] {
        all.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let [status, started, ended, events, succeeded] = &rows.run;
    let known: i64 = rows.batches.iter().map(|batch| number_of(batch.events)).sum();
    all.execute(
        "INSERT INTO runs VALUES (1, ?1, 'job', ?2, ?3, ?4, 1, ?5, ?6, 0, 0, 0, 0, 1, 1, 1, 1)",
        params![
            RUN,
            status.or(Sql::Null),
            started.or(Sql::Integer(1)),
            ended.or(Sql::Null),
            events.or(Sql::Integer(known)),
            succeeded.or(Sql::Integer(1)),
        ],
    )?;
    let [version, given, components, settings, parent, steps] = &rows.inputs;
    all.execute(
        "INSERT INTO run_inputs VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, '/j.toml', '/', '')",
        params![
            version.or(Sql::Integer(1)),
            given.text("{}"),
            components.text("[]"),
            settings.text("{}"),
            parent.or(Sql::Null),
            steps.or(Sql::Null),
        ],
    )?;
    let mut next = 0;
    for batch in &rows.batches {
        let fitting = (next, number_of(batch.events));
        let (first, count) = if batch.fits { fitting } else { (batch.first, batch.count) };
        next += fitting.1;
        all.execute(
            "INSERT INTO event_batches (run, first, count, digest, events) VALUES (1, ?1, ?2, ?3, ?4)",
            params![first, count, checksum(first, batch.events), batch.events],
        )?;
    }
    let [name, running, took] = &rows.node;
    all.execute(
        "INSERT INTO nodes VALUES (1, 1, ?1, ?2, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, ?3)",
        params![name.text("size"), running.or(Sql::Integer(0)), took.or(Sql::Integer(1))],
    )?;
    let [keys, status, attempts, error, from] = &rows.step;
    all.execute(
        "INSERT INTO steps VALUES (1, 1, 1, ?1, ?2, ?3, 1, 1, 1, ?4, ?5)",
        params![
            keys.text("[\"a\"]"),
            status.or(Sql::Integer(2)),
            attempts.or(Sql::Integer(1)),
            error.or(Sql::Null),
            from.or(Sql::Null),
        ],
    )?;
    let [keys, attempt, level, message, fields] = &rows.log;
    all.execute(
        "INSERT INTO logs VALUES (1, 1, 1, ?1, ?2, ?3, 1, ?4, ?5)",
        params![
            keys.text("[]"),
            attempt.or(Sql::Integer(1)),
            level.or(Sql::Integer(2)),
            message.text("m"),
            fields.text("{}"),
        ],
    )?;
    all.commit()
}

impl Cell<'_> {
    fn or(&self, usual: Sql) -> Sql {
        match self {
            Self::Usual => usual,
            Self::Null => Sql::Null,
            Self::Number(number) => Sql::Integer(*number),
            Self::Text(text) => Sql::Text((*text).to_owned()),
            Self::Bytes(bytes) => Sql::Blob(bytes.to_vec()),
        }
    }

    fn text(&self, usual: &str) -> Sql {
        self.or(Sql::Text(usual.to_owned()))
    }
}

/// How many events a text holds.
fn number_of(events: &[u8]) -> i64 {
    let list = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(events);
    list.map_or(0, |list| i64::try_from(list.len()).expect("a short text"))
}

/// As the store makes it.
fn checksum(first: i64, events: &[u8]) -> Vec<u8> {
    let mut hash = blake3::Hasher::new();
    hash.update(&1_i64.to_le_bytes()).update(&first.to_le_bytes()).update(events);
    hash.finalize().as_bytes()[..16].to_vec()
}
