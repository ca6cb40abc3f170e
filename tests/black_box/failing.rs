//! Failures that stay where they are, retries, and what is tolerated.

use dynhost::graph::event::{CancelReason, Event, Failure, RunStatus};
use dynhost::testing::FakeClock;
use serde_json::json;

use crate::job::{Job, is_emit, is_skip, is_start, is_success, node, run};

/// `semantics.md` rule 15: one clone of four fails; its siblings and their chains finish, what depends on
/// it does not run, what does not depend on it does.
#[test]
fn one_failed_clone_touches_nothing_else() {
    let ran = run(r#"
nodes.values = { op = "basics/each", inputs.values.value = [1, 2, "three", 4] }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "values" }
nodes.again = { op = "basics/multiply_by_two", inputs.x.map = "double" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "again" }
nodes.below = { op = "basics/multiply_by_two", inputs.x.from = "sum" }
nodes.independent.op = "basics/emit_ten"
outputs.below.from = "below"
outputs.clones.collect = "again"
outputs.independent.from = "independent"
"#);
    assert_eq!(ran.status(), RunStatus::Failed);
    let failures = ran.failures();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, "double[2]");
    assert!(failures[0].1.starts_with("input `x`: invalid type: string"), "{}", failures[0].1);
    assert_eq!(ran.output("below"), None);
    assert_eq!(ran.output("independent"), Some(json!(10)));
    let mut succeeded = ran.steps(|event| is_success(event) && node(event) == "again");
    succeeded.sort();
    assert_eq!(succeeded, ["again[0]", "again[1]", "again[3]"]);
    let mut skipped = ran.steps(is_skip);
    skipped.sort();
    assert_eq!(skipped, ["again[2]", "below", "sum"]);
    for event in ran.events.iter().filter(|event| is_skip(event)) {
        let words = format!("{event:?}");
        assert!(words.contains("Upstream { node: \"double\" }"), "{words}");
    }
}

/// `semantics.md` rule 15: the last of twenty thousand is bad.
#[test]
fn the_last_of_twenty_thousand_is_bad() {
    let most = i64::MAX / 19_998;
    let ran = run(&format!(
        r#"
nodes.numbers = {{ op = "basics/numbers", inputs.n.value = 20000 }}
nodes.large = {{ op = "basics/multiply_inputs", inputs.x.map = "numbers", inputs.ten.value = {most} }}
nodes.keys = {{ op = "basics/keys", inputs.values.collect = "large" }}
outputs.keys.from = "keys"
"#
    ));
    assert_eq!(
        ran.failures(),
        [("large[19999]".to_owned(), format!("19999 × {most} is too large"))]
    );
    assert_eq!((ran.counts().succeeded, ran.counts().failed, ran.counts().skipped), (20_000, 1, 1));
    assert_eq!(ran.output("keys"), None);
}

/// `semantics.md` rule 15: `abort` cancels the run at the first failure, and so does `fail_fast`.
#[test]
fn a_failure_may_end_the_run() {
    let text = r#"
nodes.bad = { op = "hostile/trap" SETTINGS }
nodes.loop.op = "hostile/loop"
nodes.below = { op = "basics/echo", inputs.value.from = "loop" }
outputs.below.from = "below"
"#;
    let abort = text.replace("SETTINGS", ", on_failure = \"abort\"");
    let fail_fast = text.replace("SETTINGS", "");
    for job in [Job::new(&abort), Job::new(&fail_fast).fail_fast()] {
        let ran = job.max_concurrency(2).run();
        assert_eq!(ran.status(), RunStatus::Failed);
        let requested = ran.place(|event| {
            matches!(event, Event::CancelRequested { reason: CancelReason::Aborted { step } }
                if step.to_string() == "bad")
        });
        let after = &ran.events[requested..];
        assert!(!after.iter().any(|event| is_start(event) && node(event) == "below"));
        assert_eq!(ran.failures().len(), 1);
        assert_eq!(ran.failures()[0].0, "bad");
    }
}

/// `semantics.md` rule 16: a transient failure is retried until it succeeds, with the policy's delays.
#[test]
fn a_transient_failure_is_retried() {
    let ran = run(r#"
[nodes.flaky]
op = "hostile/fail"
config = { kind = "transient", until = 3 }
retry = { max_attempts = 5, delay = "5ms", backoff = "exponential", max_delay = "15ms" }
[outputs]
attempt.from = "flaky"
"#)
    .succeeded();
    assert_eq!(ran.output("attempt"), Some(json!(4)));
    let attempts = [(1, Some(5)), (2, Some(10)), (3, Some(15))];
    assert_eq!(ran.step("flaky").failed_attempts(), attempts);
    assert_eq!((ran.counts().succeeded, ran.counts().failed), (1, 0));
}

/// `semantics.md` rule 16: when the attempts are used up, the step has failed.
#[test]
fn retries_end() {
    let ran = run(r#"
[nodes.flaky]
op = "hostile/fail"
config = { kind = "transient" }
retry.max_attempts = 3
"#);
    assert_eq!(ran.step("flaky").failed_attempts(), [(1, Some(0)), (2, Some(0)), (3, None)]);
    assert_eq!(ran.result.failures[0].attempts, 3);
    assert_eq!(ran.failures(), [("flaky".to_owned(), "attempt 3 was asked to fail".to_owned())]);
}

/// `semantics.md` rule 16: what an op calls permanent is not retried.
#[test]
fn a_permanent_failure_is_not_retried() {
    let ran = run(r#"
[nodes.bad]
op = "hostile/fail"
config = { kind = "permanent", until = 1 }
retry = { max_attempts = 5, on = ["transient", "trap", "timeout", "limit"] }
"#);
    assert_eq!(ran.step("bad").failed_attempts(), [(1, None)]);
}

/// `semantics.md` rule 16: an op may ask for a longer delay than the policy says.
#[test]
fn an_op_may_ask_for_a_delay() {
    let ran = run(r#"
[nodes.later]
op = "hostile/fail"
config = { kind = "retry_after", until = 1, delay_ms = 30 }
retry = { max_attempts = 2, delay = "1ms" }
"#)
    .succeeded();
    assert_eq!(ran.step("later").failed_attempts(), [(1, Some(30))]);
}

/// `semantics.md` rule 16: the trap or limit of an op without authority comes again, so it is retried
/// only where it is named; a timeout is retried.
#[test]
fn traps_and_limits_are_retried_where_they_are_named() {
    let attempts = |op: &str, on: &str| {
        let ran = run(&format!(
            "[nodes.bad]\nop = \"{op}\"\ntimeout = \"50ms\"\nretry = {{ max_attempts = 2{on} }}"
        ));
        assert_eq!(ran.status(), RunStatus::Failed);
        ran.step("bad").failed_attempts().len()
    };
    assert_eq!(attempts("hostile/trap", ""), 1);
    assert_eq!(attempts("hostile/trap", ", on = [\"trap\"]"), 2);
    assert_eq!(attempts("odd/deep", ""), 1);
    assert_eq!(attempts("odd/deep", ", on = [\"limit\"]"), 2);
    assert_eq!(attempts("hostile/loop", ""), 2);
    assert_eq!(attempts("hostile/loop", ", on = [\"transient\"]"), 1);
}

/// `semantics.md` rule 16: retries are per clone.
#[test]
fn a_clone_is_retried_alone() {
    let ran = run(r#"
[nodes.numbers]
op = "basics/numbers"
inputs.n.value = 4
[nodes.choosy]
op = "odd/choosy"
inputs.value.map = "numbers"
config.fail = { 1 = 1, 3 = 2 }
retry.max_attempts = 3
[outputs]
values.collect = "choosy"
"#)
    .succeeded();
    assert_eq!(ran.output("values"), Some(json!([0, 1, 2, 3])));
    let starts = |step: &str| ran.steps(is_start).iter().filter(|it| *it == step).count();
    let counts = ["choosy[0]", "choosy[1]", "choosy[2]", "choosy[3]"].map(starts);
    assert_eq!(counts, [1, 2, 1, 3]);
}

/// `semantics.md` rules 15 and 17: a yielder fails after some of its outputs were dispatched. Their clones
/// finish, and the collect does not run.
#[test]
fn clones_of_a_failed_yielder_finish() {
    let ran = run(r#"
nodes.bad.op = "hostile/duplicate_key"
nodes.clone = { op = "basics/key", inputs.value.map = "bad" }
nodes.keys = { op = "basics/keys", inputs.values.collect = "clone" }
outputs.keys.from = "keys"
"#);
    assert_eq!(ran.failures().len(), 1);
    assert_eq!(ran.output("keys"), None);
    let mut clones = ran.steps(|event| is_success(event) && node(event) == "clone");
    clones.sort();
    assert_eq!(clones, ["clone[once]", "clone[twice]"]);
    assert_eq!(ran.steps(is_skip), ["keys"]);
}

/// `semantics.md` rule 17: a retried yielder. A key with the same bytes keeps its clone, one with other
/// bytes is run again, one that is not given again is dropped.
#[test]
fn what_a_failed_attempt_emitted_never_counts_twice() {
    let ran = Job::new(
        r#"
[nodes.yielder]
op = "odd/attempts"
config.attempts = [[["same", 1], ["other", 2], ["gone", 3]], [["new", 4], ["other", 5], ["same", 1]]]
retry = { max_attempts = 2, delay = "300ms" }
[nodes.clone]
op = "basics/echo"
inputs.value.map = "yielder"
[nodes.keys]
op = "basics/keys"
inputs.values.collect = "clone"
[outputs]
keys.from = "keys"
values.collect = "clone"
"#,
    )
    .clock(&FakeClock::new().jumping())
    .run()
    .succeeded();
    assert_eq!(ran.output("keys"), Some(json!(["new", "other", "same"])));
    assert_eq!(ran.output("values"), Some(json!([4, 5, 1])));
    let starts = ran.steps(|event| is_start(event) && node(event) == "clone");
    let count = |step: &str| starts.iter().filter(|it| *it == step).count();
    let counts = ["clone[same]", "clone[other]", "clone[gone]", "clone[new]"].map(count);
    assert_eq!(counts, [1, 2, 1, 1]);
}

/// `semantics.md` rule 17: clones of a failed attempt that still run when the next one gives other bytes
/// under their key, or does not give their key: the former run again, nobody waits for the latter.
#[test]
fn clones_of_a_failed_attempt_that_still_run_do_not_count() {
    let ran = run(r#"
[nodes.yielder]
op = "odd/attempts"
config.attempts = [
    [["other", 9000000000000], ["gone", 9000000000000]],
    [["other", 9000000000000], ["again", 9000000000000]],
    [["other", 1000], ["new", 2000]],
]
retry = { max_attempts = 3, delay = "200ms" }
[nodes.clone]
op = "basics/sleepless"
inputs.iterations.map = "yielder"
[outputs]
values.collect = "clone"
"#)
    .succeeded();
    assert_eq!(ran.output("values"), Some(json!([1000, 2000])));
    assert_eq!(ran.counts().failed, 0);
}

/// `semantics.md` rule 17: a clone that failed under a key that the last attempt did not give is no
/// failure of the run.
#[test]
fn the_failure_of_a_dropped_key_does_not_count() {
    let ran = Job::new(
        r#"
[nodes.yielder]
op = "odd/attempts"
config.attempts = [[["bad", "text"], ["good", 1]], [["good", 1]]]
retry = { max_attempts = 2, delay = "300ms" }
[nodes.clone]
op = "basics/multiply_by_two"
inputs.x.map = "yielder"
[nodes.sum]
op = "basics/sum"
inputs.numbers.collect = "clone"
[outputs]
sum.from = "sum"
"#,
    )
    .clock(&FakeClock::new().jumping())
    .run()
    .succeeded();
    assert_eq!(ran.output("sum"), Some(json!(2)));
    assert_eq!(ran.failures(), []);
}

const TOLERANT: &str = r#"
[nodes.values]
op = "basics/each"
inputs.values.value = [1, "two", 3, "four", 5]
[nodes.double]
op = "basics/multiply_by_two"
inputs.x.map = "values"
tolerate = { BOUND }
[nodes.sum]
op = "basics/sum"
inputs.numbers.collect = "double"
[nodes.failed]
op = "basics/failed_keys"
inputs.values.collect = "double"
[outputs]
sum.from = "sum"
failed.from = "failed"
"#;

/// `semantics.md` rule 15: within the bound, collect receives the successes, and the keys of the rest.
#[test]
fn tolerated_failures_do_not_fail_the_run() {
    for bound in ["count = 2", "ratio = 0.4"] {
        let ran = run(&TOLERANT.replace("BOUND", bound)).succeeded();
        assert_eq!(ran.output("sum"), Some(json!(18)), "{bound}");
        assert_eq!(ran.output("failed"), Some(json!(["1", "3"])), "{bound}");
        assert_eq!(ran.counts().failed, 2, "{bound}");
    }
}

/// `semantics.md` rule 15: beyond the bound, the run fails.
#[test]
fn too_many_failures_are_not_tolerated() {
    for bound in ["count = 1", "ratio = 0.39"] {
        let ran = run(&TOLERANT.replace("BOUND", bound));
        assert_eq!(ran.status(), RunStatus::Failed, "{bound}");
        assert_eq!(ran.output("sum"), None, "{bound}");
        let failed: Vec<_> = ran.failures().into_iter().map(|(step, _)| step).collect();
        assert_eq!(failed, ["double[1]", "double[3]"], "{bound}");
    }
}

/// `semantics.md` rule 14 and 15: what a skipped yielder would have fed is skipped with it.
#[test]
fn a_skipped_yielder_skips_all_below() {
    let ran = run(r#"
nodes.odd = { op = "basics/even", inputs.x.value = 3 }
nodes.fan_out = { op = "basics/numbers", inputs.n.from = "odd" }
nodes.clone = { op = "basics/multiply_by_two", inputs.x.map = "fan_out" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "clone" }
nodes.below = { op = "basics/multiply_by_two", inputs.x.from = "sum" }
outputs.below.from = "below"
"#)
    .succeeded();
    assert_eq!(ran.output("below"), None);
    let mut skipped = ran.steps(is_skip);
    skipped.sort();
    assert_eq!(skipped, ["below", "fan_out", "sum"]);
    assert!(!ran.events.iter().any(is_emit));
}

/// A failure of the host is told from one of the op.
#[test]
fn kinds_of_failure_have_names() {
    let ran = run(r#"nodes.bad.op = "hostile/trap""#);
    assert_eq!(ran.failure("bad").kind(), "trap");
    assert!(!matches!(ran.failure("bad"), Failure::Host { .. }));
}
