//! What dynhost adds to a clone, beside a bare wasmtime loop over the same component in the
//! same process: `cargo bench --bench price`, with `-- --json` one JSON object per case.
//!
//! The floor makes, for each clone, a store, an instance, one call and nothing else: no limits, no
//! fiber, no events, on as many threads as the host has workers. Both take turns, and each
//! pair gives one ratio; what counts is the median of the ratios, with their spread.

mod ops;

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::{Host, PreparedJob, RunOptions};
use serde_json::json;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Linker, Lower, Resource,
    ResourceType,
};
use wasmtime::{Engine, Store};

/// The allocator of the `dynhost` binary; the floor has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pairs of measurements of each case.
const ROUNDS: usize = 7;

struct Case {
    name: &'static str,
    workers: u32,
    clones: u64,
    op: &'static str,
    input: Feed,
}

/// What each clone is given.
#[derive(Clone, Copy)]
enum Feed {
    /// A blob of so many bytes.
    Blob(usize),
    /// A number, as JSON.
    Number(u64),
}

const CASES: [Case; 6] = [
    Case { name: "trivial", workers: 2, clones: 40_000, op: "trivial", input: Feed::Blob(100) },
    Case {
        name: "trivial-1-worker",
        workers: 1,
        clones: 20_000,
        op: "trivial",
        input: Feed::Blob(100),
    },
    Case {
        name: "payload-64k",
        workers: 2,
        clones: 10_000,
        op: "payload",
        input: Feed::Blob(64 << 10),
    },
    Case {
        name: "clone-1ms",
        workers: 2,
        clones: 1_000,
        op: "sleepless",
        input: Feed::Number(8_000_000),
    },
    Case { name: "clones-10k", workers: 2, clones: 10_000, op: "trivial", input: Feed::Blob(100) },
    Case {
        name: "clones-200k",
        workers: 2,
        clones: 200_000,
        op: "trivial",
        input: Feed::Blob(100),
    },
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let wanted: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wasm = ops::build()?;
    if !json {
        println!("case               floor µs  dynhost µs  ratio  spread     CPU ratio");
    }
    for case in &CASES {
        if wanted.is_empty() || wanted.iter().any(|name| *name == case.name) {
            measure(case, &wasm)?.print(case, json);
        }
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
    floor: Vec<Took>,
    dynhost: Vec<Took>,
}

fn measure(case: &Case, wasm: &Path) -> Result<Measured, Box<dyn std::error::Error>> {
    let floor = Floor::new(wasm)?;
    let workers = NonZeroU32::new(case.workers).ok_or("no workers")?;
    let host = Host::builder().workers(workers).build()?;
    let job = job(&host, case, wasm)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let mut measured = Measured { floor: Vec::new(), dynhost: Vec::new() };
    for round in 0..=ROUNDS {
        let begun = Begun::now();
        floor.run(case)?;
        let bare = begun.took(case.clones);
        let begun = Begun::now();
        runtime.block_on(run(&host, &job, case))?;
        let ours = begun.took(case.clones);
        // The first round warms caches and pools.
        if round > 0 {
            measured.floor.push(bare);
            measured.dynhost.push(ours);
        }
    }
    Ok(measured)
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

impl Measured {
    fn print(&self, case: &Case, json: bool) {
        let ratios = |of: fn(&Took) -> f64| {
            let pairs = self.dynhost.iter().zip(&self.floor);
            sorted(pairs.map(|(ours, floor)| of(ours) / of(floor)))
        };
        let wall = ratios(|took| took.wall);
        let cpu = median(&ratios(|took| took.cpu));
        let (ratio, least, most) = (median(&wall), wall[0], wall[wall.len() - 1]);
        let floor = median(&sorted(self.floor.iter().map(|took| took.wall)));
        let ours = median(&sorted(self.dynhost.iter().map(|took| took.wall)));
        if json {
            let line = json!({
                "case": case.name,
                "floor_us": round(floor),
                "dynhost_us": round(ours),
                "ratio": round(ratio),
                "spread": [round(least), round(most)],
                "cpu_ratio": round(cpu),
                "clones": case.clones,
                "workers": case.workers,
            });
            println!("{line}");
        } else {
            println!(
                "{:<18} {floor:>8.2} {ours:>11.2} {ratio:>6.2}  {least:.2}–{most:.2} {cpu:>10.2}",
                case.name
            );
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

// ---- dynhost ----

fn job(host: &Host, case: &Case, wasm: &Path) -> Result<PreparedJob, Box<dyn std::error::Error>> {
    let (source, input) = match case.input {
        Feed::Blob(_) => ("op = \"ops/blobs\"\ninputs.bytes.param = \"size\"", "data"),
        Feed::Number(_) => ("op = \"ops/repeat\"\ninputs.number.param = \"size\"", "iterations"),
    };
    let text = format!(
        "[job]\nname = \"price\"\n\
         [params]\ncount = {{ type = \"integer\" }}\nsize = {{ type = \"integer\" }}\n\
         [components]\nops = '{wasm}'\n\
         [nodes.source]\n{source}\ninputs.count.param = \"count\"\n\
         [nodes.clone]\nop = \"ops/{op}\"\ninputs.{input}.map = \"source\"\n",
        op = case.op,
        wasm = wasm.display(),
    );
    let manifest = Manifest::parse("price.toml".as_ref(), &text)?;
    let size = match case.input {
        Feed::Blob(bytes) => json!(bytes),
        Feed::Number(number) => json!(number),
    };
    let given: GivenParams = [("count", json!(case.clones)), ("size", size)]
        .map(|(name, value)| (name.to_owned(), Given::Json(value)))
        .into();
    Ok(host.prepare(&manifest, &given)?)
}

async fn run(
    host: &Host,
    job: &PreparedJob,
    case: &Case,
) -> Result<(), Box<dyn std::error::Error>> {
    let result = host.start(job, RunOptions::default()).finished().await?;
    if result.steps.succeeded != case.clones + 1 {
        return Err(format!("{:?} {:?}", result.steps, result.failures.first()).into());
    }
    Ok(())
}

// ---- the floor ----

#[derive(ComponentType, Lower, Lift, Clone)]
#[component(record)]
struct Value {
    #[component(name = "media-type")]
    media_type: String,
    data: Vec<u8>,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
struct ValueIn<'a> {
    #[component(name = "media-type")]
    media_type: &'a str,
    data: &'a [u8],
}

/// Stands for the handle that no measured op takes.
struct Collected;

#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the cases are part of the type")]
enum InputIn<'a> {
    #[component(name = "single")]
    Single(ValueIn<'a>),
    #[component(name = "many")]
    Many(&'a [ValueIn<'a>]),
    #[component(name = "collected")]
    Collected(Resource<Collected>),
    #[component(name = "absent")]
    Absent,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Output {
    #[component(name = "name")]
    _name: String,
    #[component(name = "mapping-key")]
    _mapping_key: Option<String>,
    value: Value,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
struct Detail {
    #[component(name = "message")]
    _message: String,
    #[component(name = "detail")]
    _detail: Option<DetailValue>,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
struct DetailValue {
    #[component(name = "media-type")]
    _media_type: String,
    #[component(name = "data")]
    _data: Vec<u8>,
}

#[derive(ComponentType, Lift, Debug)]
#[component(variant)]
enum Failure {
    #[component(name = "permanent")]
    Permanent(#[expect(dead_code, reason = "only shown")] Detail),
    #[component(name = "transient")]
    Transient(#[expect(dead_code, reason = "only shown")] Detail),
    #[component(name = "retry-after")]
    RetryAfter(#[expect(dead_code, reason = "only shown")] (Detail, u64)),
}

type Called = (Result<Vec<Output>, Failure>,);

/// A bare wasmtime loop over a component: instances and calls, on threads, and nothing else.
struct Floor {
    engine: Engine,
    pre: InstancePre<()>,
    run: ComponentExportIndex,
}

impl Floor {
    fn new(wasm: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let engine = Engine::new(&dynhost::engine_config())?;
        let component =
            wit_component::ComponentEncoder::default().module(&std::fs::read(wasm)?)?.encode()?;
        let component = Component::from_binary(&engine, &component)?;
        let mut linker = Linker::new(&engine);
        linker.instance("dynhost:op/inputs@0.1.0")?.resource(
            "collected",
            ResourceType::host::<Collected>(),
            |_, _| Ok(()),
        )?;
        linker.define_unknown_imports_as_traps(&component)?;
        let pre = linker.instantiate_pre(&component)?;
        let interface = component
            .get_export_index(None, "dynhost:op/op@0.1.0")
            .ok_or("the component exports no op")?;
        let run = component
            .get_export_index(Some(&interface), "run")
            .ok_or("the component exports no run")?;
        Ok(Self { engine, pre, run })
    }

    /// Runs all clones of a case, an equal part on each thread.
    fn run(&self, case: &Case) -> wasmtime::Result<()> {
        std::thread::scope(|scope| {
            let part = || self.clones(case, case.clones / u64::from(case.workers));
            let threads: Vec<_> = (0..case.workers).map(|_| scope.spawn(part)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(wasmtime::Error::msg("the loop panicked")))
            })
        })
    }

    fn clones(&self, case: &Case, count: u64) -> wasmtime::Result<()> {
        let (media_type, name, data) = match case.input {
            Feed::Blob(bytes) => ("application/octet-stream", "data", vec![b'x'; bytes]),
            Feed::Number(number) => {
                ("application/json", "iterations", number.to_string().into_bytes())
            }
        };
        for _ in 0..count {
            let mut store = Store::new(&self.engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            let instance = self.pre.instantiate(&mut store)?;
            let run = instance
                .get_typed_func::<(&str, &[(&str, InputIn<'_>)]), Called>(&mut store, &self.run)?;
            let value = ValueIn { media_type, data: &data };
            let inputs = [(name, InputIn::Single(value))];
            let (outputs,) = run.call(&mut store, (case.op, &inputs))?;
            let outputs = outputs
                .map_err(|failure| wasmtime::Error::msg(format!("the op failed: {failure:?}")))?;
            std::hint::black_box(&outputs[0].value.data);
        }
        Ok(())
    }
}
