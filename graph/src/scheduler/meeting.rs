//! Scopes in which fan-outs meet (`semantics.md` rule 4): `zip` by key, `cross` in every pair.
//!
//! Both are the same here. An element of such a scope is made when each part, a fan-out that
//! stands in the frame around or further out, has one of the same key. A zip has two or more
//! parts in the frame around it, a cross has one further out, which is thus repeated in every
//! frame. The frames of the parts stay alive while a frame made of them is, and as long as
//! one may still be made. No back-pressure comes from a meeting: what the parts emit in
//! different orders has to wait for its counterpart somewhere.

use super::frame::{Closing, FrameIndex, Given, Met, STALE};
use super::tree::NewFrame;
use super::{Action, Scheduler};
use crate::event::{Failure, SkipReason};
use crate::job::{NodeId, Origin, ScopeId};
use crate::name::{MappingKey, StepKey};

impl Scheduler {
    /// Makes the frame of a new element and lets it meet others.
    pub(super) fn add_to_fan_out(&mut self, new: NewFrame, actions: &mut Vec<Action>) {
        let (parent, scope, ordinal) = (new.parent, new.scope, new.ordinal);
        let frame = self.add_frame(new);
        let key = self.frame(frame).keys.last().cloned();
        let fan_out = self.fan_out_mut(parent, scope);
        fan_out.live += 1;
        if ordinal != STALE {
            fan_out.frames.insert(ordinal, frame);
        } else if let Some(stale) = key.and_then(|key| fan_out.stale.get_mut(&key)) {
            stale.frame = Some(frame);
        }
        // Without a node of its own it would be freed by the first that lets it go.
        self.hold(frame);
        if let Some(repeated) = self.fan_out_mut(parent, scope).repeated.as_deref_mut()
            && repeated.open > 0
        {
            repeated.held.insert(frame);
            self.hold(frame);
        }
        for place in 0..self.wiring.scopes[scope.index()].meets.len() {
            let (meeting, part) = self.wiring.scopes[scope.index()].meets[place];
            let outer = self.job.scope(meeting).parent.unwrap_or(ScopeId::ROOT);
            for inside in self.all_inside(parent, outer) {
                self.arrive(inside, meeting, (part, frame), actions);
            }
        }
        self.repeat_in(frame, actions);
        self.let_go(frame, actions);
    }

    /// Repeats in a new frame what its crosses are of.
    fn repeat_in(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let scope = self.frame(frame).scope;
        for slot in 0..self.wiring.scopes[scope.index()].children.len() {
            let child = self.wiring.scopes[scope.index()].children[slot];
            let Origin::Cross { of } = self.job.scope(child).origin else { continue };
            let holder = self.holder(frame, of);
            // Where the repeated scope stands in this very frame, its elements are yet to come.
            if holder == frame {
                continue;
            }
            let there: Vec<FrameIndex> = self.fan_out(holder, of).alive().collect();
            for part in there {
                self.arrive(frame, child, (0, part), actions);
            }
            self.close_meeting_if_due(frame, child, actions);
        }
    }

    /// The frame of a part is there to meet others of its key in `frame`.
    fn arrive(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        (place, part): (usize, FrameIndex),
        actions: &mut Vec<Action>,
    ) {
        if self.frame(frame).discarded {
            return;
        }
        let Some(key) = self.frame(part).keys.last().cloned() else { return };
        let parts = self.wiring.scopes[scope.index()].parts.len();
        let Some(meeting) = self.fan_out_mut(frame, scope).meeting.as_deref_mut() else { return };
        let met = meeting
            .met
            .entry(key.clone())
            .or_insert_with(|| Met { parts: vec![None; parts].into(), ordinal: None });
        met.parts[place] = Some(part);
        let all: Option<Box<[FrameIndex]>> = met.parts.iter().copied().collect();
        self.hold(part);
        if let Some(parts) = all {
            self.meet(frame, scope, key, parts, actions);
        }
    }

    /// All parts have an element of this key.
    fn meet(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        key: MappingKey,
        parts: Box<[FrameIndex]>,
        actions: &mut Vec<Action>,
    ) {
        let may_meet_again = self.wiring.scopes[scope.index()].may_meet_again;
        let fan_out = self.fan_out_mut(frame, scope);
        let ordinal = fan_out.elements;
        fan_out.elements += 1;
        if let Some(met) = fan_out.meeting.as_deref_mut().and_then(|m| m.met.get_mut(&key)) {
            met.ordinal = Some(ordinal);
            if !may_meet_again {
                met.parts = Box::default();
            }
        }
        if may_meet_again {
            parts.iter().for_each(|&part| self.hold(part));
        }
        self.await_given(frame, scope, &key, None);
        let keys = self.frame(frame).keys.join(key);
        let new = NewFrame {
            scope,
            parent: frame,
            keys,
            element: None,
            first: 0,
            ordinal,
            attempt: 0,
            parts,
        };
        self.add_to_fan_out(new, actions);
    }

    /// An element of a part no longer counts: neither does what it was met with.
    pub(super) fn part_dropped(
        &mut self,
        parent: FrameIndex,
        scope: ScopeId,
        key: &MappingKey,
        actions: &mut Vec<Action>,
    ) {
        for place in 0..self.wiring.scopes[scope.index()].meets.len() {
            let (meeting, part) = self.wiring.scopes[scope.index()].meets[place];
            let outer = self.job.scope(meeting).parent.unwrap_or(ScopeId::ROOT);
            for inside in self.all_inside(parent, outer) {
                self.unmeet(inside, meeting, part, key, actions);
            }
        }
    }

    fn unmeet(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        place: usize,
        key: &MappingKey,
        actions: &mut Vec<Action>,
    ) {
        let fan_out = self.fan_out_mut(frame, scope);
        let Some(meeting) = fan_out.meeting.as_deref_mut() else { return };
        let Some(met) = meeting.met.get_mut(key) else { return };
        let waiting = met.parts.get_mut(place).and_then(Option::take);
        let ordinal = met.ordinal.take();
        if met.parts.iter().all(Option::is_none) {
            meeting.met.remove(key);
        }
        if let Some(ordinal) = ordinal {
            for state in &mut fan_out.fan_ins {
                let given = &mut state.given[ordinal as usize].given;
                state.ended += u32::from(*given == Given::Pending);
                *given = Given::Absent;
            }
            let alive = fan_out.frames.remove(&ordinal);
            self.drop_element(frame, scope, key, alive, actions);
        }
        if let Some(waiting) = waiting {
            self.let_go(waiting, actions);
        }
    }

    /// Closes a meeting when all its parts are closed.
    pub(super) fn close_meeting_if_due(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        actions: &mut Vec<Action>,
    ) {
        if self.fan_out(frame, scope).closing != Closing::Open {
            return;
        }
        let mut closing = Closing::Complete;
        for &part in &self.wiring.scopes[scope.index()].parts {
            let holder = self.holder(frame, part);
            if self.fan_out(holder, part).is_behind() {
                return;
            }
            closing = match (closing, self.fan_out(holder, part).closing) {
                (_, Closing::Open) => return,
                (Closing::Blocked(by), _) | (_, Closing::Blocked(by)) => Closing::Blocked(by),
                (Closing::Complete, Closing::Complete) if self.was_emitted(holder, part) => {
                    Closing::Complete
                }
                _ => Closing::Skipped,
            };
        }
        self.hold(frame);
        if closing == Closing::Complete {
            self.fail_unmatched(frame, scope, actions);
        }
        self.close_meeting(frame, scope, closing, actions);
        self.let_go(frame, actions);
    }

    /// Closes a meeting and lets go what waited in it.
    pub(super) fn close_meeting(
        &mut self,
        frame: FrameIndex,
        scope: ScopeId,
        closing: Closing,
        actions: &mut Vec<Action>,
    ) {
        let meeting = self.fan_out_mut(frame, scope).meeting.as_deref_mut();
        let met = meeting.map(|meeting| meeting.met.values_mut());
        let waiting: Vec<FrameIndex> = met
            .into_iter()
            .flatten()
            .flat_map(|met| std::mem::take(&mut met.parts))
            .flatten()
            .collect();
        self.close(frame, scope, closing, actions);
        for part in waiting {
            self.let_go(part, actions);
        }
    }

    /// Records a failure for each key that a part of a zip lacks, unless it drops them.
    fn fail_unmatched(&mut self, frame: FrameIndex, scope: ScopeId, actions: &mut Vec<Action>) {
        let Origin::Zip { drop_missing: false, .. } = self.job.scope(scope).origin else { return };
        let Some(&node) = self.wiring.scopes[scope.index()].nodes.first() else { return };
        let parts = self.wiring.scopes[scope.index()].parts.clone();
        let keys: Vec<_> = parts.iter().flat_map(|part| self.keys_in_order(frame, *part)).collect();
        for key in keys {
            if self.aborting || self.cancelling.is_some() {
                return;
            }
            let lacks = match self.fan_out(frame, scope).meeting.as_deref() {
                Some(meeting) if !meeting.unmatched.contains(&key) => {
                    meeting.met.get(&key).filter(|met| met.ordinal.is_none())
                }
                _ => None,
            };
            let Some(place) = lacks.and_then(|met| met.parts.iter().position(Option::is_none))
            else {
                continue;
            };
            let failure = self.lack(parts[place], &key);
            self.fail_unmet(frame, node, &key, failure, actions);
            if let Some(meeting) = self.fan_out_mut(frame, scope).meeting.as_deref_mut() {
                meeting.unmatched.push(key);
            }
        }
    }

    /// Records that the steps of a scope cannot run for a key: `node` failed, the others were to follow.
    fn fail_unmet(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        key: &MappingKey,
        failure: Failure,
        actions: &mut Vec<Action>,
    ) {
        let keys = self.frame(frame).keys.join(key.clone());
        let step_of =
            |node: NodeId| StepKey { node: self.job.node(node).name.clone(), keys: keys.clone() };
        let step = step_of(node);
        let scope = self.job.node(node).scope;
        let reason = SkipReason::Upstream { node: self.job.node(node).name.clone() };
        actions.push(Action::Fail { step: step.clone(), failure });
        for &other in &self.wiring.scopes[scope.index()].nodes {
            self.ended_by_node[other.index()] += 1;
            if other != node {
                actions.push(Action::Skip { step: step_of(other), reason: reason.clone() });
            }
        }
        self.note_failure(frame, node, step, actions);
    }

    fn lack(&self, part: ScopeId, key: &MappingKey) -> Failure {
        let yielders = super::wiring::yielders(&self.job, part);
        let outputs: Vec<String> = yielders
            .iter()
            .map(|output| {
                let node = self.job.node(output.node);
                format!("`{}` of `{}`", node.op.outputs[output.output as usize].name, node.name)
            })
            .collect();
        let message = format!(
            "its inputs are zipped by key, and {} has no element `{key}`",
            outputs.join(" with ")
        );
        Failure::Host { message }
    }

    /// The keys of a fan-out that has all its elements, in the order of emission; for a meeting,
    /// in that of its first part.
    pub(super) fn keys_in_order(&self, frame: FrameIndex, scope: ScopeId) -> Vec<MappingKey> {
        let fan_out = self.fan_out(frame, scope);
        let Some(meeting) = fan_out.meeting.as_deref() else { return fan_out.keys.clone() };
        let first = self.wiring.scopes[scope.index()].parts[0];
        let mut keys = self.keys_in_order(self.holder(frame, first), first);
        keys.retain(|key| meeting.met.get(key).is_some_and(|met| met.ordinal.is_some()));
        keys
    }
}
