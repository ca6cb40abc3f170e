#![doc = include_str!("../README.md")]

#[cfg(all(feature = "allocator", target_arch = "wasm32", target_os = "unknown"))]
mod allocator;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod blob;
mod collected;
mod data;
mod definition;
mod emitter;
mod export;
mod failure;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
mod host;
mod key;
#[doc(hidden)]
pub mod port;
pub mod raw;
pub mod step;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use blob::{Blob, JSON};
pub use collected::{Collected, WithKeys};
pub use data::{Decode, Encode};
pub use dynhost_sdk_macros::{Outputs, op};
pub use emitter::{DynamicOutput, Emitter, Output};
pub use failure::{Failure, OrFail, Result, Retry};
pub use key::{MAX_KEY_BYTES, check_mapping_key, mapping_key};
pub use port::Outputs;
pub use step::Context;
pub use {schemars, serde, serde_json};

/// What an op usually needs: `use dynhost_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::step::{self, Context, Level};
    pub use crate::{
        Blob, Collected, DynamicOutput, Emitter, Failure, OrFail, Output, Outputs, Result,
    };
    pub use crate::{export_ops, mapping_key, op};
}
