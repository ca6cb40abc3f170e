//! What the host does for an op: in a component the imports of the interface, elsewhere a stand-in for tests.

#[cfg(not(target_family = "wasm"))]
pub(crate) mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::emit_from;
#[cfg(not(target_family = "wasm"))]
pub use native::{Collected, attempt, config, emit, log, mapping_keys, progress, run_id, step_key};
#[cfg(target_family = "wasm")]
pub(crate) use wasm::emit_from;
#[cfg(target_family = "wasm")]
pub use wasm::{Collected, attempt, config, emit, log, mapping_keys, progress, run_id, step_key};
