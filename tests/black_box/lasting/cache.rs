//! Earlier successes: `semantics.md` rule 21.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dynhost::graph::event::{Event, ReusedFrom, RunStatus};
use dynhost::store::sqlite::SqliteStore;
use serde_json::json;
use tempfile::TempDir;

use super::Script;
use crate::job::{Job, Ran, block_on, component, is_start, watch};

/// Much longer than what is worth keeping, on any machine.
const SLOW: &str = "config.thousands = 5000";

struct Shared {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl Shared {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
        Self { folder, store }
    }

    fn job(&self, nodes: &str) -> Job {
        Job::new(&nodes.replace("SLOW", SLOW)).store(&self.store).cache(&self.store)
    }

    fn run(&self, nodes: &str) -> Ran {
        let ran = self.job(nodes).run().succeeded();
        self.store.flush();
        ran
    }
}

/// The steps that were executed.
fn executed(ran: &Ran) -> Vec<String> {
    let mut steps = ran.steps(is_start);
    steps.sort();
    steps
}

fn chain(values: &str) -> String {
    format!(
        r#"
nodes.each = {{ op = "basics/each", inputs.values.value = {values} }}
nodes.slow = {{ op = "scripted/slow_next", inputs.x.map = "each", SLOW, retry.max_attempts = 2 }}
nodes.sum = {{ op = "scripted/slow_sum", inputs.numbers.collect = "slow", SLOW }}
outputs.sum.from = "sum"
"#
    )
}

#[test]
fn what_is_unchanged_is_not_run_again() {
    let shared = Shared::new();
    let first = shared.run(&chain("[1, 2, 3]"));
    assert_eq!(first.counts().cached, 0);
    let second = shared.run(&chain("[1, 2, 3]"));
    assert_eq!(second.result.outputs, first.result.outputs);
    // A step that takes less than looking it up would is run.
    let cheap = |step: &String| step != "each";
    assert_eq!(executed(&second).into_iter().filter(cheap).collect::<Vec<_>>(), [""; 0]);
    assert!(second.counts().cached >= 4, "{:?}", second.counts());
    let from = second.events.iter().find_map(|event| match event {
        Event::StepSucceeded { step, reused: Some(reused), .. } if &*step.node == "sum" => {
            Some(reused.clone())
        }
        _ => None,
    });
    let from = from.expect("it was taken from the cache");
    assert_eq!((from.from, &from.run), (ReusedFrom::Cache, &first.result.run));
    // Other elements beside: only what is new runs.
    let third = shared.run(&chain("[3, 9, 1]"));
    let ran = executed(&third).into_iter().filter(cheap).collect::<Vec<_>>();
    assert_eq!(ran, ["slow[1]", "sum"]);
    assert_eq!(third.output("sum"), Some(json!(4 + 10 + 2)));
}

/// A yielder is kept with all that it gave, in order.
#[test]
fn a_yielder_is_reused_with_its_elements() {
    let shared = Shared::new();
    let nodes = r#"
nodes.slow = { op = "scripted/slow_numbers", inputs.n.value = 300, config.thousands = 20 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "slow" }
outputs.all.collect = "double"
outputs.each.collect = "slow"
"#;
    let first = shared.run(nodes);
    let second = shared.run(nodes);
    assert_eq!(second.result.outputs, first.result.outputs);
    assert!(!executed(&second).contains(&"slow".to_owned()));
    let keys = |ran: &Ran| {
        let keys = ran.events.iter().filter_map(|event| match event {
            Event::OutputEmitted { key, .. } => Some(key.to_string()),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&second), keys(&first));
}

/// What was kept is not given where an attempt that gives it would exceed a limit.
#[test]
fn limits_hold_for_what_is_reused() {
    let shared = Shared::new();
    let nodes = |limit: &str| {
        format!(
            r#"
nodes.slow = {{ op = "scripted/slow_numbers", inputs.n.value = 50, config.thousands = 200{limit} }}
outputs.each.collect = "slow"
"#
        )
    };
    shared.run(&nodes(""));
    assert_eq!(executed(&shared.run(&nodes(", max_clones = 50"))), [""; 0]);
    let ran = shared.job(&nodes(", max_clones = 49")).run();
    assert_eq!((ran.status(), executed(&ran)), (RunStatus::Failed, vec!["slow".to_owned()]));
}

/// Configuration, component and inputs are all parts of what makes a success.
#[test]
fn a_change_of_any_part_is_a_miss() {
    let shared = Shared::new();
    let nodes = |config: u32, x: u32| {
        format!(
            r#"
nodes.slow = {{ op = "scripted/slow_next", inputs.x.value = {x}, config.thousands = {config} }}
outputs.x.from = "slow"
"#
        )
    };
    shared.run(&nodes(5000, 1));
    assert_eq!(executed(&shared.run(&nodes(5000, 1))), [""; 0]);
    assert_eq!(executed(&shared.run(&nodes(5001, 1))), ["slow"]);
    assert_eq!(executed(&shared.run(&nodes(5000, 2))), ["slow"]);
    // Another component with the same op.
    let mut bytes = fs::read(component("scripted")).expect("it was built");
    bytes.extend([0, 3, 1, b'x', 0]);
    let other = shared.folder.path().join("other.wasm");
    fs::write(&other, bytes).expect("a file");
    let manifest = format!(
        "components.other = '{}'\n{}",
        other.display(),
        nodes(5000, 1).replace("scripted/", "other/")
    );
    assert_eq!(executed(&shared.run(&manifest)), ["slow"]);
    assert_eq!(executed(&shared.run(&manifest)), [""; 0]);
}

/// An op with a grant may give something else each time: it is asked for its word.
#[test]
fn an_op_with_a_grant_is_reused_only_where_the_node_says_so() {
    let shared = Shared::new();
    let script = Script::new(&[("a", "work 5000")]);
    let nodes = |cache: &str| {
        script.manifest(&format!(
            "nodes.obey = {{ op = \"scripted/obey\", inputs.value.value = \"a\", SCRIPT{cache} }}\noutputs.a.from = \"obey\"\n"
        ))
    };
    for _ in 0..2 {
        assert_eq!(executed(&shared.run(&nodes(""))), ["obey"]);
    }
    assert_eq!(executed(&shared.run(&nodes(", cache = true"))), ["obey"]);
    assert_eq!(executed(&shared.run(&nodes(", cache = true"))), [""; 0]);
    assert_eq!(executed(&shared.run(&nodes(""))), ["obey"]);
    // Another folder is another matter.
    let other = Script::new(&[("a", "work 5000")]);
    let elsewhere = nodes(", cache = true")
        .replace(script.path().to_str().expect("UTF-8"), other.path().to_str().expect("UTF-8"));
    assert_eq!(executed(&shared.run(&elsewhere)), ["obey"]);
    // Nor is an op without one where the node says no.
    let nodes = r#"
nodes.slow = { op = "scripted/slow_next", inputs.x.value = 1, SLOW, cache = false }
outputs.x.from = "slow"
"#;
    for _ in 0..2 {
        assert_eq!(executed(&shared.run(nodes)), ["slow"]);
    }
}

/// An op that asks which step it is gives what is good for that step alone; one that asks for its run,
/// what is good for nothing else.
#[test]
fn what_depends_on_the_step_is_reused_for_that_step_alone() {
    let shared = Shared::new();
    let script = Script::new(&[("keys", "a=v\nb=v")]);
    let nodes = script.manifest(
        r#"
[nodes]
lines = { op = "scripted/lines", inputs.name.value = "keys", SCRIPT }
slow = { op = "scripted/slow_keys", inputs.value.map = "lines", SLOW }
run = { op = "scripted/slow_run", inputs.value.value = "v", SLOW }
[outputs]
keys.collect = "slow"
run.from = "run"
"#,
    );
    let first = shared.run(&nodes);
    assert_eq!(first.output("keys"), Some(json!(["v of a", "v of b"])));
    let again = shared.run(&nodes);
    assert_eq!(again.output("keys"), first.output("keys"));
    assert_eq!(executed(&again), ["lines", "run"]);
    assert_ne!(again.output("run"), first.output("run"));
    script.set("keys", "b=v\nc=v");
    let other = shared.run(&nodes);
    assert_eq!(other.output("keys"), Some(json!(["v of b", "v of c"])));
    assert_eq!(executed(&other), ["lines", "run", "slow[c]"]);
}

/// What succeeded at a later attempt is found at that attempt.
#[test]
fn a_later_attempt_is_reused_too() {
    let shared = Shared::new();
    let first = shared.run(&chain("[5]"));
    let second = shared.run(&chain("[5]"));
    assert_eq!(second.result.outputs, first.result.outputs);
    let reused = |event: &Event| matches!(event, Event::StepSucceeded { step, attempt: 2, reused: Some(_), .. } if &*step.node == "slow");
    assert!(second.events.iter().any(reused), "{:?}", second.counts());
}

/// Only successes are kept; what failed runs again.
#[test]
fn failures_are_not_kept() {
    let shared = Shared::new();
    // Zero fails its first attempt for good.
    let nodes = r#"
nodes.slow = { op = "scripted/slow_next", inputs.x.value = 0, SLOW }
outputs.x.from = "slow"
"#;
    for _ in 0..2 {
        let ran = shared.job(nodes).run();
        assert_eq!(ran.status(), RunStatus::Failed);
        assert_eq!(executed(&ran), ["slow"]);
    }
}

/// Runs side by side share a store: what one finds is whole.
#[test]
fn concurrent_runs_share_a_store() {
    let shared = Shared::new();
    let nodes = r#"
nodes.slow = { op = "scripted/slow_numbers", inputs.n.value = 50, config.thousands = 20 }
nodes.next = { op = "scripted/slow_sum", inputs.numbers.collect = "slow", config.thousands = 20 }
outputs.sum.from = "next"
outputs.each.collect = "slow"
"#;
    let outputs = block_on(async {
        let mut outputs = Vec::new();
        for _ in 0..4 {
            let runs: Vec<_> =
                (0..4).map(|_| tokio::spawn(watch(shared.job(nodes).start()))).collect();
            for run in runs {
                let ran = run.await.expect("no panic").succeeded();
                outputs.push(ran.result.outputs);
            }
        }
        outputs
    });
    assert!(outputs.iter().all(|other| *other == outputs[0]));
    assert_eq!(executed(&shared.run(nodes)), [""; 0]);
}

/// An op that is so cheap that looking it up would cost more is simply run.
#[test]
fn cheap_ops_are_not_looked_up() {
    let shared = Shared::new();
    let nodes = r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 2000 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
"#;
    let first = shared.run(nodes);
    let second = shared.run(nodes);
    assert_eq!(second.result.outputs, first.result.outputs);
    let ran = second.steps(is_start).iter().filter(|step| step.starts_with("double[")).count();
    // On a busy machine some take longer than what is cheap; if they were looked up, none would run.
    assert!(ran > 500, "{ran} of 2000 ran");
}

/// An entry that cannot be read does not keep a step from being run.
#[test]
fn a_damaged_entry_is_run_again() {
    let shared = Shared::new();
    let nodes = r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 1, inputs.bytes.value = 3000000 }
nodes.sizes = { op = "basics/payload", inputs.data.map = "blobs" }
outputs.all.collect = "sizes"
"#;
    let first = shared.run(nodes);
    let before = shared.run(nodes);
    assert_eq!(before.result.outputs, first.result.outputs);
    assert!(before.counts().cached > 0, "{:?}", before.counts());
    let damaged = damage_objects(&shared.folder.path().join("objects"));
    assert!(damaged > 0);
    let ran = shared.job(nodes).run().succeeded();
    assert_eq!(ran.result.outputs, first.result.outputs);
    let warned = ran.events.iter().any(|event| {
        matches!(event, Event::LogWritten { message, .. } if message.contains("cannot be read"))
    });
    assert!(warned);
}

/// Flips a byte of every object.
fn damage_objects(folder: &Path) -> usize {
    let mut damaged = 0;
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            damaged += damage_objects(&path);
        } else {
            let mut bytes = fs::read(&path).expect("an object");
            bytes[0] ^= 1;
            fs::write(&path, bytes).expect("an object");
            damaged += 1;
        }
    }
    damaged
}
