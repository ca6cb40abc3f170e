//! The commands, one file each, and what they share.

mod begun;
pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod componentize;
pub(crate) mod conform;
pub(crate) mod doctor;
mod drive;
mod ending;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod guard;
pub(crate) mod inspect;
mod keep;
pub(crate) mod lock;
pub(crate) mod new;
mod params;
pub(crate) mod precompile;
mod quantity;
pub(crate) mod rerun;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
mod shell;
pub(crate) mod state;
pub(crate) mod validate;

use std::path::{Path, PathBuf};

#[cfg(feature = "otel")]
use dynhost::Telemetry;
use dynhost::component::OP_WIT;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::operator::OperatorPolicy;
use dynhost::{ChildCompiler, Host, HostBuilder};
use serde_json::json;

use crate::cli::Command;
use crate::error::Error;
use crate::report::Console;

/// Does what a command says; gives the exit code.
pub(crate) fn execute(command: Command, console: Console) -> Result<u8, Error> {
    match command {
        Command::Run(arguments) => run::execute(&arguments, console),
        Command::Resume(arguments) => resume::execute(&arguments, console),
        Command::Rerun(arguments) => rerun::execute(&arguments, console),
        Command::Runs(arguments) => runs::execute(&arguments, console),
        Command::Explain(arguments) => explain::execute(&arguments, console),
        Command::Validate(arguments) => validate::execute(&arguments, console),
        Command::Inspect(arguments) => inspect::execute(&arguments, console),
        Command::Call(arguments) => call::execute(&arguments, console),
        Command::Graph(arguments) => graph::execute(&arguments, console),
        Command::Lock(arguments) => lock::execute(&arguments, console),
        Command::Build(arguments) => build::execute(&arguments, console),
        Command::Componentize(arguments) => componentize::execute(&arguments, console),
        Command::Precompile(arguments) => precompile::execute(&arguments, console),
        Command::Conform(arguments) => conform::execute(&arguments, console),
        Command::New(arguments) => new::execute(&arguments, console),
        Command::Doctor(arguments) => doctor::execute(&arguments, console),
        Command::Wit => wit(console),
        Command::Completions { shell } => shell::completions(shell, console),
        Command::CompileComponent { arguments } => {
            let compiled = dynhost::compile_in_child(&arguments);
            // The process that reads this shows it in its own way.
            Ok(compiled.map_or_else(
                |why| {
                    eprintln!("{why}");
                    1
                },
                |()| 0,
            ))
        }
        Command::Man { folder } => shell::man(&folder),
    }
}

/// `dynhost wit`.
fn wit(console: Console) -> Result<u8, Error> {
    if console.is_json() {
        console.print_json(&json!({ "wit": OP_WIT }))?;
    } else {
        console.print_bytes(OP_WIT.as_bytes())?;
    }
    Ok(0)
}

/// A host with the user's cache of compiled code, for jobs that are not run.
fn host() -> Result<Host, Error> {
    host_with(OperatorPolicy::default())
}

fn host_with(policy: OperatorPolicy) -> Result<Host, Error> {
    avoid_huge_pages();
    let mut builder = builder().policy(policy);
    #[cfg(feature = "otel")]
    if let Some(telemetry) = Telemetry::from_env().map_err(|error| Error::telemetry(&error))? {
        builder = builder.telemetry(telemetry);
    }
    if let Some(folder) = code_cache() {
        builder = builder.code_cache(folder);
    }
    Ok(builder.build()?)
}

/// The allocator asks for huge pages, and some kernels give them to everybody: each place that is touched would then take
/// 2 MiB, and a run up to twice the memory. No run was faster with them (`docs/performance.md`).
fn avoid_huge_pages() {
    #[cfg(target_os = "linux")]
    {
        // Where the kernel cannot do it, the process is only larger.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
}

/// Settings for a host that compiles in a process of its own.
fn builder() -> HostBuilder {
    match std::env::current_exe() {
        Ok(program) => {
            Host::builder().compiler(ChildCompiler::new(program, &["compile-component"]))
        }
        Err(_) => Host::builder(),
    }
}

fn code_cache() -> Option<PathBuf> {
    // A relative path in XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification).
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join("dynhost").join("code"))
}

fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    if path.is_dir() {
        let message = format!("`{}` is a folder, not a manifest", path.display());
        return Err(Error::usage(message).with_help("name the TOML file"));
    }
    dynhost::read_manifest(path).map_err(|error| Error::prepare(error, None))
}
