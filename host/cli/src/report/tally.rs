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
                Origin::Zip { .. } | Origin::Cross { .. } => false,
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
            Event::StepSucceeded { step, .. } => {
                self.emitted.remove(step);
                self.end(step, |node| node.succeeded += 1);
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
            Event::RunFinished { status } => self.status = Some(*status),
            _ => {}
        }
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
