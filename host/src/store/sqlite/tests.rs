//! The store in a folder, from outside.

mod cache;
mod damage;
mod page;
mod processes;
mod pruning;
mod steps;
mod values;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dynhost_graph::event::{
    Event, Failure, Level, Lineage, ManifestRecord, Recorded, RunSettings, RunStatus,
};
use dynhost_graph::value::Value;
use tokio::sync::mpsc::unbounded_channel;

use super::SqliteStore;
use crate::run::StepCounts;
use crate::store::history::{LogFilter, RunFilter, RunState};
use crate::store::{Receipt, RunStore as _, StoreError, StoreErrorKind};

/// A folder that goes when it is dropped; it is not there at first.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dynhost-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// All files in the folder of objects.
fn object_files(folder: &Folder) -> Vec<PathBuf> {
    let listed = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let inside = |path: PathBuf| if path.is_dir() { listed(&path) } else { vec![path] };
    listed(&folder.path().join("objects")).into_iter().flat_map(inside).collect()
}

/// 2025-11-22, and a time in the past of every test.
const THEN: u64 = 1_763_800_000_000_000;

fn at(us: u64, event: Event) -> Recorded {
    Recorded { at_us: THEN + us, event }
}

fn began(run: &str) -> Event {
    Event::RunStarted {
        version: 1,
        run: run.to_owned(),
        job: "sizes".to_owned(),
        params: vec![("dir".to_owned(), serde_json::json!("docs"))],
        components: vec![("files".to_owned(), "ab".repeat(32))],
        manifest: Some(Box::new(ManifestRecord {
            path: "/work/job.toml".into(),
            text: "[job]".to_owned(),
            working: "/work".into(),
        })),
        settings: RunSettings::default(),
        nodes: Vec::new(),
        parent: None,
    }
}

fn finished(status: RunStatus) -> Event {
    Event::RunFinished { status, outputs: Vec::new() }
}

fn started(step: &str, attempt: u32) -> Event {
    Event::StepStarted { step: step.parse().unwrap(), attempt }
}

fn succeeded(step: &str) -> Event {
    let (step, outputs) = (step.parse().unwrap(), vec![("size".into(), Value::json_text("7"))]);
    Event::StepSucceeded { step, attempt: 1, outputs, took_us: 10, reused: None }
}

fn failed(step: &str, attempt: u32, retry_in_ms: Option<u64>) -> Event {
    let failure = Failure::Trap { message: format!("attempt {attempt}") };
    Event::StepFailed { step: step.parse().unwrap(), attempt, failure, retry_in_ms, took_us: 10 }
}

fn emitted(key: &str, value: Value) -> Event {
    let (step, key) = ("list".parse().unwrap(), key.to_owned().try_into().unwrap());
    Event::OutputEmitted { step, attempt: 1, output: "files".into(), key, value }
}

/// Hands events over and waits for the answer.
fn append(store: &SqliteStore, run: &str, events: Vec<Recorded>) -> Result<(), StoreError> {
    let (sender, mut answers) = unbounded_channel();
    store.append(&run.into(), Receipt::new(Arc::new(events), sender));
    answers.blocking_recv().unwrap().map(drop)
}

/// The same with one time for all.
fn keep(store: &SqliteStore, run: &str, events: Vec<Event>) {
    append(store, run, events.into_iter().map(|event| at(5, event)).collect()).unwrap();
}

fn events(store: &SqliteStore, run: &str, from: u64) -> Result<Vec<Recorded>, StoreError> {
    let mut events = Vec::new();
    store.read_from(run, from, &mut |event| {
        events.push(event);
        ControlFlow::Continue(())
    })?;
    Ok(events)
}

/// Everything that a reader can be told of a run, in one text.
fn picture(store: &SqliteStore, run: &str) -> String {
    let filter = crate::store::history::StepFilter { limit: 1000, ..Default::default() };
    let (run, nodes) = (store.run(run).unwrap(), store.nodes(run).unwrap());
    let steps = store.steps(&run.run, &filter).unwrap().items;
    let steps: Vec<_> = steps.iter().map(|step| (&step.step, step.status, step.attempts)).collect();
    format!("{:?} {:?} {nodes:?} {steps:?}", run.status, run.steps)
}

#[test]
fn events_are_read_as_they_were_kept() {
    let folder = Folder::new();
    let store = folder.open();
    let all: Vec<_> = [began("01A"), started("list", 1), emitted("a", Value::json_text("1"))]
        .into_iter()
        .chain((0..5000).map(|number| started(&format!("size[{number}]"), 1)))
        .zip(0..)
        .map(|(event, us)| at(us, event))
        .collect();
    for part in all.chunks(700) {
        append(&store, "01A", part.to_vec()).unwrap();
    }
    assert_eq!(events(&store, "01A", 0).unwrap(), all);
    assert_eq!(events(&store, "01A", 4000).unwrap(), all[4000..]);
    assert_eq!(events(&store, "01A", 5003).unwrap(), []);
    assert_eq!(events(&store, "other", 0).unwrap(), []);
    let mut seen = 0;
    store
        .read_from("01A", 699, &mut |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 2);
    drop(store);
    let store = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(events(&store, "01A", 0).unwrap(), all);
    assert_eq!(append(&store, "01A", all).unwrap_err().kind(), StoreErrorKind::ReadOnly);
}

#[test]
fn whoever_is_given_an_event_may_ask_the_store() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A"), finished(RunStatus::Succeeded)]);
    store
        .read_from("01A", 0, &mut |_| {
            assert_eq!(store.resolve("last").unwrap(), "01A");
            ControlFlow::Continue(())
        })
        .unwrap();
}

#[test]
fn runs_are_listed_newest_first_in_pages() {
    let folder = Folder::new();
    let store = folder.open();
    for run in ["01A", "01B", "01C", "02D"] {
        keep(&store, run, vec![began(run)]);
    }
    keep(&store, "01B", vec![succeeded("list"), finished(RunStatus::Succeeded)]);
    let ids = |filter: RunFilter| -> Vec<String> {
        store.runs(&filter).unwrap().into_iter().map(|run| run.run).collect()
    };
    let page = RunFilter { limit: 2, ..RunFilter::default() };
    assert_eq!(ids(page.clone()), ["02D", "01C"]);
    assert_eq!(ids(RunFilter { before: Some("01C".into()), ..page.clone() }), ["01B", "01A"]);
    assert_eq!(ids(RunFilter { job: Some("other".into()), ..page.clone() }), [""; 0]);
    let lock = store.lock("01C").unwrap();
    let status = |status| RunFilter { status: Some(status), ..page.clone() };
    assert_eq!(ids(status(RunState::Running)), ["01C"]);
    assert_eq!(ids(status(RunState::Interrupted)), ["02D", "01A"]);
    assert_eq!(ids(status(RunState::Succeeded)), ["01B"]);
    drop(lock);
    assert_eq!(ids(status(RunState::Running)), [""; 0]);
}

#[test]
fn a_run_is_summed_up() {
    let folder = Folder::new();
    let store = folder.open();
    let mut event = began("01B");
    let lineage = Lineage { run: "01A".to_owned(), steps: vec!["size[*]".to_owned()] };
    if let Event::RunStarted { parent, .. } = &mut event {
        *parent = Some(Box::new(lineage));
    }
    keep(&store, "01B", vec![event, started("list", 1)]);
    append(&store, "01B", vec![at(30, succeeded("list"))]).unwrap();
    let run = store.run("01B").unwrap();
    assert_eq!((run.job.as_str(), run.status), ("sizes", RunState::Interrupted));
    assert_eq!((run.started_at_us, run.ended_at_us), (THEN + 5, Some(THEN + 30)));
    assert_eq!(run.steps, StepCounts { succeeded: 1, ..StepCounts::default() });
    assert_eq!(run.parent.unwrap().steps, ["size[*]"]);
    assert_eq!(run.manifest.unwrap(), Path::new("/work/job.toml"));
    assert_eq!(run.params, serde_json::json!({"dir": "docs"}));
    assert_eq!(store.run("01C").unwrap_err().kind(), StoreErrorKind::Unknown);
}

#[test]
fn a_text_means_a_run() {
    let folder = Folder::new();
    let store = folder.open();
    let none = store.resolve("last").unwrap_err().to_string();
    assert_eq!(none, "there is no run `last`: there are no runs yet");
    for run in ["01ABC", "01ABD", "01B"] {
        keep(&store, run, vec![began(run)]);
    }
    assert_eq!(store.resolve("last").unwrap(), "01B");
    assert_eq!(store.resolve("01B").unwrap(), "01B");
    assert_eq!(store.resolve("01abc").unwrap(), "01ABC");
    let several = store.resolve("01A").unwrap_err();
    assert_eq!(several.kind(), StoreErrorKind::Unknown);
    assert!(several.to_string().contains("`01ABD`, `01ABC`"), "{several}");
    let unknown = store.resolve("02").unwrap_err().to_string();
    assert_eq!(unknown, "there is no run `02`; the newest is `01B`");
    assert_eq!(store.resolve("").unwrap_err().kind(), StoreErrorKind::Unknown);
    assert_eq!(store.resolve("%").unwrap_err().kind(), StoreErrorKind::Unknown);
}

#[test]
fn logs_are_read_in_pages_and_from_a_level_on() {
    let folder = Folder::new();
    let store = folder.open();
    let line = |step: &str, level, message: &str| Event::LogWritten {
        step: step.parse().unwrap(),
        attempt: 1,
        level,
        message: message.to_owned(),
        fields: vec![("bytes".to_owned(), "7".to_owned())],
    };
    keep(
        &store,
        "01A",
        vec![
            began("01A"),
            line("list", Level::Info, "one"),
            line("size[a]", Level::Error, "two"),
            line("size[b]", Level::Debug, "three"),
        ],
    );
    keep(&store, "01B", vec![began("01B"), line("list", Level::Error, "other")]);
    keep(&store, "01A", vec![line("list", Level::Warn, "four")]);
    let messages = |filter: LogFilter| -> Vec<String> {
        let lines = store.logs("01A", &LogFilter { limit: 10, ..filter }).unwrap().items;
        lines.into_iter().map(|line| line.message).collect()
    };
    assert_eq!(messages(LogFilter::default()), ["one", "two", "three", "four"]);
    let level = Some(Level::Warn);
    assert_eq!(messages(LogFilter { level, ..LogFilter::default() }), ["two", "four"]);
    let node = Some("size".to_owned());
    assert_eq!(messages(LogFilter { node, ..LogFilter::default() }), ["two", "three"]);
    let step = Some("size[b]".to_owned());
    assert_eq!(messages(LogFilter { step, ..LogFilter::default() }), ["three"]);
    let first = store.logs("01A", &LogFilter { limit: 3, ..LogFilter::default() }).unwrap();
    let rest = LogFilter { limit: 3, after: first.next, ..LogFilter::default() };
    let rest = store.logs("01A", &rest).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert_eq!(rest.items[0].fields, [("bytes".to_owned(), "7".to_owned())]);
    assert_eq!((rest.items[0].step.as_str(), rest.items[0].level), ("list", Level::Warn));
}
