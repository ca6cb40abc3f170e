//! What feeds an input or an output of a job under construction.

use serde_json::{Value as Json, json};

use super::NodeBuilder;

/// An output of a node under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output(pub(super) String);

impl From<&NodeBuilder> for Output {
    /// The one output of a node that has no other.
    fn from(node: &NodeBuilder) -> Self {
        Self(node.name().to_owned())
    }
}

impl From<NodeBuilder> for Output {
    fn from(node: NodeBuilder) -> Self {
        Self::from(&node)
    }
}

impl From<&Output> for Output {
    fn from(output: &Output) -> Self {
        output.clone()
    }
}

impl From<&str> for Output {
    /// `"node"` or `"node.output"`.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What feeds an input or an output. A node or an [`Output`] alone stands for its ordinary value.
#[derive(Debug, Clone, PartialEq)]
pub struct Wire(Json);

impl<O: Into<Output>> From<O> for Wire {
    fn from(output: O) -> Self {
        Self::from_output(output)
    }
}

impl Wire {
    /// A literal.
    #[must_use]
    pub fn value(value: impl Into<Json>) -> Self {
        Self(json!({ "value": value.into() }))
    }

    /// A param of the job.
    #[must_use]
    pub fn param(name: impl AsRef<str>) -> Self {
        Self(json!({ "param": name.as_ref() }))
    }

    /// An input of the graph that it stands in.
    #[must_use]
    pub fn input(name: &str) -> Self {
        Self(json!({ "input": name }))
    }

    /// An ordinary output.
    #[must_use]
    pub fn from_output(output: impl Into<Output>) -> Self {
        Self(json!({ "from": output.into().0 }))
    }

    /// Per element of a dynamic output, or per clone of a mapped node.
    #[must_use]
    pub fn map(output: impl Into<Output>) -> Self {
        Self(json!({ "map": output.into().0 }))
    }

    /// The values of all clones of the innermost map, as a list.
    #[must_use]
    pub fn collect(output: impl Into<Output>) -> Self {
        Self(json!({ "collect": output.into().0 }))
    }

    /// Several ordinary values as a list.
    #[must_use]
    pub fn list(elements: impl IntoIterator<Item = impl Into<Wire>>) -> Self {
        Self(elements.into_iter().map(|element| element.into().0).collect())
    }

    pub(super) fn into_json(self) -> Json {
        self.0
    }
}
