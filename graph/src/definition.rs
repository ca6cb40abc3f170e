//! What an op says of itself: its inputs, outputs and configuration (`describe` in the WIT).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::name::{NameError, check_name};

/// One op of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpDefinition {
    /// Unique within the component.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// In the order in which the op declares them.
    pub inputs: Vec<InputDefinition>,
    /// In the order in which the op declares them.
    pub outputs: Vec<OutputDefinition>,
    /// JSON Schema of the configuration; `None`: the op takes none.
    pub config_schema: Option<Json>,
}

/// What an op takes under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputDefinition {
    /// Unique among the op's inputs.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Whether a job must wire this input.
    pub required: bool,
    /// Whether the op pulls the elements one batch at a time.
    pub collected: bool,
    /// JSON Schema of the value (of each element, for a collected input); `None`: any bytes.
    pub schema: Option<Json>,
}

/// What an op gives under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputDefinition {
    /// Unique among the op's outputs.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Whether a run that succeeds has given it (`semantics.md` rule 14).
    pub required: bool,
    /// Whether it is given any number of times, each with a mapping key.
    pub dynamic: bool,
    /// JSON Schema of the value (of each element, for a dynamic output); `None`: any bytes.
    pub schema: Option<Json>,
}

impl OpDefinition {
    /// The position and definition of the input called `name`.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<(usize, &InputDefinition)> {
        self.inputs.iter().enumerate().find(|(_, input)| input.name == name)
    }

    /// The position and definition of the output called `name`.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<(usize, &OutputDefinition)> {
        self.outputs.iter().enumerate().find(|(_, output)| output.name == name)
    }
}

/// What is wrong with the definitions that a component gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// The component describes no op at all.
    #[error("the component describes no op")]
    NoOps,
    /// A name is not a name.
    #[error("`{name}` is no name for {what}")]
    Name {
        /// What the name is of, such as "an input of `size`".
        what: String,
        /// The offending name.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// Two things of a kind share one name.
    #[error("`{name}` is the name of more than one {what}")]
    Duplicate {
        /// What the names are of, such as "input of `size`".
        what: String,
        /// The name.
        name: String,
    },
}

/// Checks what serves as a component's description of itself: at least one op, names well
/// formed and unique.
///
/// # Errors
/// The first thing found wrong.
pub fn check_definitions(ops: &[OpDefinition]) -> Result<(), DefinitionError> {
    if ops.is_empty() {
        return Err(DefinitionError::NoOps);
    }
    check_names("op", ops.iter().map(|op| op.name.as_str()))?;
    for op in ops {
        let inputs = op.inputs.iter().map(|input| input.name.as_str());
        check_names(&format!("input of `{}`", op.name), inputs)?;
        let outputs = op.outputs.iter().map(|output| output.name.as_str());
        check_names(&format!("output of `{}`", op.name), outputs)?;
    }
    Ok(())
}

fn check_names<'a>(
    what: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), DefinitionError> {
    let mut seen = HashSet::new();
    for name in names {
        check_name(name).map_err(|source| DefinitionError::Name {
            what: format!("an {what}"),
            name: name.to_owned(),
            source,
        })?;
        if !seen.insert(name) {
            return Err(DefinitionError::Duplicate {
                what: what.to_owned(),
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}
