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
pub mod build;
pub mod cache;
mod code_cache;
pub mod component;
mod engine;
pub mod executor;
mod host;
mod instance;
pub mod lock;
mod machine;
pub mod native;
mod prepare;
mod run;
mod secret;
pub mod store;
pub mod testing;
mod wit;

pub use dynhost_graph as graph;

pub use admission::Admission;
pub use build::JobBuilder;
pub use component::{ChildCompiler, Component, ComponentError, compile_in_child};
pub use engine::engine_config;
pub use host::{Host, HostBuilder, HostError};
pub use instance::StepLimits;
pub use prepare::{PrepareError, PreparedJob, read_manifest};
pub use run::{
    CHEAP, Canceller, Change, Events, MAX_CONCURRENCY, Run, RunError, RunOptions, RunResult,
    StepCounts, StepFailure, new_run_id,
};
pub use wit::SchemaError;
