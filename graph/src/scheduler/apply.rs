//! What each event changes.

use std::sync::Arc;

use super::frame::{Closing, FrameIndex, Given, Phase, STALE, Stale};
use super::wiring::{Dependency, Taken};
use super::{Action, Credit, ROOT, Scheduler, StepId};
use crate::event::{CancelReason, SkipReason};
use crate::job::{NodeId, OnFailure, ScopeId};
use crate::name::MappingKey;
use crate::value::Value;

impl Scheduler {
    /// A running step emitted an element of its output at `output`.
    pub(super) fn emitted(
        &mut self,
        id: StepId,
        attempt: u32,
        output: usize,
        key: &MappingKey,
        value: &Value,
        actions: &mut Vec<Action>,
    ) {
        let bytes = value.data.len() as u64;
        let discarded = self.frame(id.frame).discarded;
        let Some(step) = self.step_of(id) else { return };
        if let Some(flow) = &mut step.flow {
            flow.unfinished += 1;
        }
        let scope = self.wiring.nodes[id.node.index()].fan_outs[output];
        let eager = match scope {
            Some(scope) if !discarded && self.cancelling.is_none() => {
                self.add_element(id, attempt, scope, key, value, actions)
            }
            _ => false,
        };
        if !eager {
            self.give_credit_back(id.frame, id.node, bytes, actions);
        }
    }

    /// Adds an element to a fan-out; says whether its frame is alive with work that
    /// back-pressure waits for.
    fn add_element(
        &mut self,
        id: StepId,
        attempt: u32,
        scope: ScopeId,
        key: &MappingKey,
        value: &Value,
        actions: &mut Vec<Action>,
    ) -> bool {
        let keeps_values = self.job.node(id.node).policy.retry.max_attempts > 1;
        let recorded = self.fan_out_mut(id.frame, scope).stale.remove(key);
        let ordinal = self.fan_out(id.frame, scope).keys.len() as u32;
        let fan_out = self.fan_out_mut(id.frame, scope);
        fan_out.keys.push(key.clone());
        if keeps_values {
            fan_out.values.push(value.clone());
        }
        let frame = match recorded {
            Some(stale) if stale.value == *value => {
                return self.take_over(id.frame, scope, ordinal, attempt, stale);
            }
            Some(stale) => {
                self.drop_element(id.frame, scope, key, stale.frame, actions);
                None
            }
            None => None,
        };
        let fan_out = self.fan_out_mut(id.frame, scope);
        fan_out.frames.push(frame);
        for slot in 0..self.wiring.scopes[scope.index()].fan_ins.len() {
            let fan_in = self.wiring.scopes[scope.index()].fan_ins[slot];
            let given = match self.wiring.fan_ins[fan_in.index()].taken {
                Taken::Element => Given::Value(value.clone()),
                _ => Given::Pending,
            };
            let state = &mut self.fan_out_mut(id.frame, scope).fan_ins[slot];
            state.ended += u32::from(given != Given::Pending);
            state.given.push(given);
        }
        let wired = &self.wiring.scopes[scope.index()];
        if wired.nodes.is_empty() && wired.children.is_empty() {
            return false;
        }
        let eager = wired.eager > 0;
        let keys = self.frame(id.frame).keys.join(key.clone());
        let made = self.add_frame(scope, id.frame, keys, Some(value.clone()), ordinal, attempt);
        let fan_out = self.fan_out_mut(id.frame, scope);
        fan_out.frames[ordinal as usize] = Some(made);
        fan_out.live += 1;
        eager
    }

    /// Lets an element of a failed attempt count for this one (`semantics.md` rule 17).
    fn take_over(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        ordinal: u32,
        attempt: u32,
        stale: Stale,
    ) -> bool {
        let fan_out = self.fan_out_mut(frame, scope);
        fan_out.frames.push(stale.frame);
        for (state, given) in fan_out.fan_ins.iter_mut().zip(stale.given) {
            state.ended += u32::from(given != Given::Pending);
            state.given.push(given);
        }
        let Some(alive) = stale.frame else { return false };
        let inner = self.frame_mut(alive);
        inner.ordinal = ordinal;
        inner.attempt = attempt;
        inner.eager_open > 0
    }

    /// A step succeeded with these static outputs.
    pub(super) fn succeeded(
        &mut self,
        id: StepId,
        outputs: &[(Arc<str>, Value)],
        actions: &mut Vec<Action>,
    ) {
        if !self.leave(id) {
            return;
        }
        if self.frame(id.frame).discarded {
            self.end(id.frame, id.node, Phase::Gone, actions);
            return;
        }
        let kept = &self.wiring.nodes[id.node.index()].kept;
        let op = &self.job.node(id.node).op;
        let mut values: Box<[Option<Value>]> = Box::default();
        if kept.contains(&true) {
            values = vec![None; kept.len()].into_boxed_slice();
            for (name, value) in outputs {
                if let Some((index, _)) = op.output(name)
                    && kept[index]
                {
                    values[index] = Some(value.clone());
                }
            }
        }
        self.step_mut(id.frame, id.node).outputs = values;
        self.drop_stale(id, actions);
        self.end(id.frame, id.node, Phase::Succeeded, actions);
    }

    /// An attempt at a step failed; it is retried after `retry_in_ms`, or has failed for good.
    pub(super) fn failed(
        &mut self,
        id: StepId,
        retry_in_ms: Option<u64>,
        actions: &mut Vec<Action>,
    ) {
        if !self.leave(id) {
            return;
        }
        if self.frame(id.frame).discarded || self.cancelling.is_some() && retry_in_ms.is_some() {
            self.end(id.frame, id.node, Phase::Gone, actions);
            return;
        }
        if let Some(after_ms) = retry_in_ms {
            self.make_stale(id);
            self.step_mut(id.frame, id.node).phase = Phase::Delayed;
            actions.push(Action::WakeLater { id, after_ms });
            return;
        }
        let step = self.step_key(id.frame, id.node);
        self.failed_by_node[id.node.index()] += 1;
        self.failed.push((step.clone(), id.node));
        self.note_failure(id.frame, id.node);
        if self.job.node(id.node).policy.on_failure == OnFailure::Abort {
            actions.push(Action::Abort { reason: CancelReason::Aborted { step } });
        }
        self.end(id.frame, id.node, Phase::Failed, actions);
    }

    /// A step was interrupted.
    pub(super) fn cancelled(&mut self, id: StepId) {
        if self.leave(id) {
            let discarded = self.frame(id.frame).discarded;
            if discarded {
                self.end(id.frame, id.node, Phase::Gone, &mut Vec::new());
            } else {
                self.step_mut(id.frame, id.node).phase = Phase::Gone;
            }
        }
    }

    /// Takes a step back from the executor; false where it was not there.
    fn leave(&mut self, id: StepId) -> bool {
        let Some(step) = self.step_of(id) else { return false };
        let phase = step.phase;
        if !phase.is_out() {
            return false;
        }
        step.flow = None;
        self.out -= 1;
        if phase == Phase::Running {
            self.leave_place(id.node);
        }
        true
    }

    /// Notes in every fan-out around the step that something failed in that element.
    fn note_failure(&mut self, frame: FrameIndex, node: NodeId) {
        let mut here = frame;
        while here != ROOT {
            let (parent, scope) = (self.frame(here).parent, self.frame(here).scope);
            let key = self.frame(here).keys.last().cloned();
            if let Some(key) = key {
                self.fan_out_mut(parent, scope).failures.push((key, node));
            }
            here = parent;
        }
    }

    /// Ends a step: tells all that wait for it, closes its fan-outs, and frees its frame when
    /// it was the last.
    pub(super) fn end(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        phase: Phase,
        actions: &mut Vec<Action>,
    ) {
        self.step_mut(frame, node).phase = phase;
        if phase != Phase::Gone {
            self.ended_by_node[node.index()] += 1;
            let closing = match phase {
                Phase::Succeeded => Closing::Complete,
                Phase::Skipped => Closing::Skipped,
                Phase::Blocked(by) => Closing::Blocked(by),
                _ => Closing::Blocked(node),
            };
            self.close_fan_outs(frame, node, closing, actions);
            self.tell_readers(frame, Dependency::Step(node));
            for slot in 0..self.wiring.nodes[node.index()].fan_ins.len() {
                let fan_in = self.wiring.nodes[node.index()].fan_ins[slot];
                let given = self.given_by(frame, node, fan_in);
                self.give(frame, fan_in, given);
            }
        } else {
            self.close_fan_outs(frame, node, Closing::Skipped, actions);
        }
        let eager = self.wiring.nodes[node.index()].eager;
        self.release(frame, eager, actions);
    }

    fn given_by(&self, frame: FrameIndex, node: NodeId, fan_in: super::FanInId) -> Given {
        let step = self.step(frame, node);
        match (step.phase, self.wiring.fan_ins[fan_in.index()].taken) {
            (Phase::Failed, _) => Given::Failed(node),
            (Phase::Blocked(by), _) => Given::Failed(by),
            (Phase::Succeeded, Taken::Output(output)) => step
                .outputs
                .get(output.output as usize)
                .and_then(Clone::clone)
                .map_or(Given::Absent, Given::Value),
            _ => Given::Absent,
        }
    }

    fn close_fan_outs(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        closing: Closing,
        actions: &mut Vec<Action>,
    ) {
        for output in 0..self.wiring.nodes[node.index()].fan_outs.len() {
            let Some(scope) = self.wiring.nodes[node.index()].fan_outs[output] else { continue };
            self.fan_out_mut(frame, scope).closing = closing;
            for slot in 0..self.wiring.scopes[scope.index()].fan_ins.len() {
                let fan_in = self.wiring.scopes[scope.index()].fan_ins[slot];
                self.settle_if_ended(frame, fan_in);
            }
            self.end_fan_out_if_due(frame, scope, actions);
        }
    }

    /// Counts down what is open in the frame around a fan-out that has all its elements and in
    /// which nothing is alive.
    fn end_fan_out_if_due(&mut self, frame: FrameIndex, scope: ScopeId, actions: &mut Vec<Action>) {
        let fan_out = self.fan_out_mut(frame, scope);
        if fan_out.ended || fan_out.closing == Closing::Open || fan_out.live > 0 {
            return;
        }
        fan_out.ended = true;
        fan_out.frames = Vec::new();
        fan_out.values = Vec::new();
        if fan_out.fan_ins.iter().all(|fan_in| fan_in.settled.is_some()) {
            fan_out.keys = Vec::new();
        }
        let eager = self.wiring.scopes[scope.index()].eager_in_parent;
        self.release(frame, eager, actions);
    }

    /// One step or fan-out of a frame has ended.
    fn release(&mut self, frame: FrameIndex, eager: bool, actions: &mut Vec<Action>) {
        let here = self.frame_mut(frame);
        here.open -= 1;
        let last = here.open == 0;
        if frame == ROOT {
            return;
        }
        let mut caught_up = false;
        if eager {
            here.eager_open -= 1;
            caught_up = here.eager_open == 0;
        }
        let (parent, scope, attempt) = (here.parent, here.scope, here.attempt);
        let bytes = here.element.as_ref().map_or(0, |element| element.data.len() as u64);
        let counts = here.ordinal != STALE && !here.discarded;
        if caught_up && counts {
            let yielder = self.yielder(scope);
            if self.step(parent, yielder).attempt == attempt {
                self.give_credit_back(parent, yielder, bytes, actions);
            }
        }
        if last {
            self.free_frame(frame, actions);
        }
    }

    fn free_frame(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let Some(freed) = self.frames[frame as usize].take() else { return };
        self.free.push(frame);
        let fan_out = self.fan_out_mut(freed.parent, freed.scope);
        fan_out.live -= 1;
        if !freed.discarded {
            if freed.ordinal == STALE {
                if let Some(stale) = freed.keys.last().and_then(|key| fan_out.stale.get_mut(key)) {
                    stale.frame = None;
                }
            } else if let Some(alive) = fan_out.frames.get_mut(freed.ordinal as usize) {
                *alive = None;
            }
        }
        self.end_fan_out_if_due(freed.parent, freed.scope, actions);
    }

    /// The node whose steps make the frames of `scope`.
    fn yielder(&self, scope: ScopeId) -> NodeId {
        match self.job.scope(scope).origin {
            crate::job::Origin::FanOut(output) => output.node,
            _ => unreachable!("only fan-outs make frames"),
        }
    }

    fn give_credit_back(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        bytes: u64,
        actions: &mut Vec<Action>,
    ) {
        let window = self.bounds.window;
        let id = self.id(frame, node);
        let step = self.step_mut(frame, node);
        let phase = step.phase;
        let Some(flow) = step.flow.as_deref_mut() else { return };
        flow.unfinished = flow.unfinished.saturating_sub(1);
        flow.owed.items += 1;
        flow.owed.bytes += bytes;
        let due = flow.owed.items * 4 >= window.items || flow.owed.bytes * 4 >= window.bytes;
        if phase == Phase::Running && due {
            let credit = std::mem::take(&mut flow.owed);
            flow.granted += credit.items;
            actions.push(Action::Grant { id, credit });
        } else {
            self.resume_if_due(id);
        }
    }

    /// Lets a suspended step go on when half of its window is free again.
    pub(super) fn resume_if_due(&mut self, id: StepId) {
        let window = self.bounds.window;
        let Some(step) = self.step_of(id) else { return };
        let Some(flow) = step.flow.as_deref() else { return };
        let due = flow.unfinished == 0
            || flow.owed.items * 2 >= window.items
            || flow.owed.bytes * 2 >= window.bytes;
        if step.phase == Phase::Suspended && due && flow.owed != Credit::default() {
            step.phase = Phase::Resumable;
            self.ready[id.node.index()].push_front(id);
            self.ready_nodes.insert(id.node);
        }
    }

    // ---- a yielding step that is retried (rule 17) ----

    /// Sets aside what the failed attempt emitted, until the next one emits it again.
    fn make_stale(&mut self, id: StepId) {
        for output in 0..self.wiring.nodes[id.node.index()].fan_outs.len() {
            let Some(scope) = self.wiring.nodes[id.node.index()].fan_outs[output] else {
                continue;
            };
            let fan_out = self.fan_out_mut(id.frame, scope);
            let keys = std::mem::take(&mut fan_out.keys);
            let values = std::mem::take(&mut fan_out.values);
            let frames = std::mem::take(&mut fan_out.frames);
            let mut given: Vec<_> = fan_out
                .fan_ins
                .iter_mut()
                .map(|state| {
                    state.ended = 0;
                    std::mem::take(&mut state.given).into_iter()
                })
                .collect();
            let mut alive = Vec::new();
            for ((key, value), frame) in keys.into_iter().zip(values).zip(frames) {
                let given = given.iter_mut().filter_map(Iterator::next).collect();
                alive.extend(frame);
                fan_out.stale.insert(key, Stale { value, frame, given });
            }
            for frame in alive {
                self.frame_mut(frame).ordinal = STALE;
            }
        }
    }

    /// Drops the elements that the last attempt did not emit again.
    fn drop_stale(&mut self, id: StepId, actions: &mut Vec<Action>) {
        for output in 0..self.wiring.nodes[id.node.index()].fan_outs.len() {
            let Some(scope) = self.wiring.nodes[id.node.index()].fan_outs[output] else {
                continue;
            };
            let stale = std::mem::take(&mut self.fan_out_mut(id.frame, scope).stale);
            for (key, stale) in stale {
                self.drop_element(id.frame, scope, &key, stale.frame, actions);
            }
        }
    }

    fn drop_element(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        key: &MappingKey,
        alive: Option<FrameIndex>,
        actions: &mut Vec<Action>,
    ) {
        let keys = self.frame(frame).keys.join(key.clone());
        let fan_out = self.fan_out_mut(frame, scope);
        let (dropped, kept) = std::mem::take(&mut fan_out.failures)
            .into_iter()
            .partition::<Vec<_>, _>(|(failed, _)| failed == key);
        fan_out.failures = kept;
        for (_, node) in dropped {
            self.failed_by_node[node.index()] -= 1;
        }
        let inside = keys.keys();
        self.failed.retain(|(step, _)| !step.keys.keys().starts_with(&inside));
        if let Some(alive) = alive {
            self.discard(alive, actions);
        }
    }

    /// Ends all in a frame that has not begun, and interrupts what has.
    fn discard(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        self.frame_mut(frame).discarded = true;
        let scope = self.frame(frame).scope;
        // Fan-outs first: ending the last step may free the frame.
        for slot in 0..self.wiring.scopes[scope.index()].children.len() {
            let mut inner: Vec<FrameIndex> =
                self.frame(frame).fan_outs[slot].frames.iter().flatten().copied().collect();
            let stale = &self.frame(frame).fan_outs[slot].stale;
            inner.extend(stale.values().filter_map(|stale| stale.frame));
            for inner in inner {
                self.discard(inner, actions);
            }
        }
        let nodes = self.wiring.scopes[scope.index()].nodes.clone();
        let mut gone = Vec::new();
        for node in nodes {
            let phase = self.step(frame, node).phase;
            if phase.is_out() {
                actions.push(Action::Interrupt { id: self.id(frame, node) });
            } else if !phase.has_ended() {
                gone.push(node);
            }
        }
        for node in &gone {
            self.ready[node.index()].retain(|id| id.frame != frame);
            if self.ready[node.index()].is_empty() {
                self.ready_nodes.remove(node);
            }
        }
        for node in gone {
            self.end(frame, node, Phase::Gone, actions);
        }
    }

    /// Skips a step, or notes that it cannot run because `by` failed.
    pub(super) fn skip(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        phase: Phase,
        reason: SkipReason,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Skip { step: self.step_key(frame, node), reason });
        self.end(frame, node, phase, actions);
    }
}
