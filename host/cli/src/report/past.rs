//! A run as a fold over its stored events.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use dynhost::graph::event::{
    Event, Lineage, ManifestRecord, OutputValue, Recorded, RunSettings, RunStatus,
};
use dynhost::graph::manifest::{Body, Manifest, NodeEntry, NodeTarget};
use dynhost::graph::scheduler::{Collection, Element, JobOutputValue};
use dynhost::store::RunStore;
use dynhost::store::sqlite::SqliteStore;
use dynhost::{StepCounts, StepFailure};

use super::drawing;
use crate::error::Error;

/// What is known of a run from its events.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The latest manifest that it was run with.
    pub(crate) manifest: Option<Box<ManifestRecord>>,
    pub(crate) settings: RunSettings,
    pub(crate) parent: Option<Box<Lineage>>,
    pub(crate) steps: StepCounts,
    /// The steps that failed for good and count.
    pub(crate) failures: Vec<StepFailure>,
    /// How it ended, if it has.
    pub(crate) status: Option<RunStatus>,
    pub(crate) outputs: Vec<(String, OutputValue)>,
    /// When it began, or went on for the last time.
    pub(crate) began_us: u64,
    /// When something happened last.
    pub(crate) last_us: u64,
}

impl Past {
    /// Reads a whole run.
    pub(crate) fn read(store: &SqliteStore, run: &str) -> Result<Self, Error> {
        let mut past = Self::default();
        store.read(run, &mut |recorded| {
            past.take(&recorded);
            ControlFlow::Continue(())
        })?;
        Ok(past)
    }

    /// Takes in what happened next.
    pub(crate) fn take(&mut self, recorded: &Recorded) {
        self.last_us = recorded.at_us;
        match &recorded.event {
            Event::RunStarted { manifest, settings, parent, .. } => {
                self.manifest.clone_from(manifest);
                self.settings = settings.clone();
                self.parent.clone_from(parent);
                self.began_us = recorded.at_us;
            }
            Event::RunResumed { manifest, .. } => {
                if manifest.is_some() {
                    self.manifest.clone_from(manifest);
                }
                // What was interrupted runs again.
                self.steps.cancelled = 0;
                self.status = None;
                self.began_us = recorded.at_us;
            }
            Event::StepSucceeded { reused: None, .. } => self.steps.succeeded += 1,
            Event::StepSucceeded { reused: Some(_), .. } => self.steps.cached += 1,
            Event::StepSkipped { .. } => self.steps.skipped += 1,
            Event::StepCancelled { .. } => self.steps.cancelled += 1,
            Event::StepFailed { step, attempt, failure, retry_in_ms: None, .. } => {
                self.steps.failed += 1;
                let (step, failure) = (step.clone(), failure.clone());
                self.failures.push(StepFailure { step, attempts: *attempt, failure });
            }
            Event::ClonesDropped { nodes, keys } => self.failures.retain(|failed| {
                !(nodes.contains(&failed.step.node) && failed.step.keys.keys().starts_with(keys))
            }),
            Event::RunFinished { status, outputs } => {
                self.status = Some(*status);
                self.outputs.clone_from(outputs);
            }
            _ => {}
        }
    }

    /// The time from its beginning, or from when it went on, to its last event.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_micros(self.last_us.saturating_sub(self.began_us))
    }

    /// The manifest, if it can still be read.
    pub(crate) fn parsed(&self) -> Option<Manifest> {
        let record = self.manifest.as_ref()?;
        let path = crate::command::state::from_here(&record.path);
        Manifest::parse(&path, &record.text).ok()
    }
}

/// Outputs as a run hands them out.
pub(crate) fn outputs(recorded: &[(String, OutputValue)]) -> Vec<(String, JobOutputValue)> {
    let value = |value: &OutputValue| match value {
        OutputValue::Absent => JobOutputValue::Absent,
        OutputValue::Single(value) => JobOutputValue::Single(value.clone()),
        OutputValue::Many(list) => {
            let elements =
                list.iter().map(|(key, value)| Element { key: key.clone(), value: value.clone() });
            let list = Collection { elements: elements.collect(), failed: Vec::new() };
            JobOutputValue::Many(Arc::new(list))
        }
    };
    recorded.iter().map(|(name, one)| (name.clone(), value(one))).collect()
}

/// Puts what is known of nodes into the order of the graph, what others depend on first.
pub(crate) fn in_order<T>(manifest: &Manifest, nodes: &mut [T], name: impl Fn(&T) -> &str) {
    let drawing = drawing::draw(manifest, &drawing::Ops::new());
    let place = |node: &T| {
        let name = name(node).split('/').next().unwrap_or_default();
        drawing.nodes.iter().position(|drawn| drawn.name == name)
    };
    // Those of one use of a graph stay as they are.
    nodes.sort_by_key(place);
}

/// How many nodes the job of a manifest has, those of its graphs included.
pub(crate) fn node_count(manifest: &Manifest) -> u64 {
    count(manifest, &manifest.body)
}

fn count(manifest: &Manifest, body: &Body) -> u64 {
    let of = |node: &NodeEntry| match &node.target {
        NodeTarget::Op(_) => 1,
        NodeTarget::Graph(name) => {
            graph(manifest, &name.value).map_or(0, |body| count(manifest, body))
        }
    };
    body.nodes.iter().map(of).sum()
}

fn graph<'m>(manifest: &'m Manifest, name: &str) -> Option<&'m Body> {
    let graph = manifest.graphs.iter().find(|graph| graph.name.value == name)?;
    Some(&graph.body)
}

/// What a manifest says of a node of the job, and the nodes it stands among; one of a graph is called
/// `use/node`.
pub(crate) fn find_node<'m>(
    manifest: &'m Manifest,
    name: &str,
) -> Option<(&'m NodeEntry, &'m Body)> {
    let mut body = &manifest.body;
    let mut rest = name;
    loop {
        let (first, more) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
        let node = body.nodes.iter().find(|node| node.name.value == first)?;
        match (more, &node.target) {
            (None, _) => return Some((node, body)),
            (Some(more), NodeTarget::Graph(name)) => {
                (body, rest) = (graph(manifest, &name.value)?, more);
            }
            (Some(_), NodeTarget::Op(_)) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nodes_of_graphs_are_found_under_their_use() {
        let text = r#"
[job]
name = "j"
[components]
c = "c.wasm"
[graphs.twice.nodes.first]
op = "c/size"
[graphs.twice.nodes.second]
op = "c/size"
inputs.x = { from = "first" }
[graphs.twice.outputs]
x = { from = "second" }
[nodes.a]
graph = "twice"
[nodes.b]
op = "c/size"
inputs.x = { from = "a" }
[outputs]
b = { from = "b" }
"#;
        let manifest = Manifest::parse(Path::new("job.toml"), text).unwrap();
        assert_eq!(node_count(&manifest), 3);
        assert_eq!(find_node(&manifest, "a/second").unwrap().0.name.value, "second");
        assert!(find_node(&manifest, "a/third").is_none());
        assert!(find_node(&manifest, "b/first").is_none());
        let mut nodes = ["b", "a/second", "a/first"];
        in_order(&manifest, &mut nodes, |node| node);
        assert_eq!(nodes, ["a/second", "a/first", "b"]);
    }
}
