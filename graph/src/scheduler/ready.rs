//! Which step runs next, and the places that bound how many do.
//!
//! Deeper steps go first (`semantics.md` rule 10): nodes stand in topological order, so the
//! ready node with the highest position does. A step suspended in `emit` holds no place,
//! so that it never keeps its own clones from running.

use super::flow::Flow;
use super::frame::Phase;
use super::{Action, Credit, Dispatch, Scheduler, StepId};
use crate::job::NodeId;

impl Scheduler {
    pub(super) fn make_ready(&mut self, id: StepId) {
        self.step_mut(id.frame, id.node).phase = Phase::Ready;
        if self.replay.is_some() {
            // Nothing is handed out, and the queues are made when the replay is over.
            return;
        }
        self.ready[id.node.index()].push_back(id);
        self.ready_nodes.insert(id.node);
    }

    /// Hands ready steps to the executor while there are places.
    pub(super) fn dispatch(&mut self, actions: &mut Vec<Action>) {
        while let Some(node) = self.next_node() {
            let queue = &mut self.ready[node.index()];
            let id = queue.pop_front();
            if queue.is_empty() {
                self.ready_nodes.remove(&node);
            }
            // A step may have ended while it waited for a place to go on.
            let Some(id) = id.filter(|&id| {
                self.step_of(id)
                    .is_some_and(|step| matches!(step.phase, Phase::Ready | Phase::Resumable))
            }) else {
                continue;
            };
            self.enter_place(node);
            let action = if self.step(id.frame, node).phase == Phase::Resumable {
                self.resume(id)
            } else {
                self.begin(id)
            };
            actions.push(action);
        }
    }

    /// The deepest node that has a ready step and a place for it. Each node has places ahead of its own: the steps of
    /// another that wait at the executor keep none of its steps, which may be deeper, from being there too.
    fn next_node(&self) -> Option<NodeId> {
        self.ready_nodes.iter().rev().copied().find(|node| {
            let has_place = self.placed < self.bounds.max_concurrency
                || self.placed_by_node[node.index()] < self.bounds.look_ahead;
            let policy = &self.job.node(*node).policy;
            let in_node =
                policy.max_concurrency.is_none_or(|most| self.placed_by_node[node.index()] < most);
            let in_pool = policy.pool.is_none_or(|pool| {
                self.placed_by_pool[pool.index()] < self.job.pools[pool.index()].size
            });
            has_place && in_node && in_pool
        })
    }

    fn begin(&mut self, id: StepId) -> Action {
        self.out += 1;
        let yields = self.job.node(id.node).op.outputs.iter().any(|output| output.dynamic);
        let credit = if yields { self.window(id.node) } else { Credit::default() };
        let inputs = self.inputs(id.frame, id.node);
        let key = self.step_key(id.frame, id.node);
        let step = self.step_mut(id.frame, id.node);
        step.phase = Phase::Running;
        // A damaged history may have counted to the end.
        step.attempt = step.attempt.saturating_add(1);
        step.flow = yields.then(|| Box::new(Flow::new(credit)));
        let attempt = step.attempt;
        Action::Run(Dispatch { id, step: key, attempt, inputs, credit })
    }

    fn resume(&mut self, id: StepId) -> Action {
        let step = self.step_mut(id.frame, id.node);
        step.phase = Phase::Running;
        let credit = step.flow.as_deref_mut().map_or(Credit::default(), |flow| {
            let credit = std::mem::take(&mut flow.owed);
            flow.granted += credit.items;
            credit
        });
        Action::Grant { id, credit }
    }

    pub(super) fn enter_place(&mut self, node: NodeId) {
        self.placed += 1;
        self.placed_by_node[node.index()] += 1;
        if let Some(pool) = self.job.node(node).policy.pool {
            self.placed_by_pool[pool.index()] += 1;
        }
    }

    pub(super) fn leave_place(&mut self, node: NodeId) {
        self.placed -= 1;
        self.placed_by_node[node.index()] -= 1;
        if let Some(pool) = self.job.node(node).policy.pool {
            self.placed_by_pool[pool.index()] -= 1;
        }
    }
}
