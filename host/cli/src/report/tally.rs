//! How far a run is, as a fold over its events: per node, how many of its clones are known,
//! running and done.

use std::collections::HashMap;
use std::sync::Arc;

use dynhost::graph::event::{Event, RunStatus};
use dynhost::graph::job::{Job, NodeId, Origin, ScopeId};
use dynhost::graph::name::StepKey;

/// The state of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    job: Arc<Job>,
    by_name: HashMap<Arc<str>, NodeId>,
    nodes: Vec<NodeTally>,
    /// Frames known of each scope.
    frames: Vec<u64>,
    /// What steps that are running have emitted, by output: taken back where they fail.
    emitted: HashMap<StepKey, Vec<u64>>,
    /// How the run ended, once it has.
    pub(crate) status: Option<RunStatus>,
    /// Whether the run is being cancelled.
    pub(crate) cancelling: bool,
}

/// The state of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NodeTally {
    /// Steps under way.
    pub(crate) running: u64,
    /// Steps that wait for another attempt.
    pub(crate) waiting: u64,
    /// Steps that succeeded.
    pub(crate) succeeded: u64,
    /// Those of them that were taken from an earlier run.
    pub(crate) reused: u64,
    /// Steps that failed for good.
    pub(crate) failed: u64,
    /// Steps that did not run.
    pub(crate) skipped: u64,
    /// Steps that were interrupted.
    pub(crate) cancelled: u64,
    /// What its step said last of how far it is.
    pub(crate) progress: Option<(u64, Option<u64>)>,
}

impl NodeTally {
    /// Steps that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.skipped + self.cancelled
    }
}

/// How many steps a node will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    /// So many.
    Exactly(u64),
    /// So many until now.
    AtLeast(u64),
}

impl Tally {
    pub(crate) fn new(job: &Arc<Job>) -> Self {
        let by_name = job.node_ids().map(|id| (Arc::clone(&job.node(id).name), id)).collect();
        let mut frames = vec![0; job.scopes.len()];
        frames[ScopeId::ROOT.index()] = 1;
        Self {
            job: Arc::clone(job),
            by_name,
            nodes: vec![NodeTally::default(); job.nodes.len()],
            frames,
            emitted: HashMap::new(),
            status: None,
            cancelling: false,
        }
    }

    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    pub(crate) fn node(&self, id: NodeId) -> NodeTally {
        self.nodes[id.index()]
    }

    /// Steps that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.nodes.iter().map(NodeTally::ended).sum()
    }

    /// How many steps a node will have, as far as it is known.
    pub(crate) fn total(&self, id: NodeId) -> Total {
        let scope = self.job.node(id).scope;
        let node = self.node(id);
        let known = self.frames[scope.index()].max(node.ended() + node.running + node.waiting);
        if self.is_whole(scope) { Total::Exactly(known) } else { Total::AtLeast(known) }
    }

    /// Whether no further frame of a scope can come.
    fn is_whole(&self, scope: ScopeId) -> bool {
        let whole = |id: NodeId| match self.total(id) {
            Total::Exactly(total) => self.node(id).ended() >= total,
            Total::AtLeast(_) => false,
        };
        self.status.is_some()
            || match &self.job.scope(scope).origin {
                Origin::Root => true,
                Origin::FanOut(output) => whole(output.node),
                Origin::Batch { .. } | Origin::Zip { .. } | Origin::Cross { .. } => false,
            }
    }

    /// Takes in what happened.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, attempt } => self.change(step, |node| {
                node.running += 1;
                if *attempt > 1 {
                    node.waiting = node.waiting.saturating_sub(1);
                }
            }),
            Event::OutputEmitted { step, output, .. } => self.emitted(step, output),
            Event::StepSucceeded { step, reused, .. } => {
                self.emitted.remove(step);
                // A step that is reused does not start.
                match reused {
                    None => self.end(step, |node| node.succeeded += 1),
                    Some(_) => self.change(step, |node| {
                        node.succeeded += 1;
                        node.reused += 1;
                    }),
                }
            }
            Event::StepFailed { step, retry_in_ms, .. } => {
                if retry_in_ms.is_some() {
                    self.take_back(step);
                    self.end(step, |node| node.waiting += 1);
                } else {
                    self.emitted.remove(step);
                    self.end(step, |node| node.failed += 1);
                }
            }
            Event::StepSkipped { step, .. } => self.change(step, |node| node.skipped += 1),
            Event::StepCancelled { step, .. } => self.end(step, |node| node.cancelled += 1),
            Event::ProgressMade { step, done, total, .. } => {
                self.change(step, |node| node.progress = Some((*done, *total)));
            }
            Event::CancelRequested { .. } => self.cancelling = true,
            Event::RunResumed { .. } => self.resume(),
            Event::RunFinished { status, .. } => self.status = Some(*status),
            _ => {}
        }
    }

    /// What was under way or interrupted is run again, and emits again.
    fn resume(&mut self) {
        for node in &mut self.nodes {
            (node.running, node.cancelled, node.progress) = (0, 0, None);
        }
        let steps: Vec<StepKey> = self.emitted.keys().cloned().collect();
        for step in &steps {
            self.take_back(step);
        }
        (self.status, self.cancelling) = (None, false);
    }

    fn change(&mut self, step: &StepKey, change: impl FnOnce(&mut NodeTally)) {
        if let Some(id) = self.by_name.get(&step.node) {
            change(&mut self.nodes[id.index()]);
        }
    }

    fn end(&mut self, step: &StepKey, change: impl FnOnce(&mut NodeTally)) {
        self.change(step, |node| {
            node.running = node.running.saturating_sub(1);
            change(node);
        });
    }

    fn emitted(&mut self, step: &StepKey, output: &str) {
        let Some(&id) = self.by_name.get(&step.node) else { return };
        let op = &self.job.node(id).op;
        let Some((at, _)) = op.output(output) else { return };
        if let Some(counts) = self.emitted.get_mut(step) {
            counts[at] += 1;
        } else {
            let mut counts = vec![0; op.outputs.len()];
            counts[at] = 1;
            self.emitted.insert(step.clone(), counts);
        }
        self.add_frames(id, at, 1);
    }

    /// A step that is run again emits again.
    fn take_back(&mut self, step: &StepKey) {
        let Some(counts) = self.emitted.remove(step) else { return };
        let Some(&id) = self.by_name.get(&step.node) else { return };
        for (at, count) in counts.into_iter().enumerate() {
            self.add_frames(id, at, -i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn add_frames(&mut self, id: NodeId, output: usize, more: i64) {
        for (scope, frames) in self.job.scopes.iter().zip(&mut self.frames) {
            if let Origin::FanOut(of) = &scope.origin
                && of.node == id
                && of.output as usize == output
            {
                *frames = frames.saturating_add_signed(more);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use dynhost::graph::definition::{OpDefinition, OutputDefinition};
    use dynhost::graph::event::Failure;
    use dynhost::graph::grant::Grants;
    use dynhost::graph::job::{Node, OutputRef, Policy, Scope};
    use dynhost::graph::name::MappingKey;
    use dynhost::graph::value::Value;

    use super::*;

    /// `list` with a clone of `size` for each of its outputs.
    pub(crate) fn job() -> Arc<Job> {
        let output = |dynamic| OutputDefinition {
            name: "out".to_owned(),
            description: String::new(),
            required: true,
            dynamic,
            schema: None,
        };
        let node = |name: &str, scope, dynamic| Node {
            name: name.into(),
            component: 0,
            op: Arc::new(OpDefinition {
                name: name.to_owned(),
                description: String::new(),
                inputs: Vec::new(),
                outputs: vec![output(dynamic)],
                config_schema: None,
            }),
            config: "null".into(),
            scope,
            inputs: Vec::new(),
            after: Vec::new(),
            policy: Policy::default(),
            grants: Grants::default(),
            span: 0..0,
        };
        let of = OutputRef { node: NodeId(0), output: 0 };
        let root = Scope { parent: None, depth: 0, origin: Origin::Root };
        let inner = Scope { parent: Some(ScopeId::ROOT), depth: 1, origin: Origin::FanOut(of) };
        Arc::new(Job {
            name: "sizes".to_owned(),
            description: String::new(),
            max_concurrency: None,
            components: Vec::new(),
            params: Vec::new(),
            nodes: vec![node("list", ScopeId::ROOT, true), node("size", ScopeId(1), false)],
            scopes: vec![root, inner],
            collects: Vec::new(),
            pools: Vec::new(),
            outputs: Vec::new(),
        })
    }

    fn step(text: &str) -> StepKey {
        text.parse().unwrap()
    }

    pub(crate) fn started(text: &str, attempt: u32) -> Event {
        Event::StepStarted { step: step(text), attempt }
    }

    pub(crate) fn emitted(text: &str, key: &str) -> Event {
        Event::OutputEmitted {
            step: step(text),
            attempt: 1,
            output: "out".into(),
            key: MappingKey::new(key).unwrap(),
            value: Value::json_text("1"),
        }
    }

    pub(crate) fn succeeded(text: &str) -> Event {
        Event::StepSucceeded {
            step: step(text),
            attempt: 1,
            outputs: Vec::new(),
            took_us: 1,
            reused: None,
        }
    }

    pub(crate) fn failed(text: &str, retry_in_ms: Option<u64>) -> Event {
        let failure = Failure::Trap { message: "unreachable".to_owned() };
        Event::StepFailed { step: step(text), attempt: 1, failure, retry_in_ms, took_us: 1 }
    }

    #[test]
    fn clones_are_known_as_they_are_emitted() {
        let mut tally = Tally::new(&job());
        let size = NodeId(1);
        assert_eq!(tally.total(size), Total::AtLeast(0));
        tally.apply(&started("list", 1));
        tally.apply(&emitted("list", "a"));
        tally.apply(&emitted("list", "b"));
        assert_eq!(tally.total(size), Total::AtLeast(2));
        tally.apply(&succeeded("list"));
        assert_eq!(tally.total(size), Total::Exactly(2));
        tally.apply(&started("size[a]", 1));
        assert_eq!(tally.node(size).running, 1);
        tally.apply(&failed("size[a]", None));
        assert_eq!((tally.node(size).running, tally.node(size).failed), (0, 1));
        assert_eq!(tally.ended(), 2);
    }

    #[test]
    fn a_run_that_goes_on_has_what_it_had() {
        let mut tally = Tally::new(&job());
        for event in [started("list", 1), emitted("list", "a"), emitted("list", "b")] {
            tally.apply(&event);
        }
        for event in [started("size[a]", 1), succeeded("size[a]"), started("size[b]", 1)] {
            tally.apply(&event);
        }
        tally.apply(&Event::RunResumed {
            components: Vec::new(),
            nodes: Vec::new(),
            manifest: None,
        });
        let (list, size) = (tally.node(NodeId(0)), tally.node(NodeId(1)));
        assert_eq!((list.running, size.running, size.succeeded), (0, 0, 1));
        assert_eq!(tally.total(NodeId(1)), Total::AtLeast(1));
    }

    #[test]
    fn what_an_attempt_emitted_in_vain_is_not_counted_twice() {
        let mut tally = Tally::new(&job());
        tally.apply(&started("list", 1));
        tally.apply(&emitted("list", "a"));
        tally.apply(&failed("list", Some(10)));
        assert_eq!(tally.node(NodeId(0)).waiting, 1);
        tally.apply(&started("list", 2));
        tally.apply(&emitted("list", "a"));
        tally.apply(&succeeded("list"));
        assert_eq!(tally.total(NodeId(1)), Total::Exactly(1));
        assert_eq!(tally.node(NodeId(0)).waiting, 0);
    }
}
