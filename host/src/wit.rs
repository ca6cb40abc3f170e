//! The types of `wit/op.wit` as wasmtime lifts and lowers them.
//!
//! Written by hand rather than generated, so that what goes into a guest is lowered from
//! borrowed bytes, and what a guest emits is checked before it is copied out.

use dynhost_graph::definition::{InputDefinition, OpDefinition, OutputDefinition};
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmList, WasmStr};

/// The package that guests and host have in common, with its version.
pub(crate) const INTERFACE: &str = "dynhost:op@0.1.0";
/// The names of its interfaces.
pub(crate) const TYPES: &str = "dynhost:op/types@0.1.0";
pub(crate) const OUTPUTS: &str = "dynhost:op/outputs@0.1.0";
pub(crate) const INPUTS: &str = "dynhost:op/inputs@0.1.0";
pub(crate) const STEP: &str = "dynhost:op/step@0.1.0";
pub(crate) const OP: &str = "dynhost:op/op@0.1.0";

/// `types.value`, on its way into a guest.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct ValueIn<'a> {
    #[component(name = "media-type")]
    pub(crate) media_type: &'a str,
    pub(crate) data: &'a [u8],
}

impl<'a> ValueIn<'a> {
    pub(crate) fn new(value: &'a dynhost_graph::value::Value) -> Self {
        Self { media_type: value.media_type.as_str(), data: &value.data }
    }
}

/// `inputs.element`, on its way into a guest. What a host function gives must own its bytes.
#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct ElementIn {
    #[component(name = "mapping-key")]
    mapping_key: String,
    value: OwnedValueIn,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct OwnedValueIn {
    #[component(name = "media-type")]
    media_type: String,
    data: Vec<u8>,
}

impl ElementIn {
    pub(crate) fn new(element: &dynhost_graph::scheduler::Element) -> Self {
        Self {
            mapping_key: element.key.as_str().to_owned(),
            value: OwnedValueIn {
                media_type: element.value.media_type.as_str().to_owned(),
                data: element.value.data.to_vec(),
            },
        }
    }
}

/// `op.input-value`.
#[derive(Debug, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum InputIn<'a> {
    #[component(name = "single")]
    Single(ValueIn<'a>),
    #[component(name = "many")]
    Many(Vec<ValueIn<'a>>),
    #[component(name = "collected")]
    Collected(Resource<CollectedMarker>),
    #[component(name = "absent")]
    Absent,
}

/// What a `collected` handle stands for: its number is a place in the step's list.
#[derive(Debug)]
pub(crate) struct CollectedMarker;

/// `types.value` as it lies in the memory of a guest that emits it.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ValueInPlace {
    #[component(name = "media-type")]
    pub(crate) media_type: WasmStr,
    pub(crate) data: WasmList<u8>,
}

/// `types.output` as it lies in the memory of a guest that emits it.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutputInPlace {
    pub(crate) name: WasmStr,
    #[component(name = "mapping-key")]
    pub(crate) mapping_key: Option<WasmStr>,
    pub(crate) value: ValueInPlace,
}

/// `types.value`, taken out of a guest.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct ValueOut {
    #[component(name = "media-type")]
    pub(crate) media_type: String,
    pub(crate) data: Vec<u8>,
}

/// `types.output`, returned by a guest.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutputOut {
    pub(crate) name: String,
    #[component(name = "mapping-key")]
    pub(crate) mapping_key: Option<String>,
    pub(crate) value: ValueOut,
}

/// `types.failure-detail`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct FailureDetail {
    pub(crate) message: String,
    pub(crate) detail: Option<ValueOut>,
}

/// `types.failure`.
#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum FailureOut {
    #[component(name = "permanent")]
    Permanent(FailureDetail),
    #[component(name = "transient")]
    Transient(FailureDetail),
    #[component(name = "retry-after")]
    RetryAfter((FailureDetail, u64)),
}

/// `outputs.emit-error`.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum EmitError {
    #[component(name = "unknown-output")]
    UnknownOutput,
    #[component(name = "missing-key")]
    MissingKey,
    #[component(name = "unexpected-key")]
    UnexpectedKey,
    #[component(name = "invalid-key")]
    InvalidKey(String),
    #[component(name = "duplicate-key")]
    DuplicateKey(String),
    #[component(name = "duplicate-output")]
    DuplicateOutput,
    #[component(name = "too-large")]
    TooLarge(u64),
    #[component(name = "cancelled")]
    #[expect(
        dead_code,
        reason = "a guest that waits in emit when its run is cancelled is interrupted there"
    )]
    Cancelled,
}

/// `step.level`.
#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting")]
pub(crate) enum LevelOut {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<LevelOut> for dynhost_graph::event::Level {
    fn from(level: LevelOut) -> Self {
        match level {
            LevelOut::Trace => Self::Trace,
            LevelOut::Debug => Self::Debug,
            LevelOut::Info => Self::Info,
            LevelOut::Warn => Self::Warn,
            LevelOut::Error => Self::Error,
        }
    }
}

/// `types.input-definition`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct InputDefinitionOut {
    name: String,
    description: String,
    required: bool,
    collected: bool,
    schema: Option<String>,
}

/// `types.output-definition`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutputDefinitionOut {
    name: String,
    description: String,
    required: bool,
    dynamic: bool,
    schema: Option<String>,
}

/// `types.op-definition`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OpDefinitionOut {
    name: String,
    description: String,
    inputs: Vec<InputDefinitionOut>,
    outputs: Vec<OutputDefinitionOut>,
    #[component(name = "config-schema")]
    config_schema: Option<String>,
}

/// A schema in a definition that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the schema of {what} is not JSON")]
pub struct SchemaError {
    what: String,
    source: serde_json::Error,
}

impl OpDefinitionOut {
    pub(crate) fn into_definition(self) -> Result<OpDefinition, SchemaError> {
        let schema = |what: String, text: Option<String>| {
            text.map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|source| SchemaError { what, source })
        };
        let op = self.name;
        let inputs = self.inputs.into_iter().map(|input| {
            Ok(InputDefinition {
                schema: schema(format!("input `{}` of op `{op}`", input.name), input.schema)?,
                name: input.name,
                description: input.description,
                required: input.required,
                collected: input.collected,
            })
        });
        let inputs = inputs.collect::<Result<_, _>>()?;
        let outputs = self.outputs.into_iter().map(|output| {
            Ok(OutputDefinition {
                schema: schema(format!("output `{}` of op `{op}`", output.name), output.schema)?,
                name: output.name,
                description: output.description,
                required: output.required,
                dynamic: output.dynamic,
            })
        });
        let outputs = outputs.collect::<Result<_, _>>()?;
        let config_schema = schema(format!("the configuration of op `{op}`"), self.config_schema)?;
        Ok(OpDefinition { name: op, description: self.description, inputs, outputs, config_schema })
    }
}
