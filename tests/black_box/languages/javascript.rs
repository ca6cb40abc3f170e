//! The conformance ops in JavaScript, the same in TypeScript, which one script builds, and what the SDK's README says
//! about steps.

use dynhost::graph::event::{Event, Level};
use serde_json::json;

use super::language;
use crate::job::{Job, Ran};

#[test]
fn javascript_conforms() {
    super::check("js");
}

#[test]
fn typescript_conforms() {
    super::check_beside("js", "conformance-ts.wasm");
}

/// The ops of the README as they stand there, and others in the same component.
fn run(nodes: &str) -> Option<Ran> {
    language("js").beside("guest.wasm").map(|guest| Job::over(&[("js", &guest)], nodes).run())
}

#[test]
fn the_quickstart_runs() {
    let nodes = r#"
[nodes.split]
op = "js/split"
inputs.text.value = "one\nfour\n\nthree"
[nodes.measure]
op = "js/measure"
inputs.line.map = "split"
[nodes.total]
op = "js/total"
inputs.lengths.collect = "measure"
[outputs]
total.from = "total"
"#;
    let Some(ran) = run(nodes) else { return };
    assert_eq!(ran.succeeded().output("total"), Some(json!(12)));
}

/// The console reaches the log, there is UTF-8, and the time is that of no machine, although there is no WASI.
#[test]
fn what_javascript_is_used_to_is_there() {
    let nodes = r#"
[nodes.talk]
op = "js/talk"
inputs.n.value = 1
[nodes.bytes]
op = "js/bytes"
inputs.text.value = "é😀"
[outputs]
time.from = "talk"
bytes.from = "bytes"
"#;
    let Some(ran) = run(nodes) else { return };
    let ran = ran.succeeded();
    assert_eq!(ran.output("time"), Some(json!(946_684_800_000_u64)));
    assert_eq!(ran.output("bytes"), Some(json!([0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80])));
    let logs: Vec<(Level, &str)> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { level, message, .. } => Some((*level, message.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(logs, [(Level::Info, "printed 1 {\"a\":[1]}"), (Level::Error, "RangeError: shown")]);
}

/// What an op throws, and a promise, are its failures in words, and no traps.
#[test]
fn what_javascript_throws_is_a_failure() {
    let nodes = "[nodes.break]\nop = \"js/break_down\"\ninputs.n.value = 0\n\
                 [nodes.wait]\nop = \"js/wait\"\ninputs.n.value = 0";
    let Some(ran) = run(nodes) else { return };
    let expected = [
        ("break", "TypeError: cannot read property '0' of null"),
        ("wait", "TypeError: op `wait` is async, and a step is not"),
    ];
    assert_eq!(
        ran.failures(),
        expected.map(|(step, message)| (step.to_owned(), message.to_owned()))
    );
}
