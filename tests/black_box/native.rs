//! Native ops: the same promises as for guests, where they can be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use dynhost::build::{NodeBuilder, Wire};
use dynhost::graph::event::{Event, Failure, LimitKind, RunStatus};
use dynhost::graph::job::Retry;
use dynhost::graph::manifest::Manifest;
use dynhost::lock::Lock;
use dynhost::native::{Context, Emitter, NativeOps, Op, OpFailure};
use dynhost::store::sqlite::SqliteStore;
use dynhost::testing::{self, Ran, Watched, block_on};
use dynhost::{Component, ComponentError, GivenParams, Host, JobBuilder, PreparedJob, RunOptions};
use serde_json::json;

use crate::job::{Job, host, is_start};

fn component(op: Op) -> Component {
    Component::native(NativeOps::new("here").op(op)).expect("the op is well formed")
}

fn prepare(job: &JobBuilder) -> PreparedJob {
    let prepared = host().prepare_built(job, &GivenParams::new());
    prepared.unwrap_or_else(|error| panic!("{error}"))
}

fn run(job: &JobBuilder) -> Ran {
    block_on(testing::run(host(), &prepare(job)))
}

/// `count` elements of a native op through another one, which is given.
fn clones(op: Op, count: u32) -> (JobBuilder, NodeBuilder) {
    let name = op.definition().name.clone();
    let ops = NativeOps::new("here").op(op).op(numbers());
    let here = Component::native(ops).expect("the ops are well formed");
    let job = JobBuilder::new("clones");
    let numbers = job.node("numbers").op(&here, "numbers").value("value", count);
    let each = job.node("each").op(&here, &name).map("value", &numbers);
    job.output("all", Wire::collect(&each));
    (job, each)
}

fn numbers() -> Op {
    Op::yielding("numbers", |count: u32, out: Emitter<u32>| async move {
        for n in 0..count {
            out.emit(n.to_string(), n).await?;
        }
        Ok(())
    })
}

/// `semantics.md` rule 15, for a panic: its siblings finish, and the run names it.
#[test]
fn a_panic_is_a_failed_step() {
    let op = Op::new("odd", |n: u32| {
        assert_ne!(n, 2, "two is not odd at all");
        Ok(n)
    });
    let (job, _) = clones(op, 4);
    let ran = run(&job).failed();
    ran.step("each[2]").failed("the op panicked: ").attempts(1);
    assert!(matches!(ran.failure("each[2]"), Failure::Trap { message }
        if message.contains("two is not odd at all")));
    ran.step("each[3]").succeeded();
    assert_eq!((ran.counts().succeeded, ran.counts().failed), (4, 1));
}

/// `semantics.md` rule 16: what an op says of another attempt.
#[test]
fn failures_are_retried_as_they_say() {
    let op = Op::future("flaky", |n: u32, context: Context| async move {
        match (n, context.attempt()) {
            (0, 1 | 2) => Err(OpFailure::transient("not yet")),
            (1, 1) => Err(OpFailure::retry_after("later", Duration::from_millis(30))),
            (2, _) => Err(OpFailure::permanent("never").with_detail(&json!({ "n": 2 }))),
            (3, _) => Err("x".parse::<u32>().map_err(OpFailure::from).expect_err("no number")),
            _ => Ok(n),
        }
    });
    let (job, each) = clones(op, 5);
    let retry = Retry { max_attempts: 3, delay: Duration::from_millis(2), ..Retry::default() };
    each.retry(&retry);
    let ran = run(&job).failed();
    assert_eq!(ran.step("each[0]").succeeded().failed_attempts(), [(1, Some(2)), (2, Some(2))]);
    assert_eq!(ran.step("each[1]").succeeded().failed_attempts(), [(1, Some(30))]);
    ran.step("each[2]").failed("never").attempts(1);
    ran.step("each[3]").failed("invalid digit").attempts(1);
    assert!(matches!(ran.failure("each[2]"), Failure::Reported { detail: Some(_), .. }));
}

/// Inputs that do not fit the function fail the step in words.
#[test]
fn inputs_that_do_not_fit() {
    let here = component(Op::new("same", |n: u32| Ok(n)));
    let job = JobBuilder::new("text");
    job.node("text").op(&here, "same").value("value", -1);
    let words = host().prepare_built(&job, &GivenParams::new()).expect_err("it cannot fit");
    let words = words.to_string();
    assert!(words.starts_with("nodes.text.inputs.value: "), "{words}");
    let op = testing::op(host(), &here, "same").value("value", "a");
    let ran = block_on(op.run());
    let words = ran.failure().expect("it fails").to_string();
    assert_eq!(words, "input `value`: invalid type: string \"a\", expected u32");
}

/// `semantics.md` rule 12: an op that emits faster than its clones run waits.
#[test]
fn a_hundred_thousand_elements_under_back_pressure() {
    const COUNT: u32 = 100_000;
    let (ahead, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let (emitted, taken) = (Arc::clone(&ahead), Arc::clone(&ahead));
    let highest = Arc::clone(&most);
    let ops = NativeOps::new("here")
        .op(Op::yielding("numbers", move |count: u32, out: Emitter<u32>| {
            let (emitted, highest) = (Arc::clone(&emitted), Arc::clone(&highest));
            async move {
                for n in 0..count {
                    out.emit(n.to_string(), n).await?;
                    highest.fetch_max(emitted.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                }
                Ok(())
            }
        }))
        .op(Op::new("take", move |n: u32| {
            taken.fetch_sub(1, Ordering::SeqCst);
            Ok(u64::from(n))
        }))
        .op(Op::new("sum", |all: Vec<u64>| Ok(all.iter().sum::<u64>())));
    let here = Component::native(ops).expect("the ops are well formed");
    let job = JobBuilder::new("many").max_concurrency(2);
    let numbers = job.node("numbers").op(&here, "numbers").value("value", COUNT);
    let take = job.node("take").op(&here, "take").map("value", &numbers);
    let sum = job.node("sum").op(&here, "sum").collect("value", &take);
    job.output("sum", &sum);
    let ran = run(&job).succeeded();
    assert_eq!(ran.output("sum"), Some(json!(u64::from(COUNT) * u64::from(COUNT - 1) / 2)));
    let most = most.load(Ordering::SeqCst);
    assert!(most < 5_000, "{most} elements were ahead of their clones");
}

/// A future that waits is interrupted at the timeout, and dropped.
#[test]
fn a_native_op_times_out() {
    let (job, each) = clones(waiting(&Arc::default()), 1);
    each.timeout(Duration::from_millis(20));
    let ran = run(&job).failed();
    ran.step("each[0]").failed("20 ms");
    assert_eq!(ran.failure("each[0]"), &Failure::TimedOut { after_ms: 20 });
}

/// A destructor that panics when its step is interrupted takes no worker with it.
#[test]
fn a_panic_at_the_interruption_stays_in_the_step() {
    struct Clumsy;
    impl Drop for Clumsy {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let op = Op::future("wait", |_: u32, _| {
        let clumsy = Clumsy;
        async move {
            let _clumsy = clumsy;
            std::future::pending::<()>().await;
            Ok(0)
        }
    });
    let (job, each) = clones(op, 3);
    each.timeout(Duration::from_millis(10));
    let host = crate::job::new_host(1);
    let job = host.prepare_built(&job, &GivenParams::new()).expect("it is well formed");
    for _ in 0..2 {
        let ran = block_on(testing::run(&host, &job)).failed();
        assert_eq!(ran.counts().failed, 3);
    }
}

/// Waits for ever, and notes that it was dropped.
fn waiting(dropped: &Arc<AtomicBool>) -> Op {
    struct Note(Arc<AtomicBool>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::clone(dropped);
    Op::future("wait", move |_: u32, context: Context| {
        let note = Note(Arc::clone(&dropped));
        async move {
            let _note = note;
            context.info("waiting");
            std::future::pending::<()>().await;
            Ok(0)
        }
    })
}

/// `semantics.md` rule 18.
#[test]
fn a_native_op_is_cancelled() {
    let dropped = Arc::new(AtomicBool::new(false));
    let (job, _) = clones(waiting(&dropped), 1);
    let ran = block_on(async {
        let run = host().watch(&prepare(&job), RunOptions::default());
        let mut watched = Watched::new(run);
        watched.until(1, |event| matches!(event, Event::LogWritten { .. })).await;
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(ran.status(), RunStatus::Cancelled);
    ran.step("each[0]").cancelled();
    assert!(dropped.load(Ordering::SeqCst));
}

/// The rules for outputs are those for guests.
#[test]
fn outputs_are_checked() {
    let twice = Op::yielding("twice", |_: u32, out: Emitter<u32>| async move {
        out.emit("a", 1).await?;
        out.emit("a", 2).await
    });
    let here = component(twice);
    let ran = block_on(testing::op(host(), &here, "twice").value("value", 0).run());
    assert_eq!(ran.emitted("elements"), [("a".to_owned(), json!(1))]);
    let words = ran.failure().expect("it fails").to_string();
    assert!(matches!(ran.failure(), Some(Failure::BadOutput { .. })), "{words}");

    let here = component(Op::new("large", |n: usize| Ok("x".repeat(n))));
    let job = JobBuilder::new("large");
    job.node("large").op(&here, "large").value("value", 5_000).limit(LimitKind::Output, [4_096]);
    let ran = run(&job).failed();
    assert!(matches!(
        ran.failure("large"),
        Failure::LimitExceeded { limit: LimitKind::Output, value: 4_096, .. }
    ));
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    each: u64,
}

/// A manifest names native ops like a file, beside wasm ones.
#[test]
fn a_manifest_names_native_ops() {
    let nodes = r#"
components.shop = "native:shop"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 10 }
nodes.price = { op = "shop/price", inputs.value.map = "numbers", config.each = 3 }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "price" }
outputs.sum.from = "sum"
"#;
    let unknown = Job::new(nodes).try_prepare().expect_err("this host has no native ops");
    let dynhost::PrepareError::Components(errors) = unknown else { panic!("{unknown}") };
    assert_eq!(errors[0].to_string(), "there are no native ops `shop`");

    let price = Op::future("price", |n: u64, context: Context| async move {
        context.progress(1, Some(1));
        Ok(n * context.config::<Config>()?.each)
    });
    let ops = NativeOps::new("shop").op(price.config::<Config>());
    let host = Host::builder().native(ops).build().expect("a host");
    let ran = Job::new(nodes).host(&host).run().succeeded();
    assert_eq!(ran.output("sum"), Some(json!(135)));
    let progress = |event: &Event| matches!(event, Event::ProgressMade { .. });
    assert_eq!(ran.steps(progress).len(), 10);
}

/// A lock holds for files alone, and a digest in the manifest for native ops as well.
#[test]
fn native_ops_are_pinned_and_not_locked() {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = |version: &str| {
        NativeOps::new("shop").version(version).op(Op::new("price", |n: u64| Ok(n * 3)))
    };
    std::fs::copy(crate::job::component("basics"), folder.path().join("basics.wasm"))
        .expect("a copy");
    let manifest = |shop: &str| {
        let text = format!(
            r#"
job.name = "prices"
components = {{ basics = "basics.wasm", shop = {shop} }}
nodes.numbers = {{ op = "basics/numbers", inputs.n.value = 4 }}
nodes.price = {{ op = "shop/price", inputs.value.map = "numbers" }}
outputs.all.collect = "price"
"#
        );
        Manifest::parse(&folder.path().join("job.toml"), &text).expect("it is well formed")
    };
    let host = Host::builder().native(shop("1")).build().expect("a host");
    let mut plain = manifest("\"native:shop\"");
    assert_eq!(Lock::update(&plain).expect("it can be written"), ["basics.wasm"]);
    let lock = Lock::read(&Lock::path(&plain.path)).expect("it is there");
    lock.pin(&mut plain).expect("all files are locked");
    let pins: Vec<bool> = plain.components.iter().map(|it| it.sha256.is_some()).collect();
    assert_eq!(pins, [true, false]);
    let job = host.prepare(&plain, &GivenParams::new()).expect("they are the same");
    let ran = block_on(testing::run(&host, &job)).succeeded();
    assert_eq!(ran.output("all"), Some(json!([0, 3, 6, 9])));

    let digest = Component::native(shop("1")).expect("it is well formed").digest().to_owned();
    let pinned = manifest(&format!(r#"{{ path = "native:shop", sha256 = "{digest}" }}"#));
    host.prepare(&pinned, &GivenParams::new()).expect("it is the one");
    let other = Host::builder().native(shop("2")).build().expect("a host");
    let refused = other.prepare(&pinned, &GivenParams::new()).expect_err("it is another one");
    let dynhost::PrepareError::Components(errors) = refused else { panic!("{refused}") };
    assert!(
        matches!(&errors[..], [ComponentError::Digest { pinned, .. }] if *pinned == digest),
        "{errors:?}"
    );
}

/// Nothing native is taken for pure that is not said to be.
#[test]
fn only_what_is_called_pure_is_cached() {
    let slow = |n: u32| {
        std::thread::sleep(Duration::from_millis(15));
        Ok(n)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
    let run = |op: Op, version: &str| {
        let ops = NativeOps::new("here").version(version).op(op);
        let here = Component::native(ops).expect("the op is well formed");
        let job = JobBuilder::new("slow");
        job.node("slow").op(&here, "slow").value("value", 1);
        let cache = Some(Arc::clone(&store) as Arc<dyn dynhost::cache::Cache>);
        let options = RunOptions { cache, ..RunOptions::default() };
        let job = prepare(&job);
        let ran = block_on(async { Watched::new(host().watch(&job, options)).ended().await });
        store.flush();
        ran.succeeded().steps(is_start).len()
    };
    let plain = || Op::new("slow", slow);
    assert_eq!([run(plain(), "1"), run(plain(), "1")], [1, 1]);
    assert_eq!([run(plain().pure(), "1"), run(plain().pure(), "1")], [1, 0]);
    assert_eq!(run(plain().pure(), "2"), 1);
}
