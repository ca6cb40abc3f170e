//! What the commands print and how they end, where all is well, and when they are interrupted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use dynhost::graph::event::{Event, Recorded, RunStatus};
use serde_json::{Value as Json, json};

use super::{Workshop, assert_snapshot};

const JOB: &str = r#"
[job]
name = "sum"
description = "Adds up doubled numbers"

[params.n]
type = "integer"
default = 3
description = "how many"

[components]
basics = "ops/basics.wasm"

[nodes.numbers]
op = "basics/numbers"
inputs.n = { param = "n" }

[nodes.double]
op = "basics/multiply_by_two"
inputs.x = { map = "numbers" }

[nodes.sum]
op = "basics/sum"
inputs.numbers = { collect = "double" }

[nodes.keys]
op = "basics/keys"
inputs.values = { collect = "double" }

[outputs]
sum = { from = "sum" }
keys = { from = "keys" }
doubled = { collect = "double" }
"#;

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("sum.toml", JOB);
    workshop
}

#[test]
fn what_commands_print() {
    let workshop = workshop();
    let sessions = [
        "run sum.toml --no-cache",
        "run sum.toml --param n=0 --max-concurrency 1 --progress none --ephemeral",
        "-o json run sum.toml --param n=5 --progress none --no-cache",
        "validate sum.toml",
        "graph sum.toml",
        "graph --format mermaid sum.toml",
        "call ops/basics.wasm add --input x=40 --input y=2",
        "call ops/basics.wasm numbers --input n=3",
        "call ops/basics.wasm sum --input numbers=[1,2,3]",
        "-o json call ops/basics.wasm add --input x=40 --input y=2",
    ];
    let text: Vec<_> = sessions.iter().map(|line| workshop.session(line)).collect();
    assert_snapshot("snapshots", "what_commands_print", &text.join("\n"));
}

/// `inspect` says what imports mean.
#[test]
fn inspect_says_whether_a_component_is_pure() {
    let workshop = workshop();
    let inspect = |name: &str| {
        let output = workshop.run(&["inspect", "-o", "json", &format!("ops/{name}.wasm")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Json>(&output.stdout).expect("it is JSON")
    };
    assert_eq!(inspect("basics")["pure"], true);
    assert_eq!(inspect("files")["pure"], false);
    let text = workshop.session("inspect ops/texts.wasm");
    assert_snapshot("snapshots", "inspect", &text);
}

/// The events that `run --events` writes are those of the library, one per line.
#[test]
fn events_are_written_in_the_stored_format() {
    let workshop = workshop();
    let output = workshop.run(&["run", "sum.toml", "--events", "events.jsonl"]);
    assert!(output.status.success());
    let text = fs::read_to_string(workshop.path().join("events.jsonl")).expect("it was written");
    let events: Vec<Event> = text
        .lines()
        .map(|line| serde_json::from_str::<Recorded>(line).expect("it is an event").event)
        .collect();
    assert!(matches!(&events[0], Event::RunStarted { job, .. } if job == "sum"));
    let ended = events.iter().filter(|event| matches!(event, Event::StepSucceeded { .. })).count();
    assert_eq!(ended, 1 + 3 + 1 + 1);
    assert!(matches!(events.last(), Some(Event::RunFinished { status: RunStatus::Succeeded, .. })));
}

/// Params come from a file, and the command line goes before it.
#[test]
fn params_come_from_a_file() {
    let workshop = workshop();
    workshop.write("params.json", r#"{ "n": 4 }"#).write("params.toml", "n = 5\n");
    let sum = |arguments: &[&str]| {
        let output = workshop.run(&[&["run", "-o", "json", "sum.toml"], arguments].concat());
        let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
        result["outputs"]["sum"].clone()
    };
    assert_eq!(sum(&["--params", "params.json"]), json!(12));
    assert_eq!(sum(&["--params", "params.toml"]), json!(20));
    assert_eq!(sum(&["--params", "params.toml", "--param", "n=1"]), json!(0));
}

/// A job that fails still prints the outputs that it has, and ends with 1.
#[test]
fn fail_fast_ends_a_run_of_loops() {
    let workshop = Workshop::new();
    workshop.write(
        "bad.toml",
        r#"
job.name = "bad"
components = { hostile = "ops/hostile.wasm" }
nodes.trap.op = "hostile/trap"
nodes.loop.op = "hostile/loop"
"#,
    );
    let output = workshop.run(&["run", "bad.toml", "--fail-fast", "--max-concurrency", "2"]);
    assert_eq!(output.status.code(), Some(1));
}

/// `semantics.md` rule 18: Ctrl-C cancels the run, which says so and ends with 130.
#[test]
fn ctrl_c_cancels_a_run() {
    let workshop = Workshop::new();
    workshop.write(
        "loop.toml",
        r#"
job.name = "loop"
components = { hostile = "ops/hostile.wasm", odd = "ops/odd.wasm" }
nodes.log = { op = "odd/log", config.bytes = 7 }
nodes.loop = { op = "hostile/loop", after = ["log"] }
"#,
    );
    let mut child = workshop
        .dynhost(&["run", "loop.toml", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let mut words = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("xxxxxxx") {
        line.clear();
        assert!(words.read_line(&mut line).expect("it can be read") > 0, "it ended before");
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("there is a `kill`").success());
    let rest: Vec<String> = words.lines().map(|line| line.expect("it can be read")).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(result["status"], "cancelled");
    assert!(rest.iter().any(|line| line.contains("cancelled")), "{rest:?}");
}

/// Nothing is printed on a closed pipe, and nothing panics.
#[test]
fn a_closed_pipe_is_no_bug() {
    let workshop = workshop();
    let mut child = workshop
        .dynhost(&["run", "sum.toml", "--param", "n=2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!words.contains("panicked"), "{words}");
    assert_ne!(output.status.code(), Some(70), "{words}");
}

/// What `--help` says is there for each command, with examples.
#[test]
fn every_command_has_help_with_examples() {
    let workshop = Workshop::new();
    let commands =
        "run resume rerun validate inspect call graph build componentize wit explain completions";
    let runs = ["list", "show", "events", "logs", "output", "cancel", "prune"];
    let commands = commands.split(' ').map(|command| vec![command]);
    for command in commands.chain(runs.map(|command| vec!["runs", command])) {
        let output = workshop.run(&[&command[..], &["--help"]].concat());
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).expect("it is UTF-8");
        assert!(help.contains("Examples:\n  dynhost "), "{command:?}:\n{help}");
    }
    let help = workshop.run(&["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes:"));
}
