//! Elements that are taken in batches: one frame for several that follow each other.
//!
//! Where a batch ends depends on the elements alone, never on when they come or on what waits
//! for them: so a run that goes on from its events, or an attempt that emits the same again,
//! comes to the same batches.

use std::sync::Arc;

use super::apply::{Emission, NewElement};
use super::frame::FrameIndex;
use super::wiring::count;
use super::{Action, Collection, Element, Input, Scheduler, StepId};
use crate::job::{BatchBounds, Origin, ScopeId};

/// What the next batch of a dynamic output has so far.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// The place of its first element among all that the attempt emitted.
    first: u32,
    elements: Vec<Element>,
    bytes: u64,
}

impl Gathering {
    /// Whether so many bytes more would be too many for one batch.
    fn is_full_with(&self, bytes: u64, bounds: BatchBounds) -> bool {
        bounds.max_bytes.is_some_and(|most| self.bytes.saturating_add(bytes) > most)
    }

    fn is_whole(&self, bounds: BatchBounds) -> bool {
        let items = self.elements.len() as u64;
        bounds.max_items.is_some_and(|most| items >= most) || self.is_full_with(0, bounds)
    }

    /// The place of the element that is emitted next.
    fn end(&self) -> u32 {
        self.first + count(self.elements.len())
    }
}

impl Scheduler {
    /// Adds an element to the batch that is gathered, and makes a frame of each batch that is
    /// whole.
    pub(super) fn gather(
        &mut self,
        emission: &Emission<'_>,
        scope: ScopeId,
        bounds: BatchBounds,
        actions: &mut Vec<Action>,
    ) {
        let (id, bytes) = (emission.id, emission.value.data.len() as u64);
        let gathered = |scheduler: &Self, is: &dyn Fn(&Gathering) -> bool| {
            scheduler.fan_out(id.frame, scope).gathering.as_deref().is_some_and(is)
        };
        if gathered(self, &|batch| batch.is_full_with(bytes, bounds)) {
            self.cut(id, scope, actions);
        }
        let Some(batch) = self.fan_out_mut(id.frame, scope).gathering.as_deref_mut() else {
            return;
        };
        let (key, value) = (emission.key.clone(), emission.value.clone());
        batch.elements.push(Element { key, value });
        batch.bytes = batch.bytes.saturating_add(bytes);
        if gathered(self, &|batch| batch.is_whole(bounds)) {
            self.cut(id, scope, actions);
        }
    }

    /// Makes a frame of what has been gathered, if anything.
    fn cut(&mut self, id: StepId, scope: ScopeId, actions: &mut Vec<Action>) {
        let attempt = self.step(id.frame, id.node).attempt;
        let Some(batch) = self.fan_out_mut(id.frame, scope).gathering.as_deref_mut() else {
            return;
        };
        let (first, end) = (batch.first, batch.end());
        let Gathering { elements, .. } =
            std::mem::replace(batch, Gathering { first: end, ..Gathering::default() });
        let Some(Element { key, .. }) = elements.first() else { return };
        let key = key.clone();
        let element = Input::Many(Arc::new(Collection { elements, failed: Vec::new() }));
        self.add_element(NewElement { id, attempt, scope, key, element, first }, actions);
    }

    /// The step has succeeded: what is left makes the last batches.
    pub(super) fn cut_rest(&mut self, id: StepId, actions: &mut Vec<Action>) {
        for scope in self.fan_outs_of(id) {
            self.cut(id, scope, actions);
        }
    }

    /// The place that the next element of an output has among all that the attempt emitted.
    pub(super) fn place_of_next(&self, frame: FrameIndex, scope: ScopeId) -> u32 {
        let fan_out = self.fan_out(frame, scope);
        fan_out.gathering.as_deref().map_or(fan_out.elements, Gathering::end)
    }

    /// What a step has emitted that waits in batches which are not whole: the output, the place
    /// of the first such element, and that of the one to be emitted next.
    pub(super) fn gathering_from(&self, id: StepId) -> Vec<(u32, u32, u32)> {
        let outputs = (0..).zip(&self.wiring.nodes[id.node.index()].fan_outs);
        let waiting = |(output, scopes): (u32, &Vec<ScopeId>)| {
            let batches = scopes
                .iter()
                .filter_map(|&scope| self.fan_out(id.frame, scope).gathering.as_deref());
            let batch = batches.min_by_key(|batch| batch.first)?;
            Some((output, batch.first, batch.end()))
        };
        outputs.filter_map(waiting).collect()
    }

    /// When a batch of a scope is whole; `None` where the elements come one by one.
    pub(super) fn batch_bounds(&self, scope: ScopeId) -> Option<BatchBounds> {
        match self.job.scope(scope).origin {
            Origin::Batch { bounds, .. } => Some(bounds),
            _ => None,
        }
    }
}
