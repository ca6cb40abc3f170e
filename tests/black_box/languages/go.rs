//! The conformance ops in Go, the quickstart of the SDK's README, and what it says about steps.

use dynhost::graph::event::{Event, Failure, Level, ReportedRetry};
use serde_json::json;

use super::{language, sdk};
use crate::job::{Job, Ran, host};

#[test]
fn go_conforms() {
    super::check("go");
}

/// Runs nodes over a component that the script of the SDK makes beside the conformance ops.
fn run_with(file: &str, nodes: &str) -> Option<Ran> {
    language("go").beside(file).map(|component| Job::over(&[("go", &component)], nodes).run())
}

fn run(nodes: &str) -> Option<Ran> {
    run_with("guest.wasm", nodes)
}

/// The ops of the README, as they stand there.
#[test]
fn the_quickstart_runs() {
    let job = |most: u32| {
        let nodes = format!(
            r#"
[nodes.split]
op = "go/split"
inputs.text.value = "one\nfour\n\nthree"
[nodes.measure]
op = "go/measure"
inputs.line.map = "split"
[nodes.total]
op = "go/total"
inputs.lengths.collect = "measure"
config.most = {most}
[outputs]
total.from = "total"
"#
        );
        run_with("quickstart.wasm", &nodes)
    };
    let Some(ran) = job(12) else { return };
    assert_eq!(ran.succeeded().output("total"), Some(json!(12)));
    let failures = job(11).expect("it was there before").failures();
    assert_eq!(failures, [("total".to_owned(), "the text is too long: 12 bytes".to_owned())]);
}

fn logs(ran: &Ran) -> Vec<(Level, &str)> {
    let logs = ran.events.iter().filter_map(|event| match event {
        Event::LogWritten { level, message, .. } => Some((*level, message.as_str())),
        _ => None,
    });
    logs.collect()
}

/// Printing reaches the log, and the world is the same in each run: the module is loaded as it is, and is pure.
#[test]
fn what_go_prints_is_logged_and_what_it_sees_is_no_machine() {
    let nodes =
        "[nodes.talk]\nop = \"go/talk\"\ninputs.n.value = 1\n[outputs]\nseen.from = \"talk\"";
    let Some(ran) = run(nodes) else { return };
    let component = language("go").beside("guest.wasm").expect("it was there before");
    assert!(host().load(&component).expect("it is a module of ops").is_pure());
    let ran = ran.succeeded();
    assert_eq!(
        logs(&ran),
        [(Level::Info, "printed 1"), (Level::Warn, "complained"), (Level::Info, "without an end"),]
    );
    let seen = ran.output("seen").expect("it is given");
    let random = &seen["random"];
    assert_eq!(
        seen,
        json!({
            "year": 2000, "slept": 60, "random": random, "file": false, "home": false, "number": 0.1,
            "words": ["h\u{e9}", "\0"], "empty": [],
        })
    );
    let again = run(nodes).expect("it was there before");
    assert_eq!(again.output("seen"), Some(seen));
}

/// A panic of an op is a failure with its words, its place and its calls.
#[test]
fn panics_of_go_have_a_traceback() {
    let nodes = "[nodes.divide]\nop = \"go/divide\"\ninputs.n.value = 0";
    let Some(ran) = run(nodes) else { return };
    let Failure::Reported { message, detail: Some(detail), retry } = ran.failure("divide") else {
        panic!("{:?}", ran.failure("divide"));
    };
    assert_eq!(*retry, ReportedRetry::Permanent);
    assert!(
        message.starts_with("panic: runtime error: integer divide by zero (guest.go:"),
        "{message}"
    );
    let detail = String::from_utf8_lossy(&detail.data).into_owned();
    assert!(detail.contains(" in main.divide"), "{detail}");
}

/// What no op can catch ends the step with a trap, after the runtime's words.
#[test]
fn what_cannot_be_caught_is_a_trap() {
    let nodes = r#"
[nodes.overflow]
op = "go/overflow"
inputs.n.value = 0
[nodes.exit]
op = "go/exit"
[nodes.aside]
op = "go/panic_aside"
[nodes.wait]
op = "go/wait"
"#;
    let Some(ran) = run(nodes) else { return };
    println!("{:?}", logs(&ran));
    for step in ["overflow", "exit", "aside", "wait"] {
        println!("{:?}", ran.failure(step));
    }
}
