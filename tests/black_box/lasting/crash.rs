//! Kills the binary at any moment, goes on, and compares with a run that nothing disturbed
//! (`semantics.md` rule 19). `DYNHOST_KILLS=5000` makes it a longer run.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use dynhost::store::sqlite::FAIL_POINTS;
use serde_json::{Value as Json, json};

use crate::command::Workshop;

/// Nested fan-out, retries, skips, an empty and a skipped inner collect, values that are kept in packs and in files, and
/// yielders that take long enough to be killed between two elements.
const JOB: &str = r#"
[job]
name = "crash"
max_concurrency = 4
[components]
scripted = "ops/scripted.wasm"
basics = "ops/basics.wasm"
[nodes]
outer = { op = "scripted/slow_numbers", inputs.n.value = 6, config.thousands = 4000 }
inner = { op = "scripted/slow_numbers", inputs.n.map = "outer", config.thousands = 1500 }
next = { op = "scripted/slow_next", inputs.x.map = "inner", config.thousands = 1500, retry = { max_attempts = 3, delay = "5ms" } }
again = { op = "scripted/slow_next", inputs.x.map = "next", config.thousands = 500, retry = { max_attempts = 2, delay = "1ms" } }
sums = { op = "scripted/slow_sum", inputs.numbers.collect = "again", config.thousands = 500 }
total = { op = "scripted/slow_sum", inputs.numbers.collect = "sums", config.thousands = 500 }
blobs = { op = "basics/blobs", inputs.count.value = 3, inputs.bytes.value = 70000 }
larger = { op = "basics/payload", inputs.data.map = "blobs" }
largest = { op = "basics/blobs", inputs.count.value = 1, inputs.bytes.value = 1200000 }
[outputs]
total.from = "total"
sums.collect = "sums"
numbers.collect = "outer"
larger.collect = "larger"
"#;

/// What is compared: outputs, and each step with its status and attempts.
#[derive(Debug, PartialEq)]
struct Result {
    outputs: Json,
    steps: BTreeMap<String, (String, u64)>,
}

struct Harness {
    workshop: Workshop,
    state: u64,
}

impl Harness {
    fn new() -> Self {
        let workshop = Workshop::new();
        workshop.write("job.toml", JOB);
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
        let seed = u64::from(seed.subsec_nanos()) << 16 | 1;
        println!("seed {seed}");
        Self { workshop, state: seed }
    }

    /// A number below `bound` (xorshift).
    fn random(&mut self, bound: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % bound
    }

    fn command(&self, resumes: bool) -> std::process::Command {
        let arguments: &[&str] =
            if resumes { &["resume", "last"] } else { &["run", "job.toml", "--no-cache"] };
        let mut command = self.workshop.dynhost(arguments);
        command.args(["-o", "json", "--progress", "none"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Whether there is a run that has not ended.
    fn is_unfinished(&self) -> bool {
        let output = self.workshop.run(&["runs", "list", "--limit", "1", "-o", "json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let run: Option<Json> =
            text.lines().next().and_then(|line| serde_json::from_str(line).ok());
        run.is_some_and(|run| run["status"] == "interrupted")
    }

    fn result(&self, output: &Output) -> Result {
        let shown = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let report: Json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}{}", shown(&output.stdout), shown(&output.stderr)));
        assert_eq!(report["status"], "succeeded", "{report}");
        let run = report["run"].as_str().expect("an id");
        let shown =
            self.workshop.run(&["runs", "show", run, "--steps", "--limit", "100000", "-o", "json"]);
        let text = String::from_utf8(shown.stdout).expect("it is UTF-8");
        let mut steps = BTreeMap::new();
        for line in text.lines() {
            let step: Json = serde_json::from_str(line).expect("a step");
            let status = step["status"].as_str().expect("a status").to_owned();
            let attempts = step["attempts"].as_u64().expect("a number");
            let before = steps
                .insert(step["step"].as_str().expect("a step key").to_owned(), (status, attempts));
            assert_eq!(before, None, "{step} stands there twice");
        }
        Result { outputs: report["outputs"].clone(), steps }
    }

    /// Runs to the end, with these kills on the way; says how many there were.
    fn run(
        &mut self,
        mut kill: impl FnMut(&mut Self, Child, u64) -> Option<Output>,
    ) -> (Result, u64) {
        let mut kills = 0;
        loop {
            let resumes = kills > 0 && self.is_unfinished();
            let child = self.command(resumes).spawn().expect("the binary can be started");
            match kill(self, child, kills) {
                Some(output) => return (self.result(&output), kills),
                None => kills += 1,
            }
        }
    }

    fn undisturbed(&mut self) -> (Result, Duration) {
        let begun = Instant::now();
        let (result, _) = self.run(|_, child, _| child.wait_with_output().ok());
        (result, begun.elapsed())
    }
}

/// Whether a process was killed.
fn was_killed(output: &Output) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9)
}

#[test]
fn a_killed_run_comes_to_the_same_end() {
    let wanted = std::env::var("DYNHOST_KILLS").ok().and_then(|text| text.parse().ok());
    let wanted: u64 = wanted.unwrap_or(60);
    let mut harness = Harness::new();
    let (undisturbed, took) = harness.undisturbed();
    assert_eq!(undisturbed.outputs["numbers"], json!([0, 1, 2, 3, 4, 5]));
    assert!(
        undisturbed
            .steps
            .values()
            .any(|(status, attempts)| status == "succeeded" && *attempts == 2)
    );
    assert!(undisturbed.steps.values().any(|(status, _)| status == "skipped"));
    let longest = u64::try_from(took.as_millis()).expect("it is short").max(20);
    let (mut kills, mut resumed) = (0, 0);
    while kills < wanted {
        // Most runs are killed a few times, some until they can hardly begin.
        let most = 1 + harness.random(8);
        let (result, killed) = harness.run(|harness, mut child, so_far| {
            if so_far < most {
                let delay = harness.random(longest);
                std::thread::sleep(Duration::from_millis(delay));
                child.kill().expect("it can be killed");
            }
            child.wait_with_output().ok().filter(|output| !was_killed(output))
        });
        assert_eq!(result, undisturbed, "after {killed} kills");
        kills += killed;
        resumed += u64::from(killed > 0);
    }
    println!("{kills} kills in {resumed} runs");
}

/// Before and after each durable write.
#[test]
fn a_run_that_dies_at_a_durable_write_comes_to_the_same_end() {
    let mut harness = Harness::new();
    let (undisturbed, _) = harness.undisturbed();
    let mut died = Vec::new();
    for point in FAIL_POINTS.iter().filter(|point| !point.starts_with("prune")) {
        for time in [1, 2, 5] {
            // So that the objects are to be written again.
            fs::remove_dir_all(harness.workshop.path().join(".dynhost")).expect("it is there");
            let (result, kills) = {
                let mut kills = 0;
                loop {
                    let resumes = kills > 0 && harness.is_unfinished();
                    let mut command = harness.command(resumes);
                    // The second time it dies while it goes on.
                    if kills < 2 {
                        command.env("DYNHOST_FAIL_POINT", format!("{point}:{time}"));
                    }
                    let output = command.output().expect("the binary can be started");
                    if !was_killed(&output) {
                        break (harness.result(&output), kills);
                    }
                    kills += 1;
                }
            };
            assert_eq!(result, undisturbed, "{point}:{time}, {kills} kills");
            if kills > 0 {
                died.push(*point);
            }
        }
    }
    for point in FAIL_POINTS.iter().filter(|point| !point.starts_with("prune")) {
        assert!(died.contains(point), "it never came to `{point}`");
    }
}
