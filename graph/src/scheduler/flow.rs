//! Back-pressure: what a yielding step may emit, and when it may emit more
//! (`semantics.md` rule 12).

use std::collections::BTreeMap;

use super::frame::{FrameIndex, Phase, STALE};
use super::{Action, Credit, Input, Scheduler, StepId};
use crate::job::{NodeId, OutputRef};

/// What a yielding step may still emit, and what came back.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// What was emitted and whose eager part has not ended, nor has it been lent.
    unfinished: Credit,
    /// What came back since the last grant.
    pub(super) owed: Credit,
    /// Elements granted in this attempt, in all.
    pub(super) granted: u64,
    /// In how many scopes an element is waited for, by output and place; only where the output
    /// makes several.
    shared: BTreeMap<(u32, u32), usize>,
    /// The elements whose credit came back before they had ended, by output: those before this
    /// place.
    lent: BTreeMap<u32, u32>,
}

impl Flow {
    /// That of an attempt that begins.
    pub(super) fn new(window: Credit) -> Self {
        Self { granted: window.items, ..Self::default() }
    }

    /// Whether the credit for an element comes back now that one scope no longer waits for it.
    fn comes_back(&mut self, output: u32, place: u32) -> bool {
        if let Some(scopes) = self.shared.get_mut(&(output, place)) {
            *scopes -= 1;
            if *scopes > 0 {
                return false;
            }
            self.shared.remove(&(output, place));
        }
        self.lent.get(&output).is_none_or(|lent| place >= *lent)
    }
}

impl Scheduler {
    /// What a step of a node may emit before its clones have caught up.
    pub(super) fn window(&self, node: NodeId) -> Credit {
        let (window, least) = (self.bounds.window, self.wiring.nodes[node.index()].least_window);
        Credit { items: window.items.max(least.items), bytes: window.bytes.max(least.bytes) }
    }

    /// Counts an element that a step emitted, for which so many scopes are to wait.
    pub(super) fn count_emitted(&mut self, id: StepId, output: u32, bytes: u64, scopes: usize) {
        let place = self.wiring.nodes[id.node.index()].fan_outs[output as usize]
            .first()
            .map(|&scope| self.place_of_next(id.frame, scope));
        let Some(flow) = self.step_of(id).and_then(|step| step.flow.as_deref_mut()) else { return };
        flow.unfinished.items += 1;
        flow.unfinished.bytes += bytes;
        if let Some(place) = place
            && scopes > 1
        {
            flow.shared.insert((output, place), scopes);
        }
    }

    /// All that back-pressure waits for in a frame has ended.
    pub(super) fn caught_up(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let here = self.frame(frame);
        let Some(output) = self.job.scope(here.scope).origin.yielder() else { return };
        let (parent, attempt, first) = (here.parent, here.attempt, here.first);
        let counts = here.ordinal != STALE && !here.discarded;
        if counts
            && self.step(parent, output.node).attempt == attempt
            && let Some(element) = here.element.clone()
        {
            self.no_longer_waited_for(parent, output, first, &element, actions);
        }
    }

    /// A scope does not wait, or no longer, for an element or a batch; `first` is the place of
    /// its first element among those of the output.
    pub(super) fn no_longer_waited_for(
        &mut self,
        frame: FrameIndex,
        output: OutputRef,
        first: u32,
        element: &Input,
        actions: &mut Vec<Action>,
    ) {
        let step = self.step_mut(frame, output.node);
        let Some(flow) = step.flow.as_deref_mut() else { return };
        let mut credit = Credit::default();
        for (place, at) in (first..).zip(0..) {
            let Some(bytes) = size(element, at) else { break };
            if flow.comes_back(output.output, place) {
                credit.items += 1;
                credit.bytes += bytes;
            }
        }
        if credit.items > 0 {
            self.give_credit_back(frame, output.node, credit, actions);
        }
    }

    pub(super) fn give_credit_back(
        &mut self,
        frame: FrameIndex,
        node: NodeId,
        credit: Credit,
        actions: &mut Vec<Action>,
    ) {
        let window = self.window(node);
        let id = self.id(frame, node);
        let step = self.step_mut(frame, node);
        let phase = step.phase;
        let Some(flow) = step.flow.as_deref_mut() else { return };
        flow.unfinished.items = flow.unfinished.items.saturating_sub(credit.items);
        flow.unfinished.bytes = flow.unfinished.bytes.saturating_sub(credit.bytes);
        flow.owed.items += credit.items;
        flow.owed.bytes += credit.bytes;
        let due = flow.owed.items >= window.items.div_ceil(4)
            || flow.owed.bytes >= window.bytes.div_ceil(4);
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
        if self.step_of(id).is_none_or(|step| step.phase != Phase::Suspended) {
            return;
        }
        self.lend_if_due(id);
        let window = self.window(id.node);
        let Some(step) = self.step_of(id) else { return };
        let Some(flow) = step.flow.as_deref() else { return };
        let due = flow.unfinished.items == 0
            || flow.owed.items >= window.items.div_ceil(2)
            || flow.owed.bytes >= window.bytes.div_ceil(2);
        if due && flow.owed != Credit::default() {
            step.phase = Phase::Resumable;
            self.ready[id.node.index()].push_front(id);
            self.ready_nodes.insert(id.node);
        }
    }

    /// Gives credit back for what waits in batches that are not whole, when nothing else can come
    /// back: only what is yet to be emitted makes them whole.
    fn lend_if_due(&mut self, id: StepId) {
        let gathering = self.gathering_from(id);
        let Some(flow) = self.step_of(id).and_then(|step| step.flow.as_deref_mut()) else { return };
        let mut waiting = 0;
        for &(output, first, end) in &gathering {
            let lent = flow.lent.get(&output).copied().unwrap_or(0);
            waiting += u64::from(end.saturating_sub(first.max(lent)));
        }
        if waiting == 0 || waiting < flow.unfinished.items {
            return;
        }
        let lent = std::mem::take(&mut flow.unfinished);
        flow.owed.items += lent.items;
        flow.owed.bytes += lent.bytes;
        flow.lent.extend(gathering.iter().map(|&(output, _, end)| (output, end)));
    }
}

/// The bytes of an element, or of the one that stands there in a batch.
fn size(element: &Input, at: usize) -> Option<u64> {
    let value = match element {
        Input::Single(value) if at == 0 => value,
        Input::Many(list) => &list.elements.get(at)?.value,
        Input::Absent | Input::Single(_) => return None,
    };
    Some(value.data.len() as u64)
}
