//! What a component costs.

use std::time::{Duration, Instant};

use dynhost::{Component, Host, RunOptions};

use super::rules;
use crate::error::Error;

/// The ops of the fan-out.
pub(super) const NEEDS: [&str; 2] = ["split", "echo"];
/// Clones of the fan-out.
const CLONES: u32 = 4000;
const REPEATS: usize = 3;
/// A trivial op, mapped.
const FAN_OUT: &str = r#"
params.text.type = "string"
nodes.split = { op = "c/split", inputs.text.param = "text" }
nodes.echo = { op = "c/echo", inputs.value.map = "split" }
"#;

/// What a component costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    /// From the file to code that can be instantiated.
    pub(super) compile: Duration,
    /// From a fresh instance to its description; the median.
    pub(super) start: Duration,
    /// A clone of a trivial op, with all that the host does for it; the least mean. None for a component that has no
    /// such ops, or whose ops fail.
    pub(super) clone: Option<Duration>,
}

/// What `work` gives, and how long it took.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = work();
    (result, begin.elapsed())
}

/// Measures a component that took so long to load; `fans_out`: whether it has the ops for it.
pub(super) async fn numbers(
    host: &Host,
    component: &Component,
    load: Duration,
    fans_out: bool,
) -> Result<Numbers, Error> {
    let mut starts = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let (described, took) = timed(|| component.describe());
        described?;
        starts.push(took);
    }
    starts.sort();
    let start = starts[REPEATS / 2];
    let clone = if fans_out { fan_out(host, component).await? } else { None };
    Ok(Numbers { compile: load.saturating_sub(start), start, clone })
}

async fn fan_out(host: &Host, component: &Component) -> Result<Option<Duration>, Error> {
    let Ok(job) = rules::prepare(component, FAN_OUT, Some(CLONES)) else { return Ok(None) };
    let mut least = Duration::MAX;
    for _ in 0..REPEATS {
        let begin = Instant::now();
        let result = host.start(&job, RunOptions::default()).finished().await?;
        if result.steps.succeeded != u64::from(CLONES) + 1 {
            return Ok(None);
        }
        least = least.min(begin.elapsed() / CLONES);
    }
    Ok(Some(least))
}
