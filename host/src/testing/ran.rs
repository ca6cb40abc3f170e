//! What a run did.

use dynhost_graph::event::{Event, Failure, RunStatus};
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::JobOutputValue;
use dynhost_graph::value::Value;
use serde_json::{Value as Json, json};

use crate::run::{RunResult, StepCounts};

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// How.
    pub result: RunResult,
    /// All that happened.
    pub events: Vec<Event>,
}

/// One step of a run, with all that happened to it. What it asserts panics where it does not hold.
#[derive(Debug, Clone)]
pub struct StepRan<'a> {
    key: String,
    events: Vec<&'a Event>,
}

/// A value as JSON; `{"bytes": N}` where it is something else.
fn shown(value: &Value) -> Json {
    value.to_json().unwrap_or_else(|_| json!({ "bytes": value.data.len() }))
}

#[allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "assertions stand alone too"
)]
impl Ran {
    /// How the run ended.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.result.status
    }

    /// How many of its steps ended in which way.
    #[must_use]
    pub fn counts(&self) -> StepCounts {
        self.result.steps
    }

    /// Asserts that the run succeeded.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        let Self { result, .. } = &self;
        assert_eq!(result.status, RunStatus::Succeeded, "{:?}", result.failures);
        self
    }

    /// Asserts that the run failed.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn failed(self) -> Self {
        assert_eq!(self.result.status, RunStatus::Failed);
        self
    }

    /// An output of the job as JSON (`{"bytes": N}` where it is something else); `None` where it is absent.
    ///
    /// # Panics
    /// The job has no such output.
    #[must_use]
    #[track_caller]
    pub fn output(&self, name: &str) -> Option<Json> {
        let output = self.result.outputs.iter().find(|(known, _)| known == name);
        match &output.unwrap_or_else(|| panic!("the job has no output `{name}`")).1 {
            JobOutputValue::Absent => None,
            JobOutputValue::Single(value) => Some(shown(value)),
            JobOutputValue::Many(list) => {
                Some(list.elements.iter().map(|element| shown(&element.value)).collect())
            }
        }
    }

    /// A step by its key, such as `size[a]`; it may have no events.
    #[must_use]
    pub fn step(&self, key: &str) -> StepRan<'_> {
        let is_its = |event: &&Event| step_of(event).is_some_and(|step| step.to_string() == key);
        StepRan { key: key.to_owned(), events: self.events.iter().filter(is_its).collect() }
    }

    /// The steps that failed for good, by key and in order of their keys, with the words.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, String)> {
        let failures = self.result.failures.iter();
        let mut failures: Vec<_> =
            failures.map(|it| (it.step.to_string(), it.failure.to_string())).collect();
        failures.sort();
        failures
    }

    /// Why a step failed for good.
    ///
    /// # Panics
    /// It did not fail.
    #[must_use]
    #[track_caller]
    pub fn failure(&self, step: &str) -> &Failure {
        let failure = self.result.failures.iter().find(|failure| failure.step.to_string() == step);
        &failure.unwrap_or_else(|| panic!("`{step}` has not failed: {:?}", self.result)).failure
    }

    /// The place in the history of the first event that is as wanted.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn place(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().position(wanted).expect("there is such an event")
    }

    /// The steps of all events that are as wanted, in order.
    #[must_use]
    pub fn steps(&self, wanted: impl Fn(&Event) -> bool) -> Vec<String> {
        let wanted = self.events.iter().filter(|event| wanted(event));
        wanted.filter_map(step_of).map(ToString::to_string).collect()
    }
}

#[allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "assertions stand alone too"
)]
impl StepRan<'_> {
    /// Asserts that it succeeded.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        self.ends("succeeded", |event| matches!(event, Event::StepSucceeded { .. }))
    }

    /// Asserts that it failed for good, with words that hold these.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn failed(self, words: &str) -> Self {
        self.ends("failed", |event| {
            matches!(event, Event::StepFailed { retry_in_ms: None, failure, .. }
                if failure.to_string().contains(words))
        })
    }

    /// Asserts that it was skipped.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn skipped(self) -> Self {
        self.ends("been skipped", |event| matches!(event, Event::StepSkipped { .. }))
    }

    /// Asserts that it was interrupted.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn cancelled(self) -> Self {
        self.ends("been cancelled", |event| matches!(event, Event::StepCancelled { .. }))
    }

    /// Asserts that so many attempts began.
    ///
    /// # Panics
    /// There were more or fewer.
    #[track_caller]
    pub fn attempts(self, attempts: usize) -> Self {
        let is_start = |event: &&&Event| matches!(event, Event::StepStarted { .. });
        let begun = self.events.iter().filter(is_start).count();
        assert_eq!(begun, attempts, "attempts at `{}`: {:?}", self.key, self.events);
        self
    }

    #[track_caller]
    fn ends(self, how: &str, wanted: impl Fn(&Event) -> bool) -> Self {
        let last = self.events.last().is_some_and(|event| wanted(event));
        assert!(last, "`{}` has not {how}: {:?}", self.key, self.events);
        self
    }

    /// A static output that it gave.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<Json> {
        self.events.iter().rev().find_map(|event| match event {
            Event::StepSucceeded { outputs, .. } => {
                outputs.iter().find(|(known, _)| **known == *name).map(|(_, value)| shown(value))
            }
            _ => None,
        })
    }

    /// The elements of a dynamic output that it emitted, in all attempts.
    #[must_use]
    pub fn emitted(&self, name: &str) -> Vec<(String, Json)> {
        let emitted = self.events.iter().filter_map(|event| match event {
            Event::OutputEmitted { output, key, value, .. } if **output == *name => {
                Some((key.to_string(), shown(value)))
            }
            _ => None,
        });
        emitted.collect()
    }

    /// The messages of its log.
    #[must_use]
    pub fn logs(&self) -> Vec<&str> {
        let messages = self.events.iter().filter_map(|event| match event {
            Event::LogWritten { message, .. } => Some(message.as_str()),
            _ => None,
        });
        messages.collect()
    }

    /// The attempts that failed: their number, and the delay before the next in milliseconds.
    #[must_use]
    pub fn failed_attempts(&self) -> Vec<(u32, Option<u64>)> {
        let failed = self.events.iter().filter_map(|event| match event {
            Event::StepFailed { attempt, retry_in_ms, .. } => Some((*attempt, *retry_in_ms)),
            _ => None,
        });
        failed.collect()
    }
}

/// The step of an event, if it is one of a step.
#[must_use]
pub fn step_of(event: &Event) -> Option<&StepKey> {
    match event {
        Event::StepStarted { step, .. }
        | Event::OutputEmitted { step, .. }
        | Event::StepSucceeded { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepSkipped { step, .. }
        | Event::StepCancelled { step, .. }
        | Event::LogWritten { step, .. }
        | Event::ProgressMade { step, .. } => Some(step),
        _ => None,
    }
}
