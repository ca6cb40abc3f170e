//! Events in their stored form, and values that stand beside them.

use dynhost_graph::event::{CancelReason, OutputValue, ReportedRetry, Reused, ReusedFrom};
use dynhost_graph::name::MappingKey;

use super::*;
use crate::store::sqlite::decode::Decoder;
use crate::store::sqlite::encode::{Encoder, INLINE_BYTES};
use crate::store::sqlite::objects::PACKED_BYTES;

fn values() -> Vec<Value> {
    let deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
    vec![
        Value::json_text("1"),
        Value::json_text(r#"{"b":1.0,"a":[12345678901234567890123,"ü\u0007"]}"#),
        Value::json_text("\"\\\"}\""),
        Value::json_text("not JSON"),
        Value::json_text(""),
        Value::json_text(&b"\"\xff\""[..]),
        Value::bytes("text/plain", "plain"),
        Value::bytes("image/png", &b"\x00\xff"[..]),
        Value::json_text(deep),
    ]
}

fn key(text: &str) -> MappingKey {
    MappingKey::new(text).unwrap()
}

/// At least one of each event, with names that must be escaped.
fn every_event(value: &Value) -> Vec<Event> {
    let step = || "clean/size[a \"b\"\\][ü]".parse().unwrap();
    let reused = Reused { from: ReusedFrom::Cache, run: "00Z".to_owned(), step: step() };
    let outputs = vec![("one".into(), value.clone()), ("two \"".into(), Value::json_text("2"))];
    let reported = Failure::Reported {
        message: "no".to_owned(),
        detail: Some(value.clone()),
        retry: ReportedRetry::After(7),
    };
    let many = vec![(key("a"), value.clone()), (key("b\""), value.clone())];
    vec![
        began("01A"),
        Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None },
        Event::StepStarted { step: step(), attempt: 3 },
        emitted("a \"b\"", value.clone()),
        Event::StepSucceeded {
            step: step(),
            attempt: 1,
            outputs: outputs.clone(),
            took_us: 7,
            reused: None,
        },
        Event::StepSucceeded {
            step: step(),
            attempt: 1,
            outputs,
            took_us: 7,
            reused: Some(reused),
        },
        Event::StepSucceeded {
            step: step(),
            attempt: 1,
            outputs: Vec::new(),
            took_us: u64::MAX,
            reused: None,
        },
        Event::StepFailed {
            step: step(),
            attempt: 1,
            failure: reported,
            retry_in_ms: None,
            took_us: 1,
        },
        failed("size", 2, Some(5)),
        Event::CancelRequested { reason: CancelReason::Aborted { step: step() } },
        Event::CacheLeftAlone { node: "size".into(), lookups: 5, hits: 0 },
        Event::RunFinished {
            status: RunStatus::Failed,
            outputs: vec![
                ("one".to_owned(), OutputValue::Absent),
                ("two \"".to_owned(), OutputValue::Single(value.clone())),
                ("three".to_owned(), OutputValue::Many(many)),
                ("four".to_owned(), OutputValue::Many(Vec::new())),
            ],
        },
    ]
}

#[test]
fn the_stored_form_is_that_of_serde() {
    let mut encoder = Encoder::default();
    let mut decoder = Decoder::new(&|_| unreachable!("there are no objects"));
    for value in &values()[..values().len() - 1] {
        for (event, us) in every_event(value).into_iter().zip(0..) {
            let recorded = at(us, event);
            let mut text = Vec::new();
            encoder.event(&recorded, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text, serde_json::to_string(&recorded).unwrap());
            assert_eq!(decoder.event(&text).unwrap(), recorded, "{text}");
        }
    }
    assert!(encoder.objects.is_empty());
}

#[test]
fn values_keep_every_byte() {
    let folder = Folder::new();
    let store = folder.open();
    let mut all: Vec<_> = values().iter().flat_map(every_event).map(|event| at(1, event)).collect();
    for text in [" 1", "1\n", "\t[1, 2 ]\r\n"] {
        all.push(at(1, emitted("a", Value::json_text(text))));
    }
    append(&store, "01A", all.clone()).unwrap();
    assert_eq!(events(&store, "01A", 0).unwrap(), all);
}

#[test]
fn large_values_are_objects() {
    let folder = Folder::new();
    let store = folder.open();
    let large = Value::bytes("image/png", vec![7; INLINE_BYTES + 1]);
    let other = Value::json_text(format!("\"{}\"", "x".repeat(PACKED_BYTES - 2)));
    let largest = Value::bytes("image/png", vec![7; PACKED_BYTES + 1]);
    let small = Value::bytes("image/png", vec![7; INLINE_BYTES]);
    let all: Vec<_> = [&large, &small, &large, &other, &largest, &largest]
        .into_iter()
        .flat_map(every_event)
        .map(|event| at(1, event))
        .collect();
    append(&store, "01A", all.clone()).unwrap();
    let mut sizes: Vec<_> = object_files(&folder).iter().map(|file| len(file)).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [PACKED_BYTES + 1, INLINE_BYTES + 1 + PACKED_BYTES], "each of them once");
    assert_eq!(events(&store, "01A", 0).unwrap(), all);
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let value: String = connection
        .query_row(
            "SELECT json_extract(json, '$.value') FROM event_list WHERE seq = 3",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let digest = blake3::hash(&large.data);
    let size = INLINE_BYTES + 1;
    assert_eq!(
        value,
        format!("{{\"media_type\":\"image/png\",\"object\":\"{digest}\",\"size\":{size}}}")
    );
    // In later transactions, too, they are where they were.
    let modified = |file: PathBuf| (std::fs::metadata(&file).unwrap().modified().unwrap(), file);
    let files = || object_files(&folder).into_iter().map(modified).collect::<Vec<_>>();
    let before = files();
    append(&store, "01B", all.clone()).unwrap();
    assert_eq!(files(), before);
    assert_eq!(events(&store, "01B", 0).unwrap(), all);
}

fn len(file: &Path) -> usize {
    usize::try_from(std::fs::metadata(file).unwrap().len()).unwrap()
}

#[test]
fn a_damaged_object_is_named() {
    for size in [INLINE_BYTES, PACKED_BYTES] {
        let folder = Folder::new();
        let store = folder.open();
        let large = Value::json_text(format!("\"{}\"", "x".repeat(size)));
        keep(&store, "01A", vec![began("01A"), emitted("a", large.clone())]);
        let file = object_files(&folder).remove(0);
        let whole = std::fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        for (bytes, finding) in [(&flipped[..], "its bytes"), (&whole[..100], "")] {
            std::fs::write(&file, bytes).unwrap();
            let error = events(&store, "01A", 0).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Damaged);
            let words = format!("{error}: {}", std::error::Error::source(&error).unwrap());
            assert!(words.contains(file.to_str().unwrap()) && words.contains(finding), "{words}");
        }
        std::fs::remove_file(&file).unwrap();
        let error = events(&store, "01A", 0).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged);
        // The same value again puts it right.
        keep(&store, "01A", vec![emitted("b", large)]);
        assert_eq!(events(&store, "01A", 0).unwrap().len(), 3);
    }
}

/// Objects that the first version of the schema kept: all of them were files.
#[test]
fn objects_of_an_older_store_are_read() {
    let folder = Folder::new();
    let large = Value::json_text(format!("\"{}\"", "x".repeat(PACKED_BYTES)));
    keep(&folder.open(), "01A", vec![began("01A"), emitted("a", large)]);
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let older = "DROP INDEX objects_by_pack; ALTER TABLE objects DROP COLUMN pack; \
         ALTER TABLE objects DROP COLUMN at; PRAGMA user_version = 1";
    connection.execute_batch(older).unwrap();
    drop(connection);
    let read_only = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(events(&read_only, "01A", 0).unwrap().len(), 2);
}

/// Whatever stands in the table, nothing panics and no memory is asked for that no file has.
#[test]
fn a_row_of_impossible_places_is_found() {
    let folder = Folder::new();
    let store = folder.open();
    let large = Value::json_text(format!("\"{}\"", "x".repeat(INLINE_BYTES)));
    keep(&store, "01A", vec![began("01A"), emitted("a", large)]);
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let most = i64::MAX;
    for (pack, at, bytes) in
        [(1, 1, 7), (1, -1, 7), (1, most, most), (1, 0, most), (1, 0, -1), (-1, 0, 7), (7, 0, 7)]
    {
        let change = "UPDATE objects SET pack = ?1, at = ?2, bytes = ?3";
        connection.execute(change, [pack, at, bytes]).unwrap();
        let error = events(&store, "01A", 0).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{pack} {at} {bytes}");
    }
}
