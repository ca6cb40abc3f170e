//! Capabilities: interfaces that the program which embeds the host offers to components.

mod grants;
mod loading;
mod shop;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dynhost::graph::event::{Failure, LimitKind};
use dynhost::native::OpFailure;
use dynhost::store::sqlite::SqliteStore;
use dynhost::testing::{self, Doubles};
use dynhost::{Host, HostBuilder};
use serde_json::json;
use tempfile::tempdir;

use crate::job::{Job, Ran, Watched, block_on, is_start};
use shop::Shop;

const NORTH: &str = "grants.orders = { shops = [\"north\"] }";

fn builder() -> HostBuilder {
    let code = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    Host::builder().workers(4.try_into().expect("four")).code_cache(code)
}

fn host_with(shop: &Shop) -> Host {
    builder().capability(shop.clone()).build().expect("a host can be built")
}

/// One node, whose output is `out`.
fn job(host: &Host, node: &str) -> Job {
    Job::new(&format!("nodes.one = {{ {node} }}\noutputs.out.from = \"one\"\n")).host(host)
}

fn run(host: &Host, node: &str) -> Ran {
    job(host, node).run()
}

#[test]
fn a_granted_interface_answers_and_a_result_is_a_result() {
    let host = host_with(&Shop::default());
    let node = |id: &str| format!("op = \"orders/total\", inputs.id.value = \"{id}\", {NORTH}");
    let ran = run(&host, &node("north-7")).succeeded();
    assert_eq!(ran.output("out"), Some(json!(7)));
    let ran = run(&host, &node("south-7"));
    assert_eq!(ran.failure("one").to_string(), "shop `south` is not granted");
}

/// Each attempt has a state of its own, which nobody has seen before and which is gone with the instance.
#[test]
fn thousands_of_clones_share_no_state() {
    let shop = Shop::default();
    let host = host_with(&shop);
    let ran = Job::new(&format!(
        r#"
nodes.numbers = {{ op = "basics/numbers", inputs.n.value = 3000 }}
nodes.calls = {{ op = "orders/calls", inputs.value.map = "numbers", {NORTH} }}
outputs.calls.collect = "calls"
"#
    ))
    .host(&host)
    .run()
    .succeeded();
    assert_eq!(ran.output("calls"), Some(vec![2; 3000].into()));
    assert_eq!(shop.counts.made.load(Ordering::Relaxed), 3000);
    assert_eq!(shop.counts.gone.load(Ordering::Relaxed), 3000);
}

/// A test may disturb steps that use a capability: what they are granted stays granted, and nothing else is.
#[test]
fn doubles_leave_the_grants_as_they_are() {
    let host = host_with(&Shop::default());
    let job = Job::new(&format!(
        r#"
nodes.one = {{ op = "orders/total", inputs.id.value = "north-7", {NORTH}, retry.max_attempts = 2 }}
nodes.other = {{ op = "orders/total", inputs.id.value = "north-7" }}
outputs.out.from = "one"
"#
    ));
    let doubles = Doubles::new().fail("one", 1, OpFailure::transient("made to fail"));
    let ran = block_on(testing::run(&host, &doubles.apply(&job.host(&host).prepare())));
    ran.step("one").succeeded().attempts(2);
    assert_eq!(ran.output("out"), Some(json!(7)));
    ran.step("other").failed("not granted");
}

/// What is not granted is there and fails, so that the ops of a component that do not need it run without.
#[test]
fn a_call_without_a_grant_fails_and_other_ops_run() {
    let shop = Shop::default();
    let host = host_with(&shop);
    run(&host, "op = \"orders/idle\", inputs.value.value = 1").succeeded();
    let ran = run(&host, "op = \"orders/calls\", inputs.value.value = 1");
    let Failure::Trap { message } = ran.failure("one") else { panic!("{:?}", ran.result) };
    assert_eq!(
        message.lines().next(),
        Some(
            "it called `find` of `shop:orders/lookup@0.1.0`, which it is not granted: add `grants.orders` to the node \
             (while ops are described, nothing is granted)"
        )
    );
    assert_eq!(shop.counts.made.load(Ordering::Relaxed), 0);
    // With fuel, the code is another, and linked on its own.
    let fuel = "limits.fuel = 1_000_000_000";
    let ran = run(&host, &format!("op = \"orders/calls\", inputs.value.value = 1, {fuel}"));
    assert!(matches!(ran.failure("one"), Failure::Trap { .. }), "{:?}", ran.result);
    let ran =
        run(&host, &format!("op = \"orders/calls\", inputs.value.value = 1, {fuel}, {NORTH}"));
    assert_eq!(ran.succeeded().output("out"), Some(json!(2)));
}

fn trouble(what: &str, more: &str) -> String {
    format!("op = \"orders/trouble\", inputs.what.value = \"{what}\", {NORTH}{more}")
}

#[test]
fn an_error_of_the_host_fails_the_step_with_its_words() {
    let ran = run(&host_with(&Shop::default()), &trouble("fail", ""));
    let words = ran.failure("one").to_string();
    assert_eq!(words.lines().next(), Some("the guest trapped: the database of the shop is down"));
    let closed = "op = \"orders/idle\", inputs.value.value = 1, grants.orders = { shops = [], closed = true }";
    let ran = run(&host_with(&Shop::default()), closed);
    assert_eq!(
        ran.failure("one").to_string(),
        "it could not be run: the capability `orders` cannot serve it: the shops are closed"
    );
}

/// A panic fails its step; the rest of the run goes on, on the same workers.
#[test]
fn a_panic_fails_its_step_alone() {
    let shop = Shop::default();
    let ran = Job::new(&format!(
        r#"
nodes.numbers = {{ op = "basics/numbers", inputs.n.value = 200 }}
nodes.calls = {{ op = "orders/calls", inputs.value.map = "numbers", {NORTH} }}
nodes.bad = {{ {} }}
outputs.calls.collect = "calls"
"#,
        trouble("panic", "")
    ))
    .host(&host_with(&shop))
    .run();
    let words = "it could not be run: the host panicked while it ran this step: the shop has burnt down; this is a bug";
    assert_eq!(ran.failures(), [("bad".to_owned(), words.to_owned())]);
    assert_eq!(ran.counts().succeeded, 201);
    assert_eq!(shop.counts.gone.load(Ordering::Relaxed), 201);
}

#[test]
fn a_waiting_call_ends_with_its_timeout() {
    let shop = Shop::default();
    let ran = run(&host_with(&shop), &trouble("wait", ", timeout = \"50ms\""));
    assert_eq!(*ran.failure("one"), Failure::TimedOut { after_ms: 50 });
    assert_eq!(shop.counts.gone.load(Ordering::Relaxed), 1);
}

#[test]
fn a_waiting_call_is_interrupted_when_the_run_is_cancelled() {
    let shop = Shop::default();
    let host = host_with(&shop);
    let begun = block_on(async {
        let mut watched = Watched::new(job(&host, &trouble("wait", "")).start());
        watched.until(1, is_start).await;
        while shop.counts.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        watched.run.cancel();
        let ran = watched.ended().await;
        assert_eq!(ran.status(), dynhost::graph::event::RunStatus::Cancelled);
        begun
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(host);
    assert_eq!(shop.counts.gone.load(Ordering::Relaxed), 1);
}

/// What wasmtime counts of the op interface, it counts of a capability too.
#[test]
fn limits_hold_for_a_capability_too() {
    let host = host_with(&Shop::default());
    let ran = run(&host, &trouble("take", "")).succeeded();
    assert_eq!(ran.output("out"), Some(json!(1 << 20)));
    for (what, more, limit) in [
        ("take", ", limits.host_allocation = \"512KiB\"", LimitKind::HostAllocation),
        ("hoard", "", LimitKind::Resources),
    ] {
        let ran = run(&host, &trouble(what, more));
        let failure = ran.failure("one");
        assert!(
            matches!(failure, Failure::LimitExceeded { limit: found, .. } if *found == limit),
            "{failure}"
        );
    }
}

/// Successes are reused only where the capability says that it is pure, by grant and version; or where the node says so.
#[test]
fn a_pure_capability_is_cached_by_its_grant_and_version() {
    let folder = tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
    let starts = |pure, more: &str| {
        let host = host_with(&Shop { pure, ..Shop::default() });
        let node = format!("op = \"orders/toil\", inputs.id.value = \"north-7\"{more}");
        let ran = job(&host, &node).store(&store).cache(&store).run().succeeded();
        store.flush();
        ran.steps(is_start).len()
    };
    let north = ", grants.orders = { shops = [\"north\"] }";
    let both = ", grants.orders = { shops = [\"north\", \"south\"] }";
    assert_eq!([starts(None, north), starts(None, north)], [1, 1]);
    let asked = format!("{north}, cache = true");
    assert_eq!([starts(None, &asked), starts(None, &asked)], [1, 0]);
    for (version, grant) in [("1", north), ("1", both), ("2", north)] {
        let pure = Some(version);
        assert_eq!([starts(pure, grant), starts(pure, grant)], [1, 0], "{version} {grant}");
    }
}
