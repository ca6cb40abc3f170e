//! Connections to the database: how it is set up, and brought to the latest version of the schema.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::PATIENCE;
use super::fault::{Fault, Result};
use crate::store::{StoreError, StoreErrorKind};

/// What brings a database from the version that is its place to the next. Never changed once
/// published: what is new is a further step.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema-2.sql")];

/// Says in the head of the file that it is a run store: `dynh`.
const APPLICATION_ID: i32 = 0x6479_6e68;

/// What can be chosen of a database, for measuring and for tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// Bytes of a page, when the database is made.
    pub(super) page_bytes: u32,
    /// When `SQLite` waits for the disk.
    pub(super) synchronous: &'static str,
    /// Pages in the write-ahead log after which they are moved to their place.
    pub(super) checkpoint_pages: u32,
    /// The greatest size of the database, in pages.
    pub(super) max_pages: Option<u32>,
}

impl Default for Tuning {
    /// Rows of events are long, and a page is a call to the system in the log, and again at its place: with pages of 4 KiB
    /// a step costs a tenth more.
    fn default() -> Self {
        Self { page_bytes: 16_384, synchronous: "FULL", checkpoint_pages: 1000, max_pages: None }
    }
}

/// The files of a state folder.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) folder: PathBuf,
    pub(super) database: PathBuf,
    pub(super) objects: PathBuf,
    pub(super) locks: PathBuf,
}

impl Paths {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            database: folder.join("runs.db"),
            objects: folder.join("objects"),
            locks: folder.join("locks"),
        }
    }
}

/// Which file a path led to when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// The device, and the number of the file on it.
    pub(super) fn parts(self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

/// A connection that writes, to a database that is made where it is not there, and has the latest
/// schema.
pub(super) fn writing(path: &Path, tuning: Tuning) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait))?;
    // A file that cannot be written to is opened for reading without a word.
    if connection.is_readonly("main")? {
        return Err(StoreError::new(StoreErrorKind::ReadOnly, "be opened").at(path).into());
    }
    connection.pragma_update(None, "page_size", tuning.page_bytes)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", tuning.synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", tuning.checkpoint_pages)?;
    // Bytes of the log that stay on disk when it is done with.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // In KiB, when negative.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&connection, path, MIGRATIONS)?;
    if let Some(pages) = tuning.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(connection)
}

/// A connection that reads beside one that writes. It could write itself, since the last connection to be
/// closed moves what is in the log to its place.
pub(super) fn beside(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = ready(Connection::open_with_flags(path, flags)?, path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A connection that reads. Where the folder cannot be written to and nobody writes, the file is read
/// as it lies.
pub(super) fn reading(path: &Path) -> Result<Connection> {
    if !path.exists() {
        let gone = io::Error::from(io::ErrorKind::NotFound);
        return Err(Fault::File(path.to_path_buf(), gone));
    }
    let opened = as_it_is(path)?;
    if version(&opened)? == MIGRATIONS.len() {
        return Ok(opened);
    }
    // An older one is brought to the latest version first, which fails where it cannot be written to.
    drop(opened);
    drop(writing(path, Tuning::default())?);
    as_it_is(path)
}

/// A connection that reads a database of any version.
fn as_it_is(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).map_err(Fault::from);
    let opened = opened.and_then(|connection| ready(connection, path));
    match opened {
        Err(Fault::Sql(rusqlite::Error::SqliteFailure(error, _)))
            if matches!(error.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly)
                && !has_log(path) =>
        {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            ready(Connection::open_with_flags(immutable(path), flags)?, path)
        }
        opened => opened,
    }
}

fn ready(connection: Connection, path: &Path) -> Result<Connection> {
    connection.busy_handler(Some(wait))?;
    connection.pragma_update(None, "mmap_size", 256 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    let version = version(&connection)?;
    if version == 0 {
        return Err(not_a_store(path));
    }
    newer(version, path, MIGRATIONS.len())?;
    Ok(connection)
}

/// Whether there are changes that have not been moved to the database.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// The URI of a file that nobody changes.
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            // Writing to memory does not fail.
            other => drop(write!(uri, "%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// Turns the write-ahead log on. `SQLite` does not wait for that when another process does the same.
fn write_ahead(connection: &Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::DatabaseBusy && begun.elapsed() < PATIENCE =>
            {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Waits for another process that writes; false when that took too long. `SQLite`'s own way sleeps
/// up to 100 ms between two attempts, and would often miss a lock that is free for moments only.
fn wait(attempt: i32) -> bool {
    thread_local! {
        static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if attempt == 0 {
        BEGUN.set(Some(now));
    }
    let begun = BEGUN.get().unwrap_or(now);
    if now.duration_since(begun) >= PATIENCE {
        return false;
    }
    std::thread::sleep(std::time::Duration::from_micros(pause_us(attempt)));
    true
}

/// A time that differs from process to process and from attempt to attempt, so that two of them do
/// not wait in step.
fn pause_us(attempt: i32) -> u64 {
    let seed = u64::from(std::process::id()) ^ (u64::from(attempt.unsigned_abs()) << 20);
    200 + seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1800
}

fn version(connection: &Connection) -> Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Brings the database to the latest version, all at once or not at all.
fn migrate(connection: &Connection, path: &Path, steps: &[&str]) -> Result<()> {
    let found = version(connection)?;
    newer(found, path, steps.len())?;
    if found == steps.len() {
        return belongs(connection, path);
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = (|| {
        // Another process may have done it in the meantime.
        let found = version(connection)?;
        if found == 0 {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(not_a_store(path));
            }
        } else {
            belongs(connection, path)?;
        }
        for step in steps.get(found..).unwrap_or_default() {
            connection.execute_batch(step)?;
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", i64::try_from(steps.len()).unwrap_or(0))?;
        Ok(connection.execute_batch("COMMIT")?)
    })();
    if migrated.is_err() {
        // The first error is the one to tell of.
        let _ = connection.execute_batch("ROLLBACK");
    }
    migrated
}

fn newer(found: usize, path: &Path, known: usize) -> Result<()> {
    if found <= known {
        return Ok(());
    }
    let (found, known) = (u32::try_from(found), u32::try_from(known));
    let kind = StoreErrorKind::Newer {
        found: found.unwrap_or(u32::MAX),
        known: known.unwrap_or(u32::MAX),
    };
    Err(StoreError::new(kind, "be opened").at(path).into())
}

/// Fails where the database is one of another program.
fn belongs(connection: &Connection, path: &Path) -> Result<()> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id == APPLICATION_ID { Ok(()) } else { Err(not_a_store(path)) }
}

fn not_a_store(path: &Path) -> Fault {
    let finding = format!("`{}` is a database of another program", path.display());
    Fault::Damaged("be opened".to_owned(), finding)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Folder;
    use super::*;

    fn file(folder: &Folder) -> PathBuf {
        std::fs::create_dir_all(folder.path()).unwrap();
        folder.path().join("runs.db")
    }

    #[test]
    fn an_older_database_is_brought_to_the_latest_version() {
        let folder = Folder::new();
        let path = file(&folder);
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &["CREATE TABLE a (x)"]).unwrap();
        connection.execute("INSERT INTO a VALUES (7)", []).unwrap();
        let second = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 8";
        migrate(&connection, &path, &["CREATE TABLE a (x)", second]).unwrap();
        let row = connection.query_row("SELECT x, y FROM a", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        assert_eq!(row.unwrap(), (7, 8));
        assert_eq!(version(&connection).unwrap(), 2);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_database_as_it_was() {
        let folder = Folder::new();
        let path = file(&folder);
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &["CREATE TABLE a (x)"]).unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE b (x)"];
        assert!(migrate(&connection, &path, &steps).is_err());
        assert_eq!(version(&connection).unwrap(), 1);
        assert!(connection.prepare("SELECT * FROM b").is_err());
    }

    #[test]
    fn a_database_of_a_later_version_is_refused() {
        let folder = Folder::new();
        let path = file(&folder);
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        let error = migrate(&connection, &path, &["CREATE TABLE a (x)"]).unwrap_err();
        let error = error.during("be opened", &path);
        assert_eq!(error.kind(), StoreErrorKind::Newer { found: 2, known: 1 });
        assert!(error.to_string().contains("has version 2"), "{error}");
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let folder = Folder::new();
        let path = file(&folder);
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE a (x)").unwrap();
        let error = writing(&path, Tuning::default()).unwrap_err().during("be opened", &path);
        assert_eq!(error.kind(), StoreErrorKind::Damaged);
    }

    #[test]
    fn an_immutable_file_may_have_any_name() {
        let uri = immutable(Path::new("/a b/ü?.db"));
        assert_eq!(uri, "file:/a%20b/%C3%BC%3F.db?immutable=1");
    }
}
