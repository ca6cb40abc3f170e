//! The clock of the testing kit: what goes by it, and when it moves.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dynhost::build::Wire;
use dynhost::graph::event::{Event, Failure, Recorded};
use dynhost::graph::job::Retry;
use dynhost::native::{Context, Emitter, NativeOps, Op, OpFailure};
use dynhost::store::memory::MemoryStore;
use dynhost::testing::{self, Doubles, FakeClock, Ran, Watched, block_on};
use dynhost::{Component, GivenParams, JobBuilder, RunOptions};
use serde_json::json;

use crate::job::{Job, host, is_end, is_start, is_success, step};
use crate::lasting::history;

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MS: u64 = 60 * 60 * 1000;

fn jumping() -> FakeClock {
    FakeClock::new().jumping()
}

/// Runs a job of steps without inputs that do the same: `a`, `b` and so on.
fn run(count: usize, node: &str, doubles: &Doubles, max_concurrency: u32) -> Ran {
    let names = ["a", "b", "c"].into_iter().take(count);
    let nodes: Vec<_> = names.map(|name| format!("nodes.{name} = {{ {node} }}\n")).collect();
    let job = doubles.apply(&Job::new(&nodes.concat()).prepare());
    let options = RunOptions { max_concurrency: Some(max_concurrency), ..RunOptions::default() };
    block_on(async { Watched::new(host().watch(&job, options)).ended().await })
}

/// `semantics.md` rule 16: every delay passes, with those that an op asks for, and no more time than that.
#[test]
fn delays_before_retries_pass_at_once() {
    let clock = jumping();
    let ran = Job::new(
        r#"
[nodes.flaky]
op = "hostile/fail"
config = { kind = "transient", until = 4 }
retry = { max_attempts = 5, delay = "1h", backoff = "exponential", max_delay = "5h" }
[nodes.later]
op = "hostile/fail"
config = { kind = "retry_after", until = 1, delay_ms = 1_800_000 }
retry = { max_attempts = 2, delay = "1s" }
"#,
    )
    .clock(&clock)
    .run()
    .succeeded();
    let delays = [1, 2, 4, 5].map(|hours| Some(hours * HOUR_MS));
    let attempts: Vec<_> = (1..).zip(delays).collect();
    assert_eq!(ran.step("flaky").attempts(5).failed_attempts(), attempts);
    assert_eq!(ran.step("later").failed_attempts(), [(1, Some(HOUR_MS / 2))]);
    assert_eq!(clock.passed(), 12 * HOUR);
    // In the order of the clock.
    let first = |name: &str, of: u32| {
        ran.place(|event| {
            matches!(event, Event::StepStarted { step, attempt }
            if step.to_string() == name && *attempt == of)
        })
    };
    assert!(first("later", 2) < first("flaky", 2));
}

/// A step that waits in `emit` for clones that wait for their next attempt keeps no time from passing.
#[test]
fn time_passes_while_a_step_is_suspended() {
    const COUNT: u32 = 1_000;
    let ops = NativeOps::new("here")
        .op(Op::yielding("numbers", |count: u32, out: Emitter<u32>| async move {
            for n in 0..count {
                out.emit(n.to_string(), n).await?;
            }
            Ok(())
        }))
        .op(Op::future("flaky", |n: u32, context: Context| async move {
            match context.attempt() {
                1 => Err(OpFailure::transient("not yet")),
                _ => Ok(n),
            }
        }));
    let here = Component::native(ops).expect("the ops are well formed");
    let job = JobBuilder::new("many").max_concurrency(2);
    let numbers = job.node("numbers").op(&here, "numbers").value("value", COUNT);
    let numbers = numbers.timeout(24 * HOUR);
    let retry = Retry { max_attempts: 2, delay: HOUR, ..Retry::default() };
    let flaky = job.node("flaky").op(&here, "flaky").map("value", &numbers).retry(&retry);
    job.output("all", Wire::collect(&flaky));
    let job = host().prepare_built(&job, &GivenParams::new()).expect("it is well formed");
    let clock = jumping();
    let ran = block_on(testing::run(host(), &Doubles::new().clock(&clock).apply(&job)));
    assert_eq!(ran.succeeded().counts().succeeded, u64::from(COUNT) + 1);
    // What the clones of the first window made room for began later than they.
    assert!(clock.passed() >= 2 * HOUR, "{clock:?}");
}

/// Steps end in the order of their delays, however many run at once; each holds its place meanwhile.
#[test]
fn made_delays_go_by_the_clock() {
    for (max_concurrency, order, hours) in [(3, ["c", "b", "a"], 3), (1, ["c", "b", "a"], 6)] {
        let clock = jumping();
        let delays = Doubles::new().delay("a", 3 * HOUR).delay("b", 2 * HOUR).delay("c", HOUR);
        let node = r#"op = "basics/echo", inputs.value.value = 1, timeout = "4h""#;
        let ran = run(3, node, &delays.clock(&clock), max_concurrency).succeeded();
        assert_eq!(ran.steps(is_success), order);
        assert_eq!(clock.passed(), hours * HOUR);
    }
}

/// A timeout comes before what takes longer, and the next attempt may have more time.
#[test]
fn timeouts_go_by_the_clock() {
    let clock = jumping();
    let node = r#"op = "basics/echo", inputs.value.value = 1, timeout = ["1h", "3h"], retry.max_attempts = 2"#;
    let ran = run(2, node, &Doubles::new().delay("a", 2 * HOUR).clock(&clock), 1).succeeded();
    assert_eq!(ran.step("a").attempts(2).failed_attempts(), [(1, Some(0))]);
    let timed_out = Failure::TimedOut { after_ms: HOUR_MS };
    let _ = ran
        .place(|event| matches!(event, Event::StepFailed { failure, .. } if *failure == timed_out));
    assert_eq!(clock.passed(), 3 * HOUR);
    ran.step("b").attempts(1);
}

/// A guest that computes for ever, and an op that waits for ever, are stopped when the test says how late it is.
#[test]
fn what_never_ends_is_stopped_by_hand() {
    let hung = Op::future("hung", |_: u32, context: Context| async move {
        context.info("waiting");
        std::future::pending::<()>().await;
        Ok(0)
    });
    let here = Component::native(NativeOps::new("here").op(hung)).expect("it is well formed");
    let hostile = host().load(&crate::job::component("hostile")).expect("it can be loaded");
    let job = JobBuilder::new("for-ever");
    job.node("hung").op(&here, "hung").value("value", 1).timeout(HOUR);
    job.node("loop").op(&hostile, "loop").timeout(HOUR);
    let job = host().prepare_built(&job, &GivenParams::new()).expect("it is well formed");
    let clock = FakeClock::new();
    let job = Doubles::new().clock(&clock).apply(&job);
    let ran = block_on(async {
        let mut watched = Watched::new(host().watch(&job, RunOptions::default()));
        watched.until(2, is_start).await;
        clock.advance(HOUR);
        watched.ended().await
    });
    for step in ["hung", "loop"] {
        assert_eq!(ran.failure(step), &Failure::TimedOut { after_ms: HOUR_MS });
    }
}

/// A clock that is moved by hand: what is due happens, and nothing else.
#[test]
fn a_clock_is_moved_by_hand() {
    let clock = FakeClock::new();
    let job = Job::new(
        r#"
nodes.soon = { op = "hostile/fail", config = { kind = "transient", until = 1 }, retry = { max_attempts = 2, delay = "1h" } }
nodes.late = { op = "hostile/fail", config = { kind = "transient", until = 1 }, retry = { max_attempts = 2, delay = "2h" } }
"#,
    );
    let job = job.clock(&clock);
    block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(2, is_end).await;
        clock.advance(HOUR);
        watched.until(1, is_success).await;
        let starts = |watched: &Watched, name: &str| {
            let its = |event: &&Event| {
                is_start(event) && step(event).is_some_and(|step| step.to_string() == name)
            };
            watched.events.iter().filter(its).count()
        };
        assert_eq!((starts(&watched, "soon"), starts(&watched, "late")), (2, 1));
        clock.advance(HOUR);
        let ran = watched.ended().await.succeeded();
        ran.step("late").attempts(2);
    });
}

/// A step that sleeps is interrupted like any other one.
#[test]
fn what_waits_for_the_clock_is_cancelled() {
    let sleeps = r#"
nodes.one = { op = "machine/sleep_a_little", grants.clock = "real" }
nodes.two = { op = "basics/echo", inputs.value.value = 1 }
"#;
    let clock = FakeClock::new();
    let job = Doubles::new().delay("two", HOUR).clock(&clock).apply(&Job::new(sleeps).prepare());
    let ran = block_on(async {
        let mut watched = Watched::new(host().watch(&job, RunOptions::default()));
        watched.until(2, is_start).await;
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(ran.counts().cancelled, 2);
    assert_eq!(clock.passed(), Duration::ZERO);
}

/// A guest that is granted the clock sees this one, and sleeps by it; the virtual clock of others is what it always is.
#[test]
fn guests_see_the_clock() {
    let today = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let clock = FakeClock::at(today).jumping();
    let ran = Job::new(
        r#"
nodes.one = { op = "machine/sleep_a_little", grants.clock = "real" }
nodes.other.op = "machine/sleep_a_little"
nodes.ever = { op = "machine/sleep_for_ever", grants.clock = "real", timeout = "2h" }
outputs.one.from = "one"
outputs.other.from = "other"
"#,
    )
    .clock(&clock)
    .run()
    .failed();
    assert_eq!(ran.output("one"), Some(json!({ "slept_ms": 30, "now": 1_800_000_000 })));
    assert_eq!(ran.output("other").map(|seen| seen["now"].clone()), Some(json!(946_684_800)));
    assert_eq!(ran.failure("ever"), &Failure::TimedOut { after_ms: 2 * HOUR_MS });
    assert_eq!(clock.now(), today + 2 * HOUR);
}

/// The history has the times of the clock, and a run that goes on waits for what is left of a delay.
#[test]
fn a_resumed_run_waits_for_the_rest() {
    let clock = FakeClock::new();
    let nodes = r#"nodes.flaky = { op = "hostile/fail", config = { kind = "transient", until = 1 }, retry = { max_attempts = 2, delay = "1h" } }"#;
    let store = Arc::new(MemoryStore::default());
    let job = Job::new(nodes).store(&store).clock(&clock);
    let run = block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(1, is_end).await;
        watched.torn_down().await
    });
    clock.advance(HOUR / 4);
    let clock = clock.jumping();
    let ran = Job::new(nodes).store(&store).clock(&clock).resume(&run).expect("it can go on");
    ran.succeeded().step("flaky").attempts(1);
    assert_eq!(clock.passed(), HOUR);
    let history: Vec<Recorded> = history(&*store, &run);
    let at = |attempt: u32| {
        let is_it = |it: &&Recorded| matches!(it.event, Event::StepStarted { attempt: of, .. } if of == attempt);
        let recorded = history.iter().find(is_it).expect("it has begun");
        Duration::from_micros(recorded.at_us)
    };
    let now = clock.now().duration_since(UNIX_EPOCH).expect("it is later");
    assert_eq!([at(1) + HOUR, at(2)], [now, now]);
}
