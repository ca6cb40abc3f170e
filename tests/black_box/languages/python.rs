//! The conformance ops in Python, and what the SDK's README says about steps.

use dynhost::graph::event::{Event, Failure, Level};
use serde_json::json;

use super::language;
use crate::job::{Job, Ran};

#[test]
fn python_conforms() {
    super::check("python");
}

/// The ops of the README as they stand there, and others in the same component.
fn run(nodes: &str) -> Option<Ran> {
    let guest = language("python").beside("guest.wasm");
    guest.map(|guest| Job::over(&[("py", &guest)], nodes).run())
}

#[test]
fn the_quickstart_runs() {
    let nodes = r#"
[nodes.split]
op = "py/split"
inputs.text.value = "one\nfour\n\nthree"
[nodes.measure]
op = "py/measure"
inputs.line.map = "split"
[nodes.total]
op = "py/total"
inputs.lengths.collect = "measure"
[outputs]
total.from = "total"
"#;
    let Some(ran) = run(nodes) else { return };
    assert_eq!(ran.succeeded().output("total"), Some(json!(12)));
}

/// Printing and `logging` reach the log, and the time is that of no machine, although there is no WASI.
#[test]
fn what_python_prints_is_logged() {
    let nodes =
        "[nodes.talk]\nop = \"py/talk\"\ninputs.n.value = 1\n[outputs]\ntime.from = \"talk\"";
    let Some(ran) = run(nodes) else { return };
    let ran = ran.succeeded();
    let time = ran.output("time").and_then(|time| time.as_f64()).expect("it is a number");
    assert!((946_684_800.0..946_684_801.0).contains(&time), "{time}");
    let logs: Vec<(Level, &str)> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { level, message, .. } => Some((*level, message.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(logs[..2], [(Level::Info, "printed 1"), (Level::Warn, "logged")]);
    assert!(logs.contains(&(Level::Warn, "    return 1 / n")), "{logs:?}");
}

/// An exception and an import that comes too late are the op's failures in words, and no traps.
#[test]
fn exceptions_of_python_have_a_traceback() {
    let nodes = r#"
[nodes.divide]
op = "py/divide"
inputs.n.value = 0
[nodes.import]
op = "py/import_late"
inputs.n.value = 0
"#;
    let Some(ran) = run(nodes) else { return };
    for step in ["divide", "import"] {
        assert!(matches!(ran.failure(step), Failure::Reported { .. }), "{:?}", ran.failure(step));
    }
    let said = format!("{:?}", ran.failures());
    assert!(said.contains("ZeroDivisionError: division by zero (guest_ops.py:"), "{said}");
    assert!(said.contains("`decimal` is imported too late"), "{said}");
}
