//! The outputs of one attempt: what the op may give, what it gave, and how it broke the contract
//! of its interface (op-interface, principle 4).

use std::borrow::Cow;

use dynhost_graph::definition::{OpDefinition, OutputDefinition};
use dynhost_graph::event::{Failure, LimitKind, Violation};
use dynhost_graph::name::MappingKey;
use dynhost_graph::value::{MediaType, Value};
use hashbrown::HashSet;
use serde::de::IgnoredAny;

use super::{ReportKind, Settings, StepLimits, cut};
use crate::large::in_memory;
use crate::wit::EmitError;

/// Bytes of a media type.
const MEDIA_TYPE_BYTES: usize = 255;
/// Bytes of an offending key that are repeated in a message.
const KEY_SHOWN: usize = 300;

/// An output as the guest gives it.
pub(super) struct Offer<'a> {
    pub(super) name: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) media_type: &'a str,
    pub(super) data: Cow<'a, [u8]>,
}

/// An output whose form is right.
pub(super) struct Checked {
    output: u32,
    key: Option<MappingKey>,
    pub(super) value: Value,
}

/// An element of a dynamic output, accepted.
pub(super) struct Emitted {
    output: u32,
    key: MappingKey,
    pub(super) value: Value,
}

impl From<Emitted> for ReportKind {
    fn from(Emitted { output, key, value }: Emitted) -> Self {
        Self::Emitted { output, key, value }
    }
}

/// What one attempt has given so far.
pub(super) struct OutputGate {
    /// Static outputs, by position in the definition.
    given: Vec<Option<Value>>,
    /// Mapping keys of dynamic outputs, by position in the definition.
    keys: Vec<HashSet<MappingKey>>,
    value_bytes: u64,
    /// Bytes of all outputs together, and what is left of them.
    total_bytes: u64,
    total_left: u64,
    json_depth: u64,
    /// Bytes that static outputs may still have.
    static_left: u64,
    max_elements: u64,
    /// The first violation or exceeded limit. It fails the attempt whatever the guest does
    /// next.
    fault: Option<Failure>,
}

/// Why an output was not accepted: for the guest, and for the failure of the attempt.
pub(super) struct Refusal {
    /// What `emit` answers; `None`: the guest is trapped.
    pub(super) answer: Option<EmitError>,
    failure: Failure,
}

impl Refusal {
    /// What the attempt fails with.
    pub(super) fn failure(&self) -> &Failure {
        &self.failure
    }

    fn violation(answer: impl Into<Option<EmitError>>, violation: Violation) -> Self {
        Self { answer: answer.into(), failure: Failure::BadOutput { violation } }
    }

    fn limit(
        answer: impl Into<Option<EmitError>>,
        (limit, value): (LimitKind, u64),
        detail: String,
    ) -> Self {
        let failure = Failure::LimitExceeded { limit, value, detail };
        Self { answer: answer.into(), failure }
    }
}

impl OutputGate {
    pub(super) fn new(op: &OpDefinition, limits: &StepLimits) -> Self {
        let dynamic = op.outputs.iter().any(|output| output.dynamic);
        Self {
            given: vec![None; op.outputs.len()],
            keys: if dynamic { vec![HashSet::new(); op.outputs.len()] } else { Vec::new() },
            value_bytes: limits.output,
            total_bytes: limits.output_total,
            total_left: limits.output_total,
            json_depth: limits.json_depth,
            static_left: limits.output,
            max_elements: limits.elements,
            fault: None,
        }
    }

    /// Checks the form of an output, before its bytes are copied.
    pub(super) fn check(&self, settings: &Settings, offer: Offer<'_>) -> Result<Checked, Refusal> {
        let Some((index, output)) = settings.op.output(offer.name) else {
            let violation = Violation::UnknownOutput { output: shown(offer.name) };
            return Err(Refusal::violation(EmitError::UnknownOutput, violation));
        };
        let key = check_key(output, offer.key)?;
        let bytes = offer.data.len() as u64;
        let media_type_fits = offer.media_type.len() <= MEDIA_TYPE_BYTES;
        // What is not dynamic has no credit, so that all of it together is one value.
        let fits = bytes <= if output.dynamic { self.value_bytes } else { self.static_left };
        if !fits || !media_type_fits {
            let detail = if media_type_fits {
                format!("output `{}` has {bytes} bytes", output.name)
            } else {
                format!("the media type of output `{}` is too long", output.name)
            };
            return Err(Refusal::limit(
                EmitError::TooLarge(self.value_bytes),
                (LimitKind::Output, self.value_bytes),
                detail,
            ));
        }
        if bytes > self.total_left {
            let detail = format!("output `{}` would go beyond it", output.name);
            return Err(Refusal::limit(
                EmitError::TooLarge(self.total_left),
                (LimitKind::OutputTotal, self.total_bytes),
                detail,
            ));
        }
        let media_type = MediaType::new(offer.media_type);
        check_json(output, &media_type, &offer.data)?;
        if output.schema.is_some() && nested_deeper(&offer.data, self.json_depth) {
            let detail = format!("output `{}` is nested deeper", output.name);
            return Err(Refusal::limit(None, (LimitKind::JsonDepth, self.json_depth), detail));
        }
        let data = match &settings.large_values {
            Some(large) => large.keep(offer.data),
            None => in_memory(offer.data),
        };
        #[expect(clippy::cast_possible_truncation, reason = "an op has a handful of outputs")]
        Ok(Checked { output: index as u32, key, value: Value { media_type, data } })
    }

    /// Takes an output whose form is right. An element of a dynamic output comes back, to be
    /// passed on.
    pub(super) fn accept(
        &mut self,
        op: &OpDefinition,
        checked: Checked,
    ) -> Result<Option<Emitted>, Refusal> {
        let Checked { output, key, value } = checked;
        self.total_left = self.total_left.saturating_sub(value.data.len() as u64);
        let index = output as usize;
        let name = || op.outputs[index].name.clone();
        let Some(key) = key else {
            if self.given[index].is_some() {
                let violation = Violation::DuplicateOutput { output: name() };
                return Err(Refusal::violation(EmitError::DuplicateOutput, violation));
            }
            self.static_left = self.static_left.saturating_sub(value.data.len() as u64);
            self.given[index] = Some(value);
            return Ok(None);
        };
        let most = self.max_elements;
        if self.keys[index].len() as u64 >= most {
            let detail = format!("output `{}` has more elements", name());
            return Err(Refusal::limit(None, (LimitKind::Clones, most), detail));
        }
        if !self.keys[index].insert(key.clone()) {
            let violation = Violation::DuplicateKey { output: name(), key: key.to_string() };
            let answer = EmitError::DuplicateKey(key.to_string());
            return Err(Refusal::violation(answer, violation));
        }
        Ok(Some(Emitted { output, key, value }))
    }

    /// Notes why an output was refused; the first reason is the one that counts.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Option<EmitError> {
        self.fault.get_or_insert(refusal.failure);
        refusal.answer
    }

    /// Bytes of all outputs that were taken.
    pub(super) fn taken(&self) -> u64 {
        self.total_bytes - self.total_left
    }

    /// Takes the reason for which the attempt has failed, if there is one.
    pub(super) fn take_fault(&mut self) -> Option<Failure> {
        self.fault.take()
    }

    /// The static outputs of an attempt that ended well, by position in the definition.
    pub(super) fn finish(&mut self, op: &OpDefinition) -> Result<Vec<(u32, Value)>, Failure> {
        if let Some(failure) = self.take_fault() {
            return Err(failure);
        }
        let mut outputs = Vec::with_capacity(self.given.len());
        for (index, (given, output)) in self.given.drain(..).zip(&op.outputs).enumerate() {
            match given {
                #[expect(clippy::cast_possible_truncation, reason = "an op has few outputs")]
                Some(value) => outputs.push((index as u32, value)),
                None if output.required && !output.dynamic => {
                    let violation = Violation::MissingOutput { output: output.name.clone() };
                    return Err(Failure::BadOutput { violation });
                }
                None => {}
            }
        }
        Ok(outputs)
    }
}

fn check_key(output: &OutputDefinition, key: Option<&str>) -> Result<Option<MappingKey>, Refusal> {
    let name = || output.name.clone();
    match (output.dynamic, key) {
        (false, None) => Ok(None),
        (true, Some(key)) => match MappingKey::new(key) {
            Ok(key) => Ok(Some(key)),
            Err(why) => {
                let why = why.to_string();
                let violation =
                    Violation::InvalidKey { output: name(), key: shown(key), why: why.clone() };
                Err(Refusal::violation(EmitError::InvalidKey(why), violation))
            }
        },
        (true, None) => {
            let violation = Violation::MissingKey { output: name() };
            Err(Refusal::violation(EmitError::MissingKey, violation))
        }
        (false, Some(key)) => {
            let violation = Violation::UnexpectedKey { output: name(), key: shown(key) };
            Err(Refusal::violation(EmitError::UnexpectedKey, violation))
        }
    }
}

/// An output with a JSON Schema holds well-formed JSON. Whether it fits the schema is the op's
/// word: the plan has checked the schemas of the edges.
fn check_json(
    output: &OutputDefinition,
    media_type: &MediaType,
    data: &[u8],
) -> Result<(), Refusal> {
    if output.schema.is_none() {
        return Ok(());
    }
    let why = if media_type.is_json() {
        // Text first: what is skipped over is not looked at for that.
        let text = std::str::from_utf8(data).map_err(|error| error.to_string());
        match text.and_then(|text| {
            serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())
        }) {
            Ok(_) => return Ok(()),
            Err(why) => why,
        }
    } else {
        format!("its media type is `{}`", shown(media_type.as_str()))
    };
    let violation = Violation::MalformedJson { output: output.name.clone(), why };
    Err(Refusal::violation(None, violation))
}

/// Whether arrays and objects of well-formed JSON text are nested deeper than `most`. Commonly there are no more of them
/// at all, which is seen at once.
fn nested_deeper(json: &[u8], most: u64) -> bool {
    if memchr::memchr2_iter(b'[', b'{', json).count() as u64 <= most {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_u64, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

/// A guest's text, cut to what a message can carry.
fn shown(text: &str) -> String {
    cut(text, KEY_SHOWN)
}
