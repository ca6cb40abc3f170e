//! The interface as it is, without the comforts of `#[op]`.
//!
//! For ops whose ports are not known when they are compiled, and for tests of a host: nothing here checks that an op
//! keeps to its definition. A component of such ops is a list of [`Op`]s, exported with
//! [`export!`](crate::export_raw).

use crate::{Blob, Failure};
use std::fmt::{self, Display};

pub use crate::definition::{InputDefinition, OpDefinition, OutputDefinition};
pub use crate::export_raw as export;
pub use crate::host::{
    Collected, attempt, config, emit, log, mapping_keys, progress, run_id, step_key,
};

/// One op: its name, what it takes and gives, and what it does.
#[derive(Clone, Copy)]
pub struct Op {
    /// Unique within the component; the same as in the definition.
    pub name: &'static str,
    /// What the op takes and gives. Called without any authority; the answer must be the same each time.
    pub definition: fn() -> OpDefinition,
    /// Runs the op. Outputs that were not emitted may be returned.
    pub run: fn(Inputs) -> Result<Vec<Output>, Failure>,
}

/// The inputs of a run by name, each once, in the order of the definition.
pub type Inputs = Vec<(String, InputValue)>;

/// One input of a run.
#[derive(Debug)]
pub enum InputValue {
    /// One value.
    Single(Blob),
    /// Several values at once, in order.
    Many(Vec<Blob>),
    /// Elements to be pulled; given for inputs that are declared collected.
    Collected(Collected),
    /// An input that is not required and that the job does not wire, or whose source was skipped.
    Absent,
}

/// One output of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The name of an output in the op's definition.
    pub name: String,
    /// Present exactly when the output is declared dynamic.
    pub mapping_key: Option<String>,
    /// What is given.
    pub value: Blob,
}

/// One element of a collected input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The mapping key under which the element was emitted; its position where the elements come from a list.
    pub mapping_key: String,
    /// What was emitted.
    pub value: Blob,
}

/// Why an output was not accepted.
///
/// Each of these but `Cancelled` fails the step, whatever the op does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// The op's definition has no output of this name.
    UnknownOutput,
    /// The output is dynamic and no mapping key was given.
    MissingKey,
    /// The output is not dynamic and a mapping key was given.
    UnexpectedKey,
    /// The mapping key is malformed; the text says how.
    InvalidKey(String),
    /// This key was already given for this output in this step.
    DuplicateKey(String),
    /// An output that is not dynamic was given a second time.
    DuplicateOutput,
    /// The value is larger than the step may give; the limit in bytes.
    TooLarge(u64),
    /// The run is being cancelled: give up soon.
    Cancelled,
}

impl Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOutput => f.write_str("the op has no output of this name"),
            Self::MissingKey => f.write_str("a dynamic output needs a mapping key"),
            Self::UnexpectedKey => {
                f.write_str("an output that is not dynamic takes no mapping key")
            }
            Self::InvalidKey(how) => write!(f, "the mapping key is malformed: {how}"),
            Self::DuplicateKey(key) => write!(f, "the mapping key `{key}` was already given"),
            Self::DuplicateOutput => {
                f.write_str("the output was already given, and it is not dynamic")
            }
            Self::TooLarge(limit) => {
                write!(f, "the value is larger than the {limit} bytes that the step may give")
            }
            Self::Cancelled => f.write_str("the run is being cancelled"),
        }
    }
}

impl std::error::Error for EmitError {}
