//! Several runs on a host, several hosts in a process, and hosts that go while their runs are under way.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dynhost::graph::event::{Event, Failure, Recorded, RunStatus};
use dynhost::native::{NativeOps, Op};
use dynhost::store::{Receipt, RunStore, StoreError};
use dynhost::{Host, RunError, StepLimits};
use serde_json::json;

use crate::job::{Job, Ran, Watched, block_on, is_start, new_host, watch};

const SUM: &str = r#"
params.n.type = "integer"
nodes.numbers = { op = "basics/numbers", inputs.n.param = "n" }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
"#;

fn assert_sum(ran: &Ran, n: u64) {
    assert_eq!(ran.output("sum"), Some(json!(n * n.saturating_sub(1))));
}

/// Runs on one host do not see each other, and their ids differ.
#[test]
fn many_runs_on_one_host() {
    let rans = block_on(async {
        let runs: Vec<_> = (0..40)
            .map(|n| tokio::spawn(watch(Job::new(SUM).param("n", json!(n * 20)).start())))
            .collect();
        let mut ended = Vec::new();
        for run in runs {
            ended.push(run.await.expect("the test does not panic"));
        }
        ended
    });
    let mut ids = Vec::new();
    for (n, ran) in (0..).zip(rans) {
        assert_sum(&ran, n * 20);
        ids.push(ran.result.run);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

/// A run of loops does not keep another run on the same host from its turn.
#[test]
fn a_run_of_loops_does_not_starve_another() {
    block_on(async {
        let loops = Job::new(
            r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 20 }
nodes.loop = { op = "hostile/loop", inputs.value.map = "numbers" }
"#,
        )
        .max_concurrency(20);
        let mut watched = Watched::new(loops.start());
        watched.until(6, is_start).await;
        let ran = watch(Job::new(SUM).param("n", json!(100)).start()).await;
        assert_sum(&ran, 100);
        watched.run.cancel();
        assert_eq!(watched.ended().await.status(), RunStatus::Cancelled);
    });
}

/// Short steps get as much time as long ones, not one turn for each round of all of these.
#[test]
fn short_steps_run_between_long_ones() {
    let host = new_host(1);
    block_on(async {
        let loops = Job::new(
            r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 25 }
nodes.loop = { op = "hostile/loop", inputs.value.map = "numbers", timeout = "30s" }
"#,
        )
        .max_concurrency(25)
        .host(&host);
        let mut watched = Watched::new(loops.start());
        watched.until(26, is_start).await;
        // A round of all loops takes a quarter of a second.
        let ran = watch(Job::new(SUM).param("n", json!(1000)).host(&host).start()).await;
        assert_sum(&ran, 1000);
        watched.run.cancel();
        let ended = watched.ended().await;
        assert_eq!(ended.status(), RunStatus::Cancelled);
        assert_eq!(ended.result.failures, [], "no loop had come to its timeout");
    });
}

/// The time of a step is over when it is over, however many others compute on its worker: a round of all of these takes
/// a second and more.
#[test]
fn many_loops_end_in_time() {
    let host = new_host(1);
    let ran = block_on(async {
        let loops = Job::new(
            r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 150, limits.memory = "8MiB" }
nodes.loop = { op = "hostile/loop", inputs.value.map = "numbers", timeout = "5s", limits.memory = "8MiB" }
"#,
        )
        .max_concurrency(150)
        .host(&host);
        watch(loops.start()).await
    });
    let took = ran.events.iter().filter_map(|event| match event {
        Event::StepFailed { failure: Failure::TimedOut { .. }, took_us, .. } => Some(*took_us),
        _ => None,
    });
    let took: Vec<u64> = took.collect();
    assert_eq!(took.len(), 150);
    let longest = took.iter().max().expect("there are some");
    assert!(*longest < 5_600_000, "one ran for {longest} µs");
}

/// A job that is prepared once runs any number of times, and gives the same each time.
#[test]
fn a_prepared_job_runs_again() {
    let host = new_host(2);
    let job = Job::new(SUM).param("n", json!(50)).host(&host);
    let prepared = job.prepare();
    block_on(async {
        for _ in 0..5 {
            let ran = watch(host.watch(&prepared, dynhost::RunOptions::default())).await;
            assert_sum(&ran, 50);
        }
    });
}

/// Two hosts in one process, each with its own workers.
#[test]
fn two_hosts_in_one_process() {
    let hosts = [new_host(1), new_host(2)];
    block_on(async {
        let runs = hosts.each_ref().map(|host| {
            tokio::spawn(watch(Job::new(SUM).param("n", json!(2000)).host(host).start()))
        });
        for run in runs {
            assert_sum(&run.await.expect("no panic"), 2000);
        }
    });
    assert_eq!(hosts.map(|host| host.workers()), [1, 2]);
}

/// Settings of one host are none of another's.
#[test]
fn two_hosts_with_different_settings() {
    let hosts = [10, 60_000].map(|timeout| {
        let ops = NativeOps::new("shop").op(Op::future("which", move |(): (), _| async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(timeout)
        }));
        let timeout = Duration::from_millis(timeout);
        let limits = StepLimits { timeout, ..StepLimits::default() };
        Host::builder().limits(limits).native(ops).build().expect("a host")
    });
    let job = Job::new(
        "components.shop = \"native:shop\"\nnodes.which.op = \"shop/which\"\noutputs.which.from = \"which\"",
    );
    let [short, long] = hosts.map(|host| job.clone().host(&host).run());
    short.failed().step("which").failed("10 ms");
    assert_eq!(long.succeeded().output("which"), Some(json!(60_000)));
}

/// A subscriber that panics takes its events with it, and nothing else.
#[test]
fn a_subscriber_that_panics_does_not_hurt_the_run() {
    let job = Job::new(SUM).param("n", json!(2000));
    let (result, subscriber) = block_on(async {
        let (run, mut events) = job.start();
        let subscriber = tokio::spawn(async move {
            let first = events.next().await;
            assert!(first.is_none(), "this subscriber does not like events");
        });
        let subscriber = subscriber.await;
        (run.finished().await.expect("the host does not fail"), subscriber)
    });
    assert!(subscriber.expect_err("it panics").is_panic());
    assert_eq!((result.status, result.steps.failed), (RunStatus::Succeeded, 0));
    assert_eq!(result.json("sum"), Some(json!(2000 * 1999)));
}

/// A store of the program that panics when it has taken so many events.
struct Panics {
    after: usize,
    taken: AtomicUsize,
}

impl RunStore for Panics {
    fn append(&self, _: &Arc<str>, receipt: Receipt) {
        let events = receipt.events().len();
        let taken = self.taken.fetch_add(events, Ordering::SeqCst) + events;
        assert!(taken < self.after, "this store has had enough");
        receipt.kept();
    }

    fn read(
        &self,
        _: &str,
        _: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A store that panics takes its run with it and nothing else, whichever thread hands it the events.
#[test]
fn a_store_that_panics_ends_its_run_alone() {
    let host = new_host(2);
    block_on(async {
        for after in [1, 2, 10, 300, 1000, 2500, 5000] {
            let store = Arc::new(Panics { after, taken: AtomicUsize::new(0) });
            let job = Job::new(SUM).param("n", json!(2000)).host(&host).store(&store);
            let (run, _events) = job.start();
            let ended = run.finished().await;
            assert!(matches!(ended, Err(RunError::Lost(_))), "after {after}: {ended:?}");
        }
        let ran = watch(Job::new(SUM).param("n", json!(2000)).host(&host).start()).await;
        assert_sum(&ran, 2000);
    });
}

/// A run keeps what it needs of its host.
#[test]
fn a_run_outlives_the_handle_on_its_host() {
    let host = new_host(2);
    let ran = block_on(async {
        let run = Job::new(SUM).param("n", json!(3000)).host(&host).start();
        drop(host);
        watch(run).await
    });
    assert_sum(&ran, 3000);
}

/// A run that is cancelled after its host's last handle is gone still ends.
#[test]
fn a_run_is_cancelled_without_the_handle_on_its_host() {
    let host = new_host(2);
    let job = Job::new(r#"nodes.loop.op = "hostile/loop""#).host(&host);
    let ran = block_on(async {
        let mut watched = Watched::new(job.start());
        drop((job, host));
        watched.until(1, is_start).await;
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(ran.status(), RunStatus::Cancelled);
}

/// When the runtime goes, its runs go, and the host serves others.
#[test]
fn a_host_outlives_the_runtime_of_its_runs() {
    let host = new_host(1);
    let job = Job::new(r#"nodes.loop.op = "hostile/loop""#).host(&host);
    let run = block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(1, is_start).await;
        watched.run
    });
    drop(run);
    let ran = Job::new(SUM).param("n", json!(10)).host(&host).run();
    assert_sum(&ran, 10);
}

/// A host whose threads have nothing to do any more is dropped at once.
#[test]
fn a_host_is_dropped() {
    let begun = Instant::now();
    for _ in 0..20 {
        let host = new_host(4);
        Job::new(SUM).param("n", json!(3)).host(&host).run().succeeded();
    }
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

/// Guests run on the host's threads: a runtime that is blocked for a while only sees them later.
#[test]
fn a_runtime_with_many_threads_serves_too() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let ran =
        runtime.block_on(async { watch(Job::new(SUM).param("n", json!(2500)).start()).await });
    assert_sum(&ran, 2500);
    assert!(matches!(ran.events.last(), Some(Event::RunFinished { .. })));
}
