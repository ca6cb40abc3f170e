//! A yielding step that is retried: what a failed attempt emitted never counts twice
//! (`semantics.md` rule 17).

use super::apply::NewElement;
use super::batch::Gathering;
use super::frame::{Closing, FrameIndex, Given, GivenBy, STALE, Stale};
use super::{Action, Scheduler, StepId};
use crate::job::ScopeId;
use crate::name::MappingKey;

impl Scheduler {
    /// Whether what a step does still counts: its frame is there and was not dropped. A report of
    /// a step that does not count is recorded as `StepCancelled` if it ended, and else not at all.
    #[must_use]
    pub fn counts(&self, id: StepId) -> bool {
        self.frame_of(id).is_some_and(|frame| !frame.discarded)
    }

    /// Whether the next element of a step, or its success, may drop clones. It is to be applied
    /// before a report of another step is judged by [`Scheduler::counts`].
    #[must_use]
    pub fn may_drop(&self, id: StepId) -> bool {
        let Some(frame) = self.frame_of(id) else { return false };
        let mut scopes = self.wiring.nodes[id.node.index()].fan_outs.iter().flatten();
        scopes.any(|scope| !frame.fan_outs[self.wiring.scopes[scope.index()].slot].stale.is_empty())
    }

    /// Sets aside what the failed attempt emitted, until the next one emits it again.
    pub(super) fn make_stale(&mut self, id: StepId, actions: &mut Vec<Action>) {
        for scope in self.fan_outs_of(id) {
            let fan_out = self.fan_out_mut(id.frame, scope);
            let mut values = std::mem::take(&mut fan_out.values).into_iter();
            let mut frames = std::mem::take(&mut fan_out.frames);
            fan_out.elements = 0;
            fan_out.gathering.iter_mut().for_each(|batch| **batch = Gathering::default());
            for next in fan_out.leaving.values_mut().filter_map(|leaving| leaving.next.as_mut()) {
                next.ordinal = STALE;
            }
            let mut given: Vec<_> = fan_out
                .fan_ins
                .iter_mut()
                .map(|state| {
                    state.ended = 0;
                    std::mem::take(&mut state.given).into_iter()
                })
                .collect();
            let mut alive = Vec::new();
            for (key, ordinal) in std::mem::take(&mut fan_out.keys).into_iter().zip(0..) {
                let given =
                    given.iter_mut().filter_map(Iterator::next).map(|by| by.given).collect();
                let frame = frames.remove(&ordinal);
                alive.extend(frame);
                fan_out.stale.insert(key, Stale { value: values.next(), frame, given });
            }
            for frame in alive {
                self.frame_mut(frame).ordinal = STALE;
            }
            // Only where nothing was kept, because the policy has no retry.
            for frame in frames.into_values() {
                self.discard(frame, actions);
            }
        }
    }

    /// The fan-outs of a step.
    pub(super) fn fan_outs_of(&self, id: StepId) -> Vec<ScopeId> {
        self.wiring.nodes[id.node.index()].fan_outs.iter().flatten().copied().collect()
    }

    /// Lets an element of a failed attempt count for this one; says whether back-pressure
    /// waits for it.
    pub(super) fn take_over(&mut self, new: &NewElement, ordinal: u32, stale: Stale) -> bool {
        let fan_out = self.fan_out_mut(new.id.frame, new.scope);
        for (state, given) in fan_out.fan_ins.iter_mut().zip(stale.given) {
            state.ended += u32::from(given != Given::Pending);
            state.given.push(GivenBy { key: new.key.clone(), given });
        }
        let next = fan_out.leaving.get_mut(&new.key).and_then(|leaving| leaving.next.as_mut());
        if let Some(next) = next {
            next.ordinal = ordinal;
            next.attempt = new.attempt;
            next.first = new.first;
            return self.wiring.scopes[new.scope.index()].eager > 0;
        }
        let Some(alive) = stale.frame else { return false };
        fan_out.frames.insert(ordinal, alive);
        let inner = self.frame_mut(alive);
        inner.ordinal = ordinal;
        inner.attempt = new.attempt;
        inner.first = new.first;
        inner.eager_open > 0
    }

    /// Drops the elements that the last attempt did not emit again.
    pub(super) fn drop_stale(&mut self, id: StepId, actions: &mut Vec<Action>) {
        for scope in self.fan_outs_of(id) {
            let stale = std::mem::take(&mut self.fan_out_mut(id.frame, scope).stale);
            for (key, stale) in stale {
                self.drop_element(id.frame, scope, &key, stale.frame, actions);
            }
        }
    }

    /// Makes all that came of an element not count.
    pub(super) fn drop_element(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        key: &MappingKey,
        alive: Option<FrameIndex>,
        actions: &mut Vec<Action>,
    ) {
        let nodes = &self.wiring.scopes[scope.index()].inside;
        if !nodes.is_empty() {
            let keys = self.frame(frame).keys.join(key.clone()).keys();
            actions.push(Action::Drop { nodes: nodes.clone(), keys });
        }
        let fan_out = self.fan_out_mut(frame, scope);
        if let Some(leaving) = fan_out.leaving.get_mut(key) {
            fan_out.live -= u32::from(leaving.next.take().is_some());
        }
        if alive.is_some() {
            fan_out.leaving.entry(key.clone()).or_default().frames += 1;
        }
        let failures = fan_out.failures.remove(key);
        for place in failures.into_iter().flatten() {
            if let Some((_, node)) = self.failed[place as usize].take() {
                self.failed_by_node[node.index()] -= 1;
            }
        }
        // First this: what it was met with may be the last that keeps the frame alive.
        if let Some(alive) = alive {
            self.discard(alive, actions);
        }
        self.part_dropped(frame, scope, key, actions);
        if let Some(alive) = alive
            && let Some(repeated) = self.fan_out_mut(frame, scope).repeated.as_deref_mut()
            && repeated.held.remove(&alive)
        {
            self.let_go(alive, actions);
        }
    }

    /// A dropped frame is gone: the one that follows it can be made.
    pub(super) fn left(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        key: &MappingKey,
        actions: &mut Vec<Action>,
    ) {
        let fan_out = self.fan_out_mut(frame, scope);
        let Some(leaving) = fan_out.leaving.get_mut(key) else { return };
        leaving.frames -= 1;
        if leaving.frames > 0 {
            return;
        }
        let next = fan_out.leaving.remove(key).and_then(|leaving| leaving.next);
        if let Some(next) = next {
            fan_out.live -= 1;
            self.add_to_fan_out(*next, actions);
            self.close_for_others_if_due(frame, scope, actions);
        }
    }

    /// Makes no more frames in a fan-out that is dropped.
    fn forget_next(&mut self, frame: FrameIndex, scope: ScopeId, actions: &mut Vec<Action>) {
        let fan_out = self.fan_out_mut(frame, scope);
        let mut forgotten = 0;
        for leaving in fan_out.leaving.values_mut() {
            forgotten += u32::from(leaving.next.take().is_some());
        }
        if forgotten > 0 {
            fan_out.live -= forgotten;
            self.close_for_others_if_due(frame, scope, actions);
            self.end_fan_out_if_due(frame, scope, actions);
        }
    }

    /// Ends all in a frame that has not begun, and interrupts what has.
    fn discard(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        self.frame_mut(frame).discarded = true;
        // The last that ends in it would free it.
        self.hold(frame);
        let scope = self.frame(frame).scope;
        for slot in 0..self.wiring.scopes[scope.index()].children.len() {
            let inner: Vec<FrameIndex> = self.frame(frame).fan_outs[slot].alive().collect();
            for inner in inner {
                self.discard(inner, actions);
            }
            let child = self.wiring.scopes[scope.index()].children[slot];
            self.forget_next(frame, child, actions);
            let meets = !self.wiring.scopes[child.index()].parts.is_empty();
            if meets && self.fan_out(frame, child).closing == Closing::Open {
                self.close_meeting(frame, child, Closing::Skipped, actions);
            }
        }
        for slot in 0..self.wiring.scopes[scope.index()].nodes.len() {
            let node = self.wiring.scopes[scope.index()].nodes[slot];
            let phase = self.step(frame, node).phase;
            if phase.is_out() {
                actions.push(Action::Interrupt { id: self.id(frame, node) });
            } else if !phase.has_ended() {
                self.end_without_count(frame, node, actions);
            }
        }
        self.let_go(frame, actions);
    }
}
