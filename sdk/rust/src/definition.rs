//! What an op takes and gives, as the host reads it: the definitions of the interface `types`.

/// One op of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpDefinition {
    /// Unique within the component.
    pub name: String,
    /// One or more sentences for people; may be empty.
    pub description: String,
    /// What it takes.
    pub inputs: Vec<InputDefinition>,
    /// What it gives.
    pub outputs: Vec<OutputDefinition>,
    /// JSON Schema of the configuration; none where the op takes no configuration.
    pub config_schema: Option<String>,
}

/// What an op takes under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDefinition {
    /// Unique among the inputs of the op.
    pub name: String,
    /// One or more sentences for people; may be empty.
    pub description: String,
    /// Whether a job must wire this input.
    pub required: bool,
    /// Whether the op pulls this input element by element.
    pub collected: bool,
    /// JSON Schema of the value, or of each element of a collected input; none for bytes of any media type.
    pub schema: Option<String>,
}

/// What an op gives under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputDefinition {
    /// Unique among the outputs of the op.
    pub name: String,
    /// One or more sentences for people; may be empty.
    pub description: String,
    /// Whether a run that succeeds has given it. A required dynamic output may have no element.
    pub required: bool,
    /// Whether it may be given any number of times, each with a mapping key.
    pub dynamic: bool,
    /// JSON Schema of the value, or of each element of a dynamic output; none for bytes of any media type.
    pub schema: Option<String>,
}
