//! Ops that misbehave: each fails alone, as what it is, and nothing else is touched.

use std::time::{Duration, Instant};

use dynhost::graph::event::{Event, Failure, LimitKind, RunStatus, Violation};
use dynhost::{Host, StepLimits};
use serde_json::json;

use crate::job::{Job, Ran, component, is_emit, node, run};

/// Runs a hostile op in three clones beside three clones of an innocent one.
fn beside_others(op: &str, settings: &str) -> Ran {
    let ran = run(&format!(
        r#"
[nodes.each]
op = "basics/each"
inputs.values.value = [1, 2, 3]
[nodes.innocent]
op = "basics/multiply_by_two"
inputs.x.map = "each"
[nodes.sum]
op = "basics/sum"
inputs.numbers.collect = "innocent"
[nodes.bad]
op = "hostile/{op}"
inputs.value.map = "each"
{settings}
[nodes.below]
op = "basics/emit_ten"
after = ["bad"]
[outputs]
sum.from = "sum"
"#
    ));
    assert_eq!(ran.output("sum"), Some(json!(12)), "{op}");
    assert_eq!(ran.status(), RunStatus::Failed, "{op}");
    let failed: Vec<_> = ran.failures().into_iter().map(|(step, _)| step).collect();
    assert_eq!(failed, ["bad[0]", "bad[1]", "bad[2]"], "{op}");
    assert_eq!(ran.counts().failed, 3, "{op}");
    ran
}

fn violation(op: &str, settings: &str) -> (Violation, String) {
    let ran = beside_others(op, settings);
    let failure = ran.failure("bad[1]");
    match failure {
        Failure::BadOutput { violation } => (violation.clone(), failure.to_string()),
        other => panic!("{op}: {other:?}"),
    }
}

fn limit(op: &str, settings: &str) -> (LimitKind, u64, String) {
    let ran = beside_others(op, settings);
    let failure = ran.failure("bad[1]");
    match failure {
        Failure::LimitExceeded { limit, value, .. } => (*limit, *value, failure.to_string()),
        other => panic!("{op}: {other:?}"),
    }
}

/// `semantics.md` rules 7, 8 and 15; op-interface, principle 4: a broken contract is the op's failure.
#[test]
fn a_broken_contract_fails_the_step() {
    let words = |op: &str| violation(op, "").1;
    let out = "the op broke its interface: it gave";
    assert_eq!(
        words("duplicate_key"),
        format!("{out} the output `out` the mapping key `twice` twice")
    );
    assert_eq!(
        words("missing_key"),
        format!("{out} an element of the dynamic output `out` without a mapping key")
    );
    assert_eq!(
        words("key_on_static"),
        format!("{out} the output `result`, which is not dynamic, with the mapping key `key`")
    );
    assert_eq!(
        words("undeclared_output"),
        format!("{out} an output `surprise`, which its definition does not have")
    );
    assert_eq!(
        words("output_twice"),
        format!("{out} the output `result`, which is not dynamic, twice")
    );
    assert_eq!(
        words("forget_output"),
        "the op broke its interface: it ended without its required output `result`"
    );
    assert_eq!(
        words("malformed_json"),
        "the op broke its interface: its output `result` is declared as JSON and is not: EOF \
         while parsing a value at line 1 column 6"
    );
}

/// Op-interface, principle 4: a guest cannot swallow that it broke the contract.
#[test]
fn a_broken_contract_cannot_be_swallowed() {
    let (violation, _) = violation("swallow", "");
    let expected = Violation::DuplicateKey { output: "out".to_owned(), key: "key".to_owned() };
    assert_eq!(violation, expected);
}

/// Op-interface, principle 2: an output with a schema has the media type of JSON.
#[test]
fn another_media_type_is_no_json() {
    let settings = r#"config = { text = "{}", media_type = "text/plain" }"#;
    let (_, words) = violation("malformed_json", settings);
    assert!(words.ends_with("is declared as JSON and is not: its media type is `text/plain`"));
}

/// `semantics.md` rule 7: which mapping keys there are.
#[test]
fn mapping_keys_are_checked() {
    for key in ["a-b.c", "ü", "読", " ", "a/b", "*", "\"", "\u{feff}"] {
        let config = json!({ "key": key });
        let ran = run(&format!("nodes.key = {{ op = \"hostile/bad_key\", config = {{ key = {} }} }}\noutputs.out.collect = \"key\"", config["key"]));
        assert_eq!(ran.status(), RunStatus::Succeeded, "{key:?}: {:?}", ran.failures());
    }
    let long = r#"config = { key = "k", repeat = 255 }"#;
    run(&format!("nodes.key = {{ op = \"hostile/bad_key\", {long} }}")).succeeded();
    for (config, key) in [
        (r#"{ key = "" }"#, String::new()),
        (r#"{ key = "a\n" }"#, "a\n".to_owned()),
        (r#"{ key = "x[y]" }"#, "x[y]".to_owned()),
        (r#"{ key = "]" }"#, "]".to_owned()),
        (r#"{ key = "\u0085" }"#, "\u{85}".to_owned()),
        (r#"{ key = "\u0000" }"#, "\0".to_owned()),
        (r#"{ key = "k", repeat = 256 }"#, "k".repeat(256)),
        (r#"{ key = "k", repeat = 100000 }"#, format!("{}…", "k".repeat(300))),
    ] {
        let (violation, words) = violation("bad_key", &format!("config = {config}"));
        let Violation::InvalidKey { output, key: found, .. } = violation else {
            panic!("{config}: {violation:?}")
        };
        assert_eq!((output.as_str(), found), ("out", key), "{config}");
        assert!(words.contains("1 to 255 bytes of UTF-8 without control characters"), "{words}");
    }
}

/// `semantics.md` rule 15: a trap fails the step, not the host.
#[test]
fn a_trap_fails_the_step() {
    for op in ["trap", "panic"] {
        let ran = beside_others(op, "");
        let failure = ran.failure("bad[0]");
        assert!(matches!(failure, Failure::Trap { .. }), "{failure:?}");
        let words = failure.to_string();
        let first = words.lines().next().unwrap_or_default();
        assert_eq!(first, "the guest trapped: wasm `unreachable` instruction executed", "{op}");
    }
}

/// `semantics.md` rule 15: what an op says of its failure is passed on.
#[test]
fn a_failure_is_passed_on_in_the_words_of_the_op() {
    let ran = beside_others("fail", r#"config = { message = "no such thing" }"#);
    let Failure::Reported { message, detail, .. } = ran.failure("bad[2]") else { panic!() };
    assert_eq!(message, "no such thing");
    assert_eq!(detail.as_ref().map(|it| it.data.to_vec()), Some(br#"{"attempt":1}"#.to_vec()));
}

/// A time limit stops a busy loop, and does so soon.
#[test]
fn an_endless_loop_is_stopped() {
    let begun = Instant::now();
    let ran = beside_others("loop", r#"timeout = "200ms""#);
    assert_eq!(ran.failure("bad[0]"), &Failure::TimedOut { after_ms: 200 });
    assert_eq!(
        ran.failure("bad[0]").to_string(),
        "it did not end within its timeout of 200 ms"
    );
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
    assert!(
        matches!(ran.failure("deep"), Failure::LimitExceeded { limit: LimitKind::Stack, .. })
    );
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
        let settings = format!("limits.output = \"1MiB\"\nconfig = {{ bytes = 1048577, emit = {emit} }}");
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
            matches!(failure, Failure::LimitExceeded { limit: LimitKind::HostAllocation, value: 1_048_576, .. }),
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
    assert_eq!(messages.last(), Some(&"the step's log is full; what follows is dropped"));
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
    assert!(keys.iter().enumerate().all(|(at, key)| *key == at.to_string()));
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
            "the limit on clones of 100 elements was exceeded: output `out` has more elements".to_owned()
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

/// What an op says while it runs is recorded with its step.
#[test]
fn messages_and_progress_are_recorded() {
    let ran = run(r#"nodes.talk = { op = "odd/log", config.bytes = 3 }"#).succeeded();
    let said: Vec<_> = ran.events.iter().filter(|event| node(event) == "talk").collect();
    assert!(said.iter().any(|event| matches!(event, Event::LogWritten { message, fields, .. }
        if message == "xxx" && fields == &[("a".to_owned(), "b".to_owned())])));
    assert!(
        said.iter().any(|event| matches!(event, Event::ProgressMade { done: 1, total: Some(2), .. }))
    );
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

/// The component that misbehaves has no authority either.
#[test]
fn the_hostile_component_is_pure() {
    let component = crate::job::host().load(&component("hostile")).expect("it can be loaded");
    assert!(component.is_pure(), "{:?}", component.imports());
    assert_eq!(component.ops().len(), 19);
}
