//! Runs the job of a manifest: `embedded MANIFEST CODE_CACHE`. Built without the feature `compile` it loads what
//! `dynhost precompile` has put into the code cache.

use std::error::Error;
use std::path::Path;

use dynhost::graph::scheduler::JobOutputValue;
use dynhost::{Host, RunOptions, read_manifest};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, code_cache] = arguments.as_slice() else {
        return Err("usage: embedded MANIFEST CODE_CACHE".into());
    };
    let host = Host::builder().code_cache(code_cache).build()?;
    let job = host.prepare(&read_manifest(Path::new(manifest))?, &[].into())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result =
        runtime.block_on(async { host.start(&job, RunOptions::default()).finished().await })?;
    println!("{}", result.status);
    for (name, value) in &result.outputs {
        if let JobOutputValue::Single(value) = value {
            println!("{name}: {}", String::from_utf8_lossy(&value.data));
        }
    }
    Ok(())
}
