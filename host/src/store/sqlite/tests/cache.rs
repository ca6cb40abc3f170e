//! The cache.

use std::time::Duration;

use super::*;
use crate::cache::{Cache as _, CacheEntry, CacheKey, CachedSuccess, GivenOutput, Holdings};
use crate::store::history::Prune;
use crate::store::sqlite::encode::INLINE_BYTES;

fn key(number: u8, component: &str, step: Option<&str>) -> CacheKey {
    CacheKey {
        digest: blake3::hash(format!("{number} {component} {step:?}").as_bytes()).into(),
        component: component.to_owned(),
        op: "size".to_owned(),
        interface: "dynhost:op@0.1.0".into(),
        config: [1; 32],
        inputs: vec![("file".to_owned(), [number; 32]), ("unit".to_owned(), [0; 32])],
        step: step.map(str::to_owned),
    }
}

fn entry(key: CacheKey, run: &str, step: &str, value: Value) -> CacheEntry {
    let dynamic = Some("a".to_owned().try_into().unwrap());
    let outputs = vec![
        GivenOutput { output: "files".into(), key: dynamic, value: value.clone() },
        GivenOutput { output: "size".into(), key: None, value },
    ];
    let step = step.parse().unwrap();
    let success = CachedSuccess { run: run.to_owned(), step, took_us: 7, outputs };
    CacheEntry { key, run: run.to_owned(), success }
}

#[test]
fn what_was_kept_is_found() {
    let folder = Folder::new();
    let store = folder.open();
    let values = [
        Value::json_text(" {\"b\": 1, \"a\": 2}"),
        Value::bytes("image/png", vec![1; INLINE_BYTES + 1]),
        // All outputs together are too large to stand in a row.
        Value::bytes("image/png", vec![1; INLINE_BYTES - 1]),
    ];
    for (number, value) in (0..).zip(values) {
        let entry = entry(key(number, "ab", None), "01A", "size[a]", value);
        assert_eq!(store.find(&entry.key.digest).unwrap(), None);
        store.keep(entry.clone());
        store.flush();
        assert_eq!(store.find(&entry.key.digest).unwrap(), Some(entry.success.clone()));
        let read_only = SqliteStore::open_read_only(folder.path()).unwrap();
        assert_eq!(read_only.find(&entry.key.digest).unwrap(), Some(entry.success));
    }
}

#[test]
fn an_entry_takes_the_place_of_the_one_before() {
    let folder = Folder::new();
    let store = folder.open();
    for (run, value) in [("01A", "1"), ("01B", "2")] {
        store.keep(entry(key(1, "ab", None), run, "size[a]", Value::json_text(value)));
    }
    store.flush();
    let found = store.find(&key(1, "ab", None).digest).unwrap().unwrap();
    assert_eq!(
        (found.run.as_str(), found.outputs[1].value.clone()),
        ("01B", Value::json_text("2"))
    );
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let count = connection.query_row("SELECT count(*) FROM cache_entries", [], |row| row.get(0));
    assert_eq!(count, Ok(1));
}

#[test]
fn a_damaged_entry_is_no_success() {
    let folder = Folder::new();
    let store = folder.open();
    let entry = entry(key(1, "ab", None), "01A", "size[a]", Value::json_text("17"));
    store.keep(entry.clone());
    store.flush();
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let change = "UPDATE cache_entries SET outputs = replace(outputs, '17', '18')";
    assert_eq!(connection.execute(change, []), Ok(1));
    let error = store.find(&entry.key.digest).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged);
    store.keep(entry.clone());
    store.flush();
    assert!(store.find(&entry.key.digest).unwrap().is_some());
}

#[test]
fn what_there_is_of_an_op_is_known() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.holdings("ab", "size").unwrap(), Holdings::default());
    store.keep(entry(key(1, "ab", Some("size[a] 1")), "01A", "size[a]", Value::json_text("1")));
    store.flush();
    let holdings = store.holdings("ab", "size").unwrap();
    assert_eq!(holdings, Holdings { by_inputs: false, by_step: true });
    store.keep(entry(key(1, "ab", None), "01A", "size[a]", Value::json_text("1")));
    store.flush();
    let holdings = store.holdings("ab", "size").unwrap();
    assert_eq!(holdings, Holdings { by_inputs: true, by_step: true });
    assert_eq!(store.holdings("cd", "size").unwrap(), Holdings::default());
}

#[test]
fn the_entry_most_like_another_is_of_an_earlier_run() {
    let folder = Folder::new();
    let store = folder.open();
    let value = || Value::json_text("1");
    store.keep(entry(key(1, "ab", None), "01A", "size[a]", value()));
    store.keep(entry(key(2, "ab", None), "01A", "size[b]", value()));
    store.keep(entry(key(1, "cd", None), "01B", "size[a]", value()));
    store.keep(entry(key(3, "cd", None), "01B", "size[c]", value()));
    store.flush();
    // Another component, but the same input.
    let found = store.compare("01B", "size[a]").unwrap().unwrap();
    assert_eq!(found.key, key(1, "cd", None));
    let (closest, by) = found.closest.unwrap();
    assert_eq!(closest, key(1, "ab", None));
    assert_eq!((by.run.as_str(), by.step.as_str()), ("01A", "size[a]"));
    // Nothing but what all have in common: the newest.
    let found = store.compare("01B", "size[c]").unwrap().unwrap();
    assert_eq!(found.closest.unwrap().0, key(2, "ab", None));
    assert_eq!(store.compare("01A", "size[a]").unwrap().unwrap().closest, None);
    assert_eq!(store.compare("01B", "size[x]").unwrap(), None);
}

#[test]
fn entries_go_by_age_and_size() {
    let folder = Folder::new();
    let store = folder.open();
    let large = Value::bytes("image/png", vec![1; 2 * INLINE_BYTES]);
    for number in 0..4 {
        let value = if number == 0 { large.clone() } else { Value::json_text("1") };
        store.keep(entry(key(number, "ab", None), "01A", "size[a]", value));
        store.flush();
    }
    let age = Some(Duration::from_hours(1));
    let pruned = store.prune(&Prune { cache_older_than: age, ..Prune::default() }).unwrap();
    assert_eq!(pruned.cache_entries, 0);
    let pruned = store.prune(&Prune { cache_bytes: Some(2000), ..Prune::default() }).unwrap();
    assert_eq!((pruned.cache_entries, pruned.objects), (1, 1));
    assert_eq!(store.find(&key(0, "ab", None).digest).unwrap(), None);
    assert!(store.find(&key(1, "ab", None).digest).unwrap().is_some());
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let used = "UPDATE cache_entries SET used_at_us = 7 WHERE entry = 2";
    assert_eq!(connection.execute(used, []), Ok(1));
    // It was found, and is therefore in use.
    assert!(store.find(&key(1, "ab", None).digest).unwrap().is_some());
    store.flush();
    let pruned = store.prune(&Prune { cache_older_than: age, ..Prune::default() }).unwrap();
    assert_eq!(pruned.cache_entries, 0);
    let all = Prune { cache_older_than: Some(Duration::ZERO), ..Prune::default() };
    assert_eq!(store.prune(&all).unwrap().cache_entries, 3);
    assert_eq!(store.holdings("ab", "size").unwrap(), Holdings::default());
}
