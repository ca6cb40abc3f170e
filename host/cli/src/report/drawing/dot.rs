//! The graph in the language of Graphviz; a map is a cluster.

use std::fmt::Write as _;

use super::{Drawing, DrawnNode, DrawnWire, FeedKind};

/// The whole graph.
pub(crate) fn render(drawing: &Drawing) -> String {
    let mut text = "digraph {\n  node [shape=box];\n".to_owned();
    body(drawing, "", "  ", &mut text);
    for graph in &drawing.graphs {
        let title = format!("graph {}", graph.name);
        let _ = writeln!(
            text,
            "  subgraph {} {{\n    label={};",
            quoted(&format!("cluster {title}")),
            quoted(&title)
        );
        body(graph, &format!("{title}: "), "    ", &mut text);
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

/// Nodes and edges; `path` tells the nodes of one body from those of another.
fn body(drawing: &Drawing, path: &str, margin: &str, text: &mut String) {
    let all: Vec<&DrawnNode> = drawing.nodes.iter().collect();
    nodes(&all, 0, path, margin, text);
    for output in &drawing.outputs {
        let id = quoted(&format!("{path}output {}", output.name));
        let _ = writeln!(text, "{margin}{id} [label={}, shape=oval];", quoted(&output.name));
    }
    for node in &drawing.nodes {
        let to = quoted(&format!("{path}{}", node.name));
        node.inputs.iter().for_each(|wire| edges(wire, &to, path, margin, text));
        for after in &node.after {
            let from = quoted(&format!("{path}{after}"));
            let _ = writeln!(text, "{margin}{from} -> {to} [style=dashed, label=\"after\"];");
        }
    }
    for output in &drawing.outputs {
        let to = quoted(&format!("{path}output {}", output.name));
        edges(output, &to, path, margin, text);
    }
}

fn nodes(all: &[&DrawnNode], depth: usize, path: &str, margin: &str, text: &mut String) {
    let mut seen: Vec<&str> = Vec::new();
    for node in all {
        let Some(map) = node.each.get(depth) else {
            let id = quoted(&format!("{path}{}", node.name));
            let label = quoted(&format!("{}\n{}", node.name, node.uses));
            let _ = writeln!(text, "{margin}{id} [label={label}];");
            continue;
        };
        if seen.contains(&map.as_str()) {
            continue;
        }
        seen.push(map);
        let inside: Vec<_> =
            all.iter().filter(|node| node.each.get(depth) == Some(map)).copied().collect();
        let cluster = quoted(&format!("cluster {path}{}", node.each[..=depth].join(" ")));
        let title = quoted(&format!("for each element of {map}"));
        let _ = writeln!(text, "{margin}subgraph {cluster} {{\n{margin}  label={title};");
        nodes(&inside, depth + 1, path, &format!("{margin}  "), text);
        let _ = writeln!(text, "{margin}}}");
    }
}

fn edges(wire: &DrawnWire, to: &str, path: &str, margin: &str, text: &mut String) {
    for feed in &wire.feeds {
        let Some(node) = &feed.node else { continue };
        let from = quoted(&format!("{path}{node}"));
        let output = feed.of.split_once('.').map_or("", |(_, output)| output);
        let label = quoted(format!("{}{output}", feed.kind.word()).trim());
        let style = if feed.kind == FeedKind::Collect { ", style=bold" } else { "" };
        let _ = writeln!(text, "{margin}{from} -> {to} [label={label}{style}];");
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{JOB, drawing};

    #[test]
    fn maps_are_clusters() {
        let text = super::render(&drawing(JOB));
        assert!(text.contains("subgraph \"cluster list.files\" {"), "{text}");
        assert!(
            text.contains("\"describe\" -> \"total\" [label=\"collect\", style=bold];"),
            "{text}"
        );
    }
}
