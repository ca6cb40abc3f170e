//! What dynhost adds to a clone, beside a bare wasmtime loop over the same component in the same process:
//! `cargo bench --bench price`.
//!
//! `-- --json` prints one JSON object per case, `-- --readme` writes the table into README.md, `-- --at-most 3` fails where
//! even the best round was worse than that, and names of cases run those alone. Both sides take turns, and so do the places of
//! one case; each pair gives one ratio, and what counts is the median of the ratios, with their spread. `-- none --settings` compares the floor with the
//! same loop under wasmtime's own defaults of the pooling allocator.

mod cases;
mod floor;
#[path = "../ops/mod.rs"]
mod ops;
mod settings;
mod table;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dynhost::store::sqlite::SqliteStore;
use dynhost::{Host, PreparedJob, RunOptions};

use cases::{Case, Place};
use floor::Floor;

/// The allocator of the `dynhost` binary; the floor has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (json, readme) = (asked("--json"), asked("--readme"));
    let at_most = arguments.iter().skip_while(|argument| *argument != "--at-most").nth(1);
    let bound: f64 = at_most.map_or(Ok(f64::INFINITY), |bound| bound.parse())?;
    let is_name = |argument: &&String| !argument.starts_with("--") && Some(*argument) != at_most;
    let wanted: Vec<&String> = arguments.iter().filter(is_name).collect();
    let basics = ops::build()?;
    let mut lines = Vec::new();
    for shaped in cases::ALL {
        let cases = Place::ALL.map(|place| Case { shaped, place }).into_iter();
        let cases: Vec<Case> =
            cases.filter(|case| wanted.is_empty() || wanted.contains(&&case.name())).collect();
        if cases.is_empty() {
            continue;
        }
        let Some(wasm) = shaped.component(&basics) else {
            let name = shaped.name;
            eprintln!(
                "skipped: {name} (its component is not built; the SDK's script `test` does it)"
            );
            continue;
        };
        for line in table::lines(&measure(cases, (&basics, &wasm))?) {
            if json {
                println!("{}", line.to_json());
            } else {
                println!("{line}");
            }
            if line.is_above(bound) {
                return Err(
                    format!("`{}` costs more than {bound} times the floor", line.name()).into()
                );
            }
            lines.push(line);
        }
    }
    if asked("--settings") {
        settings::compare(&basics, json)?;
    }
    if readme {
        table::write(&lines)?;
    }
    Ok(())
}

/// What a round took for each clone, in microseconds.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    /// Of all threads of the process.
    cpu: f64,
}

struct Measured {
    case: Case,
    floor: Vec<Took>,
    dynhost: Vec<Took>,
    /// The most memory that the process had in the first run of dynhost, in bytes; with what the places before it left.
    peak: Option<u64>,
}

/// Measures cases of one line, which take turns as well.
fn measure(
    cases: Vec<Case>,
    files: (&Path, &Path),
) -> Result<Vec<Measured>, Box<dyn std::error::Error>> {
    let floor = Floor::new(files.1, &dynhost::engine_config_for(&std::fs::read(files.1)?))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let mut subjects = Vec::new();
    for case in cases {
        let workers = NonZeroU32::new(case.place.workers()).ok_or("no workers")?;
        let host = Host::builder().workers(workers).build()?;
        let job = case.shaped.job(&host, files)?;
        let (floor, dynhost) = (Vec::new(), Vec::new());
        subjects.push((host, job, Measured { case, floor, dynhost, peak: None }));
    }
    let rounds = subjects.first().map_or(0, |(_, _, measured)| measured.case.shaped.rounds);
    for round in 0..=rounds {
        for (host, job, measured) in &mut subjects {
            let case = &measured.case;
            let begun = Begun::now();
            floor.run(case)?;
            let bare = begun.took(case.shaped.clones());
            let kept = (case.place == Place::Sqlite).then(tempfile::tempdir).transpose()?;
            let options = options(kept.as_ref().map(tempfile::TempDir::path))?;
            ops::reset_peak_memory();
            let begun = Begun::now();
            runtime.block_on(run(host, job, (case, options)))?;
            let ours = begun.took(case.shaped.clones());
            if round > 0 {
                measured.floor.push(bare);
                measured.dynhost.push(ours);
            } else {
                // It warms caches and pools, and the hosts of the places to come have taken no memory yet.
                measured.peak = ops::peak_memory();
            }
        }
    }
    Ok(subjects.into_iter().map(|(_, _, measured)| measured).collect())
}

fn options(kept: Option<&Path>) -> Result<RunOptions, Box<dyn std::error::Error>> {
    let options = RunOptions::default();
    Ok(match kept {
        Some(folder) => RunOptions { store: Arc::new(SqliteStore::open(folder)?), ..options },
        None => options,
    })
}

async fn run(
    host: &Host,
    job: &PreparedJob,
    (case, options): (&Case, RunOptions),
) -> Result<(), Box<dyn std::error::Error>> {
    let result = host.start(job, options).finished().await?;
    if result.steps.succeeded != case.shaped.steps() {
        return Err(format!("{:?} {:?}", result.steps, result.failures.first()).into());
    }
    Ok(())
}

struct Begun {
    wall: Instant,
    cpu: Duration,
}

impl Begun {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    fn took(&self, clones: u64) -> Took {
        let each = |took: Duration| took.as_secs_f64() * 1e6 / clones as f64;
        Took { wall: each(self.wall.elapsed()), cpu: each(cpu_time().saturating_sub(self.cpu)) }
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
