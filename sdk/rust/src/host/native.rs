//! A stand-in for the host outside wasm: what a test says about the step, and what the op did, per thread.

use crate::Blob;
use crate::key::check_mapping_key;
use crate::raw::{Element, EmitError, OpDefinition, Output};
use crate::step::Level;
use std::cell::RefCell;
use std::collections::VecDeque;

/// One step of a test.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "a step key is called that everywhere")]
pub(crate) struct Step {
    pub(crate) run_id: String,
    pub(crate) step_key: String,
    pub(crate) mapping_keys: Vec<String>,
    pub(crate) attempt: u32,
    pub(crate) config: String,
    pub(crate) definition: Option<OpDefinition>,
    pub(crate) outputs: Vec<Output>,
    /// The first violation of the contract: like a host, the stand-in does not let the op swallow it.
    pub(crate) violation: Option<String>,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) progress: Option<(u64, Option<u64>)>,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            run_id: "test".to_owned(),
            step_key: "test".to_owned(),
            mapping_keys: Vec::new(),
            attempt: 1,
            config: "null".to_owned(),
            definition: None,
            outputs: Vec::new(),
            violation: None,
            logs: Vec::new(),
            progress: None,
        }
    }
}

thread_local! {
    static STEP: RefCell<Step> = RefCell::default();
}

/// Makes `step` the step of this thread and gives back the one before.
pub(crate) fn replace_step(step: Step) -> Step {
    STEP.replace(step)
}

impl Step {
    /// Takes one output, under the rules of the interface.
    pub(crate) fn accept(&mut self, output: Output) -> Result<(), EmitError> {
        let checked = self.check(&output);
        match &checked {
            Ok(()) => self.outputs.push(output),
            Err(error) => {
                let words = || match &output.mapping_key {
                    Some(key) => format!("output `{}`, mapping key `{key}`: {error}", output.name),
                    None => format!("output `{}`: {error}", output.name),
                };
                self.violation.get_or_insert_with(words);
            }
        }
        checked
    }

    fn check(&self, output: &Output) -> Result<(), EmitError> {
        let Some(definition) = &self.definition else { return Ok(()) };
        let port = definition
            .outputs
            .iter()
            .find(|port| port.name == output.name)
            .ok_or(EmitError::UnknownOutput)?;
        let mut earlier = self.outputs.iter().filter(|earlier| earlier.name == output.name);
        match (&output.mapping_key, port.dynamic) {
            (None, true) => Err(EmitError::MissingKey),
            (Some(_), false) => Err(EmitError::UnexpectedKey),
            (None, false) if earlier.next().is_some() => Err(EmitError::DuplicateOutput),
            (None, false) => Ok(()),
            (Some(key), true) => {
                check_mapping_key(key).map_err(EmitError::InvalidKey)?;
                if earlier.any(|earlier| earlier.mapping_key.as_ref() == Some(key)) {
                    return Err(EmitError::DuplicateKey(key.clone()));
                }
                Ok(())
            }
        }
    }
}

/// The elements of a collected input, in the order of their emission.
#[derive(Debug)]
pub struct Collected {
    len: u64,
    elements: VecDeque<Element>,
    failed_keys: Vec<String>,
}

impl Collected {
    /// A collected input with these elements, for tests.
    #[must_use]
    pub fn new(elements: Vec<Element>, failed_keys: Vec<String>) -> Self {
        Self { len: elements.len() as u64, elements: elements.into(), failed_keys }
    }

    /// How many elements there are in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next elements, `max` at most and at least one, or none at the end.
    pub fn next(&mut self, max: u32) -> Vec<Element> {
        let count = self.elements.len().min(max.max(1) as usize);
        self.elements.drain(..count).collect()
    }

    /// The mapping keys of the clones that failed where the job tolerates failures.
    #[must_use]
    pub fn failed_keys(&self) -> Vec<String> {
        self.failed_keys.clone()
    }
}

/// Gives one output now. The host may suspend the op in this call until its clones have caught up.
///
/// # Errors
/// Why the output was not accepted.
pub fn emit(output: Output) -> Result<(), EmitError> {
    STEP.with_borrow_mut(|step| step.accept(output))
}

/// [`emit`], from where the parts of the output lie.
pub(crate) fn emit_from(
    name: &str,
    mapping_key: Option<&str>,
    value: &Blob,
) -> Result<(), EmitError> {
    emit(Output {
        name: name.to_owned(),
        mapping_key: mapping_key.map(str::to_owned),
        value: value.clone(),
    })
}

/// The run that this step belongs to.
#[must_use]
pub fn run_id() -> String {
    STEP.with_borrow(|step| step.run_id.clone())
}

/// The step, such as `size[readme_md]`.
#[must_use]
pub fn step_key() -> String {
    STEP.with_borrow(|step| step.step_key.clone())
}

/// The mapping keys of this clone, outermost first; empty outside a map.
#[must_use]
pub fn mapping_keys() -> Vec<String> {
    STEP.with_borrow(|step| step.mapping_keys.clone())
}

/// 1 for the first attempt.
#[must_use]
pub fn attempt() -> u32 {
    STEP.with_borrow(|step| step.attempt)
}

/// The configuration of the op as JSON text; `null` where the job gives none.
#[must_use]
pub fn config() -> String {
    STEP.with_borrow(|step| step.config.clone())
}

/// Writes one message with its fields to the step's log.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let mut message = message.to_owned();
    for (name, value) in fields {
        message = format!("{message} {name}={value}");
    }
    STEP.with_borrow_mut(|step| step.logs.push((level, message)));
}

/// Says how far the step is. The unit is the op's own.
pub fn progress(done: u64, total: Option<u64>) {
    STEP.with_borrow_mut(|step| step.progress = Some((done, total)));
}
