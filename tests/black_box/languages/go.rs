//! The conformance ops in Go, the quickstart of the SDK's README, and what it says about steps.

use std::fs;

use dynhost::graph::event::{Event, Failure, Level, LimitKind, ReportedRetry};
use serde_json::json;

use super::{language, sdk};
use crate::command::{Workshop, binary, root};
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
    for step in ["exit", "aside", "wait"] {
        assert!(matches!(ran.failure(step), Failure::Trap { .. }), "{:?}", ran.failure(step));
    }
    let overflow = ran.failure("overflow");
    assert!(
        matches!(overflow, Failure::LimitExceeded { limit: LimitKind::Stack, .. }),
        "{overflow:?}"
    );
    let logs = logs(&ran);
    let panicked =
        |&(level, text): &(Level, &str)| level == Level::Warn && text.starts_with("panic: aside");
    assert!(logs.iter().any(panicked), "{logs:?}");
    let deadlock = (Level::Warn, "fatal error: all goroutines are asleep - deadlock!");
    assert!(logs.contains(&deadlock), "{logs:?}");
}

/// Schemas of types, defaults, and words where a value does not fit.
#[test]
fn values_are_checked_against_their_types() {
    let nodes = r#"
[nodes.area]
op = "go/area"
inputs = { rectangle.value = { width = 2.5, h = 4 }, scale.value = 0.5, unit.value = "ft" }
[nodes.flat]
op = "go/area"
inputs.rectangle.value = { width = 3 }
[nodes.pass]
op = "go/pass"
inputs.value.value = { width = "3" }
[nodes.bad]
op = "go/area"
inputs.rectangle.from = "pass"
[nodes.nothing]
op = "go/sum"
inputs.bytes.value = 1
[nodes.several]
op = "go/sum"
inputs.values = [{ value = 0.5 }, { from = "nothing" }, { value = 2 }]
inputs.bytes = [{ value = 7 }, { value = "x" }]
[outputs]
area.from = "area"
flat.from = "flat"
several.from = "several"
"#;
    let Some(guest) = language("go").beside("guest.wasm") else { return };
    let ran = Job::over(&[("go", &guest)], nodes).run();
    assert_eq!(ran.output("area"), Some(json!("5 ft")));
    assert_eq!(ran.output("flat"), Some(json!("3 m")));
    assert_eq!(ran.output("several"), Some(json!(7.5)));
    let words = "input `rectangle`: a number was expected at `.width`, and it is the string \"3\"";
    assert_eq!(ran.failures(), [("bad".to_owned(), words.to_owned())]);
    let loaded = host().load(&guest).expect("it is a module of ops");
    let area = loaded.ops().iter().find(|op| op.name == "area").expect("it is there");
    let schemas: Vec<_> = area.inputs.iter().map(|port| (port.required, &port.schema)).collect();
    assert_eq!(
        schemas,
        [
            (
                true,
                &Some(json!({
                    "type": "object",
                    "properties": {"width": {"type": "number"}, "h": {"type": "number", "default": 1}},
                    "required": ["width"],
                }))
            ),
            (false, &Some(json!({"type": "string", "enum": ["m", "ft"], "default": "m"}))),
            (false, &Some(json!({"type": "number"}))),
        ]
    );
}

/// Failures with a detail, an error of the host that an op passes over, and goroutines.
#[test]
fn failures_and_goroutines_are_those_of_the_op() {
    let nodes = r#"
[nodes.detailed]
op = "go/detailed"
[nodes.twice]
op = "go/twice"
inputs.n.value = 1
[nodes.workers]
op = "go/workers"
inputs.n.value = 100
[outputs]
sum.from = "workers"
"#;
    let Some(ran) = run(nodes) else { return };
    let Failure::Reported { message, detail: Some(detail), retry } = ran.failure("detailed") else {
        panic!("{:?}", ran.failure("detailed"));
    };
    assert_eq!(message, "reading: not UTF-8: \u{fffd}");
    assert_eq!((*retry, &*detail.data), (ReportedRetry::Transient, &b"{\"code\":7}"[..]));
    assert!(
        matches!(ran.failure("twice"), Failure::BadOutput { .. }),
        "{:?}",
        ran.failure("twice")
    );
    assert_eq!(ran.output("sum"), Some(json!(4950)));
}

/// Neither emitting nor pulling keeps what is past: 20 MB pass through 12 MiB.
#[test]
fn memory_does_not_grow_with_the_number_of_elements() {
    let nodes = r#"
[nodes.flood]
op = "go/flood"
inputs.n.value = 20000
limits.memory = "12MiB"
[nodes.drain]
op = "go/drain"
inputs.texts.collect = "flood"
limits.memory = "12MiB"
[nodes.few]
op = "go/flood"
inputs.n.value = 5
[nodes.odd]
op = "go/odd_fails"
inputs.text.map = "few"
tolerate.count = 2
[nodes.left]
op = "go/drain"
inputs.texts.collect = "odd"
[outputs]
drained.from = "drain"
left.from = "left"
"#;
    let Some(ran) = run(nodes) else { return };
    let drained = json!({ "length": 20_000, "bytes": 20_000_000, "failed": [] });
    let ran = ran.succeeded();
    assert_eq!(ran.output("drained"), Some(drained));
    let left = json!({ "length": 3, "bytes": 3000, "failed": ["1", "3"] });
    assert_eq!(ran.output("left"), Some(left));
}

/// What the README says to write and to type, in a folder that holds the SDK.
#[test]
fn the_commands_of_the_readme_run() {
    if language("go").beside("quickstart.wasm").is_none() {
        return;
    }
    let readme = fs::read_to_string(sdk("go").join("README.md")).expect("there is one");
    let block = |language: &str| {
        let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("there is a block");
        rest.split_once("```").expect("it ends").0.to_owned()
    };
    let workshop = Workshop::new();
    std::os::unix::fs::symlink(root().join("sdk"), workshop.path().join("sdk")).expect("a link");
    // In the folder with the components of the workshop.
    workshop.write("ops/ops.go", block("go"));
    let folder = binary().parent().expect("it is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", &block("sh")]).current_dir(workshop.path());
    let ran = shell.env("PATH", format!("{folder}:{path}")).output().expect("sh can be run");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "result: 5\n");
}

/// What is committed is what the WIT says: asked of the generator itself.
#[test]
fn the_bindings_are_current() {
    let check = std::process::Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--", "--check"])
        .current_dir(sdk("go").join("bindings"))
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("cargo can be started");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
