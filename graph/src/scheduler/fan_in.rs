//! Fan-ins: what frames give to them, and how they are settled (`semantics.md` rules 13–15).

use std::sync::Arc;

use super::frame::{Closing, FrameIndex, Given, GivenBy, STALE, Settled};
use super::wiring::{Dependency, FanInId, Taken};
use super::{Collection, Element, Scheduler};
use crate::job::{NodeId, OnFailure, ScopeId, Tolerance};
use crate::name::MappingKey;
use crate::value::Value;

impl Scheduler {
    /// A frame knows what it gives to a fan-in of its level.
    pub(super) fn give(&mut self, frame: FrameIndex, fan_in: FanInId, given: Given) {
        let slot = self.wiring.fan_ins[fan_in.index()].slot;
        let here = self.frame(frame);
        let (parent, scope, ordinal) = (here.parent, here.scope, here.ordinal);
        if here.discarded {
            return;
        }
        if ordinal == STALE {
            let key = here.keys.last().cloned();
            let fan_out = self.fan_out_mut(parent, scope);
            if let Some(stale) = key.and_then(|key| fan_out.stale.get_mut(&key)) {
                stale.given[slot] = given;
            }
            return;
        }
        let state = &mut self.fan_out_mut(parent, scope).fan_ins[slot];
        if let Some(place) = state.given.get_mut(ordinal as usize) {
            place.given = given;
            state.ended += 1;
        }
        self.settle_if_ended(parent, fan_in);
    }

    /// Settles a fan-in held by `frame` when nothing more can come.
    pub(super) fn settle_if_ended(&mut self, frame: FrameIndex, fan_in: FanInId) {
        let wired = &self.wiring.fan_ins[fan_in.index()];
        let (scope, slot, taken) = (wired.scope, wired.slot, wired.taken);
        let fan_out = self.fan_out(frame, scope);
        let state = &fan_out.fan_ins[slot];
        if state.settled.is_some() {
            return;
        }
        let settled = match fan_out.closing {
            Closing::Open => return,
            Closing::Skipped => Settled::Skipped,
            Closing::Blocked(by) => Settled::Blocked(by),
            Closing::Complete if (state.ended as usize) < state.given.len() => return,
            Closing::Complete => self.settle(frame, scope, slot, taken),
        };
        let state = &mut self.fan_out_mut(frame, scope).fan_ins[slot];
        state.given = Vec::new();
        state.settled = Some(match settled {
            Settled::List(_) if state.users == 0 => Settled::Used,
            _ => settled.clone(),
        });
        self.tell_readers(frame, Dependency::FanIn(fan_in));
        for index in 0..self.wiring.fan_ins[fan_in.index()].outer.len() {
            let outer = self.wiring.fan_ins[fan_in.index()].outer[index];
            let given = match &settled {
                Settled::List(list) => Given::Value(as_json_array(list)),
                Settled::Skipped | Settled::Used => Given::Absent,
                Settled::Blocked(by) => Given::Failed(*by),
            };
            self.give(frame, outer, given);
        }
    }

    fn settle(&mut self, frame: FrameIndex, scope: ScopeId, slot: usize, taken: Taken) -> Settled {
        let given = std::mem::take(&mut self.fan_out_mut(frame, scope).fan_ins[slot].given);
        let tally = self.tally(frame, scope, given);
        for &(node, failed) in &tally.failed_nodes {
            if !self.tolerated(node, failed, tally.total) {
                return Settled::Blocked(node);
            }
        }
        let none_left = tally.list.elements.is_empty() && tally.list.failed.is_empty();
        let empty = tally.total == 0 && self.was_emitted(frame, scope);
        if self.takes_only_order(taken) || !none_left || empty {
            Settled::List(Arc::new(tally.list))
        } else {
            Settled::Skipped
        }
    }

    /// Puts what the elements gave in order.
    fn tally(&self, frame: FrameIndex, scope: ScopeId, mut given: Vec<GivenBy>) -> Tally {
        let mut tally = Tally::default();
        let fan_out = self.fan_out(frame, scope);
        let Some(meeting) = fan_out.meeting.as_deref() else {
            tally.take_in_place(given);
            return tally;
        };
        for key in self.keys_in_order(frame, scope) {
            let ordinal = meeting.met.get(&key).and_then(|met| met.ordinal);
            if let Some(given) = ordinal.and_then(|ordinal| given.get_mut(ordinal as usize)) {
                let given = std::mem::replace(&mut given.given, Given::Absent);
                let element = tally.count(key, given);
                tally.list.elements.extend(element);
            }
        }
        for key in &meeting.unmatched {
            let failed = self.wiring.scopes[scope.index()].nodes.first();
            tally.count(key.clone(), failed.map_or(Given::Absent, |&node| Given::Failed(node)));
        }
        tally
    }

    /// One that reads a fan-in's list in `frame` has ended.
    pub(super) fn used(&mut self, frame: FrameIndex, fan_in: FanInId) {
        let (scope, slot) =
            (self.wiring.fan_ins[fan_in.index()].scope, self.wiring.fan_ins[fan_in.index()].slot);
        let state = &mut self.fan_out_mut(frame, scope).fan_ins[slot];
        state.users -= 1;
        if state.users == 0 && matches!(state.settled, Some(Settled::List(_))) {
            state.settled = Some(Settled::Used);
        }
    }

    fn takes_only_order(&self, taken: Taken) -> bool {
        match taken {
            Taken::Inner(inner) => self.takes_only_order(self.wiring.fan_ins[inner.index()].taken),
            Taken::Ended(_) => true,
            Taken::Element | Taken::Output(_) => false,
        }
    }

    /// Whether a fan-out counts as emitted: an optional output without elements does not
    /// (rule 14).
    pub(super) fn was_emitted(&self, frame: FrameIndex, scope: ScopeId) -> bool {
        match self.job.scope(scope).origin.yielder() {
            Some(output) => {
                let op = &self.job.node(output.node).op;
                op.outputs[output.output as usize].required
                    || self.fan_out(frame, scope).elements > 0
            }
            None => true,
        }
    }

    /// Whether a fan-in goes on although `failed` of its `total` elements failed in `node`.
    fn tolerated(&self, node: NodeId, failed: u64, total: u64) -> bool {
        match self.job.node(node).policy.on_failure {
            OnFailure::Finish | OnFailure::Abort => false,
            OnFailure::Tolerate(Tolerance::Count(count)) => {
                self.failed_by_node[node.index()] <= count
            }
            OnFailure::Tolerate(Tolerance::Ratio(ratio)) => within(failed, total, ratio),
        }
    }

    /// Whether the failures of a node leave the run a success.
    pub(super) fn tolerated_in_run(&self, node: NodeId) -> bool {
        let failed = self.failed_by_node[node.index()];
        failed == 0 || self.tolerated(node, failed, self.ended_by_node[node.index()])
    }
}

/// What the elements of a fan-in gave, counted.
#[derive(Debug, Default)]
struct Tally {
    list: Collection,
    /// The elements, those left out included.
    total: u64,
    /// How many elements failed because of each node, in the order of the first.
    failed_nodes: Vec<(NodeId, u64)>,
}

impl Tally {
    /// Makes the list where `given` lies, so that a million elements are not in memory twice.
    fn take_in_place(&mut self, given: Vec<GivenBy>) {
        let elements = given.into_iter().filter_map(|by| self.count(by.key, by.given));
        self.list.elements = elements.collect();
    }

    /// Counts what was given; an element where it is a value.
    fn count(&mut self, key: MappingKey, given: Given) -> Option<Element> {
        self.total += 1;
        match given {
            Given::Value(value) => return Some(Element { key, value }),
            Given::Failed(node) => {
                self.list.failed.push(key);
                match self.failed_nodes.iter_mut().find(|(failed, _)| *failed == node) {
                    Some((_, count)) => *count += 1,
                    None => self.failed_nodes.push((node, 1)),
                }
            }
            Given::Absent | Given::Pending => {}
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of counts far below 2^52")]
fn within(failed: u64, total: u64, ratio: f64) -> bool {
    failed as f64 <= ratio * total as f64
}

/// A list of JSON values as one JSON array; values of other kinds stand as `null`, which
/// the planner does not let happen.
fn as_json_array(list: &Collection) -> Value {
    let mut text = Vec::with_capacity(2 + list.elements.len() * 8);
    text.push(b'[');
    for (index, element) in list.elements.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        if element.value.media_type.is_json() {
            text.extend_from_slice(&element.value.data);
        } else {
            text.extend_from_slice(b"null");
        }
    }
    text.push(b']');
    Value::json_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Or a list of a million elements would be in memory twice while it is made.
    #[test]
    fn a_list_takes_the_place_of_what_was_given() {
        let given: Vec<GivenBy> = (0..1000)
            .map(|number| GivenBy {
                key: MappingKey::new(&number.to_string()).unwrap(),
                given: match number % 3 {
                    0 => Given::Absent,
                    1 => Given::Failed(NodeId(0)),
                    _ => Given::Value(Value::json_text("1")),
                },
            })
            .collect();
        let place = given.as_ptr().addr();
        let mut tally = Tally::default();
        tally.take_in_place(given);
        assert_eq!(tally.list.elements.as_ptr().addr(), place);
        assert_eq!(
            (tally.total, tally.list.elements.len(), tally.list.failed.len()),
            (1000, 333, 333)
        );
    }
}
