//! What a run costs as it grows: a generator of 10 k, 100 k and 1 M keys through a chain of
//! two clones into a collect. `cargo bench --bench growth`, with `-- --json` one JSON object
//! per size.
//!
//! The cost of a clone should not depend on how many there are, and the memory of the host only on
//! what is in flight and on what the collect must keep.

mod ops;

use std::time::Instant;

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::Given;
use dynhost::{Host, RunOptions};
use serde_json::json;

/// The allocator of the `dynhost` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().any(|argument| argument == "--json");
    let wasm = ops::build()?;
    let host = Host::builder().build()?;
    let text = format!(
        "[job]\nname = \"growth\"\n\
         [params]\nn = {{ type = \"integer\" }}\n\
         [components]\nops = '{wasm}'\n\
         [nodes.numbers]\nop = \"ops/numbers\"\ninputs.n.param = \"n\"\n\
         [nodes.twice]\nop = \"ops/multiply_by_two\"\ninputs.x.map = \"numbers\"\n\
         [nodes.again]\nop = \"ops/multiply_by_two\"\ninputs.x.map = \"twice\"\n\
         [nodes.sum]\nop = \"ops/sum\"\ninputs.numbers.collect = \"again\"\n\
         [outputs]\nsum.from = \"sum\"\n",
        wasm = wasm.display(),
    );
    let manifest = Manifest::parse("growth.toml".as_ref(), &text)?;
    for size in SIZES {
        let given = [("n".to_owned(), Given::Json(json!(size)))].into();
        let job = host.prepare(&manifest, &given)?;
        ops::reset_peak_memory();
        let begun = Instant::now();
        let result = host.start(&job, RunOptions::default()).finished().await?;
        let took = begun.elapsed();
        if result.steps.succeeded != 2 * size + 2 {
            return Err(format!("{:?} {:?}", result.steps, result.failures.first()).into());
        }
        let clones = 2 * size;
        let us = took.as_secs_f64() * 1e6 / f64::from(u32::try_from(clones)?);
        let peak = ops::peak_memory();
        if json {
            println!(
                "{}",
                json!({
                    "case": format!("collect-{size}"),
                    "clones": clones,
                    "us_per_clone": (us * 1000.0).round() / 1000.0,
                    "peak_rss_bytes": peak,
                })
            );
        } else {
            let peak = peak.map_or("?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
            println!("{size:>9} keys {clones:>9} clones {us:>7.2} µs each, peak memory {peak}");
        }
    }
    Ok(())
}
