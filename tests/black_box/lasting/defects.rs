//! Three defects of systems like this one, which are not to be possible here.

use std::sync::Arc;

use dynhost::graph::event::{Event, Recorded, RunStatus};
use dynhost::store::memory::MemoryStore;
use serde_json::json;

use super::{Script, history, store_of};
use crate::job::{Job, is_start};

const JOB: &str = r#"
nodes.lines = { op = "scripted/lines", inputs.name.value = "keys", SCRIPT, retry = { max_attempts = 2 } }
nodes.obey = { op = "scripted/obey", inputs.value.map = "lines", SCRIPT }
nodes.gather = { op = "scripted/gather", inputs.texts.collect = "obey", SCRIPT }
outputs.all.from = "gather"
"#;

/// (a) A worker dies in clone 1 of 4, and the resumed collect holds one value instead of four.
#[test]
fn a_collect_is_whole_after_a_worker_died_in_its_first_clone() {
    let script = Script::new(&[("keys", "a\nb\nc\nd")]);
    let store = Arc::new(MemoryStore::default());
    let job =
        |store: &Arc<MemoryStore>| Job::new(&script.manifest(JOB)).store(store).max_concurrency(1);
    let run = job(&store).run().succeeded().result.run;
    let events = history(&*store, &run);
    let first = events.iter().position(
        |it| matches!(&it.event, Event::StepStarted { step, .. } if &*step.node == "obey"),
    );
    let first = first.expect("a clone started");
    // Whether or not the others were emitted by then.
    for at in first + 1..events.len() {
        let store = store_of(&run, &events[..at]);
        let ran = job(&store).resume(&run).expect("it can go on").succeeded();
        assert_eq!(ran.output("all"), Some(json!(["a", "b", "c", "d"])), "after {at} events");
    }
}

/// (b) A yielder fails after a and b, its retry gives a, b and c, the clone of c fails, and the re-run
/// collects a and b twice.
#[test]
fn a_rerun_collects_each_element_once() {
    let script = Script::new(&[("keys", "a\nb\n!work 3000\n!transient"), ("c", "fail")]);
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(&script.manifest(JOB)).store(&store);
    let failed = crate::job::block_on(async {
        let mut watched = crate::job::Watched::new(job.start());
        // The file changes once the first attempt has read it.
        watched.until(2, |event| matches!(event, Event::OutputEmitted { .. })).await;
        script.set("keys", "a\nb\nc");
        watched.ended().await
    });
    assert_eq!(failed.status(), RunStatus::Failed);
    let attempts =
        |event: &Event| matches!(event, Event::StepStarted { step, .. } if &*step.node == "lines");
    assert_eq!(super::count(&failed.events, attempts), 2);
    assert_eq!(failed.failures().len(), 1, "{:?}", failed.failures());
    script.ran();
    script.remove("c");
    let ran = job.rerun(&failed.result.run, &[]).expect("it can be run again").succeeded();
    assert_eq!(ran.output("all"), Some(json!(["a", "b", "c"])));
    assert_eq!(script.ran(), ["gather", "obey[c]"]);
}

/// (c) A key that only a failed attempt gave runs as a ghost clone later.
#[test]
fn a_key_of_a_failed_attempt_has_no_clone_later() {
    let script = Script::new(&[("keys", "a\nghost\n!work 3000\n!transient"), ("ghost", "fail")]);
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(&script.manifest(JOB)).store(&store);
    let failed = crate::job::block_on(async {
        let mut watched = crate::job::Watched::new(job.start());
        watched.until(2, |event| matches!(event, Event::OutputEmitted { .. })).await;
        script.set("keys", "a\nb");
        script.set("b", "fail");
        watched.ended().await
    });
    assert_eq!(failed.status(), RunStatus::Failed);
    assert_eq!(failed.failures().iter().map(|(step, _)| &**step).collect::<Vec<_>>(), ["obey[b]"]);
    let dropped = |it: &Recorded| matches!(&it.event, Event::ClonesDropped { keys, .. } if keys[0].as_str() == "ghost");
    assert!(history(&*store, &failed.result.run).iter().any(dropped));
    script.ran();
    script.remove("b");
    let ran = job.rerun(&failed.result.run, &[]).expect("it can be run again").succeeded();
    assert_eq!(ran.output("all"), Some(json!(["a", "b"])));
    assert!(!ran.steps(is_start).contains(&"obey[ghost]".to_owned()));
    assert_eq!(script.ran(), ["gather", "obey[b]"]);
    // Nor where the run is resumed at any place.
    let events = history(&*store, &failed.result.run);
    for at in 1..events.len() {
        let store = store_of(&failed.result.run, &events[..at]);
        let job = Job::new(&script.manifest(JOB)).store(&store);
        let Ok(ran) = job.resume(&failed.result.run) else {
            assert_eq!(at, events.len(), "only a run that has ended cannot go on");
            continue;
        };
        // Where the failure of `b` is in the history, it stays one.
        if ran.status() == RunStatus::Succeeded {
            assert_eq!(ran.output("all"), Some(json!(["a", "b"])), "after {at} events");
        } else {
            let failures = ran.failures();
            assert_eq!(failures.len(), 1, "after {at} events: {failures:?}");
            assert_eq!(failures[0].0, "obey[b]", "after {at} events");
        }
    }
}
