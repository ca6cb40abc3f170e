//! Events read from their stored form.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use dynhost_graph::event::{
    Event, Failure, OutputValue, Recorded, ReportedRetry, Reused, RunStatus,
};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::value::Value;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::fault::{Fault, Result};
use super::objects::from_hex;
use crate::cache::{Digest, GivenOutput};

/// Gives the bytes of an object.
pub(super) type Fetch<'a> = &'a dyn Fn(&Digest) -> Result<Bytes>;

/// Reads events. Names that come again are shared.
pub(super) struct Decoder<'a> {
    fetch: Fetch<'a>,
    names: HashMap<String, Arc<str>>,
}

/// Why a text is not what it should be: not the right words, or an object that cannot be had.
#[derive(Debug)]
pub(super) enum Unreadable {
    Text(serde_json::Error),
    Object(Fault),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Text(error)
    }
}

impl Unreadable {
    /// What this means for an attempt to read `what`.
    pub(super) fn of(self, what: &str) -> Fault {
        match self {
            Self::Text(error) => Fault::Damaged(what.to_owned(), error.to_string()),
            Self::Object(fault) => fault,
        }
    }
}

type Read<T> = std::result::Result<T, Unreadable>;

#[derive(Deserialize)]
struct Started<'a> {
    at_us: u64,
    #[serde(borrow)]
    step: &'a RawValue,
    attempt: u32,
}

#[derive(Deserialize)]
struct Emitted<'a> {
    at_us: u64,
    #[serde(borrow)]
    step: &'a RawValue,
    attempt: u32,
    #[serde(borrow)]
    output: &'a RawValue,
    key: MappingKey,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Succeeded<'a> {
    at_us: u64,
    #[serde(borrow)]
    step: &'a RawValue,
    attempt: u32,
    #[serde(borrow)]
    outputs: Vec<(&'a RawValue, &'a RawValue)>,
    took_us: u64,
    #[serde(default)]
    reused: Option<Reused>,
}

#[derive(Deserialize)]
struct Failed<'a> {
    at_us: u64,
    #[serde(borrow)]
    step: &'a RawValue,
    attempt: u32,
    #[serde(borrow)]
    failure: &'a RawValue,
    retry_in_ms: Option<u64>,
    took_us: u64,
}

/// A failure that an op reported with data. `Failure` would be read through a tree, which takes no deep
/// JSON and changes how numbers are written.
#[derive(Deserialize)]
struct Reported<'a> {
    kind: &'a str,
    message: String,
    #[serde(borrow)]
    detail: &'a RawValue,
    retry: ReportedRetry,
}

#[derive(Deserialize)]
struct Finished<'a> {
    at_us: u64,
    status: RunStatus,
    #[serde(borrow, default)]
    outputs: Vec<(String, FinishedOutput<'a>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FinishedOutput<'a> {
    Absent,
    #[serde(borrow)]
    Single(&'a RawValue),
    #[serde(borrow)]
    Many(Vec<(MappingKey, &'a RawValue)>),
}

#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    output: &'a RawValue,
    #[serde(default)]
    key: Option<MappingKey>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Reference {
    media_type: String,
    object: Option<String>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(fetch: Fetch<'a>) -> Self {
        Self { fetch, names: HashMap::new() }
    }

    /// Reads an event.
    pub(super) fn event(&mut self, text: &str) -> Read<Recorded> {
        let (at_us, event) = match name_of(text) {
            Some("step_started") => {
                let Started { at_us, step, attempt } = serde_json::from_str(text)?;
                (at_us, Event::StepStarted { step: self.step(step)?, attempt })
            }
            Some("output_emitted") => {
                let Emitted { at_us, step, attempt, output, key, value } =
                    serde_json::from_str(text)?;
                let (step, output) = (self.step(step)?, self.name(output)?);
                let value = self.value(value)?;
                (at_us, Event::OutputEmitted { step, attempt, output, key, value })
            }
            Some("step_succeeded") => self.succeeded(text)?,
            Some("step_failed") => {
                let Failed { at_us, step, attempt, failure, retry_in_ms, took_us } =
                    serde_json::from_str(text)?;
                let (step, failure) = (self.step(step)?, self.failure(failure)?);
                (at_us, Event::StepFailed { step, attempt, failure, retry_in_ms, took_us })
            }
            Some("run_finished") => {
                let Finished { at_us, status, outputs } = serde_json::from_str(text)?;
                (at_us, Event::RunFinished { status, outputs: self.outputs(outputs)? })
            }
            _ => return Ok(serde_json::from_str(text)?),
        };
        Ok(Recorded { at_us, event })
    }

    /// Reads what a step gave.
    pub(super) fn given(&mut self, text: &str) -> Read<Vec<GivenOutput>> {
        let given: Vec<Given<'_>> = serde_json::from_str(text)?;
        let given = given.into_iter().map(|Given { output, key, value }| {
            Ok(GivenOutput { output: self.name(output)?, key, value: self.value(value)? })
        });
        given.collect()
    }

    fn succeeded(&mut self, text: &str) -> Read<(u64, Event)> {
        let Succeeded { at_us, step, attempt, outputs, took_us, reused } =
            serde_json::from_str(text)?;
        let step = self.step(step)?;
        let outputs = outputs.into_iter();
        let outputs = outputs.map(|(output, value)| Ok((self.name(output)?, self.value(value)?)));
        let outputs = outputs.collect::<Read<_>>()?;
        Ok((at_us, Event::StepSucceeded { step, attempt, outputs, took_us, reused }))
    }

    fn failure(&mut self, raw: &RawValue) -> Read<Failure> {
        // Others have no detail, or none that is a value.
        let reported = serde_json::from_str::<Reported<'_>>(raw.get()).ok();
        let reported = reported.filter(|reported| reported.kind == "reported");
        let Some(Reported { message, detail, retry, .. }) = reported else {
            return Ok(serde_json::from_str(raw.get())?);
        };
        let detail = if detail.get() == "null" { None } else { Some(self.value(detail)?) };
        Ok(Failure::Reported { message, detail, retry })
    }

    fn outputs(
        &mut self,
        outputs: Vec<(String, FinishedOutput<'_>)>,
    ) -> Read<Vec<(String, OutputValue)>> {
        let outputs = outputs.into_iter().map(|(name, output)| {
            let output = match output {
                FinishedOutput::Absent => OutputValue::Absent,
                FinishedOutput::Single(value) => OutputValue::Single(self.value(value)?),
                FinishedOutput::Many(values) => {
                    let values = values.into_iter();
                    let values = values.map(|(key, value)| Ok((key, self.value(value)?)));
                    OutputValue::Many(values.collect::<Read<_>>()?)
                }
            };
            Ok((name, output))
        });
        outputs.collect()
    }

    fn step(&mut self, raw: &RawValue) -> Read<StepKey> {
        let mut step = match plain(raw) {
            Some(text) => text.parse::<StepKey>().map_err(serde_json::Error::custom)?,
            None => serde_json::from_str(raw.get())?,
        };
        step.node = self.shared(&step.node);
        Ok(step)
    }

    fn name(&mut self, raw: &RawValue) -> Read<Arc<str>> {
        Ok(match plain(raw) {
            Some(text) => self.shared(text),
            None => serde_json::from_str(raw.get())?,
        })
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(name) = self.names.get(name) {
            return Arc::clone(name);
        }
        let shared = Arc::<str>::from(name);
        self.names.insert(name.to_owned(), Arc::clone(&shared));
        shared
    }

    fn value(&mut self, raw: &RawValue) -> Read<Value> {
        let text = raw.get();
        // As `Encoder` writes it: what is between is the value, to the byte.
        if let Some(json) = text.strip_prefix("{\"json\":").and_then(|rest| rest.strip_suffix('}'))
        {
            return Ok(Value::json_text(Bytes::copy_from_slice(json.as_bytes())));
        }
        if let Ok(Reference { media_type, object: Some(object) }) = serde_json::from_str(text) {
            let digest = from_hex(&object)
                .ok_or_else(|| serde_json::Error::custom("the name of an object is no digest"))?;
            let data = (self.fetch)(&digest).map_err(Unreadable::Object)?;
            return Ok(Value::bytes(&media_type, data));
        }
        Ok(serde_json::from_str(text)?)
    }
}

/// The text of a JSON string in which nothing is escaped.
fn plain(raw: &RawValue) -> Option<&str> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('\\')).then_some(inside)
}

/// The name of an event as `Encoder` writes it.
fn name_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("{\"at_us\":")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix(",\"event\":\"")?;
    rest.split_once('"').map(|(name, _)| name)
}

/// The texts of the events of a batch.
pub(super) fn split(text: &str) -> std::result::Result<Vec<&RawValue>, serde_json::Error> {
    serde_json::from_str(text)
}

/// What of a text is checked when it is read, together with where it belongs: a text that is whole may
/// still be found in the wrong place.
pub(super) fn checksum(place: &[&[u8]], text: &[u8]) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    for part in place {
        hash.update(part);
    }
    hash.update(text);
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    short
}

/// The place of a batch of events: its run and the place of its first event.
pub(super) fn batch_checksum(run: i64, first: i64, text: &[u8]) -> [u8; 16] {
    checksum(&[&run.to_le_bytes(), &first.to_le_bytes()], text)
}

/// Fails where a text is not the one that a checksum was made of.
pub(super) fn check(found: [u8; 16], kept: &[u8], what: &dyn Fn() -> String) -> Result<()> {
    if found == *kept {
        return Ok(());
    }
    Err(Fault::Damaged(what(), "the checksum does not fit".to_owned()))
}
