//! How long `dynhost run` takes for one clone, from the start of the process to its end, beside a program that loads the
//! same compiled code with wasmtime and calls it once: `cargo bench -p dynhost-cli --bench start`, with `-- --json` one JSON
//! object per case.
//!
//! Warm, the compiled code is there, in dynhost's cache and in the program's file; cold, both compile. All take turns, and
//! each pair gives one ratio.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use dynhost::component::{Recipe, componentize};
use serde_json::json;
use wasmtime::component::{Component, Linker, ResourceType, Val};
use wasmtime::{Engine, Store};

/// The allocator of the `dynhost` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Tells this program to be the floor, with a file of compiled code or a component.
const BARE: &str = "--bare";
const DYNHOST: &str = env!("CARGO_BIN_EXE_dynhost");

/// What is measured: its name, whether the code is compiled already, and whether the run is kept, on a database that is
/// there.
const CASES: [(&str, bool, bool); 3] =
    [("start-warm", true, false), ("start-warm-sqlite", true, true), ("start-cold", false, false)];
const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [bare, file] = arguments.as_slice()
        && bare == BARE
    {
        return call_once(file.as_ref());
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let files = Files::make()?;
    for (name, warm, kept) in CASES {
        let mut pairs = Vec::new();
        for round in 0..=ROUNDS {
            let floor = timed(&mut files.bare(warm)?)?;
            let ours = timed(&mut files.dynhost(warm, kept)?)?;
            // The first round fills the cache.
            if round > 0 {
                pairs.push((floor, ours));
            }
        }
        print(name, &pairs, json);
    }
    Ok(())
}

/// What both sides run, in a folder of its own.
struct Files {
    folder: tempfile::TempDir,
    component: PathBuf,
    compiled: PathBuf,
}

impl Files {
    fn make() -> Result<Self> {
        let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../example-ops");
        let built = Command::new("sh").args(["build", "basics"]).current_dir(&ops).output()?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned().into());
        }
        let folder = tempfile::tempdir()?;
        let wasm = ops.join("target/wasm32-unknown-unknown/release/basics.wasm");
        let bytes = componentize(&wasm, &Recipe::default())?;
        let component = folder.path().join("basics.wasm");
        std::fs::write(&component, &bytes)?;
        let engine = Engine::new(&dynhost::engine_config())?;
        let compiled = folder.path().join("basics.cwasm");
        std::fs::write(&compiled, engine.precompile_component(&bytes)?)?;
        let manifest = "[job]\nname = \"start\"\n[components]\nops = \"basics.wasm\"\n\
            [nodes]\none = { op = \"ops/blobs\", inputs.count.value = 1, inputs.bytes.value = 100 }\n\
            clone = { op = \"ops/trivial\", inputs.data.map = \"one\" }\n";
        std::fs::write(folder.path().join("job.toml"), manifest)?;
        Ok(Self { folder, component, compiled })
    }

    fn bare(&self, warm: bool) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(BARE).arg(if warm { &self.compiled } else { &self.component });
        Ok(command)
    }

    fn dynhost(&self, warm: bool, kept: bool) -> Result<Command> {
        let cache = self.folder.path().join("cache");
        if !warm && cache.exists() {
            std::fs::remove_dir_all(&cache)?;
        }
        let mut command = Command::new(DYNHOST);
        command.args(["run", "job.toml", "--progress", "none"]).current_dir(self.folder.path());
        command.arg(if kept { "--no-cache" } else { "--ephemeral" });
        command.env("XDG_CACHE_HOME", cache);
        Ok(command)
    }
}

/// How long a process takes, in milliseconds.
fn timed(command: &mut Command) -> Result<f64> {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let output = command.output()?;
    let took = begun.elapsed();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(took.as_secs_f64() * 1e3)
}

/// The floor: an engine, the code, an instance, a call.
fn call_once(file: &Path) -> Result<()> {
    let engine = Engine::new(&dynhost::engine_config())?;
    let component = if file.extension().is_some_and(|extension| extension == "cwasm") {
        #[expect(unsafe_code, reason = "compiled code is trusted")]
        // SAFETY: the file was written by this program, for this engine.
        unsafe {
            Component::deserialize_file(&engine, file)?
        }
    } else {
        Component::from_file(&engine, file)?
    };
    let mut linker = Linker::<()>::new(&engine);
    linker.instance("dynhost:op/inputs@0.1.0")?.resource(
        "collected",
        ResourceType::host::<u32>(),
        |_, _| Ok(()),
    )?;
    linker.define_unknown_imports_as_traps(&component)?;
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker.instantiate(&mut store, &component)?;
    let op = component.get_export_index(None, "dynhost:op/op@0.1.0").ok_or("no op")?;
    let run = component.get_export_index(Some(&op), "run").ok_or("no run")?;
    let run = instance.get_func(&mut store, run).ok_or("`run` is no function")?;
    let data = Val::List(vec![Val::U8(b'x'); 100]);
    let media_type = Val::String("application/octet-stream".into());
    let value = Val::Record(vec![("media-type".into(), media_type), ("data".into(), data)]);
    let input = Val::Variant("single".into(), Some(Box::new(value)));
    let inputs = Val::List(vec![Val::Tuple(vec![Val::String("data".into()), input])]);
    let mut results = [Val::Bool(false)];
    run.call(&mut store, &[Val::String("trivial".into()), inputs], &mut results)?;
    match &results[0] {
        Val::Result(Ok(_)) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn print(name: &str, pairs: &[(f64, f64)], json: bool) {
    let of = |each: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = pairs.iter().map(each).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (floor, ours, ratio) = (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.1 / pair.0));
    let middle = pairs.len() / 2;
    let (least, most) = (ratio[0], ratio[ratio.len() - 1]);
    if json {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        println!(
            "{}",
            json!({
                "case": name,
                "floor_ms": rounded(floor[middle]),
                "dynhost_ms": rounded(ours[middle]),
                "ratio": rounded(ratio[middle]),
                "spread": [rounded(least), rounded(most)],
            })
        );
    } else {
        println!(
            "{name:<20} floor {:>7.2} ms  dynhost {:>7.2} ms  ratio {:.2} ({least:.2}–{most:.2})",
            floor[middle], ours[middle], ratio[middle],
        );
    }
}
