//! Running ops on the machine that builds them, as a host would: by name, with JSON inputs.
//!
//! A function with `#[op]` is still a plain function, and calling it is the simplest test. This module is for what the
//! function alone does not show: the definition, the conversion of inputs and outputs, the rules of the interface.
//!
//! ```
//! use dynhost_sdk::prelude::*;
//! use dynhost_sdk::{serde_json::json, testing};
//!
//! /// Doubles a number.
//! #[op]
//! fn double(x: u32) -> u32 {
//!     x * 2
//! }
//! export_ops!(double);
//!
//! let outcome = testing::step(OPS, "double").input("x", 21).run();
//! assert_eq!(outcome.json("result"), json!(42));
//! assert_eq!(testing::definition(OPS, "double").description, "Doubles a number.");
//! ```

use crate::host::native::{Step as HostStep, replace_step};
use crate::raw::{self, Element, InputValue, Inputs, Op, OpDefinition, Output};
use crate::step::Level;
use crate::{Blob, Encode, Failure};
use serde_json::Value as Json;

/// The definition of one op.
///
/// # Panics
/// When there is no op of this name.
#[must_use]
pub fn definition(ops: &[Op], name: &str) -> OpDefinition {
    (find(ops, name).definition)()
}

fn find(ops: &[Op], name: &str) -> Op {
    let names: Vec<_> = ops.iter().map(|op| op.name).collect();
    *ops.iter()
        .find(|op| op.name == name)
        .unwrap_or_else(|| panic!("no op `{name}`; there are {}", names.join(", ")))
}

/// One step to be run: an op, and what a job would give it.
#[derive(Debug)]
#[must_use = "a step does nothing until it is run"]
pub struct Step {
    run: fn(Inputs) -> Result<Vec<Output>, Failure>,
    definition: OpDefinition,
    inputs: Inputs,
    host: HostStep,
}

/// A step of the op of this name, as yet without inputs.
///
/// # Panics
/// When there is no op of this name.
pub fn step(ops: &[Op], name: &str) -> Step {
    let op = find(ops, name);
    let definition = (op.definition)();
    let host = HostStep {
        step_key: name.to_owned(),
        definition: Some(definition.clone()),
        ..HostStep::default()
    };
    Step { run: op.run, definition, inputs: Vec::new(), host }
}

impl Step {
    /// Gives one value: anything that an op can give, a [`Json`] or a [`Blob`] too.
    ///
    /// # Panics
    /// When the op has no input of this name or the value has no JSON form.
    pub fn input(self, name: &str, value: impl Encode) -> Self {
        let value = encode(value);
        self.with(name, InputValue::Single(value))
    }

    /// Gives several values at once, as a job does that collects into a list.
    ///
    /// # Panics
    /// As [`Step::input`].
    pub fn many<T: Encode>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values = values.into_iter().map(encode).collect();
        self.with(name, InputValue::Many(values))
    }

    /// Gives elements with their mapping keys to a collected input.
    ///
    /// # Panics
    /// As [`Step::input`].
    pub fn collected<K: Into<String>, T: Encode>(
        self,
        name: &str,
        elements: impl IntoIterator<Item = (K, T)>,
    ) -> Self {
        let element =
            |(key, value): (K, T)| Element { mapping_key: key.into(), value: encode(value) };
        let elements = elements.into_iter().map(element).collect();
        self.with(name, InputValue::Collected(raw::Collected::new(elements, Vec::new())))
    }

    fn with(mut self, name: &str, value: InputValue) -> Self {
        let known = self.definition.inputs.iter().any(|input| input.name == name);
        assert!(known, "op `{}` has no input `{name}`", self.definition.name);
        self.inputs.push((name.to_owned(), value));
        self
    }

    /// Sets the configuration.
    pub fn config(mut self, config: &Json) -> Self {
        self.host.config = config.to_string();
        self
    }

    /// Makes the step a clone with these mapping keys, outermost first.
    pub fn mapping_keys<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        for key in keys {
            let key = key.into();
            self.host.step_key = format!("{}[{key}]", self.host.step_key);
            self.host.mapping_keys.push(key);
        }
        self
    }

    /// Sets which attempt this is; the first is 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.host.attempt = attempt;
        self
    }

    /// Runs the step. A violation of the interface's rules is the step's failure, as it is in a host.
    #[must_use]
    pub fn run(self) -> Outcome {
        let before = replace_step(self.host);
        let returned = (self.run)(self.inputs);
        let mut host = replace_step(before);
        let result = returned.and_then(|outputs| {
            for output in outputs {
                // The violation is kept in the step.
                let _ = host.accept(output);
            }
            let is_given = |name: &str| host.outputs.iter().any(|output| output.name == name);
            let missing = self
                .definition
                .outputs
                .iter()
                .find(|port| port.required && !port.dynamic && !is_given(&port.name));
            match missing {
                Some(port) => Err(Failure::permanent(format!(
                    "output `{}` is required and was not given",
                    port.name
                ))),
                None => Ok(()),
            }
        });
        let result = host.violation.map_or(result, |violation| Err(Failure::permanent(violation)));
        Outcome { result, outputs: host.outputs, logs: host.logs, progress: host.progress }
    }
}

fn encode(value: impl Encode) -> Blob {
    value.encode().unwrap_or_else(|failure| panic!("{failure}"))
}

/// What became of a step.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the step succeeded.
    pub result: Result<(), Failure>,
    /// What it gave, in order, also where it failed later.
    pub outputs: Vec<Output>,
    /// What it wrote to its log.
    pub logs: Vec<(Level, String)>,
    /// How far it last said to be, and of how much.
    pub progress: Option<(u64, Option<u64>)>,
}

impl Outcome {
    /// The value of an output that is not dynamic, or nothing where it was not given.
    ///
    /// # Panics
    /// When the step failed.
    #[must_use]
    pub fn blob(&self, name: &str) -> Option<&Blob> {
        self.given(name).map(|output| &output.value).next()
    }

    /// The JSON value of an output that is not dynamic.
    ///
    /// # Panics
    /// When the step failed, did not give the output, or gave something else than JSON.
    #[must_use]
    pub fn json(&self, name: &str) -> Json {
        parse(self.blob(name).unwrap_or_else(|| panic!("output `{name}` was not given")))
    }

    /// The mapping keys and JSON values of a dynamic output, in the order of their emission.
    ///
    /// # Panics
    /// When the step failed or gave something else than JSON.
    #[must_use]
    pub fn dynamic(&self, name: &str) -> Vec<(&str, Json)> {
        self.given(name)
            .map(|output| (output.mapping_key.as_deref().unwrap_or_default(), parse(&output.value)))
            .collect()
    }

    /// Why the step failed.
    ///
    /// # Panics
    /// When it succeeded.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        self.result.as_ref().expect_err("the step succeeded")
    }

    fn given(&self, name: &str) -> impl Iterator<Item = &Output> {
        if let Err(failure) = &self.result {
            panic!("the step failed: {failure}");
        }
        self.outputs.iter().filter(move |output| output.name == name)
    }
}

fn parse(blob: &Blob) -> Json {
    serde_json::from_slice(&blob.data)
        .unwrap_or_else(|error| panic!("`{}` is not JSON: {error}", blob.media_type))
}
