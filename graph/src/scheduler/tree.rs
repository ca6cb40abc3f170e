//! The tree of frames: finding them, making them, and freeing them when all in them has ended.

use super::frame::{Closing, FanOut, Frame, FrameIndex, Phase, Repeated, Step};
use super::wiring::{FanInId, count};
use super::{Action, Input, ROOT, Scheduler, StepId};
use crate::job::{NodeId, ScopeId};
use crate::name::{KeyPath, StepKey};

/// A frame to be made.
#[derive(Debug)]
pub(super) struct NewFrame {
    pub(super) scope: ScopeId,
    pub(super) parent: FrameIndex,
    pub(super) keys: KeyPath,
    pub(super) element: Option<Input>,
    pub(super) first: u32,
    pub(super) ordinal: u32,
    pub(super) attempt: u32,
    pub(super) parts: Box<[FrameIndex]>,
}

impl NewFrame {
    pub(super) fn root() -> Self {
        Self {
            scope: ScopeId::ROOT,
            parent: ROOT,
            keys: KeyPath::root(),
            element: None,
            first: 0,
            ordinal: 0,
            attempt: 0,
            parts: Box::default(),
        }
    }
}

impl Scheduler {
    pub(super) fn frame(&self, index: FrameIndex) -> &Frame {
        self.frames[index as usize].as_deref().expect("a frame lives while anything in it is open")
    }

    pub(super) fn frame_mut(&mut self, index: FrameIndex) -> &mut Frame {
        self.frames[index as usize]
            .as_deref_mut()
            .expect("a frame lives while anything in it is open")
    }

    pub(super) fn frame_of(&self, id: StepId) -> Option<&Frame> {
        let frame = self.frames.get(id.frame as usize)?.as_deref()?;
        (frame.generation == id.generation).then_some(frame)
    }

    pub(super) fn step_of(&mut self, id: StepId) -> Option<&mut Step> {
        let slot = self.wiring.nodes[id.node.index()].slot;
        let frame = self.frames.get_mut(id.frame as usize)?.as_deref_mut()?;
        (frame.generation == id.generation).then(|| &mut frame.steps[slot])
    }

    pub(super) fn step(&self, frame: FrameIndex, node: NodeId) -> &Step {
        &self.frame(frame).steps[self.wiring.nodes[node.index()].slot]
    }

    pub(super) fn step_mut(&mut self, frame: FrameIndex, node: NodeId) -> &mut Step {
        let slot = self.wiring.nodes[node.index()].slot;
        &mut self.frame_mut(frame).steps[slot]
    }

    pub(super) fn fan_out_mut(&mut self, frame: FrameIndex, scope: ScopeId) -> &mut FanOut {
        let slot = self.wiring.scopes[scope.index()].slot;
        &mut self.frame_mut(frame).fan_outs[slot]
    }

    pub(super) fn fan_out(&self, frame: FrameIndex, scope: ScopeId) -> &FanOut {
        &self.frame(frame).fan_outs[self.wiring.scopes[scope.index()].slot]
    }

    pub(super) fn id(&self, frame: FrameIndex, node: NodeId) -> StepId {
        StepId { frame, generation: self.frame(frame).generation, node }
    }

    pub(super) fn step_key(&self, frame: FrameIndex, node: NodeId) -> StepKey {
        StepKey { node: self.job.node(node).name.clone(), keys: self.frame(frame).keys.clone() }
    }

    /// The frame of `scope` that is `frame`, around it, or among what one of these is made of.
    pub(super) fn around(&self, frame: FrameIndex, scope: ScopeId) -> FrameIndex {
        let mut here = frame;
        loop {
            if let Some(found) = self.among_parts(here, scope) {
                return found;
            }
            debug_assert_ne!(here, ROOT, "a source's scope is around its reader's");
            here = self.frame(here).parent;
        }
    }

    fn among_parts(&self, frame: FrameIndex, scope: ScopeId) -> Option<FrameIndex> {
        let here = self.frame(frame);
        if here.scope == scope {
            return Some(frame);
        }
        here.parts.iter().find_map(|&part| self.among_parts(part, scope))
    }

    /// The frame in which the fan-outs of `scope` stand that is around `frame`.
    pub(super) fn holder(&self, frame: FrameIndex, scope: ScopeId) -> FrameIndex {
        self.around(frame, self.job.scope(scope).parent.unwrap_or(ScopeId::ROOT))
    }

    /// The frames of `scope` that are alive in `frame`, or `frame` itself.
    pub(super) fn all_inside(&self, frame: FrameIndex, scope: ScopeId) -> Vec<FrameIndex> {
        let mut levels = Vec::new();
        let mut level = scope;
        while level != self.frame(frame).scope {
            levels.push(level);
            level = self.job.scope(level).parent.expect("the scope is inside the frame's");
        }
        let mut frames = vec![frame];
        for level in levels.into_iter().rev() {
            frames = frames.iter().flat_map(|&outer| self.fan_out(outer, level).alive()).collect();
        }
        frames
    }

    /// Makes a frame, and has its steps judged that wait for nothing.
    pub(super) fn add_frame(&mut self, new: NewFrame) -> FrameIndex {
        let scope = new.scope;
        let wired = &self.wiring.scopes[scope.index()];
        let waiting =
            || Step { phase: Phase::Waiting(0), attempt: 0, outputs: Box::default(), flow: None };
        let steps: Box<[Step]> = wired.nodes.iter().map(|_| waiting()).collect();
        let fan_outs: Box<[FanOut]> = wired.children.iter().map(|&c| self.new_fan_out(c)).collect();
        self.generation = self.generation.wrapping_add(1);
        let frame = Box::new(Frame {
            scope,
            parent: new.parent,
            generation: self.generation,
            ordinal: new.ordinal,
            keys: new.keys,
            element: new.element,
            first: new.first,
            attempt: new.attempt,
            open: count(steps.len() + fan_outs.len()),
            eager_open: wired.eager,
            steps,
            fan_outs,
            parts: new.parts,
            discarded: false,
        });
        let index = if let Some(index) = self.free.pop() {
            self.frames[index as usize] = Some(frame);
            index
        } else {
            self.frames.push(Some(frame));
            count(self.frames.len() - 1)
        };
        if self.replay.is_some() {
            self.note_made(index);
        }
        self.open_ways(index, scope);
        for slot in 0..self.wiring.scopes[scope.index()].nodes.len() {
            let node = self.wiring.scopes[scope.index()].nodes[slot];
            let missing = self.missing(index, node);
            self.step_mut(index, node).phase = Phase::Waiting(missing);
            if missing == 0 {
                self.judged_next.push_back((index, node));
            }
        }
        index
    }

    fn new_fan_out(&self, scope: ScopeId) -> FanOut {
        let wired = &self.wiring.scopes[scope.index()];
        let users = |fan_in: &FanInId| {
            let fan_in = &self.wiring.fan_ins[fan_in.index()];
            fan_in.users + u32::from(fan_in.kept)
        };
        FanOut::new(wired.fan_ins.iter().map(users), &self.job.scope(scope).origin)
    }

    /// Notes that each fan-out of a new frame may bring frames in which others are repeated.
    fn open_ways(&mut self, frame: FrameIndex, scope: ScopeId) {
        for slot in 0..self.wiring.scopes[scope.index()].children.len() {
            let child = self.wiring.scopes[scope.index()].children[slot];
            for way in 0..self.wiring.scopes[child.index()].on_way_to.len() {
                let of = self.wiring.scopes[child.index()].on_way_to[way];
                let holder = self.holder(frame, of);
                let repeated = &mut self.fan_out_mut(holder, of).repeated;
                repeated.get_or_insert_with(|| Box::new(Repeated::default())).open += 1;
            }
        }
    }

    /// A fan-out has all its elements: settles what takes them, tells those that meet them.
    pub(super) fn close(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        closing: Closing,
        actions: &mut Vec<Action>,
    ) {
        let fan_out = self.fan_out_mut(frame, scope);
        fan_out.closing = closing;
        // What is left of a step that did not succeed is not run.
        fan_out.gathering = None;
        // No attempt follows that would be compared with them.
        fan_out.values = Vec::new();
        for slot in 0..self.wiring.scopes[scope.index()].fan_ins.len() {
            let fan_in = self.wiring.scopes[scope.index()].fan_ins[slot];
            self.settle_if_ended(frame, fan_in);
        }
        self.close_for_others_if_due(frame, scope, actions);
        self.end_fan_out_if_due(frame, scope, actions);
    }

    /// Tells what meets the elements of a fan-out that there are no more.
    pub(super) fn close_for_others_if_due(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        actions: &mut Vec<Action>,
    ) {
        let fan_out = self.fan_out(frame, scope);
        if fan_out.closing == Closing::Open || fan_out.is_behind() {
            return;
        }
        for way in 0..self.wiring.scopes[scope.index()].on_way_to.len() {
            let of = self.wiring.scopes[scope.index()].on_way_to[way];
            self.close_way(frame, of, actions);
        }
        for place in 0..self.wiring.scopes[scope.index()].meets.len() {
            let (meeting, _) = self.wiring.scopes[scope.index()].meets[place];
            let outer = self.job.scope(meeting).parent.unwrap_or(ScopeId::ROOT);
            for inside in self.all_inside(frame, outer) {
                self.close_meeting_if_due(inside, meeting, actions);
            }
        }
    }

    fn close_way(&mut self, frame: FrameIndex, of: ScopeId, actions: &mut Vec<Action>) {
        let holder = self.holder(frame, of);
        let Some(repeated) = self.fan_out_mut(holder, of).repeated.as_deref_mut() else { return };
        repeated.open -= 1;
        if repeated.open == 0 {
            for held in std::mem::take(&mut repeated.held) {
                self.let_go(held, actions);
            }
        }
    }

    /// Counts down what is open in the frame around a fan-out that has all its elements and in
    /// which nothing is alive.
    pub(super) fn end_fan_out_if_due(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        actions: &mut Vec<Action>,
    ) {
        let meets = !self.wiring.scopes[scope.index()].meets.is_empty();
        let fan_out = self.fan_out_mut(frame, scope);
        if fan_out.ended || fan_out.closing == Closing::Open || fan_out.live > 0 {
            return;
        }
        fan_out.ended = true;
        fan_out.stale.clear();
        if !meets {
            fan_out.keys = Vec::new();
            fan_out.meeting = None;
        }
        for slot in 0..self.wiring.scopes[scope.index()].uses.len() {
            let fan_in = self.wiring.scopes[scope.index()].uses[slot];
            self.used(frame, fan_in);
        }
        let eager = self.wiring.scopes[scope.index()].eager_in_parent;
        self.release(frame, eager, actions);
    }

    /// One step or fan-out of a frame has ended.
    pub(super) fn release(&mut self, frame: FrameIndex, eager: bool, actions: &mut Vec<Action>) {
        if eager && frame != ROOT {
            let here = self.frame_mut(frame);
            here.eager_open -= 1;
            if here.eager_open == 0 {
                self.caught_up(frame, actions);
            }
        }
        self.let_go(frame, actions);
    }

    /// Keeps a frame alive until it is let go.
    pub(super) fn hold(&mut self, frame: FrameIndex) {
        self.frame_mut(frame).open += 1;
    }

    /// One thing less keeps a frame alive.
    pub(super) fn let_go(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let here = self.frame_mut(frame);
        here.open -= 1;
        if here.open == 0 && frame != ROOT {
            self.free_frame(frame, actions);
        }
    }

    fn free_frame(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let Some(freed) = self.frames[frame as usize].take() else { return };
        self.free.push(frame);
        if let Some(replay) = self.replay.as_deref_mut() {
            replay.forget(freed.scope, &freed.keys, frame);
        }
        let fan_out = self.fan_out_mut(freed.parent, freed.scope);
        fan_out.live -= 1;
        // A frame that was dropped may no longer be known there, or another stand in its place.
        if fan_out.frames.get(&freed.ordinal) == Some(&frame) {
            fan_out.frames.remove(&freed.ordinal);
        } else if let Some(stale) = freed.keys.last().and_then(|key| fan_out.stale.get_mut(key)) {
            stale.frame = stale.frame.filter(|&other| other != frame);
        }
        if freed.discarded
            && let Some(key) = freed.keys.last()
        {
            self.left(freed.parent, freed.scope, key, actions);
        }
        self.end_fan_out_if_due(freed.parent, freed.scope, actions);
        for &part in &freed.parts {
            self.let_go(part, actions);
        }
    }
}
