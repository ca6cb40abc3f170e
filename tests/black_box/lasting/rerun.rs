//! A new run from an old one: `semantics.md` rule 20.

use std::sync::Arc;

use dynhost::RunError;
use dynhost::graph::event::{Event, ReusedFrom, RunStatus};
use dynhost::graph::select::SelectError;
use dynhost::store::memory::MemoryStore;
use serde_json::json;

use super::{Script, history};
use crate::job::{Job, Ran, is_start};

const JOB: &str = r#"
nodes.lines = { op = "scripted/lines", inputs.name.value = "keys", SCRIPT }
nodes.obey = { op = "scripted/obey", inputs.value.map = "lines", SCRIPT }
nodes.again = { op = "scripted/obey", inputs.value.map = "obey", SCRIPT }
nodes.gather = { op = "scripted/gather", inputs.texts.collect = "again", SCRIPT }
nodes.alone = { op = "scripted/obey", inputs.value.value = "alone", SCRIPT }
outputs.all.from = "gather"
"#;

struct Bench {
    script: Script,
    job: Job,
    store: Arc<MemoryStore>,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let script = Script::new(files);
        let store = Arc::new(MemoryStore::default());
        let job = Job::new(&script.manifest(JOB)).store(&store);
        Self { script, job, store }
    }

    /// Runs again; gives what ran, too.
    fn rerun(&self, run: &Ran, steps: &[&str]) -> (Ran, Vec<String>) {
        self.script.ran();
        let ran = self.job.rerun(&run.result.run, steps);
        let ran = ran.unwrap_or_else(|error| panic!("{steps:?}: {error}"));
        (ran, self.script.ran())
    }
}

/// "Clone k fails k times, four runs from failure: each runs exactly the still unfinished ones."
#[test]
fn each_run_from_failure_runs_what_is_unfinished() {
    let bench = Bench::new(&[("keys", "k0\nk1\nk2\nk3")]);
    for k in 1..4 {
        bench.script.set(&format!("k{k}"), "fail");
    }
    let mut run = bench.job.run();
    assert_eq!(run.status(), RunStatus::Failed);
    for round in 1..4 {
        assert_eq!(run.failures().len(), 4 - round);
        // Clone `round` has failed often enough.
        bench.script.remove(&format!("k{round}"));
        let (ran, executed) = bench.rerun(&run, &[]);
        let mut unfinished: Vec<String> = (round..4).map(|k| format!("obey[k{k}]")).collect();
        unfinished.push(format!("again[k{round}]"));
        if round == 3 {
            unfinished.push("gather".to_owned());
        }
        unfinished.sort();
        assert_eq!(executed, unfinished, "in round {round}");
        run = ran;
    }
    let ran = run.succeeded();
    assert_eq!(ran.output("all"), Some(json!(["k0", "k1", "k2", "k3"])));
    assert_eq!(ran.counts().cached, 8, "{:?}", ran.counts());
    let events = history(&*bench.store, &ran.result.run);
    let Event::RunStarted { parent: Some(parent), .. } = &events[0].event else {
        panic!("{:?}", events[0])
    };
    assert!(parent.steps.is_empty() && parent.run != ran.result.run, "{parent:?}");
    let from_parent = |it: &dynhost::graph::event::Recorded| matches!(&it.event, Event::StepSucceeded { reused: Some(it), .. } if it.from == ReusedFrom::Parent);
    assert_eq!(events.iter().filter(|it| from_parent(it)).count(), 8);
}

/// A job over three branches, whose first fails at `b` in three runs; gives the output of the last.
fn after_three_failures(script: &Script, nodes: &str) -> Option<serde_json::Value> {
    script.set("some", "a\nb\nc");
    script.set("none", "");
    script.set("b", "fail");
    let tail = "[outputs]\nall.collect = \"gather\"\n";
    let nodes = script.manifest(&format!("[nodes]\n{nodes}{BRANCHES}{tail}"));
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(&nodes).store(&store);
    let mut run = job.run();
    for b in ["fail", "fail", "b"] {
        assert_eq!(run.status(), RunStatus::Failed);
        script.set("b", b);
        run = job.rerun(&run.result.run, &[]).expect("it can be run again");
    }
    run.succeeded().output("all")
}

const BRANCHES: &str = r#"
obey = { op = "scripted/obey", inputs.value.map = "lines", SCRIPT }
gather = { op = "scripted/gather", inputs.texts.collect = "obey", SCRIPT }
"#;

/// "Branches of some / none / skipped over three resumes end in `[["a","b","c"],[]]`."
#[test]
fn branches_of_some_none_and_skipped() {
    let script = Script::new(&[("skipped", "skip")]);
    let nodes = r#"
branches = { op = "basics/each", inputs.values.value = ["some", "none", "skipped"] }
name = { op = "scripted/obey_name", inputs.value.map = "branches", SCRIPT }
lines = { op = "scripted/lines", inputs.name.map = "name", SCRIPT }
"#;
    assert_eq!(after_three_failures(&script, nodes), Some(json!([["a", "b", "c"], []])));
}

/// The same where the dynamic output is optional: without an element it counts as not emitted
/// (`semantics.md` rule 14).
#[test]
fn an_optional_branch_without_elements_is_skipped() {
    let nodes = r#"
branches = { op = "basics/each", inputs.values.value = ["some", "none", "missing"] }
lines = { op = "scripted/lines_if_any", inputs.name.map = "branches", SCRIPT }
"#;
    let output = after_three_failures(&Script::new(&[]), nodes);
    assert_eq!(output, Some(json!([["a", "b", "c"]])));
}

/// Selected steps run in any case, and what takes another value because of them.
#[test]
fn selectors_choose_what_runs() {
    let bench = Bench::new(&[("keys", "a\nb")]);
    let run = bench.job.run().succeeded();
    let all = json!(["a", "b"]);
    let cases: [(&[&str], &[&str]); 8] = [
        (&["obey[a]"], &["obey[a]"]),
        (&["obey[*]"], &["obey[a]", "obey[b]"]),
        (&["obey"], &["obey[a]", "obey[b]"]),
        (&["obey[a]+"], &["again[a]", "gather", "obey[a]"]),
        (&["+again[b]"], &["again[b]", "lines", "obey[b]"]),
        (&["+gather"], &["again[a]", "again[b]", "gather", "lines", "obey[a]", "obey[b]"]),
        (&["alone", "again[a]"], &["again[a]", "alone"]),
        (&["lines+"], &["again[a]", "again[b]", "gather", "lines", "obey[a]", "obey[b]"]),
    ];
    for (selectors, expected) in cases {
        let (ran, executed) = bench.rerun(&run, selectors);
        assert_eq!(executed, expected, "{selectors:?}");
        assert_eq!(ran.succeeded().output("all"), Some(all.clone()));
    }
    // A selected step that gives something else takes along what depends on it.
    bench.script.set("a", "x");
    let (ran, executed) = bench.rerun(&run, &["obey[a]"]);
    assert_eq!(executed, ["again[a]", "gather", "obey[a]"]);
    assert_eq!(ran.succeeded().output("all"), Some(json!(["x", "b"])));
}

#[test]
fn what_selects_nothing_is_refused() {
    let bench = Bench::new(&[("keys", "readme\nb")]);
    let run = bench.job.run().succeeded();
    let refused = |selector: &str| match bench.job.rerun(&run.result.run, &[selector]) {
        Err(RunError::Select(error)) => (error.to_string(), error.help()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused("obay[b]"),
        ("`obay[b]`: the job has no node `obay`".into(), "did you mean `obey`?".into())
    );
    assert_eq!(
        refused("obey[raedme]"),
        ("`obey[raedme]` selects no step of the run".into(), "did you mean `obey[readme]`?".into())
    );
    assert!(refused("obey[").0.contains("brackets"));
    let unknown = bench.job.rerun("01", &[]);
    assert!(matches!(unknown, Err(RunError::Store(_))), "{unknown:?}");
    assert!(matches!(
        "size[".parse::<dynhost::graph::select::Selector>(),
        Err(SelectError::Malformed { .. })
    ));
}

/// "A re-run with fewer or more keys than its parent neither hangs nor keeps stale values."
#[test]
fn keys_come_and_go() {
    let bench = Bench::new(&[("keys", "a\nb\nc")]);
    let run = bench.job.run().succeeded();
    bench.script.set("keys", "b\nd\na=other");
    let (ran, executed) = bench.rerun(&run, &["lines"]);
    assert_eq!(executed, ["again[a]", "again[d]", "gather", "lines", "obey[a]", "obey[d]"]);
    let ran = ran.succeeded();
    assert_eq!(ran.output("all"), Some(json!(["b", "d", "other"])));
    bench.script.set("keys", "b");
    let (ran, executed) = bench.rerun(&ran, &["lines"]);
    assert_eq!(executed, ["gather", "lines"]);
    assert_eq!(ran.succeeded().output("all"), Some(json!(["b"])));
    bench.script.set("keys", "");
    let (ran, executed) = bench.rerun(&run, &["lines"]);
    assert_eq!(executed, ["gather", "lines"]);
    assert_eq!(ran.succeeded().output("all"), Some(json!([])));
}

/// A run of many elements is played back under back-pressure, and the elements keep their order.
#[test]
fn a_large_fan_out_is_played_back() {
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 5000 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers", max_concurrency = 1 }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
outputs.all.collect = "double"
"#,
    )
    .store(&store)
    .max_concurrency(1);
    let run = job.run().succeeded();
    let ran = job.rerun(&run.result.run, &["double[77]"]).expect("it runs").succeeded();
    assert_eq!(ran.result.outputs, run.result.outputs);
    assert_eq!((ran.counts().cached, ran.counts().succeeded), (5001, 1));
    let ran = job.rerun(&run.result.run, &["double"]).expect("it runs").succeeded();
    assert_eq!(ran.result.outputs, run.result.outputs);
    assert_eq!((ran.counts().cached, ran.counts().succeeded), (2, 5000));
}

/// What a node is given by the manifest or by params counts too, and so does where its inputs come from.
#[test]
fn another_param_config_or_wiring_runs_again() {
    let store = Arc::new(MemoryStore::default());
    let nodes = |x: &str, config: &str, from: &str| {
        format!(
            r#"
params.n = {{ type = "integer", default = {x} }}
nodes.a = {{ op = "basics/echo", inputs.value.value = 1 }}
nodes.b = {{ op = "basics/echo", inputs.value.param = "n" }}
nodes.sum = {{ op = "basics/add", inputs.x.from = "a", inputs.y.from = "{from}" }}
nodes.configured = {{ op = "basics/configured", config.k = "{config}" }}
outputs.sum.from = "sum"
outputs.config.from = "configured"
"#
        )
    };
    let run = Job::new(&nodes("2", "x", "b")).store(&store).run().succeeded();
    let rerun = |nodes: &str| {
        let job = Job::new(nodes).store(&store);
        job.rerun(&run.result.run, &[]).expect("it can be run again").succeeded()
    };
    assert_eq!(rerun(&nodes("2", "x", "b")).counts().cached, 4);
    let ran = rerun(&nodes("5", "x", "b"));
    assert_eq!((ran.output("sum"), ran.steps(is_start)), (Some(json!(6)), steps(&["b", "sum"])));
    let ran = rerun(&nodes("2", "y", "b"));
    assert_eq!(ran.output("config"), Some(json!({ "k": "y" })));
    assert_eq!(ran.steps(is_start), ["configured"]);
    let ran = rerun(&nodes("2", "x", "a"));
    assert_eq!((ran.output("sum"), ran.steps(is_start)), (Some(json!(2)), steps(&["sum"])));
}

/// A step that is granted another folder than before is run, and a graph is selected whole.
#[test]
fn another_grant_runs_again() {
    let (one, two) = (Script::new(&[("k", "1")]), Script::new(&[("k", "2")]));
    let nodes = r#"
[nodes]
inner = { graph = "inner", inputs.name.value = "k" }
[graphs.inner]
inputs.name = {}
nodes.lines = { op = "scripted/lines", inputs.name.input = "name", SCRIPT }
nodes.gather = { op = "scripted/gather", inputs.texts.collect = "lines", SCRIPT }
outputs.all.from = "gather"
[outputs]
all.from = "inner.all"
"#;
    let store = Arc::new(MemoryStore::default());
    let job = |script: &Script| Job::new(&script.manifest(nodes)).store(&store);
    let run = job(&one).run().succeeded();
    assert_eq!(run.output("all"), Some(json!(["1"])));
    let other = job(&two).rerun(&run.result.run, &[]).expect("it runs").succeeded();
    assert_eq!((other.output("all"), other.counts().cached), (Some(json!(["2"])), 0));
    let same = job(&one).rerun(&run.result.run, &[]).expect("it runs").succeeded();
    assert_eq!(same.counts().cached, 2);
    for selector in ["inner", "inner/*"] {
        let whole = job(&one).rerun(&run.result.run, &[selector]).expect("it runs").succeeded();
        assert_eq!(whole.counts().cached, 0, "{selector}");
    }
}

fn steps(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
