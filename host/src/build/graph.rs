//! A graph of a job under construction.

use serde_json::json;

use super::text;
use super::{NodeBuilder, Shared, Wire};

/// A graph of a job under construction: nodes that are used together as one node
/// ([`NodeBuilder::graph`]).
///
/// ```
/// use dynhost::JobBuilder;
///
/// let job = JobBuilder::new("clean");
/// let texts = job.component("texts", "texts.wasm");
/// let clean = job.graph("clean");
/// let text = clean.input("text");
/// let trim = clean.node("trim").op(&texts, "trim").wire("text", text);
/// let lower = clean.node("lower").op(&texts, "lower").from("text", &trim);
/// clean.output("text", &lower);
/// let list = job.node("list").op(&texts, "list");
/// job.node("each").graph(&clean).map("text", &list);
/// assert!(job.text().contains("[graphs.clean.nodes.trim]"));
/// ```
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    shared: Shared,
    at: usize,
    name: String,
}

impl GraphBuilder {
    pub(super) fn new(shared: Shared, name: &str) -> Self {
        let at = shared.lock().add_graph(name);
        Self { shared, at, name: name.to_owned() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says what the graph does, for people.
    pub fn describe(self, description: &str) -> Self {
        let at = self.at;
        self.shared.section(
            |draft| &mut draft.graphs[at].about,
            "description",
            &json!(description),
        );
        self
    }

    /// Declares an input: every use of the graph wires it, and nodes inside take it with [`Wire::input`].
    pub fn input(&self, name: &str) -> Wire {
        let at = self.at;
        self.shared.section(|draft| &mut draft.graphs[at].inputs, &text::key(name), &json!({}));
        Wire::input(name)
    }

    /// Adds a node.
    pub fn node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(self.shared.clone(), Some(self.at), name)
    }

    /// Gives the graph an output.
    pub fn output(&self, name: &str, source: impl Into<Wire>) {
        let at = self.at;
        let wire = source.into().into_json();
        self.shared.section(|draft| &mut draft.graphs[at].body.outputs, &text::key(name), &wire);
    }
}
