//! Hostile guests, each beside innocent siblings: what it does, and how it ends.
//!
//! The tests run all of them; the example of this package measures what they cost.

mod cases;
mod hand_written;

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dynhost::graph::event::{Event, RunStatus};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::GivenParams;
use dynhost::graph::scheduler::JobOutputValue;
use dynhost::{Host, PrepareError, RunOptions, RunResult, StepLimits};

pub(crate) use cases::CASES;

/// A guest and what becomes of it.
pub(crate) struct Case {
    /// What it does.
    pub(crate) name: &'static str,
    /// The node `bad`, and what else it needs. `FOLDER` is a folder of its own.
    nodes: &'static str,
    /// The component `made`, where it is made by hand.
    made: Option<fn() -> Vec<u8>>,
    end: End,
}

/// How a case ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The step fails, with words that begin like this.
    Fails(&'static str),
    /// The component is refused before anything runs, with these words somewhere.
    Refused(&'static str),
    /// The step succeeds: what it did is no harm.
    Succeeds,
    /// The step succeeds, and gives what begins like this, which the job has as its output `bad`.
    Gives(&'static str),
    /// It goes on until its run is cancelled, and ends then.
    Cancelled,
}

impl Case {
    /// Whether it ended as it should.
    pub(crate) fn is_right(&self, ended: &Ended) -> bool {
        match self.end {
            End::Fails(words) => ended.words.starts_with(words),
            End::Refused(words) => ended.words.contains(words),
            End::Succeeds => ended.words == "it succeeds",
            End::Gives(words) => {
                let given = ended.words.strip_prefix("it gives ");
                given.is_some_and(|given| given.starts_with(words))
            }
            End::Cancelled => ended.words == "its run is cancelled, and it ends",
        }
    }
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The words of its failure, or that it succeeded.
    pub(crate) words: String,
    pub(crate) took: Duration,
}

/// A host as the cases want it: nothing may take longer than a second, where its node does not say so.
pub(crate) fn host(code_cache: &Path) -> Host {
    let limits = StepLimits { timeout: Duration::from_secs(1), ..StepLimits::default() };
    Host::builder().limits(limits).code_cache(code_cache).build().expect("a host")
}

/// The folder of a case: `granted`, with a file, links that lead out of it and a pipe that nobody writes to; beside it, a
/// secret; and its component, if it has one of its own.
pub(crate) fn lay_out(case: &Case, folder: &Path) {
    let granted = folder.join("granted");
    fs::create_dir(&granted).expect("a folder");
    fs::write(granted.join("a.txt"), "text").expect("a file");
    fs::write(folder.join("secret.txt"), "secret").expect("a file");
    symlink("../secret.txt", granted.join("relative")).expect("a link");
    symlink(folder.join("secret.txt"), granted.join("absolute")).expect("a link");
    let pipe = Command::new("mkfifo").arg(granted.join("pipe")).status();
    assert!(pipe.expect("there is mkfifo").success());
    if let Some(made) = case.made {
        fs::write(folder.join("made.wasm"), made()).expect("a file");
    }
}

const INNOCENT: &str = r#"
nodes.each = { op = "basics/each", inputs.values.value = [1, 2, 3] }
nodes.innocent = { op = "basics/multiply_by_two", inputs.x.map = "each" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "innocent" }
outputs.sum.from = "sum"
"#;

/// The components that are not made by hand.
pub(crate) fn known() -> [(&'static str, PathBuf); 5] {
    [
        ("basics", env!("EXAMPLE_OPS"), "wasm32-unknown-unknown"),
        ("hostile", env!("EXAMPLE_OPS"), "wasm32-unknown-unknown"),
        ("machine", env!("GUESTS"), "wasm32-wasip2"),
        ("network", env!("GUESTS"), "wasm32-wasip2"),
        ("odd", env!("GUESTS"), "wasm32-unknown-unknown"),
    ]
    .map(|(name, folder, target)| {
        (name, Path::new(folder).join(target).join(format!("release/{name}.wasm")))
    })
}

/// Runs a case whose folder is laid out. Its siblings succeed, also where it is refused itself.
pub(crate) fn run(case: &Case, host: &Host, folder: &Path) -> Ended {
    let begun = Instant::now();
    let cancelled = matches!(case.end, End::Cancelled);
    let nodes = format!("{INNOCENT}{}", case.nodes);
    let nodes = if nodes.contains("PORT") { nodes.replace("PORT", &redirecting()) } else { nodes };
    let ran = run_nodes(host, folder, &nodes, cancelled);
    let took = begun.elapsed();
    match ran {
        Ok(result) => {
            assert_innocent(case, &result);
            let words = match (result.failures.first(), output(&result, "bad")) {
                (Some(failure), _) => failure.failure.to_string(),
                (None, Some(given)) => format!("it gives {given}"),
                (None, None) if result.status == RunStatus::Cancelled => {
                    "its run is cancelled, and it ends".to_owned()
                }
                (None, None) => "it succeeds".to_owned(),
            };
            let bad = result.failures.iter().all(|failure| &*failure.step.node == "bad");
            assert!(bad, "{}: {:?}", case.name, result.failures);
            Ended { words, took }
        }
        Err(error) => {
            let words = in_words(&error);
            let again = run_nodes(host, folder, INNOCENT, false).expect("the others are sound");
            assert_innocent(case, &again);
            assert_eq!(again.status, RunStatus::Succeeded, "{}", case.name);
            Ended { words, took }
        }
    }
}

fn assert_innocent(case: &Case, result: &RunResult) {
    assert_eq!(output(result, "sum").as_deref(), Some("12"), "{}: {result:?}", case.name);
}

/// An output of the job, as text.
fn output(result: &RunResult, name: &str) -> Option<String> {
    match result.outputs.iter().find(|(found, _)| found == name)? {
        (_, JobOutputValue::Single(value)) => Some(String::from_utf8_lossy(&value.data).into()),
        (_, other) => panic!("{other:?}"),
    }
}

/// The port of a server that sends whoever asks elsewhere on this machine.
fn redirecting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            );
        }
    });
    port.to_string()
}

/// Runs a job; where it is to be cancelled, as soon as the sum is there and the guest has given something.
fn run_nodes(
    host: &Host,
    folder: &Path,
    nodes: &str,
    cancelled: bool,
) -> Result<RunResult, PrepareError> {
    let mut text = "job.name = \"hostile\"\n".to_owned();
    for (name, path) in known() {
        if nodes.contains(&format!("\"{name}/")) {
            let _ = writeln!(text, "components.{name} = '{}'", path.display());
        }
    }
    let folder = folder.to_str().expect("the path is UTF-8");
    if nodes.contains("\"made/") {
        let _ = writeln!(text, "components.made = '{folder}/made.wasm'");
    }
    text += &nodes.replace("FOLDER", folder);
    let manifest = Manifest::parse("hostile.toml".as_ref(), &text)?;
    let prepared = host.prepare(&manifest, &GivenParams::new())?;
    let options = RunOptions { max_concurrency: Some(8), ..RunOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let run = async {
        if !cancelled {
            return host.start(&prepared, options).finished().await;
        }
        let (run, mut events) = host.watch(&prepared, options);
        let (mut emits, mut summed) = (false, false);
        while !(emits && summed) {
            for recorded in events.next().await.expect("the run goes on").iter() {
                match &recorded.event {
                    Event::OutputEmitted { step, .. } => emits |= &*step.node == "bad",
                    Event::StepSucceeded { step, .. } => summed |= &*step.node == "sum",
                    _ => {}
                }
            }
        }
        run.cancel();
        run.finished().await
    };
    Ok(runtime.expect("a runtime").block_on(run).expect("the host does not fail"))
}

/// Why the job was refused, with the causes.
fn in_words(refused: &PrepareError) -> String {
    let PrepareError::Components(errors) = refused else { return refused.to_string() };
    let mut words = Vec::new();
    let mut cause: Option<&dyn Error> = errors.first().map(|error| error as &dyn Error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.join(": ")
}
