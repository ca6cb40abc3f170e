//! What it costs that a run lasts, and what the cache saves: `cargo bench --bench lasting`, with
//! `-- --json` one JSON object per case.
//!
//! `durability`: the same fan-out of 100,000 trivial clones, ephemeral and on `SQLite` in turns, from opening the
//! store to having closed it. `cache-pays`: 10,000 clones of about a millisecond, then the same job again.
//! `cache-costs`: trivial clones on `SQLite` with the cache off, on for the first time, on for the second time.
//! `pages`: what is asked of the history of a run of 1,000,000 steps. Ratios are medians over rounds within
//! one process; the store stands in the folder that `DYNHOST_BENCH_DIR` names, or in the target folder.

mod ops;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dynhost::graph::event::RunStatus;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::Given;
use dynhost::store::RunStore;
use dynhost::store::history::{RunFilter, StepFilter, StepState};
use dynhost::store::sqlite::SqliteStore;
use dynhost::{Host, PreparedJob, RunOptions, RunResult};
use serde_json::json;

/// The allocator of the `dynhost` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Rounds of each comparison.
const ROUNDS: usize = 5;

const TRIVIAL: &str = r#"
[nodes]
numbers = { op = "ops/numbers", inputs.n.param = "n" }
twice = { op = "ops/multiply_by_two", inputs.x.map = "numbers" }
sum = { op = "ops/sum", inputs.numbers.collect = "twice" }
"#;

/// Clones of about a millisecond, each with another input.
const MILLISECOND: &str = r#"
[nodes]
numbers = { op = "ops/successive", inputs.count.param = "n", inputs.first.value = 2_500_000 }
work = { op = "ops/sleepless", inputs.iterations.map = "numbers" }
sum = { op = "ops/sum", inputs.numbers.collect = "work" }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let json = arguments.iter().any(|word| word == "--json");
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| *word == name);
    let bench =
        Bench { host: Host::builder().build()?, wasm: ops::build()?, folder: folder()?, json };
    if is_wanted("durability") {
        bench.durability().await?;
    }
    if is_wanted("cache-pays") {
        bench.cache_pays().await?;
    }
    if is_wanted("cache-costs") {
        bench.cache_costs().await?;
    }
    if is_wanted("pages") {
        bench.pages().await?;
    }
    fs::remove_dir_all(&bench.folder)?;
    Ok(())
}

fn folder() -> Outcome<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).to_path_buf();
    let base = std::env::var_os("DYNHOST_BENCH_DIR").map_or(target, PathBuf::from);
    let folder = base.join(format!("lasting-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

struct Bench {
    host: Host,
    wasm: PathBuf,
    folder: PathBuf,
    json: bool,
}

/// What a run uses of a state folder.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Nothing,
    History,
    HistoryAndCache,
}

impl Bench {
    fn job(&self, nodes: &str, n: u64) -> Outcome<PreparedJob> {
        let text = format!(
            "[job]\nname = \"lasting\"\n[params]\nn = {{ type = \"integer\" }}\n\
             [components]\nops = '{}'\n{nodes}[outputs]\nsum.from = \"sum\"\n",
            self.wasm.display(),
        );
        let manifest = Manifest::parse("lasting.toml".as_ref(), &text)?;
        let given = [("n".to_owned(), Given::Json(json!(n)))].into();
        Ok(self.host.prepare(&manifest, &given)?)
    }

    /// Runs a job; gives what it took from opening the store to having closed it.
    async fn run(
        &self,
        job: &PreparedJob,
        (state, kept): (&Path, Kept),
    ) -> Outcome<(Duration, RunResult)> {
        let begun = Instant::now();
        let mut options = RunOptions::default();
        if kept != Kept::Nothing {
            let store = Arc::new(SqliteStore::open(state)?);
            options.store = Arc::clone(&store) as Arc<dyn RunStore>;
            if kept == Kept::HistoryAndCache {
                options.cache = Some(store);
            }
        }
        let result = self.host.start(job, options.clone()).finished().await?;
        drop(options);
        let took = begun.elapsed();
        if result.status != RunStatus::Succeeded {
            return Err(format!("{:?} {:?}", result.steps, result.failures.first()).into());
        }
        Ok((took, result))
    }

    fn state(&self, name: &str) -> Outcome<PathBuf> {
        let state = self.folder.join(name);
        if state.exists() {
            fs::remove_dir_all(&state)?;
        }
        Ok(state)
    }

    async fn durability(&self) -> Outcome<()> {
        const CLONES: u64 = 100_000;
        let job = self.job(TRIVIAL, CLONES)?;
        let (mut ephemeral, mut kept, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let state = self.state("durability")?;
            let without = self.run(&job, (&state, Kept::Nothing)).await?.0.as_secs_f64();
            let with = self.run(&job, (&state, Kept::History)).await?.0.as_secs_f64();
            bytes = size(&state)?;
            ephemeral.push(without);
            kept.push(with);
            ratios.push(with / without);
        }
        let (steps, ratio) = (as_f64(CLONES + 2), median(&mut ratios));
        let per_second = |took: &mut Vec<f64>| (steps / median(took)).round();
        let (ephemeral, kept) = (per_second(&mut ephemeral), per_second(&mut kept));
        let per_step = (as_f64(bytes) / steps).round();
        if self.json {
            println!(
                "{}",
                json!({ "case": "durability", "ephemeral_steps_per_s": ephemeral,
                    "sqlite_steps_per_s": kept, "ratio": round(ratio), "bytes_per_step": per_step })
            );
        } else {
            println!(
                "durability    ephemeral {ephemeral} steps/s, SQLite {kept} steps/s: {ratio:.2} times the time ({} to {}); {per_step} bytes per step on disk",
                round(ratios[0]),
                round(ratios[ROUNDS - 1]),
            );
        }
        Ok(())
    }

    async fn cache_pays(&self) -> Outcome<()> {
        let job = self.job(MILLISECOND, 10_000)?;
        let state = self.state("pays")?;
        let (first, _) = self.run(&job, (&state, Kept::HistoryAndCache)).await?;
        let mut again = Vec::new();
        let mut cached = 0;
        for _ in 0..ROUNDS {
            let (took, result) = self.run(&job, (&state, Kept::HistoryAndCache)).await?;
            again.push(took.as_secs_f64());
            cached = result.steps.cached;
        }
        let (first, again) = (first.as_secs_f64(), median(&mut again));
        let ratio = first / again;
        if self.json {
            println!(
                "{}",
                json!({ "case": "cache-pays", "first_s": round(first), "again_s": round(again),
                    "ratio": round(ratio), "cached": cached })
            );
        } else {
            println!(
                "cache-pays    first {first:.2} s, again {again:.3} s with {cached} from the cache: {ratio:.0} times faster"
            );
        }
        Ok(())
    }

    async fn cache_costs(&self) -> Outcome<()> {
        let job = self.job(TRIVIAL, 50_000)?;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..2 * ROUNDS {
            let state = self.state("off")?;
            let off = self.run(&job, (&state, Kept::History)).await?.0.as_secs_f64();
            let state = self.state("on")?;
            let on = self.run(&job, (&state, Kept::HistoryAndCache)).await?.0.as_secs_f64();
            first.push(on / off);
            // The second run finds a store that is not empty, so the one without the cache does too.
            let off = self.run(&job, (&self.folder.join("off"), Kept::History)).await?.0;
            let on = self.run(&job, (&state, Kept::HistoryAndCache)).await?.0;
            second.push(on.as_secs_f64() / off.as_secs_f64());
        }
        let (first, second) = (median(&mut first), median(&mut second));
        if self.json {
            println!(
                "{}",
                json!({ "case": "cache-costs", "first_ratio": round(first), "second_ratio": round(second) })
            );
        } else {
            println!(
                "cache-costs   trivial clones with the cache on: {first:.2} times the time at first, {second:.2} times the second time"
            );
        }
        Ok(())
    }

    async fn pages(&self) -> Outcome<()> {
        let job = self.job(TRIVIAL, 1_000_000)?;
        let state = self.state("pages")?;
        let (took, result) = self.run(&job, (&state, Kept::History)).await?;
        let store = SqliteStore::open_read_only(&state)?;
        let run = &result.run;
        let page = |filter: StepFilter| store.steps(run, &StepFilter { limit: 100, ..filter });
        let mut questions: Vec<(&str, f64)> = Vec::new();
        let mut ask = |name, question: &dyn Fn() -> Outcome<usize>| -> Outcome<()> {
            let begun = Instant::now();
            question()?;
            questions.push((name, begun.elapsed().as_secs_f64() * 1e3));
            Ok(())
        };
        ask("runs list", &|| {
            let filter = RunFilter { limit: 20, ..RunFilter::default() };
            Ok(store.runs(&filter)?.len())
        })?;
        ask("runs show", &|| {
            store.run(run)?;
            Ok(store.nodes(run)?.len())
        })?;
        ask("first page", &|| Ok(page(StepFilter::default())?.items.len()))?;
        ask("last page", &|| {
            let after = Some(999_900);
            Ok(page(StepFilter { after, ..StepFilter::default() })?.items.len())
        })?;
        ask("by node", &|| {
            let node = Some("sum".to_owned());
            Ok(page(StepFilter { node, ..StepFilter::default() })?.items.len())
        })?;
        ask("by status", &|| {
            let status = vec![StepState::Failed];
            Ok(page(StepFilter { status, ..StepFilter::default() })?.items.len())
        })?;
        ask("by key", &|| {
            let key = Some("777777".to_owned());
            Ok(page(StepFilter { key, ..StepFilter::default() })?.items.len())
        })?;
        if self.json {
            let ms: serde_json::Map<_, _> = questions
                .iter()
                .map(|(name, ms)| ((*name).to_owned(), json!(round(*ms))))
                .collect();
            println!(
                "{}",
                json!({ "case": "pages", "run_s": round(took.as_secs_f64()), "ms": ms })
            );
        } else {
            let list = questions.iter().map(|(name, ms)| format!("{name} {ms:.1} ms"));
            println!(
                "pages         of 1,000,000 steps, run in {:.1} s: {}",
                took.as_secs_f64(),
                list.collect::<Vec<_>>().join(", ")
            );
        }
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        bytes += if path.is_dir() { size(&path)? } else { path.metadata()?.len() };
    }
    Ok(bytes)
}
