//! A node of a job under construction.

use std::time::Duration;

use dynhost_graph::event::LimitKind;
use dynhost_graph::grant::Access;
use dynhost_graph::job::{Backoff, Dispatch, OnFailure, Retry, RetryOn, Tolerance};
use serde_json::{Value as Json, json};

use super::text::{self, duration, per_attempt};
use super::{GraphBuilder, OpSource, Output, Shared, Wire};

/// A node of a job under construction. What is said of it later takes the place of what was said before.
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    shared: Shared,
    /// The graph that it stands in; `None`: the job itself.
    graph: Option<usize>,
    at: usize,
    name: String,
}

impl NodeBuilder {
    pub(super) fn new(shared: Shared, graph: Option<usize>, name: &str) -> Self {
        let at = shared.lock().add_node(graph, name);
        Self { shared, graph, at, name: name.to_owned() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its outputs.
    #[must_use]
    pub fn output(&self, name: &str) -> Output {
        Output(format!("{}.{name}", self.name))
    }

    fn set(self, key: &str, value: &Json) -> Self {
        let (graph, at) = (self.graph, self.at);
        self.shared.section(|draft| &mut draft.body(graph).nodes[at].1, key, value);
        self
    }

    /// Uses an op of a component.
    pub fn op(self, component: impl Into<OpSource>, op: &str) -> Self {
        let alias = match component.into() {
            OpSource::Alias(alias) => alias,
            OpSource::Loaded(component) => self.shared.lock().alias_of(component),
        };
        self.set("op", &json!(format!("{alias}/{op}")))
    }

    /// Uses a graph of the job.
    pub fn graph(self, graph: &GraphBuilder) -> Self {
        self.set("graph", &json!(graph.name()))
    }

    /// Says what it does, for people.
    pub fn describe(self, description: &str) -> Self {
        self.set("description", &json!(description))
    }

    /// Feeds an input.
    pub fn wire(self, input: &str, source: impl Into<Wire>) -> Self {
        let wire = source.into().into_json();
        self.set(&format!("inputs.{}", text::key(input)), &wire)
    }

    /// Feeds an input with a literal.
    pub fn value(self, input: &str, value: impl Into<Json>) -> Self {
        self.wire(input, Wire::value(value))
    }

    /// Feeds an input with a param of the job.
    pub fn param(self, input: &str, param: impl AsRef<str>) -> Self {
        self.wire(input, Wire::param(param))
    }

    /// Feeds an input with an ordinary output.
    pub fn from(self, input: &str, output: impl Into<Output>) -> Self {
        self.wire(input, Wire::from_output(output))
    }

    /// Clones the node: one clone per element of a dynamic output, or per clone of a mapped node.
    pub fn map(self, input: &str, output: impl Into<Output>) -> Self {
        self.wire(input, Wire::map(output))
    }

    /// Feeds an input with the values of all clones of the innermost map.
    pub fn collect(self, input: &str, output: impl Into<Output>) -> Self {
        self.wire(input, Wire::collect(output))
    }

    /// Feeds an input with a list of ordinary values.
    pub fn list(self, input: &str, elements: impl IntoIterator<Item = impl Into<Wire>>) -> Self {
        self.wire(input, Wire::list(elements))
    }

    /// Waits for other nodes without taking data from them.
    pub fn after<'a>(self, nodes: impl IntoIterator<Item = &'a NodeBuilder>) -> Self {
        let names: Vec<&str> = nodes.into_iter().map(NodeBuilder::name).collect();
        self.set("after", &json!(names))
    }

    /// Where the inputs are mapped over unrelated dynamic outputs: those of one mapping key meet. A key that one of
    /// them lacks is a failure.
    pub fn zip(self) -> Self {
        self.set("combine", &json!("zip"))
    }

    /// As [`NodeBuilder::zip`], but a key that one of them lacks is dropped.
    pub fn zip_common(self) -> Self {
        self.zip().set("missing", &json!("drop"))
    }

    /// Where the inputs are mapped over unrelated dynamic outputs: every pair meets.
    pub fn cross(self) -> Self {
        self.set("combine", &json!("cross"))
    }

    /// Elements that one clone takes at most.
    pub fn batch_items(self, most: u64) -> Self {
        self.set("batch.max_items", &json!(most))
    }

    /// Bytes of the elements that one clone takes at most.
    pub fn batch_bytes(self, most: u64) -> Self {
        self.set("batch.max_bytes", &json!(most))
    }

    /// The configuration, a JSON object; `{"param": "p"}` anywhere inside stands for the value of a param.
    pub fn config(self, config: &Json) -> Self {
        self.set("config", config)
    }

    /// Steps of this node at once.
    pub fn max_concurrency(self, steps: u32) -> Self {
        self.set("max_concurrency", &json!(steps))
    }

    /// The pool that its steps take a place of.
    pub fn pool(self, name: &str) -> Self {
        self.set("pool", &json!(name))
    }

    /// Wall-clock time of an attempt.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set("timeout", &duration(timeout))
    }

    /// Wall-clock time of each attempt; the last one holds for all that follow.
    pub fn timeouts(self, timeouts: impl AsRef<[Duration]>) -> Self {
        self.set("timeout", &per_attempt(timeouts.as_ref(), |it| duration(*it)))
    }

    /// A bound on an attempt: a value for each attempt, of which the last one holds for all that follow.
    pub fn limit(self, kind: LimitKind, values: impl AsRef<[u64]>) -> Self {
        let values = per_attempt(values.as_ref(), |it| json!(it));
        self.set(&format!("limits.{}", kind.key()), &values)
    }

    /// What happens when an attempt fails.
    pub fn retry(self, retry: &Retry) -> Self {
        let mut table = json!({
            "max_attempts": retry.max_attempts,
            "delay": duration(retry.delay),
            "backoff": match retry.backoff {
                Backoff::Constant => "constant",
                Backoff::Linear => "linear",
                Backoff::Exponential => "exponential",
            },
            "jitter": retry.jitter,
        });
        if let Some(longest) = retry.max_delay {
            table["max_delay"] = duration(longest);
        }
        if let Some(on) = &retry.on {
            let word = |on: &RetryOn| match on {
                RetryOn::Transient => "transient",
                RetryOn::Trap => "trap",
                RetryOn::Timeout => "timeout",
                RetryOn::Limit => "limit",
            };
            table["on"] = json!(on.iter().map(word).collect::<Vec<_>>());
        }
        self.set("retry", &table)
    }

    /// Attempts in all, one right after the other.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.set("retry", &json!({ "max_attempts": attempts }))
    }

    /// What a step that failed for good means for the run.
    pub fn on_failure(self, what: OnFailure) -> Self {
        match what {
            OnFailure::Finish => self.set("on_failure", &json!("finish")),
            OnFailure::Abort => self.set("on_failure", &json!("abort")),
            OnFailure::Tolerate(Tolerance::Count(count)) => {
                self.set("tolerate", &json!({ "count": count }))
            }
            OnFailure::Tolerate(Tolerance::Ratio(ratio)) => {
                self.set("tolerate", &json!({ "ratio": ratio }))
            }
        }
    }

    /// When the clones of its dynamic outputs start.
    pub fn dispatch(self, dispatch: Dispatch) -> Self {
        let word = match dispatch {
            Dispatch::Eager => "eager",
            Dispatch::AfterSuccess => "after_success",
        };
        self.set("dispatch", &json!(word))
    }

    /// Elements that each of its dynamic outputs may have in one step.
    pub fn max_clones(self, most: u64) -> Self {
        self.set("max_clones", &json!(most))
    }

    /// Whether its successes may be reused; by default those of pure ops are.
    pub fn cache(self, cache: bool) -> Self {
        self.set("cache", &json!(cache))
    }

    /// What its steps may reach, all of it, in the form of a manifest: an object with `fs`, `network`, `env`,
    /// `secrets`, `clock` and `random`.
    pub fn grants(self, grants: &Json) -> Self {
        self.set("grants", grants)
    }

    /// Grants a folder of the host, which the guest sees at an absolute path of its own, and no other one.
    pub fn folder(self, host: &str, guest: &str, access: Access) -> Self {
        let access = match access {
            Access::Read => "read",
            Access::ReadWrite => "read_write",
        };
        self.grants(&json!({ "fs": [{ "host": host, "guest": guest, "access": access }] }))
    }
}
