//! The graph of a manifest, as it is written: nodes, what feeds them, and inside which maps they
//! stand. Needs no component, but knows more where the components are there.

pub(crate) mod dot;
pub(crate) mod mermaid;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use dynhost::graph::definition::OpDefinition;
use dynhost::graph::manifest::{
    Body, Combine, Feed, Manifest, NodeEntry, NodeTarget, Reference, ReferenceKind, Target, Wiring,
};
use serde::Serialize;

use super::words;

/// The ops of the components that could be loaded, by alias.
pub(crate) type Ops = BTreeMap<String, Vec<Arc<OpDefinition>>>;

/// A job, or a graph that is used as a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drawing {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Those that others depend on stand first.
    pub(crate) nodes: Vec<DrawnNode>,
    pub(crate) outputs: Vec<DrawnWire>,
    /// The graphs of the manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) graphs: Vec<Drawing>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DrawnNode {
    pub(crate) name: String,
    /// The op, or `graph NAME`.
    pub(crate) uses: String,
    /// The fan-outs that the node is mapped over, outermost first.
    pub(crate) each: Vec<String>,
    pub(crate) inputs: Vec<DrawnWire>,
    pub(crate) after: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) combine: Option<&'static str>,
}

/// An input or output, and what feeds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DrawnWire {
    pub(crate) name: String,
    pub(crate) feeds: Vec<DrawnFeed>,
}

/// What feeds an input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DrawnFeed {
    pub(crate) kind: FeedKind,
    /// A node's output, a param's name, or a literal.
    pub(crate) of: String,
    /// The node, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
}

/// The kinds of references, by their key in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FeedKind {
    Value,
    Param,
    Input,
    From,
    Map,
    Collect,
}

impl FeedKind {
    /// The word before what is referred to; none for an ordinary output.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Value | Self::From => "",
            Self::Param => "param ",
            Self::Input => "input ",
            Self::Map => "map ",
            Self::Collect => "collect ",
        }
    }
}

/// Draws a manifest.
pub(crate) fn draw(manifest: &Manifest, ops: &Ops) -> Drawing {
    let graphs = manifest.graphs.iter().map(|graph| {
        let pen = Pen { body: &graph.body, ops };
        pen.draw(&graph.name.value, &graph.description)
    });
    let pen = Pen { body: &manifest.body, ops };
    Drawing { graphs: graphs.collect(), ..pen.draw(&manifest.name.value, &manifest.description) }
}

struct Pen<'a> {
    body: &'a Body,
    ops: &'a Ops,
}

impl<'a> Pen<'a> {
    fn draw(&self, name: &str, description: &str) -> Drawing {
        let mut ordered = Vec::new();
        for node in &self.body.nodes {
            self.order(node, &mut Vec::new(), &mut ordered);
        }
        Drawing {
            name: name.to_owned(),
            description: description.to_owned(),
            nodes: ordered.into_iter().map(|node| self.node(node)).collect(),
            outputs: self.body.outputs.iter().map(wire).collect(),
            graphs: Vec::new(),
        }
    }

    /// Puts a node behind all that it depends on.
    fn order(
        &self,
        node: &'a NodeEntry,
        path: &mut Vec<&'a str>,
        ordered: &mut Vec<&'a NodeEntry>,
    ) {
        let name = node.name.value.as_str();
        let done = ordered.iter().any(|other| other.name.value == name);
        if done || path.contains(&name) {
            return;
        }
        path.push(name);
        let targets = references(node).filter_map(Reference::target).map(|target| &*target.node);
        let after = node.after.iter().map(|after| &*after.value);
        for needed in targets.chain(after).filter_map(|needed| self.find(needed)) {
            self.order(needed, path, ordered);
        }
        path.pop();
        ordered.push(node);
    }

    fn find(&self, name: &str) -> Option<&'a NodeEntry> {
        self.body.nodes.iter().find(|node| node.name.value == name)
    }

    fn node(&self, node: &NodeEntry) -> DrawnNode {
        DrawnNode {
            name: node.name.value.clone(),
            uses: match &node.target {
                NodeTarget::Op(op) => op.value.clone(),
                NodeTarget::Graph(graph) => format!("graph {}", graph.value),
            },
            each: self.each(node, &mut Vec::new()),
            inputs: node.inputs.iter().map(wire).collect(),
            after: node.after.iter().map(|after| after.value.clone()).collect(),
            combine: node.combine.as_ref().map(|combine| match combine.value {
                Combine::Zip { .. } => "zip",
                Combine::Cross => "cross",
            }),
        }
    }

    /// The fan-outs that a node is mapped over.
    fn each(&self, node: &NodeEntry, path: &mut Vec<String>) -> Vec<String> {
        if path.contains(&node.name.value) {
            return Vec::new();
        }
        path.push(node.name.value.clone());
        let mut levels: Vec<Vec<String>> = Vec::new();
        for reference in references(node) {
            let level = self.level(reference, path);
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        path.pop();
        join(levels, node.combine.as_ref().map(|combine| combine.value))
    }

    /// The fan-outs around what a reference gives.
    fn level(&self, reference: &Reference, path: &mut Vec<String>) -> Vec<String> {
        let Some(target) = reference.target() else { return Vec::new() };
        let Some(node) = self.find(&target.node) else { return Vec::new() };
        let mut level = self.each(node, path);
        match reference.kind {
            ReferenceKind::Map(_) if self.is_dynamic(node, target, &level) => {
                level.push(shown(target));
            }
            ReferenceKind::Collect(_) if !self.is_dynamic(node, target, &level) => {
                level.pop();
            }
            _ => {}
        }
        level
    }

    /// Whether an output is dynamic. Where the component is not known, the output of a node
    /// outside every map must be, and that of a clone most likely is not.
    fn is_dynamic(&self, node: &NodeEntry, target: &Target, level: &[String]) -> bool {
        let known = || {
            let NodeTarget::Op(op) = &node.target else { return None };
            let (component, name) = match op.value.split_once('/') {
                Some((component, name)) => (component, Some(name)),
                None => (op.value.as_str(), None),
            };
            let ops = self.ops.get(component)?;
            let op = ops.iter().find(|op| name.is_none_or(|name| op.name == name))?;
            let output = match &target.output {
                Some(output) => op.output(output)?.1,
                None => op.outputs.first()?,
            };
            Some(output.dynamic)
        };
        known().unwrap_or(level.is_empty())
    }
}

/// Where a node stands that reads from several levels.
fn join(mut levels: Vec<Vec<String>>, combine: Option<Combine>) -> Vec<String> {
    levels.sort_by_key(Vec::len);
    let mut joined: Vec<String> = Vec::new();
    for level in levels {
        if level.starts_with(&joined) {
            joined = level;
        } else if !joined.starts_with(&level) {
            let shared = joined.iter().zip(&level).take_while(|(a, b)| a == b).count();
            let rest = level[shared..].to_vec();
            match combine {
                Some(Combine::Zip { .. }) => {
                    let both = [joined.split_off(shared).join(", "), rest.join(", ")];
                    joined.push(both.join(" zip "));
                }
                _ => joined.extend(rest),
            }
        }
    }
    joined
}

fn references(node: &NodeEntry) -> impl Iterator<Item = &Reference> {
    node.inputs.iter().flat_map(|wiring| wiring.feed.references())
}

fn wire(wiring: &Wiring) -> DrawnWire {
    let feeds = match &wiring.feed {
        Feed::List(list) if list.value.is_empty() => {
            vec![DrawnFeed { kind: FeedKind::Value, of: "[]".to_owned(), node: None }]
        }
        feed => feed.references().iter().map(feed_of).collect(),
    };
    DrawnWire { name: wiring.name.value.clone(), feeds }
}

fn feed_of(reference: &Reference) -> DrawnFeed {
    let (kind, of) = match &reference.kind {
        ReferenceKind::Value(value) => (FeedKind::Value, words::short(&value.to_string(), 60)),
        ReferenceKind::Param(name) => (FeedKind::Param, name.clone()),
        ReferenceKind::Input(name) => (FeedKind::Input, name.clone()),
        ReferenceKind::From(target) => (FeedKind::From, shown(target)),
        ReferenceKind::Map(target) => (FeedKind::Map, shown(target)),
        ReferenceKind::Collect(target) => (FeedKind::Collect, shown(target)),
    };
    DrawnFeed { kind, of, node: reference.target().map(|target| target.node.clone()) }
}

fn shown(target: &Target) -> String {
    match &target.output {
        Some(output) => format!("{}.{output}", target.node),
        None => target.node.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// A job with a chain of maps, a list and a collect.
    pub(crate) const JOB: &str = r#"
[job]
name = "sizes"
description = "Sizes of files"
[params.dir]
type = "string"
[components]
files = "files.wasm"
[nodes.total]
op = "files/sum"
inputs.sizes = { collect = "describe" }
inputs.unit = { value = "KiB" }
[nodes.list]
op = "files/list"
inputs.dir = { param = "dir" }
[nodes.size]
op = "files/size"
inputs.file = { map = "list.files" }
[nodes.describe]
op = "files/describe"
inputs.size = { map = "size" }
after = ["list"]
[outputs]
total = { from = "total" }
"#;

    pub(crate) fn drawing(text: &str) -> Drawing {
        draw(&Manifest::parse(Path::new("job.toml"), text).unwrap(), &Ops::new())
    }

    #[test]
    fn nodes_stand_behind_what_they_need_and_inside_their_maps() {
        let drawing = drawing(JOB);
        let nodes: Vec<(&str, Vec<&str>)> = drawing
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.each.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(
            nodes,
            [
                ("list", vec![]),
                ("size", vec!["list.files"]),
                ("describe", vec!["list.files"]),
                ("total", vec![]),
            ]
        );
    }

    #[test]
    fn unrelated_levels_meet() {
        let level = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let two = || vec![level(&["a"]), level(&["b"])];
        assert_eq!(join(two(), Some(Combine::Cross)), ["a", "b"]);
        assert_eq!(join(two(), Some(Combine::Zip { drop_missing: false })), ["a zip b"]);
        assert_eq!(join(vec![level(&["a", "b"]), level(&["a"])], None), ["a", "b"]);
    }
}
