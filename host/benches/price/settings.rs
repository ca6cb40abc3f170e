//! What the settings of the engine are worth: the floor, and the same loop under wasmtime's defaults of the pooling
//! allocator.

use std::path::Path;

use serde_json::json;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::Begun;
use crate::cases::{self, Case, Place, Shaped};
use crate::floor::Floor;
use crate::table::{median, sorted};

const ROUNDS: usize = 7;

pub(crate) fn compare(wasm: &Path, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new();
    let pool = PoolingAllocationConfig::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let (ours, defaults) =
        (Floor::new(wasm, &dynhost::engine_config())?, Floor::new(wasm, &config)?);
    let is_wanted = |shaped: &&Shaped| ["trivial", "payload-64k"].contains(&shaped.name);
    for shaped in cases::ALL.iter().filter(is_wanted) {
        let case = Case { shaped, place: Place::Two };
        let mut pairs = Vec::new();
        for round in 0..=ROUNDS {
            let pair = (timed(&ours, &case)?, timed(&defaults, &case)?);
            if round > 0 {
                pairs.push(pair);
            }
        }
        let of = |each: fn(&(f64, f64)) -> f64| sorted(pairs.iter().map(each));
        let (ours, defaults) = (median(&of(|pair| pair.0)), median(&of(|pair| pair.1)));
        let times = of(|pair| pair.1 / pair.0);
        let (name, least, most) = (case.name(), times[0], times[ROUNDS - 1]);
        let times = median(&times);
        if json {
            let line = json!({ "case": format!("settings-{name}"), "ours_us": ours, "defaults_us": defaults,
                "times": times, "spread": [least, most] });
            println!("{line}");
        } else {
            println!(
                "{name:<22} ours {ours:>9.2} µs  defaults {defaults:>9.2} µs  {times:.2} times ({least:.2}–{most:.2}) the clones per second"
            );
        }
    }
    Ok(())
}

/// Microseconds for each clone.
fn timed(floor: &Floor, case: &Case) -> wasmtime::Result<f64> {
    let begun = Begun::now();
    floor.run(case)?;
    Ok(begun.took(case.shaped.clones()).wall)
}
