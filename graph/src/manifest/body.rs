//! Nodes and outputs, of a job or of a graph.

use super::error::Problem;
use super::item::{self, Item, Keys};
use super::read::each;
use super::{Body, Combine, NodeEntry, NodeTarget, Settings, Spanned, policy, reference};

/// Keys of every node.
const NODE_KEYS: [&str; 7] =
    ["op", "graph", "description", "inputs", "after", "combine", "missing"];

/// Reads `nodes` and `outputs`.
pub(super) fn read(keys: &Keys<'_>, in_graph: bool, problems: &mut Vec<Problem>) -> Body {
    let nodes = keys.read("nodes", problems, |item, problems| {
        each(item, problems, |item, problems| node(item, in_graph, problems))
    });
    let outputs = keys.read("outputs", problems, |item, problems| {
        each(item, problems, |item, problems| {
            reference::wiring(item, "an output", in_graph, problems)
        })
    });
    Body { nodes: nodes.unwrap_or_default(), outputs: outputs.unwrap_or_default() }
}

fn node(item: &Item<'_>, in_graph: bool, problems: &mut Vec<Problem>) -> Option<NodeEntry> {
    let name = item::name(item, "a node", problems);
    let table = item::table(item, problems)?;
    let what = format!("node `{}`", item.key);
    let allowed: Vec<&str> = NODE_KEYS.into_iter().chain(policy::SETTING_KEYS).collect();
    let keys = Keys::open(table, &what, &allowed, problems);
    let target = target(item, &keys, problems);
    let inputs = keys.read("inputs", problems, |item, problems| {
        each(item, problems, |item, problems| {
            reference::wiring(item, "an input", in_graph, problems)
        })
    });
    let after = keys.read("after", problems, item::texts).unwrap_or_default();
    for name in &after {
        item::check(&name.value, &name.span, "a node", problems);
    }
    let combine = combine(&keys, problems);
    let settings = settings(&keys, target.as_ref(), problems);
    Some(NodeEntry {
        name,
        description: keys.read("description", problems, item::plain_text).unwrap_or_default(),
        target: target?,
        inputs: inputs.unwrap_or_default(),
        after,
        combine,
        settings,
    })
}

fn target(node: &Item<'_>, keys: &Keys<'_>, problems: &mut Vec<Problem>) -> Option<NodeTarget> {
    match (keys.get("op"), keys.get("graph")) {
        (Some(op), None) => {
            let op = item::text(op, problems)?;
            let mut parts = op.value.splitn(2, '/').zip(["a component", "an op"]);
            let fine = parts.all(|(part, what)| item::check(part, &op.span, what, problems));
            fine.then_some(NodeTarget::Op(op))
        }
        (None, Some(graph)) => {
            let graph = item::text(graph, problems)?;
            item::check(&graph.value, &graph.span, "a graph", problems)
                .then_some(NodeTarget::Graph(graph))
        }
        (Some(op), Some(graph)) => {
            problems.push(
                Problem::at(
                    graph.key_span.clone(),
                    format!("node `{}` has both `op` and `graph`", node.key),
                )
                .related(op.key_span.clone(), "`op` is here")
                .help("keep one: a node uses either an op or a graph"),
            );
            None
        }
        (None, None) => {
            problems.push(
                Problem::at(
                    node.key_span.clone(),
                    format!("node `{}` has neither `op` nor `graph`", node.key),
                )
                .help("add `op = \"component/op\"`, or `graph = \"name\"`"),
            );
            None
        }
    }
}

fn combine(keys: &Keys<'_>, problems: &mut Vec<Problem>) -> Option<Spanned<Combine>> {
    let words = [("zip", Combine::Zip { drop_missing: false }), ("cross", Combine::Cross)];
    let mut combine =
        keys.read("combine", problems, |item, problems| item::choice(item, &words, problems));
    let Some(missing) = keys.get("missing") else { return combine };
    let words = [("error", false), ("drop", true)];
    let drop = item::choice(missing, &words, problems);
    match &mut combine {
        Some(Spanned { value: Combine::Zip { drop_missing }, .. }) => {
            *drop_missing = drop.is_some_and(|drop| drop.value);
        }
        None if keys.get("combine").is_some() => {}
        _ => problems.push(
            Problem::at(missing.key_span.clone(), "`missing` without `combine = \"zip\"`")
                .help("`missing` says what happens to a mapping key that one side of a zip lacks"),
        ),
    }
    combine
}

fn settings(keys: &Keys<'_>, target: Option<&NodeTarget>, problems: &mut Vec<Problem>) -> Settings {
    let Some(NodeTarget::Graph(graph)) = target else { return policy::settings(keys, problems) };
    for key in policy::SETTING_KEYS {
        if let Some(item) = keys.get(key) {
            problems.push(
                Problem::at(
                    item.key_span.clone(),
                    format!("`{key}` belongs to the use of an op, not of a graph"),
                )
                .help(format!("write it on the nodes of `[graphs.{}]`", graph.value)),
            );
        }
    }
    Settings::default()
}
