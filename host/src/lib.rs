//! A WebAssembly plugin host for dynamic graphs.
//!
//! Ops are wasm components; an op yields dynamic outputs while it runs, `map` clones the ops
//! downstream, one clone per output, and `collect` fans them in. Every clone runs in its own
//! fresh sandboxed instance.
//!
//! ```no_run
//! use dynhost::{Host, RunOptions, read_manifest};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().build()?;
//! let manifest = read_manifest("job.toml".as_ref())?;
//! let job = host.prepare(&manifest, &Default::default())?;
//! let result = host.start(&job, RunOptions::default()).finished().await?;
//! println!("{}: {:?}", result.status, result.outputs);
//! # Ok(())
//! # }
//! ```
//!
//! The library prints nothing, keeps no global state, and starts threads only when a
//! [`Host`] is built. What a job means is in [`graph`], which knows neither wasm nor I/O.

mod admission;
pub mod cache;
mod code_cache;
pub mod component;
mod engine;
pub mod executor;
mod host;
mod instance;
pub mod lock;
mod machine;
mod prepare;
mod run;
mod secret;
pub mod store;
#[cfg(feature = "otel")]
mod telemetry;
mod trace;
mod wit;

pub use dynhost_graph as graph;

pub use admission::Admission;
#[cfg(feature = "compile")]
pub use component::{ChildCompiler, compile_in_child};
pub use component::{Component, ComponentError};
pub use engine::engine_config;
pub use host::{Host, HostBuilder, HostError};
pub use instance::StepLimits;
pub use prepare::{PrepareError, PreparedJob, read_manifest};
pub use run::{
    CHEAP, Canceller, Change, Events, MAX_CONCURRENCY, Run, RunError, RunOptions, RunResult,
    StepCounts, StepFailure, new_run_id,
};
#[cfg(feature = "otel")]
pub use telemetry::{Telemetry, TelemetryError};
pub use wit::SchemaError;
