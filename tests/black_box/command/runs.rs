//! History on the command line: what can be asked of runs, and what can be done with them.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use dynhost::graph::event::{Event, Recorded};
use serde_json::{Value as Json, json};

use super::Workshop;

const JOB: &str = r#"
[job]
name = "history"
[components]
basics = "ops/basics.wasm"
odd = "ops/odd.wasm"
scripted = "ops/scripted.wasm"
[params.n]
type = "integer"
default = 3
[nodes]
numbers = { op = "basics/numbers", inputs.n.param = "n" }
slow = { op = "scripted/slow_next", inputs.x.map = "numbers", config.thousands = 5000, retry.max_attempts = 2 }
sum = { op = "scripted/slow_sum", inputs.numbers.collect = "slow", config.thousands = 5000 }
said = { op = "odd/log", config.bytes = 7 }
[outputs]
sum.from = "sum"
"#;

/// Takes long enough to be found under way; each element by itself is short.
const LONG: &str = r#"
[job]
name = "long"
[components]
scripted = "ops/scripted.wasm"
[nodes]
numbers = { op = "scripted/slow_numbers", inputs.n.value = 1500, config.thousands = 3000 }
sum = { op = "scripted/slow_sum", inputs.numbers.collect = "numbers", config.thousands = 1 }
[outputs]
sum.from = "sum"
"#;

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("history.toml", JOB).write("long.toml", LONG);
    workshop
}

/// What a command prints, and how it ends.
fn text(workshop: &Workshop, line: &str) -> (i32, String, String) {
    let output = workshop.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
    let code = output.status.code().expect("it was not killed");
    (code, text(output.stdout), text(output.stderr))
}

fn succeeds(workshop: &Workshop, line: &str) -> String {
    let (code, out, err) = text(workshop, line);
    assert_eq!(code, 0, "{line}: {out}{err}");
    out
}

/// The objects that a command prints, one per line.
fn objects(workshop: &Workshop, line: &str) -> Vec<Json> {
    let text = succeeds(workshop, &format!("{line} -o json"));
    text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

#[test]
fn a_run_is_listed_and_shown() {
    let workshop = workshop();
    succeeds(&workshop, "run history.toml --no-cache");
    succeeds(&workshop, "run history.toml --no-cache --param n=6");
    let list = objects(&workshop, "runs list");
    let states: Vec<_> = list.iter().map(|run| (&run["status"], &run["params"]["n"])).collect();
    assert_eq!(states, [(&json!("succeeded"), &json!(6)), (&json!("succeeded"), &json!(3))]);
    let older = list[1]["run"].as_str().expect("an id");
    let page =
        objects(&workshop, &format!("runs list --before {}", list[0]["run"].as_str().unwrap()));
    assert_eq!(page, [list[1].clone()]);
    assert_eq!(objects(&workshop, "runs list --job other"), [Json::Null; 0]);
    assert_eq!(objects(&workshop, "runs list --status failed"), [Json::Null; 0]);

    let shown = &objects(&workshop, &format!("runs show {older}"))[0];
    assert_eq!(
        (&shown["outputs"], &shown["status"]),
        (&json!({ "sum": 1 + 2 + 3 - 1 }), &json!("succeeded"))
    );
    assert_eq!(shown["steps"]["succeeded"], 6, "{shown}");
    let nodes = shown["nodes"].as_array().expect("a list");
    let slow = nodes.iter().find(|node| node["node"] == "slow").expect("the node");
    assert_eq!(slow["steps"], json!({ "succeeded": 3 }));

    let steps = objects(&workshop, &format!("runs show {older} --steps"));
    let mut names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["numbers", "said", "slow[0]", "slow[1]", "slow[2]", "sum"]);
    let fields: Vec<&String> = steps[0].as_object().expect("an object").keys().collect();
    let known = [
        "attempts",
        "cached",
        "error",
        "finished_at",
        "keys",
        "node",
        "started_at",
        "status",
        "step",
    ];
    assert_eq!(fields, known);
    let zero = objects(&workshop, &format!("runs show {older} --steps --node slow --key 0"));
    assert_eq!((zero.len(), &zero[0]["attempts"]), (1, &json!(2)));
    assert_eq!(objects(&workshop, &format!("runs show {older} --steps --limit 2")).len(), 2);
    assert_eq!(
        objects(&workshop, "runs show last --steps --status succeeded --limit 1000").len(),
        9
    );

    let (code, _, words) = text(&workshop, "runs show 99");
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("99"), "{words}");
}

/// `runs logs`, `runs output` and `runs events` give again what the run gave.
#[test]
fn what_a_run_gave_is_there_again() {
    let workshop = workshop();
    let printed = succeeds(&workshop, "run history.toml --no-cache --events events.jsonl");
    assert_eq!(succeeds(&workshop, "runs output last"), printed);
    assert_eq!(succeeds(&workshop, "runs output last sum"), "5\n");
    let written = fs::read_to_string(workshop.path().join("events.jsonl")).expect("a file");
    assert_eq!(succeeds(&workshop, "runs events last"), written);
    let events = succeeds(&workshop, "runs events last --from 2 --limit 3");
    let expected: String = written.lines().skip(2).take(3).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(events, expected);
    let logs = objects(&workshop, "runs logs last");
    assert!(!logs.is_empty());
    assert!(logs.iter().all(|line| line["step"] == "said"), "{logs:?}");
    assert_eq!(objects(&workshop, "runs logs last --node slow"), [Json::Null; 0]);
    assert_eq!(objects(&workshop, "runs logs last --step said"), logs);
}

/// "`runs show --replay` prints what the live run printed."
#[test]
fn replay_prints_what_the_live_run_printed() {
    let workshop = workshop();
    workshop.write(
        "fails.toml",
        JOB.replace("retry.max_attempts = 2", "on_failure = \"finish\"")
            .replace("history", "fails"),
    );
    for (job, code) in [("history", 0), ("fails", 1)] {
        let (ended, _, live) = text(&workshop, &format!("run {job}.toml --no-cache"));
        assert_eq!(ended, code, "{live}");
        let again = succeeds(&workshop, "runs show last --replay");
        // How long it took differs, and what is said of outputs and of what to do next belongs to the command.
        let told = |words: &str| -> Vec<String> {
            let lines = words
                .lines()
                .filter(|line| !line.starts_with("help:") && !line.starts_with("no value for"));
            let lines = lines.map(|line| match line.split_once(" after ") {
                Some((start, rest)) => {
                    format!("{start} {}", rest.split_once(": ").map_or("", |(_, rest)| rest))
                }
                None => line.to_owned(),
            });
            lines.collect()
        };
        assert_eq!(told(&again), told(&live), "{job}");
    }
}

/// Starts a run and waits until it has emitted something.
fn start(workshop: &Workshop, arguments: &[&str]) -> Child {
    let mut command = workshop.dynhost(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(20));
        let (code, events, _) = text(workshop, "runs events last");
        if code == 0 && events.contains("output_emitted") {
            return child;
        }
    }
    child.kill().expect("it can be killed");
    panic!("nothing was emitted: {:?}", child.wait_with_output());
}

/// Each place that a guest or the host touches would take 2 MiB.
#[test]
fn a_run_takes_no_huge_pages() {
    let workshop = workshop();
    let mut child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    let process = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let process = process.expect("there is /proc");
    assert!(process.lines().any(|line| line == "THP_enabled:\t0"), "{process}");
}

fn status(workshop: &Workshop) -> Json {
    objects(workshop, "runs list --limit 1")[0]["status"].clone()
}

/// Only one process is at a run; another can cancel it, and then go on with it.
#[test]
fn a_run_is_cancelled_by_another_process_and_goes_on() {
    let workshop = workshop();
    let child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    assert_eq!(status(&workshop), "running");
    let (code, _, words) = text(&workshop, "resume last");
    assert_eq!(code, 1, "{words}");
    assert!(words.contains(&child.id().to_string()), "the process is named: {words}");
    succeeds(&workshop, "runs cancel last");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("dynhost resume "));
    assert_eq!(status(&workshop), "cancelled");
    let sum = succeeds(&workshop, "resume last --progress none");
    assert_eq!(sum, "sum: 1124250\n");
    assert_eq!(status(&workshop), "succeeded");
    assert_eq!(objects(&workshop, "runs list").len(), 1, "it is the same run");
    let (code, _, words) = text(&workshop, "resume last");
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("has ended") && words.contains("dynhost rerun"), "{words}");
}

/// A run whose process was killed can be cancelled, resumed, and not be resumed twice at once.
#[test]
fn a_killed_run_is_free_at_once() {
    let workshop = workshop();
    let mut child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert_eq!(status(&workshop), "interrupted");
    succeeds(&workshop, "runs cancel last");
    assert_eq!(status(&workshop), "cancelled");
    // Two at once: one goes on, the other is told so.
    let mut both: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = workshop.dynhost(&["resume", "last", "--progress", "none"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the binary can be started")
        })
        .collect();
    let codes: Vec<_> =
        both.iter_mut().map(|child| child.wait().expect("it ends").code()).collect();
    assert!(codes.contains(&Some(0)), "{codes:?}");
    // The other came while it ran, or when it had ended.
    assert!(codes.contains(&Some(1)) || codes.contains(&Some(2)), "{codes:?}");
    assert_eq!(succeeds(&workshop, "runs output last"), "sum: 1124250\n");
}

/// What a run was begun with has changed: that is shown, and can be accepted.
#[test]
fn a_change_is_shown_before_it_is_accepted() {
    let workshop = workshop();
    let mut child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    workshop.write("long.toml", LONG.replace("n.value = 1500", "n.value = 30"));
    let (code, _, words) = text(&workshop, "resume last");
    assert_eq!(code, 2, "{words}");
    for part in ["-numbers =", "+numbers =", "n.value = 30", "--accept-changes"] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
    assert_eq!(status(&workshop), "interrupted", "nothing was done");
    let sum = succeeds(&workshop, "resume last --accept-changes --progress none");
    assert_eq!(sum, "sum: 435\n");
    // The file is gone.
    succeeds(&workshop, "run history.toml --no-cache");
    fs::remove_file(workshop.path().join("history.toml")).expect("it was there");
    let (code, _, words) = text(&workshop, "rerun last --from-failure");
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("history.toml"), "{words}");
}

/// A project that was moved goes on where it is now, and a copy does not touch the original.
#[test]
fn a_project_can_be_moved() {
    let workshop = workshop();
    let mut child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let moved = workshop.path().join("moved");
    fs::create_dir(&moved).expect("a folder");
    for name in ["long.toml", "ops", ".dynhost"] {
        fs::rename(workshop.path().join(name), moved.join(name)).expect("it is moved");
    }
    let run = |arguments: &[&str]| {
        let output = workshop.dynhost(arguments).current_dir(&moved).output();
        let output = output.expect("the binary can be started");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {words}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), words)
    };
    let (sum, words) = run(&["resume", "last", "--progress", "none"]);
    assert_eq!(sum, "sum: 1124250\n");
    assert!(words.contains("the manifest is `long.toml`"), "{words}");
    fs::copy(moved.join("long.toml"), moved.join("other.toml")).expect("a copy");
    run(&["rerun", "last", "--from-failure", "--manifest", "other.toml", "--progress", "none"]);
}

#[test]
fn rerun_takes_over_what_is_not_selected() {
    let workshop = workshop();
    succeeds(&workshop, "run history.toml --no-cache");
    let object = &objects(&workshop, "rerun last --steps slow[1]+ --progress none --no-cache")[0];
    assert_eq!((&object["steps"]["cached"], &object["steps"]["succeeded"]), (&json!(4), &json!(2)));
    assert_eq!(object["outputs"]["sum"], 5);
    let object =
        &objects(&workshop, "rerun last --from-failure --param n=4 --progress none --no-cache")[0];
    assert_eq!(object["outputs"]["sum"], 9);
    assert_eq!(object["steps"]["cached"], 4, "{object}");
    let (code, _, words) = text(&workshop, "rerun last --steps slow[77]");
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("selects no step") && words.contains("slow["), "{words}");
    let (code, _, words) = text(&workshop, "rerun last");
    assert_eq!(code, 2, "{words}");
    let lineage = objects(&workshop, "runs list");
    assert_eq!(lineage[0]["parent"]["run"], lineage[1]["run"]);
}

/// `explain` gives the reason of each hit and miss, and of what did not run.
#[test]
fn explain_says_why() {
    let workshop = workshop();
    let why = |line: &str| succeeds(&workshop, format!("explain last {line}").trim_end());
    let assert_why = |line: &str, parts: &[&str]| {
        let words = why(line);
        for part in parts {
            assert!(words.contains(part), "`{part}` is not in: {words}");
        }
    };
    succeeds(&workshop, "run history.toml --no-cache");
    assert_why("slow[1]", &["ran", "--no-cache"]);
    succeeds(&workshop, "run history.toml");
    assert_why("slow[1]", &["ran"]);
    assert_why("slow[0]", &["attempt 1 failed", "every fifth number"]);
    let first = objects(&workshop, "runs list --limit 1")[0]["run"].clone();
    succeeds(&workshop, "run history.toml --param n=4");
    assert_why("slow[1]", &["was not run", "slow[1]", first.as_str().expect("an id")]);
    assert_why("slow[3]", &["ran", "most similar", "input `x`"]);
    assert_why("sum", &["ran", "input `numbers`"]);
    assert_why("", &["slow", "from the cache"]);
    workshop
        .write("history.toml", JOB.replace("thousands = 5000, retry", "thousands = 5001, retry"));
    succeeds(&workshop, "run history.toml");
    assert_why("slow[1]", &["ran", "config"]);
    workshop.write("history.toml", JOB.replace("retry.max", "cache = false, retry.max"));
    succeeds(&workshop, "run history.toml");
    assert_why("slow[1]", &["ran", "cache = false"]);
    // A failure, and what hangs on it.
    workshop.write("history.toml", JOB.replace(", retry.max_attempts = 2", ""));
    let (code, ..) = text(&workshop, "run history.toml");
    assert_eq!(code, 1);
    assert_why("slow[0]", &["failed", "every fifth number"]);
    assert_why("sum", &["slow[0]"]);
    let object = &objects(&workshop, "explain last slow[0]")[0];
    assert!(object.is_object(), "{object}");
    let (code, _, words) = text(&workshop, "explain last slow[9]");
    assert_eq!(code, 2, "{words}");
}

#[test]
fn prune_removes_what_nothing_uses() {
    let workshop = Workshop::new();
    let job = |bytes: u32| {
        format!(
            "job.name = \"large\"\ncomponents.basics = \"ops/basics.wasm\"\nnodes.blobs = {{ op = \"basics/blobs\", inputs.count.value = 1, inputs.bytes.value = {bytes} }}\noutputs.all.collect = \"blobs\"\n"
        )
    };
    workshop.write("a.toml", job(200_000)).write("b.toml", job(300_000));
    succeeds(&workshop, "run a.toml --no-cache");
    succeeds(&workshop, "run b.toml --no-cache");
    let stored = || count(&workshop.path().join(".dynhost/objects"));
    assert_eq!(stored(), 2);
    let (code, _, words) = text(&workshop, "runs prune");
    assert_eq!(code, 2, "{words}");
    succeeds(&workshop, "runs prune --keep 1 --dry-run");
    assert_eq!((stored(), objects(&workshop, "runs list").len()), (2, 2));
    succeeds(&workshop, "runs prune --keep 1");
    assert_eq!((stored(), objects(&workshop, "runs list").len()), (1, 1));
    assert!(succeeds(&workshop, "runs output last").contains("292.9 KiB"), "what is kept is whole");
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// The state folder stands beside the manifest, and is found from below.
#[test]
fn the_state_folder_is_found() {
    let workshop = workshop();
    succeeds(&workshop, "run history.toml --ephemeral");
    assert!(!workshop.path().join(".dynhost").exists(), "nothing is written");
    let (code, _, words) = text(&workshop, "runs list");
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("--state-dir"), "{words}");
    succeeds(&workshop, "run history.toml");
    assert!(workshop.path().join(".dynhost/runs.db").is_file());
    fs::create_dir_all(workshop.path().join("a/b")).expect("a folder");
    let output =
        workshop.dynhost(&["runs", "list"]).current_dir(workshop.path().join("a/b")).output();
    assert!(output.expect("it can be started").status.success());
    succeeds(&workshop, "run history.toml --state-dir elsewhere");
    assert_eq!(objects(&workshop, "runs list --state-dir elsewhere").len(), 1);
    assert_eq!(objects(&workshop, "runs list").len(), 1);
}

/// Events of every run begin with its start and end with its end, whatever happened in between.
#[test]
fn events_of_a_resumed_run_are_one_history() {
    let workshop = workshop();
    let mut child = start(&workshop, &["run", "long.toml", "--progress", "none", "--no-cache"]);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    succeeds(&workshop, "resume last --progress none");
    let events: Vec<Event> = succeeds(&workshop, "runs events last")
        .lines()
        .map(|line| serde_json::from_str::<Recorded>(line).expect("it is an event").event)
        .collect();
    assert!(matches!(events.first(), Some(Event::RunStarted { .. })));
    assert!(matches!(events.last(), Some(Event::RunFinished { .. })));
    assert_eq!(events.iter().filter(|it| matches!(it, Event::RunResumed { .. })).count(), 1);
}
