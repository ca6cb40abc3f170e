//! What each event changes.

use std::sync::Arc;

use super::frame::{Closing, FrameIndex, Given, GivenBy, Phase};
use super::tree::NewFrame;
use super::wiring::{Dependency, FanInId, Taken, count};
use super::{Action, Credit, Input, ROOT, Scheduler, StepId};
use crate::event::{CancelReason, SkipReason};
use crate::job::{NodeId, OnFailure, OutputRef, ScopeId};
use crate::name::{MappingKey, StepKey};
use crate::value::Value;

/// An element of a dynamic output, as it was emitted.
#[derive(Debug)]
pub(super) struct Emission<'a> {
    pub(super) id: StepId,
    pub(super) attempt: u32,
    /// The position in the definition of the op.
    pub(super) output: usize,
    pub(super) key: &'a MappingKey,
    pub(super) value: &'a Value,
}

/// An element of a fan-out: one that was emitted, or a batch of them.
#[derive(Debug)]
pub(super) struct NewElement {
    pub(super) id: StepId,
    pub(super) attempt: u32,
    pub(super) scope: ScopeId,
    pub(super) key: MappingKey,
    pub(super) element: Input,
    /// The place of its first among all that the attempt emitted.
    pub(super) first: u32,
}

impl Scheduler {
    /// A running step emitted an element.
    pub(super) fn emitted(&mut self, emission: &Emission<'_>, actions: &mut Vec<Action>) {
        let id = emission.id;
        let discarded = self.frame(id.frame).discarded;
        let Some(step) = self.step_of(id) else { return };
        if !step.phase.is_out() || step.attempt != emission.attempt {
            return;
        }
        let output = OutputRef { node: id.node, output: count(emission.output) };
        let credit = Credit { items: 1, bytes: emission.value.data.len() as u64 };
        let mut scopes = self.wiring.nodes[id.node.index()].fan_outs[emission.output].len();
        if discarded || self.cancelling.is_some() {
            self.lost |= !discarded && scopes > 0;
            scopes = 0;
        }
        self.count_emitted(id, output.output, credit.bytes, scopes);
        if scopes == 0 {
            self.give_credit_back(id.frame, id.node, credit, actions);
            return;
        }
        for at in 0..scopes {
            let scope = self.wiring.nodes[id.node.index()].fan_outs[emission.output][at];
            if let Some(bounds) = self.batch_bounds(scope) {
                self.gather(emission, scope, bounds, actions);
            } else {
                let first = self.place_of_next(id.frame, scope);
                let (key, element) = (emission.key.clone(), emission.value.clone());
                let element = Input::Single(element);
                let attempt = emission.attempt;
                let new = NewElement { id, attempt, scope, key, element, first };
                self.add_element(new, actions);
            }
        }
    }

    /// Adds an element or batch to a fan-out; its credit comes back at once where there is no
    /// work that back-pressure waits for.
    pub(super) fn add_element(&mut self, new: NewElement, actions: &mut Vec<Action>) {
        let (frame, first, element) = (new.id.frame, new.first, new.element.clone());
        let output = self.job.scope(new.scope).origin.yielder();
        if !self.enter(new, actions)
            && let Some(output) = output
        {
            self.no_longer_waited_for(frame, output, first, &element, actions);
        }
    }

    /// Says whether the frame of the new element is alive with work that back-pressure waits for.
    fn enter(&mut self, new: NewElement, actions: &mut Vec<Action>) -> bool {
        let (frame, scope) = (new.id.frame, new.scope);
        let keeps_elements = self.wiring.nodes[new.id.node.index()].keeps_elements;
        let keeps_keys = self.wiring.scopes[scope.index()].keeps_keys;
        let fan_out = self.fan_out_mut(frame, scope);
        let ordinal = fan_out.elements;
        fan_out.elements += 1;
        if keeps_keys {
            fan_out.keys.push(new.key.clone());
        }
        if keeps_elements {
            fan_out.values.push(new.element.clone());
        }
        match fan_out.stale.remove(&new.key) {
            None => {}
            Some(stale) if stale.value.as_ref() == Some(&new.element) => {
                return self.take_over(&new, ordinal, stale);
            }
            Some(stale) => self.drop_element(frame, scope, &new.key, stale.frame, actions),
        }
        self.await_given(frame, scope, &new.key, Some(&new.element));
        let wired = &self.wiring.scopes[scope.index()];
        if wired.nodes.is_empty() && wired.children.is_empty() && wired.meets.is_empty() {
            return false;
        }
        let waited_for = wired.eager > 0;
        let NewElement { attempt, key, element, first, .. } = new;
        let new = NewFrame {
            scope,
            parent: frame,
            keys: self.frame(frame).keys.join(key.clone()),
            element: Some(element),
            first,
            ordinal,
            attempt,
            parts: Box::default(),
        };
        let fan_out = self.fan_out_mut(frame, scope);
        if let Some(leaving) = fan_out.leaving.get_mut(&key) {
            leaving.next = Some(Box::new(new));
            fan_out.live += 1;
        } else {
            self.add_to_fan_out(new, actions);
        }
        waited_for
    }

    /// Makes room for what a new element gives to each fan-in.
    pub(super) fn await_given(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        key: &MappingKey,
        element: Option<&Input>,
    ) {
        for slot in 0..self.wiring.scopes[scope.index()].fan_ins.len() {
            let fan_in = self.wiring.scopes[scope.index()].fan_ins[slot];
            let given = match (self.wiring.fan_ins[fan_in.index()].taken, element) {
                (Taken::Element, Some(Input::Single(value))) => Given::Value(value.clone()),
                // No plan collects batches themselves.
                (Taken::Element, Some(_)) => Given::Absent,
                _ => Given::Pending,
            };
            let state = &mut self.fan_out_mut(frame, scope).fan_ins[slot];
            state.ended += u32::from(given != Given::Pending);
            state.given.push(GivenBy { key: key.clone(), given });
        }
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
            self.end_without_count(id.frame, id.node, actions);
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
        // Where elements were lost, what is left is neither a last batch nor not emitted again.
        if !self.lost {
            self.cut_rest(id, actions);
            self.drop_stale(id, actions);
        }
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
        if self.frame(id.frame).discarded {
            self.end_without_count(id.frame, id.node, actions);
            return;
        }
        if let Some(after_ms) = retry_in_ms {
            if self.cancelling.is_some() {
                self.step_mut(id.frame, id.node).phase = Phase::Gone;
                return;
            }
            self.make_stale(id, actions);
            self.step_mut(id.frame, id.node).phase = Phase::Delayed;
            actions.push(Action::WakeLater { id, after_ms });
            return;
        }
        let step = self.step_key(id.frame, id.node);
        self.note_failure(id.frame, id.node, step, actions);
        self.end(id.frame, id.node, Phase::Failed, actions);
    }

    /// A step was interrupted.
    pub(super) fn cancelled(&mut self, id: StepId, actions: &mut Vec<Action>) {
        if self.leave(id) {
            if self.frame(id.frame).discarded {
                self.end_without_count(id.frame, id.node, actions);
            } else {
                self.step_mut(id.frame, id.node).phase = Phase::Gone;
            }
        }
    }

    /// Takes a step back from the executor; false where it was not there.
    pub(super) fn leave(&mut self, id: StepId) -> bool {
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

    /// Notes a failure for the run, and in every fan-out around `frame`.
    pub(super) fn note_failure(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        step: StepKey,
        actions: &mut Vec<Action>,
    ) {
        let place = count(self.failed.len());
        self.failed_by_node[node.index()] += 1;
        self.failed.push(Some((step.clone(), node)));
        let mut here = frame;
        while here != ROOT {
            let (parent, scope) = (self.frame(here).parent, self.frame(here).scope);
            if let Some(key) = self.frame(here).keys.last().cloned() {
                self.fan_out_mut(parent, scope).failures.entry(key).or_default().push(place);
            }
            here = parent;
        }
        let aborts = self.job.node(node).policy.on_failure == OnFailure::Abort;
        if aborts && !self.aborting && self.cancelling.is_none() {
            self.aborting = true;
            actions.push(Action::Abort { reason: CancelReason::Aborted { step } });
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
        self.ended_by_node[node.index()] += 1;
        let closing = match phase {
            Phase::Succeeded => Closing::Complete,
            Phase::Skipped => Closing::Skipped,
            Phase::Blocked(by) => Closing::Blocked(by),
            _ => Closing::Blocked(node),
        };
        // Before frames are made that find the step ended.
        self.tell_readers(frame, Dependency::Step(node));
        self.close_fan_outs(frame, node, closing, actions);
        for slot in 0..self.wiring.nodes[node.index()].fan_ins.len() {
            let fan_in = self.wiring.nodes[node.index()].fan_ins[slot];
            let given = self.given_by(frame, node, fan_in);
            self.give(frame, fan_in, given);
        }
        for slot in 0..self.wiring.nodes[node.index()].uses.len() {
            let fan_in = self.wiring.nodes[node.index()].uses[slot];
            self.used(frame, fan_in);
        }
        let eager = self.wiring.nodes[node.index()].eager;
        self.release(frame, eager, actions);
    }

    /// Ends a step of a frame that was dropped: nothing comes of it.
    pub(super) fn end_without_count(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        actions: &mut Vec<Action>,
    ) {
        self.step_mut(frame, node).phase = Phase::Gone;
        self.close_fan_outs(frame, node, Closing::Skipped, actions);
        let eager = self.wiring.nodes[node.index()].eager;
        self.release(frame, eager, actions);
    }

    fn given_by(&self, frame: FrameIndex, node: NodeId, fan_in: FanInId) -> Given {
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
        for scope in self.fan_outs_of(self.id(frame, node)) {
            self.close(frame, scope, closing, actions);
        }
    }

    /// Skips a step, or notes that it cannot run because of a failure.
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
