//! Stores that are damaged, gone, full, in use, or from another time.

use rusqlite::Connection;

use super::*;
use crate::store::sqlite::connect::Tuning;

fn filled(folder: &Folder) {
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    for number in 0..300 {
        keep(&store, "01A", vec![succeeded(&format!("size[{number}]"))]);
    }
}

#[test]
fn a_changed_event_is_found() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    keep(&store, "01A", vec![started("list", 1), succeeded("list")]);
    let connection = Connection::open(folder.path().join("runs.db")).unwrap();
    let change =
        "UPDATE event_batches SET events = replace(events, 'list', 'lost') WHERE first = 1";
    assert_eq!(connection.execute(change, []).unwrap(), 1);
    let error = events(&store, "01A", 0).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged);
    assert!(error.to_string().contains("the run `01A` from number 1 on"), "{error}");
    // Whole, but in the wrong place.
    let change = "UPDATE event_batches SET (digest, events, count) = \
         (SELECT digest, events, count FROM event_batches WHERE first = 0) WHERE first = 1";
    assert_eq!(connection.execute(change, []).unwrap(), 1);
    assert_eq!(events(&store, "01A", 1).unwrap_err().kind(), StoreErrorKind::Damaged);
    connection.execute("DELETE FROM event_batches WHERE first = 1", []).unwrap();
    assert_eq!(events(&store, "01A", 0).unwrap_err().kind(), StoreErrorKind::Damaged);
    connection.execute("DELETE FROM event_batches", []).unwrap();
    assert_eq!(events(&store, "01A", 0).unwrap_err().kind(), StoreErrorKind::Damaged);
}

#[test]
fn a_row_of_impossible_numbers_is_found() {
    for (first, count) in [("1", "9223372036854775807"), ("-9223372036854775808", "7"), ("1", "-5")]
    {
        let folder = Folder::new();
        let store = folder.open();
        keep(&store, "01A", vec![began("01A")]);
        keep(&store, "01A", vec![started("list", 1), succeeded("list")]);
        let connection = Connection::open(folder.path().join("runs.db")).unwrap();
        let change =
            format!("UPDATE event_batches SET first = {first}, count = {count} WHERE first = 1");
        assert_eq!(connection.execute(&change, []).unwrap(), 1);
        let error = events(&store, "01A", 1).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{first} {count}");
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    std::fs::write(folder.path().join("runs.db"), "no database at all".repeat(500)).unwrap();
    for opened in [SqliteStore::open(folder.path()), SqliteStore::open_read_only(folder.path())] {
        assert_eq!(opened.unwrap_err().kind(), StoreErrorKind::Damaged);
    }
}

/// Whatever byte of the file is another, nothing panics, and no event is told that was not kept.
#[test]
fn flipped_bytes_are_never_told_as_events() {
    let folder = Folder::new();
    filled(&folder);
    let path = folder.path().join("runs.db");
    assert!(!folder.path().join("runs.db-wal").exists());
    let whole = std::fs::read(&path).unwrap();
    let kept = events(&folder.open(), "01A", 0).unwrap();
    let mut found = 0;
    for place in (0..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        std::fs::write(&path, &bytes).unwrap();
        let read = SqliteStore::open(folder.path()).and_then(|store| {
            let filter = crate::store::history::StepFilter { limit: 5000, ..Default::default() };
            // Rows that are read from what is damaged may be wrong, but are no panic.
            let _ = (store.steps("01A", &filter), store.nodes("01A"), store.run("01A"));
            events(&store, "01A", 0)
        });
        match read {
            Ok(read) => assert!(read == kept || read.is_empty(), "byte {place}"),
            Err(_) => found += 1,
        }
    }
    // Most bytes are room that is not used yet.
    assert!(found > 10, "{found}");
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    let connection = Connection::open(folder.path().join("runs.db")).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    for opened in [SqliteStore::open(folder.path()), SqliteStore::open_read_only(folder.path())] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Newer { found: 9, known: 2 });
        assert!(error.help().unwrap().contains("version of dynhost"));
    }
}

#[test]
fn a_store_that_is_not_there_is_not_made_for_reading() {
    let folder = Folder::new();
    let error = SqliteStore::open_read_only(folder.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
    assert!(!folder.path().exists());
}

#[test]
fn a_writer_notices_that_its_folder_is_gone() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    std::fs::remove_dir_all(folder.path()).unwrap();
    let error = append(&store, "01A", vec![at(1, started("list", 1))]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
    // Another store in its place does not help.
    drop(folder.open());
    let error = append(&store, "01A", vec![at(1, started("list", 1))]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
}

#[test]
fn a_writer_notices_that_its_database_is_another() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    std::fs::remove_dir_all(folder.path()).unwrap();
    drop(folder.open());
    let error = append(&store, "01A", vec![at(1, started("list", 1))]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
}

#[test]
fn a_full_store_fails_at_once_and_for_good() {
    let folder = Folder::new();
    let tuning = Tuning { max_pages: Some(60), ..Tuning::default() };
    let store = SqliteStore::open_with(folder.path(), tuning).unwrap();
    keep(&store, "01A", vec![began("01A")]);
    let mut kept = 1;
    let error = loop {
        let steps = (0..50).map(|number| at(1, succeeded(&format!("size[{kept}-{number}]"))));
        match append(&store, "01A", steps.collect()) {
            Ok(()) => kept += 50,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(error.help().unwrap().contains("make room"));
    let again = append(&store, "01A", vec![at(1, started("list", 1))]).unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Full);
    drop(store);
    // Opened again it goes on with what was kept, and nothing is half there.
    let store = folder.open();
    assert_eq!(events(&store, "01A", 0).unwrap().len(), kept);
    assert_eq!(store.run("01A").unwrap().steps.succeeded, kept as u64 - 1);
    keep(&store, "01A", vec![started("list", 1)]);
}

#[test]
fn a_folder_that_cannot_be_written_to_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    filled(&folder);
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(), permissions).unwrap();
    };
    set(0o500);
    let store = SqliteStore::open_read_only(folder.path());
    let read = store.and_then(|store| events(&store, "01A", 0));
    let kept = SqliteStore::open(folder.path()).map(drop);
    set(0o700);
    assert_eq!(read.unwrap().len(), 301);
    // A privileged user is refused nothing.
    if let Err(error) = kept {
        assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    }
}
