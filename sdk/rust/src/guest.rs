//! A list of ops as the exports of a component.

use crate::bindings::dynhost::op::{step, types};
use crate::bindings::exports::dynhost::op::op;
use crate::raw::{InputDefinition, InputValue, Op, OpDefinition, Output, OutputDefinition};
use crate::{Blob, Failure, failure::Retry, raw};
use std::marker::PhantomData;

/// Where the exports of a component find its ops.
pub trait Library {
    /// The ops.
    const OPS: &'static [Op];
}

/// The exports of the component whose ops `L` lists.
pub struct Guest<L>(PhantomData<L>);

impl<L: Library> op::Guest for Guest<L> {
    fn describe() -> Vec<types::OpDefinition> {
        L::OPS.iter().map(|op| (op.definition)().into()).collect()
    }

    fn run(
        name: String,
        inputs: Vec<(String, op::InputValue)>,
    ) -> Result<Vec<types::OutputResult>, types::Failure> {
        report_panics();
        let Some(op) = L::OPS.iter().find(|op| op.name == name) else {
            let names: Vec<_> = L::OPS.iter().map(|op| op.name).collect();
            let message =
                format!("this component has no op `{name}`; its ops are {}", names.join(", "));
            return Err(Failure::permanent(message).into());
        };
        let inputs = inputs.into_iter().map(|(name, value)| (name, value.into())).collect();
        match (op.run)(inputs) {
            Ok(outputs) => Ok(outputs.into_iter().map(Into::into).collect()),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// A panic ends in a trap, which has no words: they go to the step's log.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| step::log(step::Level::Error, &panic.to_string(), &[])));
}

impl From<op::InputValue> for InputValue {
    fn from(value: op::InputValue) -> Self {
        match value {
            op::InputValue::Single(value) => Self::Single(value.into()),
            op::InputValue::Many(values) => {
                Self::Many(values.into_iter().map(Into::into).collect())
            }
            op::InputValue::Collected(handle) => Self::Collected(raw::Collected::new(handle)),
            op::InputValue::Absent => Self::Absent,
        }
    }
}

impl From<types::ValueResult> for Blob {
    fn from(value: types::ValueResult) -> Self {
        Self { media_type: value.media_type, data: value.data }
    }
}

impl From<Blob> for types::ValueResult {
    fn from(blob: Blob) -> Self {
        Self { media_type: blob.media_type, data: blob.data }
    }
}

impl From<Output> for types::OutputResult {
    fn from(output: Output) -> Self {
        Self { name: output.name, mapping_key: output.mapping_key, value: output.value.into() }
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        let (retry, message, detail) = failure.into_parts();
        let detail = types::FailureDetail { message, detail: detail.map(Into::into) };
        match retry {
            Retry::Never => Self::Permanent(detail),
            Retry::Allowed => Self::Transient(detail),
            Retry::After(delay) => {
                Self::RetryAfter((detail, u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
            }
        }
    }
}

impl From<OpDefinition> for types::OpDefinition {
    fn from(op: OpDefinition) -> Self {
        Self {
            name: op.name,
            description: op.description,
            inputs: op.inputs.into_iter().map(Into::into).collect(),
            outputs: op.outputs.into_iter().map(Into::into).collect(),
            config_schema: op.config_schema,
        }
    }
}

impl From<InputDefinition> for types::InputDefinition {
    fn from(input: InputDefinition) -> Self {
        let InputDefinition { name, description, required, collected, schema } = input;
        Self { name, description, required, collected, schema }
    }
}

impl From<OutputDefinition> for types::OutputDefinition {
    fn from(output: OutputDefinition) -> Self {
        let OutputDefinition { name, description, required, dynamic, schema } = output;
        Self { name, description, required, dynamic, schema }
    }
}
