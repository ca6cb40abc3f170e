//! The graph for a terminal: nodes in order, those inside a map behind a line.

use std::fmt::Write as _;

use super::{Drawing, DrawnFeed, DrawnNode, DrawnWire};
use crate::report::words;

/// The whole graph.
pub(crate) fn render(drawing: &Drawing) -> String {
    let mut text = String::new();
    body(drawing, "", &mut text);
    for graph in &drawing.graphs {
        text.push('\n');
        body(graph, "graph ", &mut text);
    }
    text
}

fn body(drawing: &Drawing, what: &str, text: &mut String) {
    let description = words::one_line(&drawing.description);
    let description = if description.is_empty() { description } else { format!(": {description}") };
    let _ = writeln!(text, "{what}{}{description}\n", drawing.name);
    let width = |node: &DrawnNode| node.name.chars().count() + 2 * node.each.len();
    let width = drawing.nodes.iter().map(width).max().unwrap_or(0);
    let mut around: &[String] = &[];
    for one in &drawing.nodes {
        around = enter(around, &one.each, text);
        node(one, width, text);
    }
    enter(around, &[], text);
    if !drawing.outputs.is_empty() {
        text.push_str("\n  outputs\n");
        wires(&drawing.outputs, "    ", text);
    }
}

/// Closes and opens maps, so that what follows stands inside `each`.
fn enter<'a>(around: &[String], each: &'a [String], text: &mut String) -> &'a [String] {
    let shared = around.iter().zip(each).take_while(|(a, b)| a == b).count();
    for depth in (shared..around.len()).rev() {
        let _ = writeln!(text, "  {}└─", "│ ".repeat(depth));
    }
    for (depth, fan_out) in each.iter().enumerate().skip(shared) {
        let _ = writeln!(text, "  {}┌─ a clone for each element of {fan_out}", "│ ".repeat(depth));
    }
    each
}

fn node(node: &DrawnNode, width: usize, text: &mut String) {
    let margin = format!("  {}", "│ ".repeat(node.each.len()));
    let width = width - 2 * node.each.len();
    let _ = writeln!(text, "{margin}{:width$}   {}", node.name, node.uses);
    let inner = format!("{margin}  ");
    wires(&node.inputs, &inner, text);
    if let Some(combine) = node.combine {
        let _ = writeln!(text, "{inner}combine: {combine}");
    }
    if !node.after.is_empty() {
        let _ = writeln!(text, "{inner}after {}", node.after.join(", "));
    }
}

fn wires(wires: &[DrawnWire], margin: &str, text: &mut String) {
    let width = wires.iter().map(|wire| wire.name.chars().count()).max().unwrap_or(0);
    for wire in wires {
        let feeds: Vec<String> = wire.feeds.iter().map(feed).collect();
        let feeds = match feeds.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let _ = writeln!(text, "{margin}{:width$} ← {feeds}", wire.name);
    }
}

fn feed(feed: &DrawnFeed) -> String {
    format!("{}{}", feed.kind.word(), words::one_line(&feed.of))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{JOB, drawing};

    #[test]
    fn maps_are_visible() {
        let expected = "\
sizes: Sizes of files

  list         files/list
    dir ← param dir
  ┌─ a clone for each element of list.files
  │ size       files/size
  │   file ← map list.files
  │ describe   files/describe
  │   size ← map size
  │   after list
  └─
  total        files/sum
    sizes ← collect describe
    unit  ← \"KiB\"

  outputs
    total ← total
";
        assert_eq!(super::render(&drawing(JOB)), expected);
    }
}
