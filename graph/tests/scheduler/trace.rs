//! What happened in a simulated run, in a form that can be compared and read.

use std::collections::BTreeMap;

use dynhost_graph::event::{RunStatus, SkipReason};
use dynhost_graph::scheduler::{Input, JobOutputValue};

use crate::script::input_json;

/// How a step came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Has been handed out and has not ended.
    Begun,
    Succeeded,
    Failed,
    Skipped(SkipReason),
    Cancelled,
}

/// The last that is known of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) outcome: Outcome,
    /// The inputs of its attempts, as text; empty where it did not run.
    pub(crate) inputs: String,
    pub(crate) attempts: u32,
}

/// A run from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    pub(crate) steps: BTreeMap<String, Record>,
    /// Step key and attempt, in the order in which they were handed out.
    pub(crate) order: Vec<String>,
    /// The steps that succeeded, in the order in which they did.
    pub(crate) ended: Vec<String>,
    pub(crate) outputs: Vec<(String, String)>,
    pub(crate) failures: Vec<String>,
    pub(crate) status: Option<RunStatus>,
    /// The greatest number of steps that held a place, and of frames alive.
    pub(crate) most_placed: u32,
    pub(crate) most_frames: usize,
}

impl Trace {
    pub(crate) fn outcome(&self, step: &str) -> Option<&Outcome> {
        self.steps.get(step).map(|record| &record.outcome)
    }

    /// The inputs of a step.
    pub(crate) fn inputs(&self, step: &str) -> &str {
        self.steps.get(step).map_or("it did not run", |record| &record.inputs)
    }

    /// The job's output at `index`.
    pub(crate) fn output(&self, index: usize) -> &str {
        &self.outputs[index].1
    }

    /// The keys of the steps of a node, in the order in which they were handed out.
    pub(crate) fn begun(&self, node: &str) -> Vec<&str> {
        let of = |step: &&String| step.split('[').next() == Some(node);
        self.order.iter().filter(of).map(String::as_str).collect()
    }
}

/// Inputs as text, with the keys of lists and of what failed in them.
pub(crate) fn inputs_text(inputs: &[Input]) -> String {
    inputs.iter().map(input_text).collect::<Vec<_>>().join(" ")
}

pub(crate) fn input_text(input: &Input) -> String {
    let Input::Many(list) = input else { return input_json(input).to_string() };
    let elements = list.elements.iter().map(|element| {
        let value = element.value.to_json().expect("values in these tests are JSON");
        format!("{}={value}", element.key)
    });
    let failed = list.failed.iter().map(|key| format!("!{key}"));
    format!("[{}]", elements.chain(failed).collect::<Vec<_>>().join(","))
}

pub(crate) fn output_text(output: &JobOutputValue) -> String {
    match output {
        JobOutputValue::Absent => "absent".to_owned(),
        JobOutputValue::Single(value) => input_text(&Input::Single(value.clone())),
        JobOutputValue::Many(list) => input_text(&Input::Many(list.clone())),
    }
}
