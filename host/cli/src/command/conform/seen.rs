//! What a run shows, as one JSON object that rules are held against:
//!
//! - `status` of the run; `stuck` where nothing happened for a minute. `prompt`: once it was cancelled, it ended within a second,
//!   after `cancelled_after_ms`.
//! - `outputs` of the job by name: a value, or a list of pairs of mapping key and value. JSON stands as it is, other bytes as
//!   `{"media_type": …, "base64": …}`.
//! - `gave`: by step, its outputs that are not dynamic. `emitted`: by node, how many elements. `ended`: by step, how.
//! - `failures`: by step, why it failed for good. `attempts`: why each attempt failed, in order.
//! - `logs`: level, message and names of fields. `progress`: done and total.
//! - `clones_start_early`: a clone started before a step ended that emitted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dynhost::graph::event::Event;
use dynhost::graph::name::StepKey;
use dynhost::graph::scheduler::JobOutputValue;
use dynhost::graph::value::Value;
use dynhost::{Host, PreparedJob, RunOptions};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use crate::error::Error;

/// Steps at once.
const CONCURRENCY: u32 = 4;
/// How long nothing may happen in a run that is not to be cancelled.
const STUCK: Duration = Duration::from_mins(1);
/// How long nothing happens before a run is cancelled: whoever is to be held back is by then.
const QUIET: Duration = Duration::from_millis(200);
/// How long it may take to cancel a run. Guests are interrupted much sooner; the machine may be busy.
const PROMPT: Duration = Duration::from_secs(1);

/// Runs a job, and cancels it when a step of the named node has started and nothing else happens.
pub(super) async fn run(
    host: &Host,
    prepared: &PreparedJob,
    cancel: Option<&str>,
) -> Result<Json, Error> {
    let options = RunOptions { max_concurrency: Some(CONCURRENCY), ..RunOptions::default() };
    let (run, mut events) = host.watch(prepared, options);
    let mut seen = Seen::default();
    let mut cancelled = None;
    loop {
        let due = cancel.is_some_and(|node| seen.started(node)) && cancelled.is_none();
        match timeout(if due { QUIET } else { STUCK }, events.next()).await {
            Ok(Some(batch)) => batch.iter().for_each(|recorded| seen.note(&recorded.event)),
            Ok(None) => break,
            Err(_) if due => {
                cancelled = Some(Instant::now());
                run.cancel();
            }
            // What still runs is cancelled with the run's handle.
            Err(_) => return Ok(json!({ "status": "stuck" })),
        }
    }
    let result = run.finished().await?;
    let mut all = seen.into_json();
    all["status"] = json!(result.status);
    all["outputs"] =
        result.outputs.iter().map(|(name, value)| (name.clone(), output(value))).collect();
    if let Some(since) = cancelled {
        let took = since.elapsed();
        all["prompt"] = json!(took < PROMPT);
        all["cancelled_after_ms"] = json!(took.as_millis());
    }
    Ok(all)
}

fn output(value: &JobOutputValue) -> Json {
    match value {
        JobOutputValue::Absent => Json::Null,
        JobOutputValue::Single(value) => plain(value),
        JobOutputValue::Many(list) => {
            let pair = |(key, value): (&str, &Value)| json!([key, plain(value)]);
            list.elements.iter().map(|it| pair((it.key.as_str(), &it.value))).collect()
        }
    }
}

fn plain(value: &Value) -> Json {
    value.to_json().unwrap_or_else(|_| json!(value))
}

/// What the events of a run say.
#[derive(Default)]
struct Seen {
    started: BTreeMap<String, u64>,
    gave: BTreeMap<String, Json>,
    emitted: BTreeMap<String, u64>,
    ended: BTreeMap<String, &'static str>,
    failures: BTreeMap<String, Json>,
    attempts: Vec<Json>,
    logs: Vec<Json>,
    progress: Vec<Json>,
    emitter_ended: bool,
    clones_start_early: bool,
}

impl Seen {
    fn started(&self, node: &str) -> bool {
        self.started.contains_key(node)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, .. } => {
                *self.started.entry(step.node.to_string()).or_default() += 1;
                self.clones_start_early |= !self.emitter_ended && !step.keys.keys().is_empty();
            }
            Event::OutputEmitted { step, .. } => {
                *self.emitted.entry(step.node.to_string()).or_default() += 1;
            }
            Event::StepSucceeded { step, outputs, .. } => {
                let values = outputs.iter().map(|(name, value)| (name.to_string(), plain(value)));
                self.gave.insert(step.to_string(), values.collect());
                self.end(step, "succeeded");
            }
            Event::StepFailed { step, failure, retry_in_ms, .. } => {
                self.attempts.push(json!(failure));
                if retry_in_ms.is_none() {
                    self.failures.insert(step.to_string(), json!(failure));
                    self.end(step, "failed");
                }
            }
            Event::StepSkipped { step, .. } => self.end(step, "skipped"),
            Event::StepCancelled { step, .. } => self.end(step, "cancelled"),
            Event::LogWritten { level, message, fields, .. } => {
                let names: Vec<&String> = fields.iter().map(|(name, _)| name).collect();
                self.logs.push(json!([level, message, names]));
            }
            Event::ProgressMade { done, total, .. } => self.progress.push(json!([done, total])),
            _ => {}
        }
    }

    fn end(&mut self, step: &StepKey, how: &'static str) {
        self.emitter_ended |= self.emitted.contains_key(&*step.node);
        self.ended.insert(step.to_string(), how);
    }

    fn into_json(self) -> Json {
        json!({
            "gave": self.gave,
            "emitted": self.emitted,
            "ended": self.ended,
            "failures": self.failures,
            "attempts": self.attempts,
            "logs": self.logs,
            "progress": self.progress,
            "clones_start_early": self.clones_start_early,
        })
    }
}
