//! What a run costs as it grows: a generator of 10 k, 100 k and 1 M keys through a chain of
//! two clones into a collect; then three levels of 100 keys each, collected level by level, with one
//! step at a time and with sixteen; before that, the memory of 100 and of 500 clones that are all under way.
//! `cargo bench --bench growth`, with `-- --json` one JSON object per case.
//!
//! The cost of a clone should not depend on how many there are, and the memory of the host only on
//! what is in flight and on what the collect must keep.

mod ops;

use std::path::Path;
use std::time::Instant;

use dynhost::graph::event::{Event, RunStatus};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::Given;
use dynhost::{Host, PreparedJob, RunOptions};
use serde_json::json;

/// The allocator of the `dynhost` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// A generator, two clones in a row, a collect.
const CHAIN: &str = r#"
[nodes]
numbers = { op = "ops/numbers", inputs.n.param = "n" }
twice = { op = "ops/multiply_by_two", inputs.x.map = "numbers" }
again = { op = "ops/multiply_by_two", inputs.x.map = "twice" }
sum = { op = "ops/sum", inputs.numbers.collect = "again" }
[outputs]
sum.from = "sum"
"#;

/// Three levels, each with as many elements.
const NESTED: &str = r#"
[nodes]
first = { op = "ops/numbers", inputs.n.param = "n" }
outer = { graph = "outer", inputs.x.map = "first", inputs.n.param = "n" }
sum = { op = "ops/sum", inputs.numbers.collect = "outer.sum" }
[graphs.outer]
inputs = { x = {}, n = {} }
nodes.second = { op = "ops/numbers", inputs.n.input = "n" }
nodes.inner = { graph = "inner", inputs.x.map = "second", inputs.n.input = "n" }
nodes.sum = { op = "ops/sum", inputs.numbers.collect = "inner.sum" }
outputs.sum.from = "sum"
[graphs.inner]
inputs = { x = {}, n = {} }
nodes.third = { op = "ops/numbers", inputs.n.input = "n" }
nodes.leaf = { op = "ops/multiply_by_two", inputs.x.map = "third" }
nodes.sum = { op = "ops/sum", inputs.numbers.collect = "leaf" }
outputs.sum.from = "sum"
[outputs]
sum.from = "sum"
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().any(|argument| argument == "--json");
    let wasm = ops::build()?;
    let host = Host::builder().build()?;
    // First, while no slot of the pool has been used.
    in_flight(&host, &wasm, json).await?;
    for n in SIZES {
        let name = format!("collect-{n}");
        run(&host, &wasm, &Case { name, nodes: CHAIN, n, at_once: None }).await?.print(json);
    }
    for at_once in [1, 16] {
        let name = format!("nested-100x100x100-at-once-{at_once}");
        let case = Case { name, nodes: NESTED, n: 100, at_once: Some(at_once) };
        run(&host, &wasm, &case).await?.print(json);
    }
    Ok(())
}

/// Clones that compute for longer than anyone waits.
const ENDLESS: &str = r#"
[nodes]
repeat = { op = "ops/repeat", inputs.count.param = "n", inputs.number.value = 1000000000000 }
clone = { op = "ops/sleepless", inputs.iterations.map = "repeat" }
[defaults]
limits.memory = "2MiB"
[outputs]
sum.collect = "clone"
"#;

/// What each clone takes that is under way: the difference between few and many.
async fn in_flight(host: &Host, wasm: &Path, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let (few, many) = (100_u32, 500_u32);
    let resident = |clones: u32| async move {
        let case =
            Case { name: String::new(), nodes: ENDLESS, n: clones.into(), at_once: Some(clones) };
        let options = RunOptions { max_concurrency: case.at_once, ..RunOptions::default() };
        let (run, mut events) = host.watch(&prepare(host, wasm, &case)?, options);
        let mut begun = 0;
        while begun < clones {
            let batch = events.next().await.ok_or("the run has ended")?;
            let starts = batch.iter().filter(|recorded| {
                matches!(&recorded.event, Event::StepStarted { step, .. } if &*step.node == "clone")
            });
            begun += u32::try_from(starts.count())?;
        }
        let resident = ops::resident_memory().ok_or("the system does not say")?;
        run.cancel();
        run.finished().await?;
        Ok::<u64, Box<dyn std::error::Error>>(resident)
    };
    // The first ones warm the pool, and give back what compiling took.
    for _ in 0..3 {
        resident(few).await?;
    }
    let bytes = resident(few).await?;
    let bytes = resident(many).await?.saturating_sub(bytes) / u64::from(many - few);
    if json {
        println!("{}", json!({ "case": "in-flight", "bytes_per_clone": bytes }));
    } else {
        println!("in flight: {} KiB for each clone that is under way", bytes >> 10);
    }
    Ok(())
}

struct Case {
    name: String,
    nodes: &'static str,
    n: u64,
    /// Steps at once.
    at_once: Option<u32>,
}

struct Measured {
    name: String,
    steps: u64,
    us_per_step: f64,
    peak: Option<u64>,
}

fn prepare(
    host: &Host,
    wasm: &Path,
    case: &Case,
) -> Result<PreparedJob, Box<dyn std::error::Error>> {
    let text = format!(
        "[job]\nname = \"growth\"\n\
         [params]\nn = {{ type = \"integer\" }}\n\
         [components]\nops = '{}'\n\
         {}\n",
        wasm.display(),
        case.nodes,
    );
    let manifest = Manifest::parse("growth.toml".as_ref(), &text)?;
    let given = [("n".to_owned(), Given::Json(json!(case.n)))].into();
    Ok(host.prepare(&manifest, &given)?)
}

async fn run(
    host: &Host,
    wasm: &Path,
    case: &Case,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let job = prepare(host, wasm, case)?;
    let options = RunOptions { max_concurrency: case.at_once, ..RunOptions::default() };
    ops::reset_peak_memory();
    let begun = Instant::now();
    let result = host.start(&job, options).finished().await?;
    let took = begun.elapsed();
    if result.status != RunStatus::Succeeded {
        return Err(format!("{:?} {:?}", result.steps, result.failures.first()).into());
    }
    let steps = result.steps.succeeded;
    let us_per_step = took.as_secs_f64() * 1e6 / f64::from(u32::try_from(steps)?);
    Ok(Measured { name: case.name.clone(), steps, us_per_step, peak: ops::peak_memory() })
}

impl Measured {
    fn print(&self, json: bool) {
        let Self { name, steps, us_per_step, peak } = self;
        if json {
            let us_per_clone = (us_per_step * 1000.0).round() / 1000.0;
            println!(
                "{}",
                json!({
                    "case": name,
                    "clones": steps,
                    "us_per_clone": us_per_clone,
                    "peak_rss_bytes": peak,
                })
            );
        } else {
            let peak = peak.map_or("?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
            println!("{name:<32} {steps:>9} steps {us_per_step:>7.2} µs each, peak memory {peak}");
        }
    }
}
