//! Back-pressure: what a yielding step may emit, and when it may emit more
//! (`semantics.md` rule 12).

use super::frame::{FrameIndex, Phase, STALE};
use super::{Action, Credit, Scheduler, StepId};
use crate::job::{NodeId, Origin};

impl Scheduler {
    /// All that back-pressure waits for in a frame has ended.
    pub(super) fn caught_up(&mut self, frame: FrameIndex, actions: &mut Vec<Action>) {
        let here = self.frame(frame);
        let Origin::FanOut(output) = self.job.scope(here.scope).origin else { return };
        let (parent, attempt) = (here.parent, here.attempt);
        let bytes = here.element.as_ref().map_or(0, |element| element.data.len() as u64);
        let counts = here.ordinal != STALE && !here.discarded;
        if counts && self.step(parent, output.node).attempt == attempt {
            self.give_credit_back(parent, output.node, bytes, actions);
        }
    }

    pub(super) fn give_credit_back(
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
}
