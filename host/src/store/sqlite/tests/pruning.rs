//! Removing what is no longer wanted.

use std::time::Duration;

use super::*;
use crate::store::history::{Prune, Pruned};
use crate::store::sqlite::encode::INLINE_BYTES;

fn large(text: &str) -> Value {
    Value::json_text(format!("\"{text}{}\"", "x".repeat(INLINE_BYTES)))
}

fn run(store: &SqliteStore, run: &str, value: &Value) {
    keep(
        store,
        run,
        vec![
            began(run),
            emitted("a", value.clone()),
            emitted("b", large("shared")),
            succeeded("list"),
            finished(RunStatus::Succeeded),
        ],
    );
}

fn ids(store: &SqliteStore) -> Vec<String> {
    let runs = store.runs(&RunFilter { limit: 100, ..RunFilter::default() }).unwrap();
    runs.into_iter().map(|run| run.run).collect()
}

/// Rows in all tables that belong to runs, and files of objects.
fn left(folder: &Folder) -> (i64, usize) {
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let rows = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM run_inputs) \
         + (SELECT count(*) FROM event_batches) + (SELECT count(*) FROM steps) \
         + (SELECT count(*) FROM nodes) + (SELECT count(*) FROM logs) + (SELECT count(*) FROM run_objects) \
         + (SELECT count(*) FROM objects)";
    let rows = connection.query_row(rows, [], |row| row.get(0)).unwrap();
    (rows, object_files(folder).len())
}

#[test]
fn runs_go_with_all_that_only_they_use() {
    let folder = Folder::new();
    let store = folder.open();
    run(&store, "01A", &large("a"));
    run(&store, "01B", &large("b"));
    let all = left(&folder);
    assert_eq!(all.1, 2, "a pack for each transaction");
    let what = Prune { runs: vec!["01A".to_owned()], dry_run: true, ..Prune::default() };
    let told = store.prune(&what).unwrap();
    assert_eq!(left(&folder), all);
    let done = store.prune(&Prune { dry_run: false, ..what }).unwrap();
    assert_eq!(done, told);
    let object_bytes = INLINE_BYTES as u64 + 3;
    let runs = vec!["01A".to_owned()];
    assert_eq!(done, Pruned { runs, objects: 1, object_bytes, ..Pruned::default() });
    assert_eq!(ids(&store), ["01B"]);
    assert_eq!(events(&store, "01B", 0).unwrap().len(), 5);
    store.prune(&Prune { keep: Some(0), ..Prune::default() }).unwrap();
    assert_eq!(left(&folder), (0, 0));
    assert_eq!(events(&store, "01B", 0).unwrap(), []);
}

#[test]
fn bounds_are_kept_together() {
    let folder = Folder::new();
    let store = folder.open();
    let runs = |what: Prune| store.prune(&Prune { dry_run: true, ..what }).unwrap().runs;
    for name in ["01A", "01B", "01C"] {
        run(&store, name, &Value::json_text("1"));
    }
    // One that was interrupted just now, and one long ago.
    let now = crate::run::now_us();
    append(&store, "01D", vec![Recorded { at_us: now, event: began("01D") }]).unwrap();
    keep(&store, "01E", vec![began("01E")]);
    let old = Some(Duration::from_hours(1));
    assert_eq!(runs(Prune::default()), [""; 0]);
    assert_eq!(runs(Prune { older_than: old, ..Prune::default() }), ["01E", "01C", "01B", "01A"]);
    let older = Some(Duration::from_hours(24 * 365 * 100));
    assert_eq!(runs(Prune { older_than: older, ..Prune::default() }), [""; 0]);
    assert_eq!(runs(Prune { keep: Some(4), ..Prune::default() }), ["01A"]);
    assert_eq!(runs(Prune { keep: Some(3), older_than: old, ..Prune::default() }), ["01B", "01A"]);
    assert_eq!(runs(Prune { job: Some("other".into()), ..Prune::default() }), [""; 0]);
    assert_eq!(
        runs(Prune { job: Some("sizes".into()), keep: Some(3), ..Prune::default() }),
        ["01B", "01A"]
    );
    let named = vec!["01D".to_owned()];
    assert_eq!(runs(Prune { runs: named.clone(), ..Prune::default() }), ["01D"]);
    let lock = store.lock("01E").unwrap();
    assert!(!runs(Prune { older_than: old, ..Prune::default() }).contains(&"01E".to_owned()));
    drop(lock);
    let _lock = store.lock("01D").unwrap();
    let error = store.prune(&Prune { runs: named, ..Prune::default() }).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    let unknown = Prune { runs: vec!["01X".to_owned()], ..Prune::default() };
    assert_eq!(store.prune(&unknown).unwrap_err().kind(), StoreErrorKind::Unknown);
    assert_eq!(ids(&store).len(), 5);
}

/// A value that is written again and again while runs with the same value are removed is there whenever
/// its event is.
#[test]
fn what_is_removed_beside_a_writer_is_not_in_use() {
    let folder = Folder::new();
    drop(folder.open());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let store = folder.open();
            for number in 0..40 {
                let name = format!("01A{number:03}");
                let _lock = store.lock(&name).unwrap();
                run(&store, &name, &large("a"));
                assert_eq!(events(&store, &name, 0).unwrap().len(), 5);
            }
        });
        let store = folder.open();
        while !writer.is_finished() {
            store.prune(&Prune { keep: Some(0), ..Prune::default() }).unwrap();
        }
    });
    let store = folder.open();
    store.prune(&Prune { keep: Some(0), ..Prune::default() }).unwrap();
    assert_eq!(left(&folder), (0, 0));
}

#[test]
fn objects_that_nobody_came_to_use_go() {
    let folder = Folder::new();
    let store = folder.open();
    let digest = blake3::hash(b"left").to_hex().to_string();
    let inner = folder.path().join("objects").join(&digest[..2]);
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join(&digest[2..]), b"left").unwrap();
    let pack = folder.path().join("objects/1.pack");
    std::fs::write(&pack, b"these").unwrap();
    let pruned = store.prune(&Prune::default()).unwrap();
    assert_eq!((pruned.objects, pruned.object_bytes), (2, 9));
    assert_eq!(left(&folder), (0, 0));
    // Until then it is not written over.
    std::fs::write(&pack, b"these").unwrap();
    run(&store, "01A", &large("a"));
    assert_eq!(events(&store, "01A", 0).unwrap()[1].event, emitted("a", large("a")));
    assert_eq!(std::fs::read(&pack).unwrap(), b"these");
}

/// What lies in one pack does not have to go at once.
#[test]
fn the_room_of_an_object_is_given_back() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = Folder::new();
    let store = folder.open();
    let other = large(&"y".repeat(500_000));
    run(&store, "01A", &other);
    run(&store, "01B", &Value::json_text("1"));
    let room = || std::fs::metadata(folder.path().join("objects/1.pack")).unwrap().blocks();
    let before = room();
    store.prune(&Prune { runs: vec!["01A".to_owned()], ..Prune::default() }).unwrap();
    assert!(room() < before / 2, "{} of {before} blocks", room());
    assert_eq!(events(&store, "01B", 0).unwrap().len(), 5);
}

/// Somebody removed bytes and did not come to remove the row.
#[test]
fn what_nothing_uses_is_written_again() {
    let folder = Folder::new();
    let store = folder.open();
    run(&store, "01A", &large("a"));
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    connection.execute("DELETE FROM run_objects", []).unwrap();
    let pack = folder.path().join("objects/1.pack");
    let len = std::fs::metadata(&pack).unwrap().len();
    std::fs::write(&pack, vec![0; usize::try_from(len).unwrap()]).unwrap();
    run(&store, "01B", &large("a"));
    assert_eq!(events(&store, "01B", 0).unwrap().len(), 5);
    store.prune(&Prune { runs: vec!["01A".to_owned()], ..Prune::default() }).unwrap();
    assert_eq!(left(&folder).1, 1, "the other pack has nothing in it any more");
}
