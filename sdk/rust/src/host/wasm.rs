//! The imports of the interface, in the SDK's types.

use crate::Blob;
use crate::bindings::dynhost::op::{inputs, outputs, step, types};
use crate::raw::{Element, EmitError, Output};
use crate::step::Level;

/// The elements of a collected input, in the order of their emission.
#[derive(Debug)]
pub struct Collected(inputs::Collected);

impl Collected {
    pub(crate) fn new(handle: inputs::Collected) -> Self {
        Self(handle)
    }

    /// How many elements there are in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next elements, `max` at most and at least one, or none at the end.
    pub fn next(&mut self, max: u32) -> Vec<Element> {
        let elements = self.0.next(max);
        elements
            .into_iter()
            .map(|element| Element {
                mapping_key: element.mapping_key,
                value: element.value.into(),
            })
            .collect()
    }

    /// The mapping keys of the clones that failed where the job tolerates failures.
    #[must_use]
    pub fn failed_keys(&self) -> Vec<String> {
        self.0.failed_keys()
    }
}

/// Gives one output now. The host may suspend the op in this call until its clones have caught up.
///
/// # Errors
/// Why the output was not accepted.
pub fn emit(output: Output) -> Result<(), EmitError> {
    emit_from(&output.name, output.mapping_key.as_deref(), &output.value)
}

/// [`emit`], from where the parts of the output lie.
pub(crate) fn emit_from(
    name: &str,
    mapping_key: Option<&str>,
    value: &Blob,
) -> Result<(), EmitError> {
    let value = types::ValueParam { media_type: &value.media_type, data: &value.data };
    outputs::emit(types::OutputParam { name, mapping_key, value }).map_err(|error| match error {
        outputs::EmitError::UnknownOutput => EmitError::UnknownOutput,
        outputs::EmitError::MissingKey => EmitError::MissingKey,
        outputs::EmitError::UnexpectedKey => EmitError::UnexpectedKey,
        outputs::EmitError::InvalidKey(how) => EmitError::InvalidKey(how),
        outputs::EmitError::DuplicateKey(key) => EmitError::DuplicateKey(key),
        outputs::EmitError::DuplicateOutput => EmitError::DuplicateOutput,
        outputs::EmitError::TooLarge(limit) => EmitError::TooLarge(limit),
        outputs::EmitError::Cancelled => EmitError::Cancelled,
    })
}

/// The run that this step belongs to.
#[must_use]
pub fn run_id() -> String {
    step::run_id()
}

/// The step, such as `size[readme_md]`.
#[must_use]
pub fn step_key() -> String {
    step::step_key()
}

/// The mapping keys of this clone, outermost first; empty outside a map.
#[must_use]
pub fn mapping_keys() -> Vec<String> {
    step::mapping_keys()
}

/// 1 for the first attempt.
#[must_use]
pub fn attempt() -> u32 {
    step::attempt()
}

/// The configuration of the op as JSON text; `null` where the job gives none.
#[must_use]
pub fn config() -> String {
    step::config()
}

/// Writes one message with its fields to the step's log.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Trace => step::Level::Trace,
        Level::Debug => step::Level::Debug,
        Level::Info => step::Level::Info,
        Level::Warn => step::Level::Warn,
        Level::Error => step::Level::Error,
    };
    step::log(level, message, fields);
}

/// Says how far the step is. The unit is the op's own.
pub fn progress(done: u64, total: Option<u64>) {
    step::progress(done, total);
}
