//! References: `{ from = "node.output" }` and its siblings, and lists of them.

use toml::de::DeValue;

use super::error::Problem;
use super::item::{self, Item, kind};
use super::nearest::{listed, nearest};
use super::{Feed, Reference, ReferenceKind, Spanned, Target, Wiring};

const JOB_KINDS: [&str; 5] = ["value", "param", "from", "map", "collect"];
const GRAPH_KINDS: [&str; 6] = ["value", "param", "input", "from", "map", "collect"];

/// Reads an input of a node, or an output of a job or graph.
pub(super) fn wiring(
    item: &Item<'_>,
    what: &str,
    in_graph: bool,
    problems: &mut Vec<Problem>,
) -> Option<Wiring> {
    let name = item::name(item, what, problems);
    let feed = match item.value {
        DeValue::Array(_) => Feed::List(list(item, in_graph, problems)?),
        _ => Feed::One(reference(item, in_graph, problems)?),
    };
    Some(Wiring { name, feed })
}

fn list(
    item: &Item<'_>,
    in_graph: bool,
    problems: &mut Vec<Problem>,
) -> Option<Spanned<Vec<Reference>>> {
    let mut references = Vec::new();
    for element in item::array(item, problems)? {
        let Some(reference) = reference(&element, in_graph, problems) else { continue };
        let refused = match reference.kind {
            ReferenceKind::Map(_) => Some("map"),
            ReferenceKind::Collect(_) => Some("collect"),
            _ => None,
        };
        if let Some(word) = refused {
            problems.push(
                Problem::at(
                    element.span.clone(),
                    format!("`{word}` cannot stand in a list: a list takes ordinary outputs"),
                )
                .label("not an ordinary reference")
                .help("to take the values of all clones, write `collect` alone, without the list"),
            );
        } else {
            references.push(reference);
        }
    }
    Some(Spanned::new(references, item.span.clone()))
}

fn reference(item: &Item<'_>, in_graph: bool, problems: &mut Vec<Problem>) -> Option<Reference> {
    let kinds: &[&str] = if in_graph { &GRAPH_KINDS } else { &JOB_KINDS };
    let DeValue::Table(table) = item.value else {
        problems.push(not_a_reference(item, kinds));
        return None;
    };
    let entries = item::items(table);
    let [entry] = entries.as_slice() else {
        let given = match entries.as_slice() {
            [] => "nothing".to_owned(),
            several => listed(several.iter().map(|entry| entry.key)),
        };
        problems.push(
            Problem::at(
                item.span.clone(),
                format!("`{}` must have exactly one kind of reference, and has {given}", item.key),
            )
            .label(format!("expected one of {}", listed(kinds.iter().copied()))),
        );
        return None;
    };
    let kind = reference_kind(entry, in_graph, kinds, problems)?;
    Some(Reference { kind, span: entry.span.clone() })
}

fn reference_kind(
    entry: &Item<'_>,
    in_graph: bool,
    kinds: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<ReferenceKind> {
    match entry.key {
        "value" => Some(ReferenceKind::Value(item::json(entry, problems)?)),
        "param" => Some(ReferenceKind::Param(local_name(entry, "a param", problems)?)),
        "input" if in_graph => Some(ReferenceKind::Input(local_name(entry, "an input", problems)?)),
        "from" => Some(ReferenceKind::From(target(entry, problems)?)),
        "map" => Some(ReferenceKind::Map(target(entry, problems)?)),
        "collect" => Some(ReferenceKind::Collect(target(entry, problems)?)),
        other => {
            let help = match (other, nearest(other, kinds.iter().copied())) {
                ("input", _) => "only a graph has inputs to refer to; a job has `param`".into(),
                (_, Some(near)) => format!("did you mean `{near}`?"),
                (_, None) => format!("the kinds are {}", listed(kinds.iter().copied())),
            };
            problems.push(
                Problem::at(
                    entry.key_span.clone(),
                    format!("`{other}` is not a kind of reference"),
                )
                .label("unknown kind")
                .help(help),
            );
            None
        }
    }
}

fn not_a_reference(item: &Item<'_>, kinds: &[&str]) -> Problem {
    let given = kind(item.value);
    let problem = Problem::at(
        item.span.clone(),
        format!("`{}` must be a reference, and is {given}", item.key),
    )
    .label("expected a reference");
    let literal = match item.value {
        DeValue::String(text) => format!("{{ value = {text:?} }}"),
        DeValue::Integer(n) => format!("{{ value = {n} }}"),
        DeValue::Float(n) => format!("{{ value = {n} }}"),
        DeValue::Boolean(flag) => format!("{{ value = {flag} }}"),
        _ => {
            let kinds = listed(kinds.iter().copied());
            return problem.help(format!("a reference is a table with one of {kinds}"));
        }
    };
    match item.value {
        DeValue::String(text) => {
            problem.help(format!("write `{{ from = {text:?} }}`, or for a literal `{literal}`"))
        }
        _ => problem.help(format!("write a literal as `{literal}`")),
    }
}

fn local_name(entry: &Item<'_>, what: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = item::text(entry, problems)?;
    item::check(&text.value, &text.span, what, problems).then_some(text.value)
}

fn target(entry: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Target> {
    let text = item::text(entry, problems)?;
    let (node, output) = match text.value.split_once('.') {
        Some((node, output)) => (node, Some(output)),
        None => (text.value.as_str(), None),
    };
    let node_is_name = item::check(node, &text.span, "a node", problems);
    let output_is_name =
        output.is_none_or(|output| item::check(output, &text.span, "an output", problems));
    (node_is_name && output_is_name)
        .then(|| Target { node: node.to_owned(), output: output.map(str::to_owned) })
}
