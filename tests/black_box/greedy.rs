//! Ops that take more than their share of time, memory, stack, log or outputs: each is stopped, and nothing else is
//! touched.

use std::time::{Duration, Instant};

use dynhost::graph::event::{Event, Failure, LimitKind};
use dynhost::{Host, StepLimits};
use serde_json::json;

use crate::contract::beside_others;
use crate::job::{Job, is_emit, run};

fn limit(op: &str, settings: &str) -> (LimitKind, u64, String) {
    let ran = beside_others(op, settings);
    let failure = ran.failure("bad[1]");
    match failure {
        Failure::LimitExceeded { limit, value, .. } => (*limit, *value, failure.to_string()),
        other => panic!("{op}: {other:?}"),
    }
}

/// A time limit stops a busy loop, and does so soon.
#[test]
fn an_endless_loop_is_stopped() {
    let begun = Instant::now();
    let ran = beside_others("loop", r#"timeout = "200ms""#);
    assert_eq!(ran.failure("bad[0]"), &Failure::TimedOut { after_ms: 200 });
    assert_eq!(ran.failure("bad[0]").to_string(), "it did not end within its timeout of 200 ms");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// More loops than workers are stopped, all of them, while others run.
#[test]
fn many_endless_loops_are_stopped_at_once() {
    let begun = Instant::now();
    let ran = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 50 }
nodes.bad = { op = "hostile/loop", inputs.value.map = "numbers", timeout = "200ms" }
nodes.good = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "good" }
outputs.sum.from = "sum"
"#,
    )
    .max_concurrency(60)
    .run();
    assert_eq!(ran.output("sum"), Some(json!(50 * 49)));
    assert_eq!((ran.counts().failed, ran.counts().succeeded), (50, 52));
    let timed_out = |failure: &&dynhost::StepFailure| {
        matches!(failure.failure, Failure::TimedOut { after_ms: 200 })
    };
    assert_eq!(ran.result.failures.iter().filter(timed_out).count(), 50);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// The limit on guest memory, from the manifest.
#[test]
fn allocating_without_end_meets_the_memory_limit() {
    assert_eq!(
        limit("allocate", r#"limits.memory = "16MiB""#),
        (LimitKind::Memory, 16 << 20, "the memory limit of 16 MiB was exceeded".to_owned())
    );
}

/// A limit that is less than what a guest starts with is met before its first instruction.
#[test]
fn a_memory_limit_below_the_start_is_met_at_once() {
    let (kind, value, _) = limit("counter", "limits.memory = 65536");
    assert_eq!((kind, value), (LimitKind::Memory, 65536));
}

/// The stack of a guest ends: that of its frames, which the host bounds, or before that the part of its
/// own memory which its compiler uses as a stack, at whose end there is nothing.
#[test]
fn recursion_without_end_is_stopped() {
    let ran = beside_others("recurse", "");
    assert_eq!(ran.failure("bad[0]").to_string(), "the guest trapped: out of bounds memory access");
    let ran = run(r#"nodes.deep.op = "odd/deep""#);
    let words = "the stack limit of 512 KiB was exceeded".to_owned();
    assert_eq!(ran.failures(), [("deep".to_owned(), words)]);
    assert!(matches!(ran.failure("deep"), Failure::LimitExceeded { limit: LimitKind::Stack, .. }));
}

/// The limit on fuel, from the manifest.
#[test]
fn fuel_runs_out() {
    assert_eq!(
        limit("loop", "limits.fuel = 1000000"),
        (LimitKind::Fuel, 1_000_000, "the fuel limit of 1000000 units was exceeded".to_owned())
    );
}

/// With enough fuel, an op runs as without, and uses the same amount each time.
#[test]
fn enough_fuel_changes_nothing() {
    let ran = run(r#"nodes.ten = { op = "basics/emit_ten", limits.fuel = 1000000 }
outputs.ten.from = "ten""#)
    .succeeded();
    assert_eq!(ran.output("ten"), Some(json!(10)));
}

/// The limit on one output's value, from the manifest, whichever way the value is given.
#[test]
fn a_value_may_not_be_larger_than_its_limit() {
    for emit in [true, false] {
        let settings =
            format!("limits.output = \"1MiB\"\nconfig = {{ bytes = 1048577, emit = {emit} }}");
        let (kind, value, words) = limit("large_value", &settings);
        assert_eq!((kind, value), (LimitKind::Output, 1 << 20), "emit = {emit}");
        assert_eq!(
            words,
            "the limit on the size of an output of 1 MiB was exceeded: output `result` has 1048577 bytes"
        );
        let text = format!(
            "[nodes.fits]\nop = \"hostile/large_value\"\nlimits.output = \"1MiB\"\nconfig = {{ bytes = 1048576, emit = {emit} }}"
        );
        run(&text).succeeded();
    }
}

/// What a call of a guest can make the host allocate is bounded.
#[test]
fn a_call_cannot_make_the_host_allocate_without_bound() {
    let limits = StepLimits { host_allocation: 1 << 20, ..StepLimits::default() };
    let host = Host::builder().limits(limits).build().expect("a host can be built");
    for node in [
        r#"{ op = "hostile/large_value", config.bytes = 2000000 }"#,
        r#"{ op = "hostile/large_value", config = { bytes = 2000000, emit = true } }"#,
        r#"{ op = "odd/log", config.bytes = 2000000 }"#,
    ] {
        let ran = Job::new(&format!("nodes.bad = {node}")).host(&host).run();
        let failure = ran.failure("bad");
        assert!(
            matches!(
                failure,
                Failure::LimitExceeded { limit: LimitKind::HostAllocation, value: 1_048_576, .. }
            ),
            "{node}: {failure:?}"
        );
    }
    let text = r#"nodes.good = { op = "hostile/large_value", config.bytes = 500000 }"#;
    Job::new(text).host(&host).run().succeeded();
}

/// The log of a step is bounded, and says where it was cut.
#[test]
fn a_flood_of_log_messages_is_cut() {
    let ran = run(r#"
nodes.flood = { op = "hostile/flood_log", config = { count = 200000, size = 100 } }
outputs.out.from = "flood"
"#)
    .succeeded();
    let messages: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    let bytes: usize = messages.iter().map(|message| message.len()).sum();
    assert!(bytes <= 1 << 20, "{bytes} bytes");
    assert_eq!(
        messages.last(),
        Some(
            &"the step's log is full at its limit of 1 MiB; what follows is dropped (`limits.log`)"
        )
    );
}

/// `semantics.md` rule 13: a hundred thousand outputs are all there, in order.
#[test]
fn a_flood_of_outputs_is_collected() {
    let ran = run(r#"
nodes.flood.op = "hostile/flood_outputs"
nodes.keys = { op = "basics/keys", inputs.values.collect = "flood" }
outputs.keys.from = "keys"
"#)
    .succeeded();
    let keys = ran.output("keys").expect("the keys are there");
    let keys = keys.as_array().expect("the keys are a list");
    assert_eq!(keys.len(), 100_000);
    assert!(keys.iter().enumerate().all(|(at, key)| *key == json!(at.to_string())));
}

/// `max_clones` bounds a fan-out.
#[test]
fn max_clones_bounds_a_fan_out() {
    let ran = run(r#"
nodes.flood = { op = "hostile/flood_outputs", max_clones = 100 }
nodes.keys = { op = "basics/keys", inputs.values.collect = "flood" }
outputs.keys.from = "keys"
"#);
    assert_eq!(
        ran.failures(),
        [(
            "flood".to_owned(),
            "the limit on clones of 100 elements was exceeded: output `out` has more elements"
                .to_owned()
        )]
    );
    assert_eq!(ran.events.iter().filter(|event| is_emit(event)).count(), 100);
    assert_eq!(ran.output("keys"), None);
}

/// Op-interface, principle 3: a collected input is pulled in bounded batches, however much is asked for.
#[test]
fn a_collected_input_comes_in_bounded_batches() {
    let ran = run(r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 100, inputs.bytes.value = 262144 }
nodes.pull = { op = "odd/pull", inputs.values.collect = "blobs" }
outputs.pulled.from = "pull"
"#)
    .succeeded();
    let pulled = ran.output("pulled").expect("the op succeeded");
    assert_eq!(pulled["len"], 100);
    let batches: Vec<[u64; 2]> = serde_json::from_value(pulled["batches"].clone()).expect("pairs");
    assert_eq!(batches.iter().map(|[elements, _]| elements).sum::<u64>(), 100);
    assert!(batches.iter().all(|[_, bytes]| *bytes <= 4 << 20), "{batches:?}");
}

/// An element that is larger than a batch comes alone.
#[test]
fn a_large_element_is_a_batch_of_its_own() {
    let ran = run(r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 3, inputs.bytes.value = 6000000 }
nodes.pull = { op = "odd/pull", inputs.values.collect = "blobs" }
outputs.pulled.from = "pull"
"#)
    .succeeded();
    let batches = json!([[1, 6_000_000], [1, 6_000_000], [1, 6_000_000]]);
    assert_eq!(ran.output("pulled"), Some(json!({ "len": 3, "batches": batches })));
}

/// `semantics.md` rule 11: no clone sees what another left in its memory.
#[test]
fn a_hundred_thousand_clones_share_nothing() {
    let ran = run(r#"
nodes.flood = { op = "hostile/flood_outputs", config = { count = 100000, size = 1 } }
nodes.counter = { op = "hostile/counter", inputs.value.map = "flood" }
outputs.counts.collect = "counter"
"#)
    .succeeded();
    let counts = ran.output("counts").expect("the clones succeeded");
    let counts = counts.as_array().expect("a collect is a list");
    assert_eq!(counts.len(), 100_000);
    assert!(counts.iter().all(|count| *count == 0));
}
