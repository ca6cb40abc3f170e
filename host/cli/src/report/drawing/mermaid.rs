//! The graph as a Mermaid flowchart; a map is a box around its nodes.

use std::fmt::Write as _;

use super::{Drawing, DrawnNode, FeedKind};

/// The whole graph.
pub(crate) fn render(drawing: &Drawing) -> String {
    let mut text = "flowchart TD\n".to_owned();
    body(drawing, "j", "  ", &mut text);
    for (at, graph) in drawing.graphs.iter().enumerate() {
        let _ = writeln!(text, "  subgraph g{at} [{}]", quoted(&format!("graph {}", graph.name)));
        body(graph, &format!("g{at}"), "    ", &mut text);
        text.push_str("  end\n");
    }
    text
}

/// Nodes and edges; `id` tells the nodes of one body from those of another.
fn body(drawing: &Drawing, id: &str, margin: &str, text: &mut String) {
    let all: Vec<(usize, &DrawnNode)> = drawing.nodes.iter().enumerate().collect();
    let mut boxes = 0;
    nodes(&all, 0, id, &mut boxes, margin, text);
    for (at, output) in drawing.outputs.iter().enumerate() {
        let _ = writeln!(text, "{margin}{id}o{at}([{}])", quoted(&output.name));
    }
    let id_of = |name: &str| drawing.nodes.iter().position(|node| node.name == name);
    for (to, node) in drawing.nodes.iter().enumerate() {
        for wire in &node.inputs {
            for feed in &wire.feeds {
                let Some(from) = feed.node.as_deref().and_then(id_of) else { continue };
                let label = format!("{}{}", feed.kind.word(), output_of(&feed.of));
                let _ = writeln!(
                    text,
                    "{margin}{id}{from} {} {id}{to}",
                    arrow(feed.kind, label.trim())
                );
            }
        }
        for after in node.after.iter().filter_map(|after| id_of(after)) {
            let _ = writeln!(text, "{margin}{id}{after} -. after .-> {id}{to}");
        }
    }
    for (at, output) in drawing.outputs.iter().enumerate() {
        for feed in &output.feeds {
            let Some(from) = feed.node.as_deref().and_then(id_of) else { continue };
            let label = format!("{}{}", feed.kind.word(), output_of(&feed.of));
            let _ =
                writeln!(text, "{margin}{id}{from} {} {id}o{at}", arrow(feed.kind, label.trim()));
        }
    }
}

/// Nodes at `depth` maps deep, and the maps among them as boxes.
fn nodes(
    all: &[(usize, &DrawnNode)],
    depth: usize,
    id: &str,
    boxes: &mut usize,
    margin: &str,
    text: &mut String,
) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, node) in all {
        let Some(map) = node.each.get(depth) else {
            let label = quoted(&format!("{}<br>{}", node.name, node.uses));
            let shape =
                if node.each.is_empty() { format!("[{label}]") } else { format!("[[{label}]]") };
            let _ = writeln!(text, "{margin}{id}{at}{shape}");
            continue;
        };
        if seen.contains(&map.as_str()) {
            continue;
        }
        seen.push(map);
        let inside: Vec<_> =
            all.iter().filter(|(_, node)| node.each.get(depth) == Some(map)).copied().collect();
        let title = quoted(&format!("for each element of {map}"));
        let _ = writeln!(text, "{margin}subgraph {id}m{boxes} [{title}]");
        *boxes += 1;
        nodes(&inside, depth + 1, id, boxes, &format!("{margin}  "), text);
        let _ = writeln!(text, "{margin}end");
    }
}

fn arrow(kind: FeedKind, label: &str) -> String {
    let (plain, open, close) = match kind {
        FeedKind::Collect => ("==>", "==", "==>"),
        _ => ("-->", "--", "-->"),
    };
    if label.is_empty() { plain.to_owned() } else { format!("{open} {} {close}", quoted(label)) }
}

fn output_of(target: &str) -> &str {
    target.split_once('.').map_or("", |(_, output)| output)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "#quot;"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{JOB, drawing};

    #[test]
    fn maps_are_boxes() {
        let expected = r#"flowchart TD
  j0["list<br>files/list"]
  subgraph jm0 ["for each element of list.files"]
    j1[["size<br>files/size"]]
    j2[["describe<br>files/describe"]]
  end
  j3["total<br>files/sum"]
  jo0(["total"])
  j0 -- "map files" --> j1
  j1 -- "map" --> j2
  j0 -. after .-> j2
  j2 == "collect" ==> j3
  j3 --> jo0
"#;
        assert_eq!(super::render(&drawing(JOB)), expected);
    }
}
