//! No clone ever sees a byte of another, while the kernel moves memory about.
//!
//! Clones that fill all that they have (memories, grown pages, data segments, table, globals) take turns with clones that
//! look through all that they have before they write. Meanwhile memory is compacted in a loop, which needs root. That the
//! search finds what there is to find is shown by an engine whose isolation is known to be broken.
//!
//! `DYNHOST_ISOLATION_CLONES=1000000 cargo test -p dynhost-tests --test isolation -- --nocapture` runs as many clones.

mod disturbance;
#[path = "../hand_made/mod.rs"]
mod hand_made;
mod prober;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::Given;
use dynhost::{Host, PreparedJob, RunOptions, RunResult};

use disturbance::Disturbance;
use prober::Far;

/// Clones where the environment says nothing, in rounds, as many as begin in this time.
const CLONES: u64 = 100_000;
const ROUND: u64 = 5_000;
const TIME: Duration = Duration::from_secs(40);
/// How long the broken engine is given to show that it is.
const PATIENCE: Duration = Duration::from_mins(5);

const NODES: &str = r#"
[job]
name = "isolation"
[params]
pairs = { type = "integer" }
[nodes.pairs]
op = "basics/numbers"
inputs.n.param = "pairs"
[nodes.fill]
op = "prober/fill"
inputs.value.map = "pairs"
[nodes.look]
op = "prober/look"
inputs.value.map = "pairs"
"#;

/// The two tests take turns, so that each has all cores.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_clone_sees_anything_of_another() {
    let _alone = alone();
    let asked: Option<u64> = std::env::var("DYNHOST_ISOLATION_CLONES")
        .ok()
        .map(|count| count.parse().expect("DYNHOST_ISOLATION_CLONES is a number"));
    let host = Host::builder().build().expect("a host");
    let disturbance = Disturbance::begin();
    let (begun, mut clones) = (Instant::now(), 0);
    for guest in [prober::SMALL, prober::LARGE, prober::OTHER_LARGE].iter().cycle() {
        if clones >= asked.unwrap_or(CLONES) || (asked.is_none() && begun.elapsed() >= TIME) {
            break;
        }
        let result = run(&host, guest, ROUND / 2);
        let seen: Vec<_> = result.failures.iter().take(3).collect();
        assert!(seen.is_empty(), "after {clones} clones: {seen:?}");
        assert_eq!(result.steps.succeeded, ROUND + 1);
        clones += ROUND;
    }
    eprintln!(
        "{clones} clones saw nothing of each other in {:.1} s on {} threads, {}",
        begun.elapsed().as_secs_f64(),
        host.workers(),
        disturbance.end(),
    );
}

/// Where this cannot be tried, it says why.
#[test]
fn a_broken_isolation_is_seen() {
    let _alone = alone();
    if let Some(why) = disturbance::impossible() {
        eprintln!("skipped: a_broken_isolation_is_seen: {why}");
        return;
    }
    let host = match Host::builder().with_broken_isolation().build() {
        Ok(host) => host,
        Err(error) => {
            eprintln!(
                "skipped: a_broken_isolation_is_seen: the kernel has no PAGEMAP_SCAN: {error:?}"
            );
            return;
        }
    };
    let disturbance = Disturbance::begin();
    let (begun, mut clones) = (Instant::now(), 0);
    while begun.elapsed() < PATIENCE {
        let result = run(&host, &prober::SMALL, ROUND / 2);
        clones += ROUND;
        if let Some(first) = result.failures.first() {
            eprintln!(
                "broken isolation was seen after {clones} clones and {:.1} s, {}, by {} of them: {first:?}",
                begun.elapsed().as_secs_f64(),
                disturbance.end(),
                result.steps.failed,
            );
            return;
        }
    }
    panic!("{clones} clones saw nothing of each other, {}", disturbance.end());
}

/// Runs so many pairs of a clone that fills and one that looks.
fn run(host: &Host, guest: &Far, pairs: u64) -> RunResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let job = prepare(host, guest, pairs);
    let run = async { host.start(&job, RunOptions::default()).finished().await };
    runtime.expect("a runtime").block_on(run).expect("the host does not fail")
}

fn prepare(host: &Host, guest: &Far, pairs: u64) -> PreparedJob {
    let folder = tempfile::tempdir().expect("a folder");
    let prober = folder.path().join("prober.wasm");
    std::fs::write(&prober, prober::module(guest)).expect("a file");
    let basics = Path::new(env!("EXAMPLE_OPS")).join("wasm32-unknown-unknown/release/basics.wasm");
    let components =
        format!("[components]\nprober = '{}'\nbasics = '{}'\n", prober.display(), basics.display());
    let manifest = Manifest::parse("isolation.toml".as_ref(), &format!("{NODES}{components}"));
    let given = [("pairs".to_owned(), Given::Json(pairs.into()))].into();
    host.prepare(&manifest.expect("it is well formed"), &given).expect("the job is sound")
}
