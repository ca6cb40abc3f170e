//! Jobs built in code: what a manifest says, in other clothes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynhost::build::{JobError, Wire};
use dynhost::graph::event::{Event, LimitKind};
use dynhost::graph::grant::Access;
use dynhost::graph::job::{
    Backoff, Dispatch, Job as Planned, OnFailure, Retry, RetryOn, Tolerance,
};
use dynhost::graph::manifest::{Manifest, Problem};
use dynhost::store::memory::MemoryStore;
use dynhost::testing::{self, Ran, Watched, block_on};
use dynhost::{Component, GivenParams, JobBuilder, PrepareError, PreparedJob, RunOptions};
use serde_json::json;

use crate::job::{Job, component, host, is_start};

fn load(name: &str) -> Component {
    host().load(&component(name)).expect("it can be loaded")
}

fn prepare(job: &JobBuilder) -> Result<PreparedJob, PrepareError> {
    host().prepare_built(job, &GivenParams::new())
}

/// The events, without what differs from run to run.
fn told(ran: &Ran) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for event in &ran.events {
        let mut event = serde_json::to_value(event).expect("events are JSON");
        for field in ["run", "manifest", "took_us", "components"] {
            event.as_object_mut().expect("an object").remove(field);
        }
        told.push(event.to_string());
    }
    // Steps end in any order.
    told.sort();
    told
}

/// The same job both ways is the same plan, and does the same.
#[test]
fn a_built_job_is_the_manifest() {
    let written = Job::new(
        r#"
job.max_concurrency = 3
job.description = "both ways"
defaults.timeout = "60s"
defaults.limits.log = "1MiB"
[params.n]
type = "integer"
default = 4
[pools]
few = 2
[graphs.twice.inputs.x]
[graphs.twice.nodes.double]
op = "basics/multiply_by_two"
inputs.x.input = "x"
[graphs.twice.nodes.again]
op = "basics/multiply_by_two"
inputs.x.from = "double"
[graphs.twice.outputs]
y.from = "again"
[nodes.numbers]
op = "basics/numbers"
inputs.n.param = "n"
dispatch = "after_success"
max_clones = 1000
[nodes.double]
description = "two of each"
op = "basics/multiply_by_two"
inputs.x.map = "numbers"
max_concurrency = 2
pool = "few"
timeout = ["1500ms", "20s"]
limits = { memory = ["8MiB", "16MiB"] }
retry = { max_attempts = 3, delay = "5ms", backoff = "exponential", max_delay = "1s", jitter = false, on = ["transient", "timeout"] }
tolerate.ratio = 0.5
cache = false
[nodes.four]
graph = "twice"
inputs.x.map = "double"
[nodes.batched]
op = "basics/sum_list"
inputs.numbers.map = "numbers"
batch = { max_items = 3, max_bytes = 1024 }
[nodes.sum]
op = "basics/sum"
inputs.numbers.collect = "four"
after = ["numbers"]
on_failure = "abort"
[nodes.both]
op = "basics/sum_list"
inputs.numbers = [{ from = "sum" }, { value = 1 }]
[outputs]
sum.from = "sum"
both.from = "both"
batches.collect = "batched"
"#,
    );
    let basics = load("basics");
    let job = JobBuilder::new("test").max_concurrency(3).describe("both ways");
    let job = job.default_timeout(Duration::from_mins(1)).default_limit(LimitKind::Log, [1 << 20]);
    let n = job.param("n").kind("integer").default(4);
    job.pool("few", 2);
    let twice = job.graph("twice");
    let x = twice.input("x");
    let double = twice.node("double").op(&basics, "multiply_by_two").wire("x", x);
    let again = twice.node("again").op(&basics, "multiply_by_two").from("x", &double);
    twice.output("y", &again);
    let numbers = job.node("numbers").op(&basics, "numbers").param("n", &n);
    let numbers = numbers.dispatch(Dispatch::AfterSuccess).max_clones(1_000);
    let retry = Retry {
        max_attempts: 3,
        delay: Duration::from_millis(5),
        backoff: Backoff::Exponential,
        max_delay: Some(Duration::from_secs(1)),
        jitter: false,
        on: Some(vec![RetryOn::Transient, RetryOn::Timeout]),
    };
    let double = job.node("double").op(&basics, "multiply_by_two").map("x", &numbers);
    let double = double.describe("two of each").max_concurrency(2).pool("few");
    let double = double.timeouts([Duration::from_millis(1_500), Duration::from_secs(20)]);
    let double = double.limit(LimitKind::Memory, [8 << 20, 16 << 20]).retry(&retry).cache(false);
    let double = double.on_failure(OnFailure::Tolerate(Tolerance::Ratio(0.5)));
    let four = job.node("four").graph(&twice).map("x", &double);
    let batched = job.node("batched").op(&basics, "sum_list").map("numbers", &numbers);
    let batched = batched.batch_items(3).batch_bytes(1_024);
    let sum = job.node("sum").op(&basics, "sum").collect("numbers", &four);
    let sum = sum.after([&numbers]).on_failure(OnFailure::Abort);
    let both = job.node("both").op(&basics, "sum_list");
    let both = both.list("numbers", [Wire::from(&sum), Wire::value(1)]);
    job.output("sum", &sum);
    job.output("both", &both);
    job.output("batches", Wire::collect(&batched));

    let (built, written) = (prepare(&job).expect("it is well formed"), written.prepare());
    assert_eq!(planned(built.job()), planned(written.job()));
    let ran = [built, written].map(|job| block_on(testing::run(host(), &job)).succeeded());
    assert_eq!(ran[0].result.outputs, ran[1].result.outputs);
    assert_eq!(ran[0].output("sum"), Some(json!(48)));
    assert_eq!(told(&ran[0]), told(&ran[1]));
}

/// A plan in words, without the places in its text.
fn planned(job: &Planned) -> String {
    let text = format!("{job:#?}");
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let range = line.trim().trim_start_matches("span: ").trim_end_matches(',');
        let is_span = range
            .split_once("..")
            .is_some_and(|(from, to)| from.parse::<usize>().is_ok() && to.parse::<usize>().is_ok());
        if !is_span {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// The rest of what a node can say: zip and cross, dropped keys, grants and configuration.
#[test]
fn the_rest_is_the_manifest_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("the path is UTF-8");
    let written = Job::new(&format!(
        r#"
nodes.one = {{ op = "basics/numbers", inputs.n.value = 3 }}
nodes.two = {{ op = "basics/numbers", inputs.n.value = 2 }}
nodes.zipped = {{ op = "basics/multiply_inputs", inputs.x.map = "one", inputs.ten.map = "two", combine = "zip", missing = "drop" }}
nodes.crossed = {{ op = "basics/multiply_inputs", inputs.x.map = "one", inputs.ten.map = "two", combine = "cross" }}
nodes.list = {{ op = "files/files_in_directory", config.recursive = true, grants.fs = [{{ host = '{path}', guest = "/data", access = "read" }}], tolerate.count = 1 }}
"#
    ));
    let (basics, files) = (load("basics"), load("files"));
    let job = JobBuilder::new("test");
    let one = job.node("one").op(&basics, "numbers").value("n", 3);
    let two = job.node("two").op(&basics, "numbers").value("n", 2);
    for (name, crossed) in [("zipped", false), ("crossed", true)] {
        let node = job.node(name).op(&basics, "multiply_inputs").map("x", &one).map("ten", &two);
        if crossed {
            node.cross()
        } else {
            node.zip_common()
        };
    }
    let list = job.node("list").op(&files, "files_in_directory");
    list.config(&json!({ "recursive": true }))
        .folder(path, "/data", Access::Read)
        .on_failure(OnFailure::Tolerate(Tolerance::Count(1)));
    let built = prepare(&job).expect("it is well formed");
    assert_eq!(planned(built.job()), planned(written.prepare().job()));
}

fn words(problems: &[Problem]) -> Vec<String> {
    let mut words: Vec<String> = problems
        .iter()
        .map(|it| format!("{} | {} | {:?} | {}", it.message, it.label, it.help, it.related.len()))
        .collect();
    words.sort();
    words
}

fn refused(job: &JobBuilder) -> JobError {
    match prepare(job) {
        Err(PrepareError::Built(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Each mistake is refused in the words of the manifest.
#[test]
fn mistakes_are_those_of_the_manifest() {
    type Build = fn(&JobBuilder, &Component);
    let cases: [(&str, Build); 12] = [
        ("nodes.a.op = \"basics/sums\"", |job, basics| drop(job.node("a").op(basics, "sums"))),
        ("nodes.a.op = \"basics/sum\"", |job, basics| drop(job.node("a").op(basics, "sum"))),
        ("nodes.a = {}", |job, _| drop(job.node("a"))),
        ("nodes.a = { op = \"basics/echo\", inputs.value.from = \"b\" }", |job, basics| {
            job.node("a").op(basics, "echo").from("value", "b");
        }),
        ("nodes.a = { op = \"basics/echo\", inputs.value.param = \"p\" }", |job, basics| {
            job.node("a").op(basics, "echo").param("value", "p");
        }),
        ("nodes.a = { op = \"basics/echo\", inputs.valu.value = 1 }", |job, basics| {
            job.node("a").op(basics, "echo").value("valu", 1);
        }),
        ("nodes.a = { op = \"basics/multiply_by_two\", inputs.x.value = \"x\" }", |job, basics| {
            job.node("a").op(basics, "multiply_by_two").value("x", "x");
        }),
        ("nodes.a = { op = \"basics/emit_ten\", config.x = 1 }", |job, basics| {
            job.node("a").op(basics, "emit_ten").config(&json!({ "x": 1 }));
        }),
        ("nodes.\"a b\".op = \"basics/emit_ten\"", |job, basics| {
            job.node("a b").op(basics, "emit_ten");
        }),
        ("nodes.a = { op = \"basics/emit_ten\", pool = \"p\" }", |job, basics| {
            job.node("a").op(basics, "emit_ten").pool("p");
        }),
        ("nodes.a = { op = \"basics/emit_ten\", timeout = [\"1s\", \"2s\"] }", |job, basics| {
            job.node("a")
                .op(basics, "emit_ten")
                .timeouts([Duration::from_secs(1), Duration::from_secs(2)]);
        }),
        ("nodes.a = { op = \"basics/echo\", inputs.value.from = \"a\" }", |job, basics| {
            let a = job.node("a").op(basics, "echo");
            a.clone().from("value", &a);
        }),
    ];
    let basics = load("basics");
    for (text, build) in cases {
        let written = match Job::new(text).try_prepare() {
            Err(PrepareError::Manifest(error)) => error,
            other => panic!("{text}: {other:?}"),
        };
        let job = JobBuilder::new("test");
        job.component("basics", &basics);
        build(&job, &basics);
        assert_eq!(words(refused(&job).problems()), words(written.problems()), "{text}");
    }
}

/// A mistake names the node and the field.
#[test]
fn a_mistake_names_the_field() {
    let basics = load("basics");
    let job = JobBuilder::new("wrong");
    let numbers = job.node("numbers").op(&basics, "numbers").value("n", 10);
    job.node("numbers").op(&basics, "numbers");
    job.node("sum").op(&basics, "sum").from("numbers", &numbers);
    job.node("echo").op(&basics, "echo").value("value", json!([1, null]));
    job.output("sum", "summ");
    insta::assert_snapshot!(refused(&job), @"
    nodes.echo.inputs.value: a job cannot say JSON `null`
      help: leave it out: an input without a wire is absent
    there are two nodes `numbers`
      help: give one another name
    ");
    let job = JobBuilder::new("wrong");
    let numbers = job.node("numbers").op(&basics, "numbers").value("n", 10);
    job.node("sum").op(&basics, "sum").from("numbers", &numbers);
    job.node("lost").op(&basics, "echo");
    job.output("sum", "summ");
    insta::assert_snapshot!(refused(&job), @r#"
    nodes.sum.inputs.numbers: `numbers` is a dynamic output: `from` takes an ordinary one
      help: `collect = "numbers"` takes all elements as one list; on a node, `map = "numbers"` makes one clone per element
    nodes.lost: node `lost` lacks input `value`, which op `echo` requires
      help: add `inputs.value = { … }`
    outputs.sum: there is no node `summ`
      help: did you mean `sum`?
    "#);
}

/// What is recorded of a built job is enough to go on with it.
#[test]
fn a_built_job_is_resumed() {
    let basics = load("basics");
    let build = || {
        let job = JobBuilder::new("long");
        let numbers = job.node("numbers").op(&basics, "numbers").value("n", 20_000);
        let double = job.node("double").op(&basics, "multiply_by_two").map("x", &numbers);
        let sum = job.node("sum").op(&basics, "sum").collect("numbers", &double);
        job.output("sum", &sum);
        job
    };
    let from_code = || prepare(&build()).expect("it is well formed");
    let from_history = |history: &[dynhost::graph::event::Recorded]| {
        let Event::RunStarted { manifest: Some(record), .. } = &history[0].event else {
            panic!("{:?}", history[0])
        };
        let manifest = Manifest::parse(Path::new(&record.path), &record.text).expect("it parses");
        host().prepare(&manifest, &GivenParams::new()).expect("its components are there")
    };
    for again in [0, 1] {
        let store = Arc::new(MemoryStore::default());
        let options = RunOptions {
            store: Arc::clone(&store) as Arc<dyn dynhost::store::RunStore>,
            max_concurrency: Some(1),
            ..RunOptions::default()
        };
        let ran = block_on(async {
            let mut watched = Watched::new(host().watch(&from_code(), options.clone()));
            watched.until(5, is_start).await;
            let id = watched.torn_down().await;
            let history = crate::lasting::history(&*store, &id);
            assert!(!matches!(history.last().map(|it| &it.event), Some(Event::RunFinished { .. })));
            let job = if again == 0 { from_code() } else { from_history(&history) };
            let resumed = host().resume(&job, &id, options, false).expect("nothing has changed");
            Watched::new(resumed).ended().await
        });
        assert_eq!(ran.succeeded().output("sum"), Some(json!(399_980_000)));
    }
}
