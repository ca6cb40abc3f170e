//! The picture of a run that is redrawn in place: a line per node.

use std::fmt::Write as _;
use std::time::Duration;

use console::Term;
use dynhost::graph::job::{NodeId, ScopeId};

use super::tally::{NodeTally, Tally, Total};
use super::{dim, green, red, words, yellow};

/// More nodes than this are shown only while something happens to them.
const MOST_LINES: usize = 12;
/// The longest name that widens the column of names.
const MOST_NAME: usize = 32;
/// Cells of a bar.
const BAR: u64 = 16;

/// A picture on the terminal, redrawn in place.
///
/// Every line ends with its line break, so that what the terminal echoes (`^C`) stands below the
/// picture and goes with it.
#[derive(Debug)]
pub(crate) struct Picture {
    term: Term,
    lines: Vec<String>,
}

impl Picture {
    pub(crate) fn new() -> Self {
        Self { term: Term::stderr(), lines: Vec::new() }
    }

    /// Draws the picture in place of the one before.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        let before = self.lines.len();
        let width = usize::from(self.term.size().1).max(20) - 1;
        let short = |line: &String| console::truncate_str(line, width, "…").into_owned();
        self.lines = lines.iter().map(short).collect();
        self.write(before, &[]);
    }

    /// Prints a line above the picture.
    pub(crate) fn print(&mut self, line: &str) {
        self.write(self.lines.len(), &[line]);
    }

    /// Goes up so many lines and writes anew what stands there; at once, so that it cannot flicker.
    fn write(&self, up: usize, above: &[&str]) {
        let mut text = "\r".to_owned();
        if up > 0 {
            let _ = write!(text, "\x1b[{up}A");
        }
        text.push_str("\x1b[J");
        for line in above.iter().copied().chain(self.lines.iter().map(String::as_str)) {
            text.push_str(line);
            text.push_str("\r\n");
        }
        let _ = self.term.write_str(&text);
    }
}

/// The lines of the picture.
pub(crate) fn frame(tally: &Tally, elapsed: Duration) -> Vec<String> {
    let all: Vec<NodeId> = tally.job().node_ids().collect();
    let shown: Vec<NodeId> = if all.len() <= MOST_LINES {
        all.clone()
    } else {
        let busy = |id: &NodeId| tally.node(*id).running + tally.node(*id).waiting > 0;
        all.iter().copied().filter(busy).take(MOST_LINES).collect()
    };
    let name_of = |id: NodeId| words::short(&tally.job().node(id).name, MOST_NAME);
    let width = shown.iter().map(|id| name_of(*id).chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = shown
        .iter()
        .map(|id| format!("  {:width$}  {}", name_of(*id), state(tally, *id)))
        .collect();
    if shown.len() < all.len() {
        lines.push(dim(&format!("  {}", others(tally, &all, &shown))));
    }
    let cancelling = if tally.cancelling { " · cancelling" } else { "" };
    let ended = words::count(tally.ended(), "step");
    lines.push(dim(&format!("  {} · {ended} done{cancelling}", words::duration(elapsed))));
    lines
}

fn others(tally: &Tally, all: &[NodeId], shown: &[NodeId]) -> String {
    let others = all.iter().filter(|id| !shown.contains(id));
    let (mut done, mut begun) = (0, 0);
    for id in others {
        match (tally.total(*id), tally.node(*id).ended()) {
            (Total::Exactly(total), ended) if ended >= total => done += 1,
            (_, 0) => {}
            _ => begun += 1,
        }
    }
    let waiting = all.len() - shown.len() - done - begun;
    format!(
        "{} more: {done} done, {begun} begun, {waiting} waiting",
        words::count((all.len() - shown.len()) as u64, "node")
    )
}

fn state(tally: &Tally, id: NodeId) -> String {
    let node = tally.node(id);
    let total = tally.total(id);
    if tally.job().node(id).scope == ScopeId::ROOT {
        return single(node, tally.cancelling);
    }
    let (known, more) = match total {
        Total::Exactly(0) => {
            return dim(if tally.status.is_some() { "nothing to do" } else { "no clones" });
        }
        Total::AtLeast(0) => return dim("waiting"),
        Total::Exactly(known) => (known, ""),
        Total::AtLeast(known) => (known, "+"),
    };
    let ended = node.ended();
    let mut text = if ended >= known && more.is_empty() {
        clones_done(node, known)
    } else {
        let (ended, known) = (words::number(ended), words::number(known));
        format!("{} {ended} of {known}{more}", bar(node.ended(), tally_known(total)))
    };
    for part in parts(node) {
        text.push_str("  ");
        text.push_str(&part);
    }
    text
}

fn tally_known(total: Total) -> u64 {
    match total {
        Total::Exactly(known) | Total::AtLeast(known) => known,
    }
}

fn clones_done(node: NodeTally, known: u64) -> String {
    let count = words::number(known);
    if node.failed + node.cancelled > 0 {
        format!("{} {count}", red("✗"))
    } else {
        format!("{} {count}", green("✓"))
    }
}

fn parts(node: NodeTally) -> Vec<String> {
    let part = |n: u64, words: &str, paint: fn(&str) -> String| {
        (n > 0).then(|| paint(&format!("{} {words}", words::number(n))))
    };
    let parts = [
        part(node.reused, "from earlier runs", dim),
        part(node.running, "running", str::to_owned),
        part(node.waiting, "to be retried", yellow),
        part(node.failed, "failed", red),
        part(node.skipped, "skipped", dim),
        part(node.cancelled, "cancelled", yellow),
    ];
    parts.into_iter().flatten().collect()
}

/// A node outside every map has one step.
fn single(node: NodeTally, cancelling: bool) -> String {
    match node {
        NodeTally { reused: 1.., .. } => format!("{}  {}", green("✓"), dim("from an earlier run")),
        NodeTally { succeeded: 1.., .. } => green("✓"),
        NodeTally { failed: 1.., .. } => red("✗ failed"),
        NodeTally { skipped: 1.., .. } => dim("skipped"),
        NodeTally { cancelled: 1.., .. } => yellow("cancelled"),
        NodeTally { running: 1.., progress: Some((done, Some(total))), .. } => {
            let (of, known) = (words::number(done), words::number(total));
            format!("{} {of} of {known}", bar(done, total))
        }
        NodeTally { running: 1.., progress: Some((done, None)), .. } => {
            format!("running, {}", words::number(done))
        }
        NodeTally { running: 1.., .. } => "running".to_owned(),
        NodeTally { waiting: 1.., .. } => yellow("to be retried"),
        _ if cancelling => dim("not begun"),
        _ => dim("waiting"),
    }
}

fn bar(done: u64, total: u64) -> String {
    let done = done.min(total);
    let full = if total == 0 { 0 } else { u128::from(done) * u128::from(BAR) / u128::from(total) };
    let full = usize::try_from(full).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0) - full;
    format!("{}{}", "━".repeat(full), dim(&"─".repeat(empty)))
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::{emitted, failed, job, started, succeeded};
    use super::*;

    fn picture(events: &[dynhost::graph::event::Event]) -> String {
        console::set_colors_enabled_stderr(false);
        let mut tally = Tally::new(&job());
        for event in events {
            tally.apply(event);
        }
        frame(&tally, Duration::from_millis(1500)).join("\n")
    }

    #[test]
    fn a_line_tells_of_each_node() {
        assert_eq!(picture(&[]), "  list  waiting\n  size  waiting\n  1.5 s · 0 steps done");
        let begun = [started("list", 1), emitted("list", "a"), emitted("list", "b")];
        let more = [started("size[a]", 1), succeeded("size[a]"), started("size[b]", 1)];
        let events = [&begun[..], &more[..]].concat();
        assert_eq!(
            picture(&events),
            "  list  running\n  size  ━━━━━━━━──────── 1 of 2+  1 running\n  1.5 s · 1 step done"
        );
        let events = [&events[..], &[succeeded("list"), failed("size[b]", None)]].concat();
        assert_eq!(picture(&events), "  list  ✓\n  size  ✗ 2  1 failed\n  1.5 s · 3 steps done");
    }
}
