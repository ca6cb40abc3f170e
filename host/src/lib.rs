//! A WebAssembly plugin host for dynamic graphs.
//!
//! Ops are wasm components; an op yields dynamic outputs while it runs, `map` clones the ops
//! downstream, one clone per output, and `collect` fans them in. Every clone runs in its own
//! fresh sandboxed instance.
//!
//! A job is a manifest in TOML, or is built in code:
//!
//! ```no_run
//! use dynhost::native::{NativeOps, Op};
//! use dynhost::{Component, GivenParams, Host, JobBuilder, RunOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().build()?;
//! let files = host.load("files.wasm".as_ref())?;
//! // Ops can be functions of this program, too.
//! let sums = NativeOps::new("sums").op(Op::new("sum", |all: Vec<u64>| Ok(all.iter().sum::<u64>())));
//! let sums = Component::native(sums)?;
//!
//! let job = JobBuilder::new("directory-size");
//! let dir = job.param("dir").kind("string").default("/usr/share/doc");
//! let list = job.node("list").op(&files, "list").param("dir", &dir);
//! let size = job.node("size").op(&files, "size").map("file", list.output("files"));
//! let total = job.node("total").op(&sums, "sum").collect("value", &size);
//! job.output("total", &total);
//!
//! let job = host.prepare_built(&job, &GivenParams::new())?;
//! let ended = host.start(&job, RunOptions::default()).finished().await?;
//! println!("{}: {:?}", ended.status, ended.json("total"));
//! # Ok(())
//! # }
//! ```
//!
//! [`read_manifest`] and [`Host::prepare`] take a manifest instead. [`build`] is about jobs in code, [`native`] about
//! ops that are functions of the embedding program, [`testing`] about tests of both. The crates in `examples/` are
//! whole programs.
//!
//! The library prints nothing, keeps no global state, and starts threads only when a
//! [`Host`] is built. What a job means is in [`graph`], which knows neither wasm nor I/O.

mod admission;
mod bell;
pub mod build;
pub mod cache;
pub mod capability;
mod clock;
mod code_cache;
pub mod component;
mod engine;
pub mod executor;
mod host;
mod instance;
mod large;
pub mod lock;
mod machine;
pub mod native;
mod prepare;
mod run;
mod secret;
pub mod store;
#[cfg(feature = "otel")]
mod telemetry;
pub mod testing;
mod trace;
mod wit;

pub use dynhost_graph as graph;
/// The version that capabilities are linked with.
pub use wasmtime;

pub use admission::Admission;
pub use build::JobBuilder;
pub use capability::Capability;
#[cfg(feature = "compile")]
pub use component::{ChildCompiler, compile_in_child};
pub use component::{Component, ComponentError};
pub use dynhost_graph::params::{Given, GivenParams};
pub use engine::{engine_config, engine_config_for};
pub use host::{Host, HostBuilder, HostError};
pub use instance::StepLimits;
pub use prepare::{Checked, PrepareError, PreparedJob, read_manifest};
pub use run::{
    CHEAP, Canceller, Change, Events, MAX_CONCURRENCY, Run, RunError, RunOptions, RunResult,
    StepCounts, StepFailure, new_run_id,
};
#[cfg(feature = "otel")]
pub use telemetry::{Telemetry, TelemetryError};
pub use wit::SchemaError;
