//! Ops that use an interface of the program that runs them, beside the interface of ops.

use dynhost_sdk::prelude::*;

/// Generated from this crate's own WIT; the SDK has the world of ops.
mod shop {
    #![allow(unsafe_code, unreachable_pub, clippy::pedantic, reason = "generated")]

    wit_bindgen::generate!({ path: "wit", world: "shopper" });
}

use shop::shop::orders::{lookup, trouble as host};

/// The total of an order.
#[op]
fn total(id: String) -> Result<u64> {
    lookup::find(&id).map_err(Failure::permanent)
}

/// Looks two orders up, and says how many that were.
#[op]
fn calls(value: u64) -> Result<u32> {
    for id in [value, value + 1] {
        lookup::find(&format!("north-{id}")).map_err(Failure::permanent)?;
    }
    Ok(lookup::calls())
}

/// Calls no interface at all.
#[op]
fn idle(value: u64) -> u64 {
    value
}

/// Computes for a while, so that its result is worth keeping.
#[op]
fn toil(id: String) -> Result<u64> {
    std::hint::black_box((0..40_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n)));
    lookup::find(&id).map_err(Failure::permanent)
}

/// Gets itself into trouble.
#[op]
fn trouble(what: String) -> u64 {
    match what.as_str() {
        "fail" => host::fail(),
        "panic" => host::panic(),
        "wait" => host::wait(),
        "take" => return host::take(&vec![7; 1 << 20]),
        "hoard" => std::mem::forget((0..10_000).map(|_| host::Order::new()).collect::<Vec<_>>()),
        _ => {}
    }
    0
}

export_ops!(total, calls, idle, toil, trouble);
