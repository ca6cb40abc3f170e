//! What became of the steps of each node, and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use dynhost::graph::event::{Event, Reused, ReusedFrom};
use dynhost::store::RunStore;
use dynhost::store::history::StepState;
use dynhost::store::sqlite::SqliteStore;
use serde::Serialize;
use serde_json::json;

use super::{NoCache, kind, skipped};
use crate::error::Error;
use crate::report::past::{Past, in_order};
use crate::report::table::pairs;
use crate::report::{Console, words};

/// What is known of a node.
#[derive(Debug, Default, Serialize)]
struct NodeFacts {
    node: Arc<str>,
    /// Steps that ran and succeeded.
    ran: u64,
    /// Steps that were taken from the cache.
    from_cache: u64,
    /// Steps that were taken from the run that this one goes on from.
    from_parent: u64,
    /// Steps that were interrupted.
    cancelled: u64,
    /// Steps that no longer count.
    dropped: u64,
    /// Attempts beyond the first.
    retries: u64,
    /// How many failed, by why.
    failed: BTreeMap<&'static str, u64>,
    /// How many were skipped, by why.
    skipped: BTreeMap<String, u64>,
    /// Why none was looked up in the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_cached: Option<NoCache>,
    /// Why none was looked up from some point on.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_alone: Option<LeftAlone>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct LeftAlone {
    lookups: u64,
    hits: u64,
}

pub(super) fn explain(store: &SqliteStore, run: &str, console: Console) -> Result<(), Error> {
    let mut past = Past::default();
    let mut facts = Facts::default();
    store.read(run, &mut |recorded| {
        past.take(&recorded);
        facts.take(&recorded.event);
        ControlFlow::Continue(())
    })?;
    let manifest = past.parsed();
    let mut nodes = facts.0;
    if let Some(manifest) = &manifest {
        in_order(manifest, &mut nodes, |node| &node.node);
    }
    for summary in store.nodes(run)? {
        let dropped = summary.steps.iter().find(|(state, _)| *state == StepState::Dropped);
        if let Some(node) = nodes.iter_mut().find(|node| *node.node == *summary.node) {
            node.dropped = dropped.map_or(0, |(_, n)| *n);
        }
    }
    for node in &mut nodes {
        node.not_cached = NoCache::of(&past.settings, manifest.as_ref(), &node.node);
    }
    if console.is_json() {
        return console.print_json(&json!({ "run": run, "nodes": nodes }));
    }
    if nodes.is_empty() {
        console.say("no step of the run has begun");
        return Ok(());
    }
    let lines: Vec<(&str, String)> =
        nodes.iter().map(|node| (&*node.node, node.to_text())).collect();
    console.print(&pairs(&lines))
}

/// By node, in the order in which they first had a step.
#[derive(Debug, Default)]
struct Facts(Vec<NodeFacts>);

impl Facts {
    fn of(&mut self, node: &Arc<str>) -> &mut NodeFacts {
        let at = self.0.iter().position(|one| one.node == *node).unwrap_or_else(|| {
            self.0.push(NodeFacts { node: Arc::clone(node), ..NodeFacts::default() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, attempt } => {
                self.of(&step.node).retries += u64::from(*attempt > 1);
            }
            Event::StepSucceeded { step, reused, .. } => {
                let node = self.of(&step.node);
                match reused {
                    None => node.ran += 1,
                    Some(Reused { from: ReusedFrom::Cache, .. }) => node.from_cache += 1,
                    Some(Reused { from: ReusedFrom::Parent, .. }) => node.from_parent += 1,
                }
            }
            Event::StepFailed { step, failure, retry_in_ms: None, .. } => {
                *self.of(&step.node).failed.entry(kind(failure)).or_default() += 1;
            }
            Event::StepSkipped { step, reason } => {
                *self.of(&step.node).skipped.entry(skipped(reason)).or_default() += 1;
            }
            Event::StepCancelled { step, .. } => self.of(&step.node).cancelled += 1,
            Event::CacheLeftAlone { node, lookups, hits } => {
                let (lookups, hits) = (*lookups, *hits);
                self.of(node).left_alone = Some(LeftAlone { lookups, hits });
            }
            // What was interrupted runs again.
            Event::RunResumed { .. } => self.0.iter_mut().for_each(|node| node.cancelled = 0),
            _ => {}
        }
    }
}

impl NodeFacts {
    fn to_text(&self) -> String {
        let part = |n: u64, words: &str| (n > 0).then(|| format!("{} {words}", words::number(n)));
        let mut parts: Vec<String> = [
            part(self.from_parent, "taken over from the earlier run"),
            part(self.from_cache, "from the cache"),
            part(self.ran, "ran"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let why = |(why, n): (&str, &u64), what: &str| {
            format!("{} {what} ({})", words::number(*n), words::one_line(why))
        };
        parts.extend(self.failed.iter().map(|(kind, n)| why((kind, n), "failed")));
        parts.extend(self.skipped.iter().map(|(reason, n)| why((reason, n), "skipped")));
        parts.extend(part(self.cancelled, "interrupted"));
        parts.extend(part(self.dropped, "no longer counted"));
        if let Some(retries @ 1..) = Some(self.retries) {
            let noun = if retries == 1 { "further attempt" } else { "further attempts" };
            parts.extend(part(retries, noun));
        }
        if parts.is_empty() {
            parts.push("under way".to_owned());
        }
        let mut text = parts.join(", ");
        if self.ran == 0 {
            return text;
        }
        if let Some(why) = self.not_cached {
            let _ = write!(text, "; not looked up in the cache: {}", why.short());
        } else if let Some(LeftAlone { lookups, hits }) = self.left_alone {
            let _ = write!(
                text,
                "; not looked up any more after {} with {}, which took more time than it saved",
                words::count(lookups, "lookup"),
                words::count(hits, "hit"),
            );
        }
        text
    }
}
