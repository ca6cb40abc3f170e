//! Ops that a host has to stop, and one that would notice if it were not alone.

use dynhost_sdk::Blob;
use dynhost_sdk::prelude::*;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Counts the steps that this instance has run.
#[op(output(description = "how many, this one included"))]
pub(crate) fn count(
    /// Anything
    value: Blob,
) -> u64 {
    drop(value);
    STEPS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Traps.
#[op(output(description = "never given"))]
pub(crate) fn trap(
    /// Anything
    value: Blob,
) -> Blob {
    drop(value);
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// Computes without end.
#[op(output(description = "never given"))]
pub(crate) fn spin(
    /// Anything
    value: Blob,
) -> Blob {
    drop(value);
    loop {
        black_box(0);
    }
}

/// Takes memory without end.
#[op(output(description = "never given"))]
pub(crate) fn grow(
    /// Anything
    value: Blob,
) -> Blob {
    drop(value);
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}
