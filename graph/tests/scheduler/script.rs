//! What the ops of a test do.

use std::sync::Arc;

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::{Event, Failure, ReportedRetry};
use dynhost_graph::job::{Job, NodeId};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::Input;
use dynhost_graph::value::Value;
use serde_json::Value as Json;

/// One attempt at a step, as its op sees it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) node: NodeId,
    pub(crate) op: &'a OpDefinition,
    pub(crate) step: &'a StepKey,
    pub(crate) attempt: u32,
    pub(crate) inputs: &'a [Input],
}

impl Call<'_> {
    /// The input at `index` as JSON: a list for a fan-in.
    pub(crate) fn json(&self, index: usize) -> Json {
        input_json(&self.inputs[index])
    }

    /// The sum of the input at `index`, which is a number or a list of numbers.
    pub(crate) fn sum(&self, index: usize) -> i64 {
        match self.json(index) {
            Json::Array(list) => list.iter().map(|n| n.as_i64().expect("a number")).sum(),
            one => one.as_i64().expect("a number"),
        }
    }

    /// The innermost mapping key.
    pub(crate) fn key(&self) -> Option<&str> {
        self.step.keys.last().map(MappingKey::as_str)
    }
}

/// What an attempt does: emit, then end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Output, mapping key and value of each element, in order.
    pub(crate) emits: Vec<(u32, String, Value)>,
    /// The static outputs given, where it succeeds.
    pub(crate) gives: Vec<(u32, Value)>,
    /// Why it fails, where it does.
    pub(crate) fails: Option<Failure>,
}

impl Script {
    pub(crate) fn emit(
        mut self,
        output: u32,
        key: impl std::fmt::Display,
        value: impl Into<Json>,
    ) -> Self {
        self.emits.push((output, key.to_string(), Value::json(&value.into())));
        self
    }

    pub(crate) fn give(mut self, output: u32, value: impl Into<Json>) -> Self {
        self.gives.push((output, Value::json(&value.into())));
        self
    }

    pub(crate) fn fail(mut self, retry: ReportedRetry) -> Self {
        let message = "as the script says".to_owned();
        self.fails = Some(Failure::Reported { message, detail: None, retry });
        self
    }
}

type Op = Arc<dyn Fn(&Call<'_>) -> Script + Send + Sync>;

/// The ops of a job, by node; one without a script gives its first output as `null`.
#[derive(Clone, Default)]
pub(crate) struct Ops(Vec<(Arc<str>, Op)>);

impl Ops {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says what the op of the node called `name` does.
    pub(crate) fn op(
        mut self,
        name: &str,
        op: impl Fn(&Call<'_>) -> Script + Send + Sync + 'static,
    ) -> Self {
        self.0.push((name.into(), Arc::new(op)));
        self
    }

    pub(crate) fn all(op: impl Fn(&Call<'_>) -> Script + Send + Sync + 'static) -> Self {
        Self(vec![("".into(), Arc::new(op))])
    }

    pub(crate) fn call(&self, call: &Call<'_>) -> Script {
        let of = |(name, _): &&(Arc<str>, Op)| name.is_empty() || **name == *call.step.node;
        match self.0.iter().find(of) {
            Some((_, op)) => op(call),
            None => Script::default().give(0, Json::Null),
        }
    }
}

pub(crate) fn input_json(input: &Input) -> Json {
    let json = |value: &Value| value.to_json().expect("values in these tests are JSON");
    match input {
        Input::Absent => Json::Null,
        Input::Single(value) => json(value),
        Input::Many(list) => list.elements.iter().map(|element| json(&element.value)).collect(),
    }
}

/// Whether another attempt follows a failed one, the delay left out.
pub(crate) fn is_retried(job: &Job, node: NodeId, failure: &Failure, attempt: u32) -> bool {
    let policy = &job.node(node).policy.retry;
    dynhost_graph::retry::retry_delay(policy, failure, attempt, true, 0.0).is_some()
}

/// An element of `null`.
pub(crate) fn emitted(step: StepKey, output: &str, key: &str) -> Event {
    let key = MappingKey::new(key).expect("keys in tests are good");
    let value = Value::json(&serde_json::Value::Null);
    Event::OutputEmitted { step, attempt: 1, output: output.into(), key, value }
}

/// The end of a step without static outputs.
pub(crate) fn succeeded(step: StepKey) -> Event {
    Event::StepSucceeded { step, attempt: 1, outputs: Vec::new(), took_us: 0, reused: None }
}
