//! A run that goes on from its stored events (`semantics.md` rule 19).
//!
//! The events are what happened, in order, up to any point. They are folded through the same
//! functions as those of a live run, with three differences until [`Scheduler::go_live`]:
//!
//! - Nothing is handed out, and no places or credit are counted against a bound: what runs is
//!   what the events say.
//! - Events name steps by their keys, so there is an index from keys to frames.
//! - Every attempt that is under way may prove to be interrupted, and is then made again. So what
//!   a step emits is kept as if each were retried, whatever the policy.
//!
//! An interrupted attempt does not count: it is *taken back*, what it emitted is set aside like
//! that of a failed one (rule 17), and its number is used again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::frame::{Frame, FrameIndex, Phase, Step};
use super::wiring::is_retried;
use super::{Action, Bounds, Input, ROOT, Scheduler, StepId};
use crate::event::Event;
use crate::job::{Job, NodeId, ScopeId};
use crate::name::{KeyPath, MappingKey, StepKey};

/// What only a replay needs: where the steps stand that events name.
#[derive(Debug)]
pub(super) struct Replay {
    nodes: HashMap<Arc<str>, NodeId>,
    /// The frames that are alive. Several have the same keys while dropped ones have not ended.
    frames: HashMap<(ScopeId, KeyPath), Vec<FrameIndex>>,
    /// The outputs and keys that each attempt under way has emitted: none twice (rule 8).
    emitted: HashMap<StepId, HashSet<(Arc<str>, MappingKey)>>,
}

impl Replay {
    fn new(job: &Job) -> Self {
        let nodes = job.node_ids().map(|id| (job.node(id).name.clone(), id)).collect();
        Self { nodes, frames: HashMap::new(), emitted: HashMap::new() }
    }

    /// A frame was freed.
    pub(super) fn forget(&mut self, scope: ScopeId, keys: &KeyPath, frame: FrameIndex) {
        let place = (scope, keys.clone());
        if let Some(frames) = self.frames.get_mut(&place) {
            frames.retain(|&other| other != frame);
            if frames.is_empty() {
                self.frames.remove(&place);
            }
        }
    }
}

impl Scheduler {
    /// The state of a run of `job` that is to go on from stored events: they are taken in by
    /// [`Scheduler::replay`], and [`Scheduler::go_live`] ends it. Until then there is no
    /// [`Action::Run`], [`Action::Grant`], [`Action::InterruptAll`] or [`Action::Finish`], and neither
    /// `apply`, `suspended`, `wake` nor `cancel` may be called.
    #[must_use]
    pub fn replaying(job: Arc<Job>, bounds: Bounds) -> Self {
        let mut scheduler = Self::new(job, bounds);
        let job = &scheduler.job;
        scheduler.wiring.keep_elements(job, |_| true);
        scheduler.wiring.let_meet_again(job, |_| true);
        scheduler.replay = Some(Box::new(Replay::new(job)));
        scheduler
    }

    /// Takes a stored event in. One that does not fit the job, which may have been changed since,
    /// changes nothing.
    ///
    /// The actions are those of the time when it happened: [`Action::Skip`], [`Action::Fail`] and
    /// [`Action::Drop`] have mostly been recorded, behind this event (see [`Unrecorded`]);
    /// of the [`Action::WakeLater`]s of a step the last one holds after `go_live`;
    /// an [`Action::Abort`] calls for [`Scheduler::cancel`] after `go_live`, whether it has been recorded
    /// or not; an [`Action::Interrupt`] is of no use.
    ///
    /// [`Unrecorded`]: super::Unrecorded
    pub fn replay(&mut self, event: &Event, actions: &mut Vec<Action>) {
        match event {
            Event::RunStarted { .. } if self.frames.is_empty() => self.start(actions),
            Event::RunResumed { .. } => {
                self.take_all_back(actions);
                self.go_on(actions);
            }
            Event::StepStarted { step, attempt } => {
                if let Some(id) = self.to_begin(step) {
                    self.begin_as(id, *attempt);
                }
            }
            // No attempt was made: the scheduler finds these itself.
            Event::StepFailed { attempt: 0, .. } => {}
            Event::OutputEmitted { step, attempt, output, key, .. } => {
                if let Some(id) = self.begun(step, *attempt)
                    && self.is_first(id, output, key)
                {
                    self.apply(id, event, actions);
                }
            }
            Event::StepSucceeded { step, attempt, .. }
            | Event::StepFailed { step, attempt, .. } => {
                if let Some(id) = self.begun(step, *attempt) {
                    self.forget_emitted(id);
                    self.apply(id, event, actions);
                }
            }
            Event::StepCancelled { step, attempt } => {
                if let Some(id) = self.under_way(step, *attempt) {
                    self.take_back(id, actions);
                    self.go_on(actions);
                }
            }
            _ => {}
        }
    }

    /// The stored events have all been taken in: what was under way is taken back, and the run
    /// goes on. Steps that wait for another attempt still do: the caller wakes them.
    pub fn go_live(&mut self, actions: &mut Vec<Action>) {
        if self.replay.is_none() {
            return;
        }
        self.take_all_back(actions);
        self.replay = None;
        let emitted_before = self.nodes_with_stale();
        let job = &self.job;
        self.wiring.keep_elements(job, |node| is_retried(job, node));
        self.wiring
            .let_meet_again(job, |node| is_retried(job, node) || emitted_before[node.index()]);
        if self.frames.is_empty() {
            return self.start(actions);
        }
        let mut ready = Vec::new();
        self.find_ready(ROOT, &mut ready);
        for id in ready {
            self.make_ready(id);
        }
        self.go_on(actions);
    }

    /// While stored events are taken in: what a step is given that may run or runs, in the order
    /// of its op's definition.
    #[must_use]
    pub fn inputs_of(&self, step: &StepKey) -> Option<Vec<Input>> {
        let id = self.find(step, |frame, step| {
            !frame.discarded
                && (step.phase.is_out() || matches!(step.phase, Phase::Ready | Phase::Delayed))
        })?;
        Some(self.inputs(id.frame, id.node))
    }

    /// Notes where a new frame is.
    pub(super) fn note_made(&mut self, index: FrameIndex) {
        let (scope, keys) = (self.frame(index).scope, self.frame(index).keys.clone());
        if let Some(replay) = self.replay.as_deref_mut() {
            replay.frames.entry((scope, keys)).or_default().push(index);
        }
    }

    /// The step of this name for which `is` holds.
    fn find(&self, step: &StepKey, is: impl Fn(&Frame, &Step) -> bool) -> Option<StepId> {
        let replay = self.replay.as_deref()?;
        let node = *replay.nodes.get(&step.node)?;
        let frames = replay.frames.get(&(self.job.node(node).scope, step.keys.clone()))?;
        let mut frames = frames.iter().copied();
        let frame = frames.find(|&frame| is(self.frame(frame), self.step(frame, node)))?;
        Some(self.id(frame, node))
    }

    /// The step of this name that may begin; none does in a frame that was dropped.
    fn to_begin(&self, step: &StepKey) -> Option<StepId> {
        self.find(step, |_, step| matches!(step.phase, Phase::Ready | Phase::Delayed))
    }

    /// The step of this name whose attempt is under way; its frame may have been dropped.
    fn under_way(&self, step: &StepKey, attempt: u32) -> Option<StepId> {
        self.find(step, |_, step| step.phase.is_out() && step.attempt == attempt)
    }

    /// The step of this name whose attempt is under way. One whose outputs were reused has not
    /// been said to begin.
    fn begun(&mut self, step: &StepKey, attempt: u32) -> Option<StepId> {
        self.under_way(step, attempt).or_else(|| {
            let id = self.to_begin(step)?;
            self.begin_as(id, attempt);
            Some(id)
        })
    }

    /// Whether an attempt has not emitted this key before. No host lets it, but a history may be
    /// damaged.
    fn is_first(&mut self, id: StepId, output: &Arc<str>, key: &MappingKey) -> bool {
        self.replay.as_deref_mut().is_some_and(|replay| {
            replay.emitted.entry(id).or_default().insert((output.clone(), key.clone()))
        })
    }

    fn forget_emitted(&mut self, id: StepId) {
        if let Some(replay) = self.replay.as_deref_mut() {
            replay.emitted.remove(&id);
        }
    }

    /// Begins an attempt that was made. Its credit is not counted: it has been granted, and what
    /// is still under way in the end is taken back.
    fn begin_as(&mut self, id: StepId, attempt: u32) {
        self.out += 1;
        self.enter_place(id.node);
        let step = self.step_mut(id.frame, id.node);
        step.phase = Phase::Running;
        step.attempt = attempt;
    }

    /// Takes an interrupted attempt back. It does not count, so its number is used again.
    fn take_back(&mut self, id: StepId, actions: &mut Vec<Action>) {
        if !self.leave(id) {
            return;
        }
        self.forget_emitted(id);
        if self.frame(id.frame).discarded {
            self.end_without_count(id.frame, id.node, actions);
            return;
        }
        self.make_stale(id, actions);
        let step = self.step_mut(id.frame, id.node);
        step.attempt = step.attempt.saturating_sub(1);
        self.make_ready(id);
    }

    fn take_all_back(&mut self, actions: &mut Vec<Action>) {
        let mut out = Vec::new();
        for (frame, index) in self.frames.iter().zip(0..) {
            let Some(frame) = frame else { continue };
            let nodes = &self.wiring.scopes[frame.scope.index()].nodes;
            for (step, &node) in frame.steps.iter().zip(nodes) {
                if step.phase.is_out() {
                    out.push(StepId { frame: index, generation: frame.generation, node });
                }
            }
        }
        for id in out {
            self.take_back(id, actions);
        }
    }

    /// The nodes with a step that may emit again what it has emitted before.
    fn nodes_with_stale(&self) -> Vec<bool> {
        let mut found = vec![false; self.job.nodes.len()];
        for frame in self.frames.iter().flatten() {
            let children = &self.wiring.scopes[frame.scope.index()].children;
            for (fan_out, child) in frame.fan_outs.iter().zip(children) {
                if let Some(output) = self.job.scope(*child).origin.yielder() {
                    found[output.node.index()] |= !fan_out.stale.is_empty();
                }
            }
        }
        found
    }

    /// The steps that may run in a frame and inside it, in the order of emission.
    fn find_ready(&self, frame: FrameIndex, found: &mut Vec<StepId>) {
        let here = self.frame(frame);
        let nodes = &self.wiring.scopes[here.scope.index()].nodes;
        for (step, &node) in here.steps.iter().zip(nodes) {
            if step.phase == Phase::Ready {
                found.push(self.id(frame, node));
            }
        }
        for inner in here.fan_outs.iter().flat_map(super::frame::FanOut::alive) {
            self.find_ready(inner, found);
        }
    }
}
