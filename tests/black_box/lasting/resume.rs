//! Going on with an interrupted run: `semantics.md` rule 19.

use std::collections::BTreeMap;

use dynhost::RunError;
use dynhost::graph::event::{Event, Recorded, RunStatus};
use dynhost::store::memory::MemoryStore;
use serde_json::json;
use std::sync::Arc;

use super::{Script, history, store_of};
use crate::job::{Job, Ran, Watched, block_on, is_start, is_success, step};

/// Nested fan-out, retries, skips, a failure that is tolerated, batches, and a fan-in of fan-ins.
const EVERYTHING: &str = r#"
[nodes]
rows = { op = "basics/rows", inputs.rows.value = 3, inputs.columns.value = 4 }
cells = { op = "basics/each", inputs.values.map = "rows" }
next = { op = "scripted/slow_next", inputs.x.map = "cells", config.thousands = 1, retry = { max_attempts = 3 } }
even = { op = "basics/even", inputs.x.map = "next" }
of_row = { op = "basics/sum", inputs.numbers.collect = "even" }
total = { op = "basics/sum", inputs.numbers.collect = "of_row" }
batched = { op = "basics/sum_list", inputs.numbers = { map = "rows", batch = { max_items = 2 } } }
failing = { op = "hostile/fail", inputs.value.map = "rows", config.until = 9, on_failure = "tolerate", tolerate.count = 9 }
left = { op = "basics/keys", inputs.values.collect = "failing" }
[outputs]
total.from = "total"
rows.collect = "of_row"
left.from = "left"
"#;

fn everything(store: &Arc<MemoryStore>) -> Job {
    let nodes = EVERYTHING
        .lines()
        // A batch is a list of rows, not of numbers.
        .filter(|line| !line.starts_with("batched"))
        .collect::<Vec<_>>()
        .join("\n");
    Job::new(&nodes).store(store)
}

/// How each step of a history ended at last, with the attempt.
fn endings(events: &[Recorded]) -> BTreeMap<String, String> {
    let mut endings = BTreeMap::new();
    for Recorded { event, .. } in events {
        let ending = match event {
            Event::StepSucceeded { attempt, .. } => format!("succeeded at {attempt}"),
            Event::StepFailed { attempt, retry_in_ms: None, .. } => format!("failed at {attempt}"),
            Event::StepSkipped { .. } => "skipped".to_owned(),
            _ => continue,
        };
        let step = step(event).expect("it is about a step").to_string();
        endings.insert(step, ending);
    }
    endings
}

fn assert_same(undisturbed: &Ran, (kept, store, ran): (&[Recorded], &MemoryStore, &Ran)) {
    let at = kept.len();
    assert_eq!(ran.result.outputs, undisturbed.result.outputs, "cut after {at} events");
    assert_eq!(ran.status(), undisturbed.status(), "cut after {at} events");
    assert_eq!(ran.counts(), undisturbed.counts(), "cut after {at} events");
    let whole = history(store, &undisturbed.result.run);
    let first: Vec<Recorded> = undisturbed
        .events
        .iter()
        .map(|event| Recorded { at_us: 0, event: event.clone() })
        .collect();
    assert_eq!(endings(&whole), endings(&first), "cut after {at} events");
    // What had succeeded does not run again.
    let done = endings(kept);
    for started in ran.steps(is_start) {
        assert!(!done.contains_key(&started), "`{started}` ran again, cut after {at} events");
    }
}

/// `semantics.md` rule 19: wherever its history ends, a run goes on to the same end.
#[test]
fn every_beginning_of_a_history_is_enough() {
    let store = Arc::new(MemoryStore::default());
    let undisturbed = everything(&store).run().succeeded();
    let run = undisturbed.result.run.clone();
    let events = history(&*store, &run);
    assert!(events.len() > 80, "{}", events.len());
    for at in 1..events.len() {
        let store = store_of(&run, &events[..at]);
        let ran = everything(&store).resume(&run).expect("it can go on");
        assert_same(&undisturbed, (&events[..at], &store, &ran));
    }
}

/// `semantics.md` rule 19: "repeated kills during resume included".
#[test]
fn a_run_is_resumed_again_and_again() {
    let undisturbed = {
        let store = Arc::new(MemoryStore::default());
        everything(&store).run().succeeded()
    };
    let first = Arc::new(MemoryStore::default());
    let run = everything(&first).run().result.run;
    let mut events = history(&*first, &run)[..2].to_vec();
    let mut resumed = 0;
    loop {
        let store = store_of(&run, &events);
        let ran = everything(&store).resume(&run).expect("it can go on");
        let whole = history(&*store, &run);
        // Seven events further each time.
        if whole.len() <= events.len() + 7 {
            assert_eq!(ran.result.outputs, undisturbed.result.outputs);
            assert_eq!(ran.counts(), undisturbed.counts());
            break;
        }
        events = whole[..events.len() + 7].to_vec();
        resumed += 1;
    }
    assert!(resumed > 10, "{resumed}");
    let recorded = events.iter().filter(|it| matches!(it.event, Event::RunResumed { .. })).count();
    assert!(recorded > 10, "{recorded}");
}

/// A run that was cancelled goes on like one that was killed.
#[test]
fn a_cancelled_run_goes_on() {
    let script = Script::new(&[("b", "work 100000000")]);
    let manifest = script.manifest(
        r#"
nodes.each = { op = "basics/each", inputs.values.value = ["a", "b", "c"] }
nodes.obey = { op = "scripted/obey", inputs.value.map = "each", SCRIPT }
nodes.gather = { op = "scripted/gather", inputs.texts.collect = "obey", SCRIPT }
outputs.all.from = "gather"
"#,
    );
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(&manifest).store(&store);
    let cancelled = block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(3, is_success).await;
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(cancelled.status(), RunStatus::Cancelled);
    assert_eq!(cancelled.counts().cancelled, 1);
    script.ran();
    script.remove("b");
    let ran = job.resume(&cancelled.result.run).expect("it can go on").succeeded();
    assert_eq!(ran.output("all"), Some(json!(["a", "b", "c"])));
    assert_eq!(script.ran(), ["gather", "obey[1]"]);
    let counts = ran.counts();
    assert_eq!((counts.succeeded, counts.cancelled), (5, 0), "each step counts once");
    let again = job.resume(&cancelled.result.run);
    assert!(matches!(again, Err(RunError::Ended { status: RunStatus::Succeeded, .. })));
}

/// The delay before an attempt is not waited for anew, and the attempts go on counting.
#[test]
fn a_retry_goes_on_after_its_delay() {
    let nodes = r#"
nodes.fail = { op = "hostile/fail", inputs.value.value = 1, config = { kind = "transient", until = 2 }, retry = { max_attempts = 3, delay = "50ms" } }
outputs.attempt.from = "fail"
"#;
    let store = Arc::new(MemoryStore::default());
    let run = Job::new(nodes).store(&store).run().succeeded().result.run;
    let events = history(&*store, &run);
    let failed = |it: &Recorded| matches!(it.event, Event::StepFailed { attempt: 2, .. });
    let at = events.iter().position(failed).expect("the second attempt failed");
    let store = store_of(&run, &events[..=at]);
    let ran = Job::new(nodes).store(&store).resume(&run).expect("it can go on").succeeded();
    assert_eq!(ran.output("attempt"), Some(json!(3)));
    assert_eq!(ran.events.iter().filter(|event| is_start(event)).count(), 1);
}

/// What a run was begun with is compared with what is there now.
#[test]
fn a_changed_manifest_or_component_is_refused() {
    let nodes = |n: u32| {
        format!(
            r#"
nodes.numbers = {{ op = "basics/numbers", inputs.n.value = {n} }}
nodes.double = {{ op = "basics/multiply_by_two", inputs.x.map = "numbers" }}
nodes.sum = {{ op = "basics/sum", inputs.numbers.collect = "double" }}
outputs.sum.from = "sum"
"#
        )
    };
    let store = Arc::new(MemoryStore::default());
    let run = Job::new(&nodes(3)).store(&store).run().succeeded().result.run;
    let events = history(&*store, &run);
    let store = store_of(&run, &events[..4]);
    let refused = Job::new(&nodes(4)).store(&store).resume(&run);
    let Err(RunError::Changed(changes)) = refused else { panic!("{refused:?}") };
    assert!(matches!(&changes[..], [dynhost::Change::Manifest { .. }]), "{changes:?}");
    assert_eq!(history(&*store, &run).len(), 4, "nothing was recorded");
    let mut other = events[..4].to_vec();
    if let Event::RunStarted { components, .. } = &mut other[0].event {
        components[0].1 = "0".repeat(64);
    }
    let store = store_of(&run, &other);
    let refused = Job::new(&nodes(3)).store(&store).resume(&run);
    let Err(RunError::Changed(changes)) = refused else { panic!("{refused:?}") };
    assert!(
        matches!(&changes[..], [dynhost::Change::Component { alias, now: Some(_), .. }] if alias == "basics"),
        "{changes:?}"
    );
}
