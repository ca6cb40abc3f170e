//! Ops that break the contract of their interface, or fail with words or without: each fails alone, as what it is, and
//! nothing else is touched.

use dynhost::graph::event::{Event, Failure, RunStatus, Violation};
use serde_json::json;

use crate::job::{Ran, component, host, node, run};

/// Runs a hostile op in three clones beside three clones of an innocent one.
pub(crate) fn beside_others(op: &str, settings: &str) -> Ran {
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
        let ran = run(&format!(
            "nodes.key = {{ op = \"hostile/bad_key\", config = {{ key = {} }} }}\noutputs.out.collect = \"key\"",
            config["key"]
        ));
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

/// What an op says while it runs is recorded with its step.
#[test]
fn messages_and_progress_are_recorded() {
    let ran = run(r#"nodes.talk = { op = "odd/log", config.bytes = 3 }"#).succeeded();
    let said: Vec<_> = ran.events.iter().filter(|event| node(event) == "talk").collect();
    assert!(said.iter().any(|event| matches!(event, Event::LogWritten { message, fields, .. }
        if message == "xxx" && fields == &[("a".to_owned(), "b".to_owned())])));
    assert!(
        said.iter()
            .any(|event| matches!(event, Event::ProgressMade { done: 1, total: Some(2), .. }))
    );
}

/// The component that misbehaves has no authority either.
#[test]
fn the_hostile_component_is_pure() {
    let component = host().load(&component("hostile")).expect("it can be loaded");
    assert!(component.is_pure(), "{:?}", component.imports());
    assert_eq!(component.ops().len(), 22);
}
