//! Events as they are stored: the text that serde gives of [`Recorded`], with large values by
//! reference.
//!
//! The events of which there are three for every clone are written here, byte for byte as serde
//! would, since its way over `flatten` costs several times as much. A value that is JSON stands with the
//! white space around it, which serde would cut off: what is read back has the bytes that were written.

use std::io::Write as _;

use bytes::Bytes;
use dynhost_graph::event::{Event, Failure, OutputValue, Recorded};
use dynhost_graph::name::{KeyPath, StepKey};
use dynhost_graph::value::Value;
use serde::Serialize;
use serde_json::value::RawValue;

use super::objects::{digest, hex};
use crate::cache::{Digest, GivenOutput};

/// The greatest value that stands in its event, in bytes. Greater ones are objects. At 4 KiB both cost the same where bytes
/// are written as base64, and at somewhat more where they are JSON, which can be asked for in SQL as long as it stands there.
pub(super) const INLINE_BYTES: usize = 8 << 10;

/// How deeply JSON may be nested to stand in an event; `SQLite` reads no more than 1000 levels.
const INLINE_DEPTH: usize = 500;

/// Writes events, and gathers the objects that they refer to.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// What must be kept before what was written.
    pub(super) objects: Vec<(Digest, Bytes)>,
    /// A step key as text.
    step: String,
}

/// Why an event has no stored form.
pub(super) type Failed = serde_json::Error;

impl Encoder {
    /// Adds an event to `text`.
    pub(super) fn event(&mut self, recorded: &Recorded, text: &mut Vec<u8>) -> Result<(), Failed> {
        text.extend_from_slice(b"{\"at_us\":");
        json(text, &recorded.at_us)?;
        match &recorded.event {
            Event::StepStarted { step, attempt } => {
                self.step(text, "step_started", step, *attempt)?;
            }
            Event::OutputEmitted { step, attempt, output, key, value } => {
                self.step(text, "output_emitted", step, *attempt)?;
                text.extend_from_slice(b",\"output\":");
                json(text, &**output)?;
                text.extend_from_slice(b",\"key\":");
                json(text, key.as_str())?;
                text.extend_from_slice(b",\"value\":");
                self.value(text, value)?;
            }
            Event::StepSucceeded { step, attempt, outputs, took_us, reused } => {
                self.step(text, "step_succeeded", step, *attempt)?;
                text.extend_from_slice(b",\"outputs\":[");
                for (at, (output, value)) in outputs.iter().enumerate() {
                    self.named(text, at, output, value)?;
                }
                text.extend_from_slice(b"],\"took_us\":");
                json(text, took_us)?;
                if let Some(reused) = reused {
                    text.extend_from_slice(b",\"reused\":");
                    json(text, reused)?;
                }
            }
            Event::StepFailed { step, attempt, failure, retry_in_ms, took_us } => {
                self.step(text, "step_failed", step, *attempt)?;
                text.extend_from_slice(b",\"failure\":");
                self.failure(text, failure)?;
                text.extend_from_slice(b",\"retry_in_ms\":");
                json(text, retry_in_ms)?;
                text.extend_from_slice(b",\"took_us\":");
                json(text, took_us)?;
            }
            Event::RunFinished { status, outputs } => {
                text.extend_from_slice(b",\"event\":\"run_finished\",\"status\":");
                json(text, status)?;
                text.extend_from_slice(b",\"outputs\":[");
                self.outputs(text, outputs)?;
                text.push(b']');
            }
            event => {
                text.push(b',');
                let begin = text.len();
                json(text, event)?;
                // The braces around it.
                text.remove(begin);
                text.pop();
            }
        }
        text.push(b'}');
        Ok(())
    }

    /// Adds what a step gave to `text`, as a list.
    pub(super) fn given(
        &mut self,
        outputs: &[GivenOutput],
        text: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        text.push(b'[');
        for (at, given) in outputs.iter().enumerate() {
            text.extend_from_slice(if at == 0 { b"{\"output\":" } else { b",{\"output\":" });
            json(text, &*given.output)?;
            if let Some(key) = &given.key {
                text.extend_from_slice(b",\"key\":");
                json(text, key.as_str())?;
            }
            text.extend_from_slice(b",\"value\":");
            self.value(text, &given.value)?;
            text.push(b'}');
        }
        text.push(b']');
        Ok(())
    }

    /// What the events of a step have in common.
    fn step(
        &mut self,
        text: &mut Vec<u8>,
        event: &str,
        step: &StepKey,
        attempt: u32,
    ) -> Result<(), Failed> {
        text.extend_from_slice(b",\"event\":\"");
        text.extend_from_slice(event.as_bytes());
        text.extend_from_slice(b"\",\"step\":");
        self.step.clear();
        self.step.push_str(&step.node);
        push_keys(&mut self.step, &step.keys);
        json(text, self.step.as_str())?;
        text.extend_from_slice(b",\"attempt\":");
        json(text, &attempt)
    }

    fn failure(&mut self, text: &mut Vec<u8>, failure: &Failure) -> Result<(), Failed> {
        let Failure::Reported { message, detail: Some(detail), retry } = failure else {
            return json(text, failure);
        };
        text.extend_from_slice(b"{\"kind\":\"reported\",\"message\":");
        json(text, message)?;
        text.extend_from_slice(b",\"detail\":");
        self.value(text, detail)?;
        text.extend_from_slice(b",\"retry\":");
        json(text, retry)?;
        text.push(b'}');
        Ok(())
    }

    fn outputs(
        &mut self,
        text: &mut Vec<u8>,
        outputs: &[(String, OutputValue)],
    ) -> Result<(), Failed> {
        for (at, (name, output)) in outputs.iter().enumerate() {
            text.extend_from_slice(if at == 0 { b"[" } else { b",[" });
            json(text, name)?;
            match output {
                OutputValue::Absent => text.extend_from_slice(b",\"absent\"]"),
                OutputValue::Single(value) => {
                    text.extend_from_slice(b",{\"single\":");
                    self.value(text, value)?;
                    text.extend_from_slice(b"}]");
                }
                OutputValue::Many(values) => {
                    text.extend_from_slice(b",{\"many\":[");
                    for (at, (key, value)) in values.iter().enumerate() {
                        self.named(text, at, key.as_str(), value)?;
                    }
                    text.extend_from_slice(b"]}]");
                }
            }
        }
        Ok(())
    }

    /// A pair of a list: a name and its value.
    fn named(
        &mut self,
        text: &mut Vec<u8>,
        at: usize,
        name: &str,
        value: &Value,
    ) -> Result<(), Failed> {
        text.extend_from_slice(if at == 0 { b"[" } else { b",[" });
        json(text, name)?;
        text.push(b',');
        self.value(text, value)?;
        text.push(b']');
        Ok(())
    }

    fn value(&mut self, text: &mut Vec<u8>, value: &Value) -> Result<(), Failed> {
        let data = &value.data;
        let is_json = value.media_type.is_json();
        if data.len() > INLINE_BYTES || (is_json && is_deep(data)) {
            let digest = digest(data);
            text.extend_from_slice(b"{\"media_type\":");
            json(text, value.media_type.as_str())?;
            self.objects.push((digest, data.clone()));
            let (object, size) = (hex(&digest), data.len());
            // Writing to memory does not fail.
            let _ = write!(text, ",\"object\":\"{object}\",\"size\":{size}}}");
        } else if is_json && serde_json::from_slice::<&RawValue>(data).is_ok() {
            text.extend_from_slice(b"{\"json\":");
            text.extend_from_slice(data);
            text.push(b'}');
        } else {
            json(text, value)?;
        }
        Ok(())
    }
}

/// Adds the mapping keys of a clone, each in brackets.
fn push_keys(text: &mut String, keys: &KeyPath) {
    if let Some(last) = keys.last() {
        push_keys(text, &keys.outer());
        text.push('[');
        text.push_str(last.as_str());
        text.push(']');
    }
}

/// Adds the mapping keys of a clone as a JSON array.
pub(super) fn push_keys_json(text: &mut Vec<u8>, keys: &KeyPath) -> Result<(), Failed> {
    fn push(text: &mut Vec<u8>, keys: &KeyPath) -> Result<(), Failed> {
        let Some(last) = keys.last() else { return Ok(()) };
        let outer = keys.outer();
        if outer.last().is_some() {
            push(text, &outer)?;
            text.push(b',');
        }
        json(text, last.as_str())
    }
    text.push(b'[');
    push(text, keys)?;
    text.push(b']');
    Ok(())
}

fn json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) -> Result<(), Failed> {
    serde_json::to_writer(text, value)
}

/// Whether JSON text is nested more deeply than every reader of events can take.
fn is_deep(data: &[u8]) -> bool {
    if data.len() < 2 * INLINE_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in data {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > INLINE_DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}
