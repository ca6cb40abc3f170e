//! Cancelling: `semantics.md` rule 18. Running guests are interrupted within 100 ms; the bounds here leave room for a
//! machine that is busy with other things.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dynhost::graph::event::{CancelReason, Event, RunStatus};

use crate::command::Workshop;
use crate::job::{Job, Ran, Watched, block_on, is_emit, is_start, node};

const SOON: Duration = Duration::from_secs(5);

/// Starts a job, waits for so many events of a kind, cancels, and takes the end.
fn cancel_after(job: &Job, count: usize, wanted: impl Fn(&Event) -> bool) -> Ran {
    block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(count, wanted).await;
        let begun = Instant::now();
        watched.run.cancel();
        let ran = watched.ended().await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        assert_eq!(ran.status(), RunStatus::Cancelled);
        let requested = Event::CancelRequested { reason: CancelReason::Requested };
        let place = ran.place(|event| *event == requested);
        assert!(!ran.events[place..].iter().any(is_start), "no new step starts");
        assert!(matches!(
            ran.events.last(),
            Some(Event::RunFinished { status: RunStatus::Cancelled, .. })
        ));
        ran
    })
}

/// `semantics.md` rule 18: busy loops, more than there are workers.
#[test]
fn busy_loops_are_interrupted() {
    let job = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 100 }
nodes.loop = { op = "hostile/loop", inputs.value.map = "numbers" }
nodes.sum = { op = "basics/sum_list", inputs.numbers.collect = "loop" }
"#,
    )
    .max_concurrency(8);
    let ran = cancel_after(&job, 8, |event| is_start(event) && node(event) == "loop");
    assert_eq!(ran.counts().succeeded, 1);
    let interrupted = ran.steps(|event| matches!(event, Event::StepCancelled { .. }));
    assert!(interrupted.len() >= 8, "{interrupted:?}");
    assert_eq!(ran.failures(), []);
}

/// `semantics.md` rule 18: a yielder that waits in `emit`.
#[test]
fn a_waiting_yielder_is_interrupted() {
    let job = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 5000 }
nodes.loop = { op = "hostile/loop", inputs.value.map = "numbers" }
"#,
    )
    .max_concurrency(2);
    // Both places are taken by loops only when the yielder has left its own.
    let ran = cancel_after(&job, 2, |event| is_start(event) && node(event) == "loop");
    assert!(ran.events.iter().filter(|event| is_emit(event)).count() < 5000);
    let interrupted = ran.steps(|event| matches!(event, Event::StepCancelled { .. }));
    assert!(interrupted.contains(&"numbers".to_owned()), "{interrupted:?}");
}

/// `semantics.md` rule 18: a step that waits for its next attempt.
#[test]
fn a_step_between_two_attempts_is_cancelled() {
    let job = Job::new(
        r#"
[nodes.flaky]
op = "hostile/fail"
config.kind = "transient"
retry = { max_attempts = 2, delay = "1h" }
"#,
    );
    let ran = cancel_after(&job, 1, |event| matches!(event, Event::StepFailed { .. }));
    assert_eq!(ran.counts().succeeded, 0);
}

/// `semantics.md` rule 18: from elsewhere, and at once.
#[test]
fn a_run_is_cancelled_before_it_does_anything() {
    let job = Job::new(r#"nodes.loop.op = "hostile/loop""#);
    let ran = block_on(async {
        let (run, events) = job.start();
        let canceller = run.canceller();
        std::thread::spawn(move || canceller.cancel()).join().expect("cancelling does not panic");
        Watched::new((run, events)).ended().await
    });
    assert_eq!(ran.status(), RunStatus::Cancelled);
}

/// `semantics.md` rule 18: dropping the handle.
#[test]
fn dropping_a_run_cancels_it() {
    let job = Job::new(r#"nodes.loop.op = "hostile/loop""#);
    let events = block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(1, is_start).await;
        watched.dropped().await
    });
    let requested = Event::CancelRequested { reason: CancelReason::Requested };
    assert!(events.contains(&requested));
    assert!(matches!(events.last(), Some(Event::RunFinished { status: RunStatus::Cancelled, .. })));
}

/// Cancelling a run that has ended does nothing.
#[test]
fn a_run_that_has_ended_is_not_cancelled() {
    let job = Job::new(r#"nodes.ten.op = "basics/emit_ten""#);
    let ran = block_on(async {
        let mut watched = Watched::new(job.start());
        while watched.next().await {}
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(ran.status(), RunStatus::Succeeded);
}

/// An op that would go on emitting is heard no more soon after the run is cancelled.
#[test]
fn what_is_emitted_after_cancelling_is_lost() {
    let job = Job::new(
        r#"
nodes.flood = { op = "hostile/flood_outputs", config.count = 9000000 }
"#,
    );
    let ran = cancel_after(&job, 100, is_emit);
    let interrupted =
        ran.place(|event| matches!(event, Event::StepCancelled { .. }) && node(event) == "flood");
    assert!(!ran.events[interrupted..].iter().any(is_emit));
}

const BUSY: &str = r#"
[job]
name = "busy"
[components]
basics = "ops/basics.wasm"
odd = "ops/odd.wasm"
[nodes.numbers]
op = "basics/numbers"
inputs.n.value = 1000
[nodes.busy]
op = "odd/busy"
inputs.value.map = "numbers"
[defaults]
limits = { memory = "2MiB" }
"#;

/// `semantics.md` rule 18: Ctrl-C while as many guests compute as there may be, and as many wait.
#[test]
fn ctrl_c_ends_a_thousand_busy_loops() {
    let workshop = Workshop::new();
    workshop.write("busy.toml", BUSY);
    let mut run = workshop.dynhost(&["run", "busy.toml", "--max-concurrency", "500"]);
    run.args(["--events", "/dev/stdout", "--log", "none", "--no-cache"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can start");
    let mut lines = BufReader::new(run.stdout.take().expect("it is piped")).lines();
    let begun = lines.by_ref().map_while(Result::ok).filter(|line| line.contains("begun"));
    // The end of the last line is kept back until there is more.
    assert_eq!(begun.take(499).count(), 499);

    let interrupted = Instant::now();
    let kill = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(kill.expect("there is `kill`").success());
    let rest = lines.map_while(Result::ok).filter(|line| line.contains("begun")).count();
    let status = run.wait().expect("it ends");
    let took = interrupted.elapsed();
    eprintln!("ended {took:?} after Ctrl-C");
    assert_eq!((status.code(), rest), (Some(130), 1));
    assert!(took < SOON, "{took:?}");
}
