//! What back-pressure waits for.
//!
//! A yielding step that has used up its window goes on when its clones catch up. So its end
//! depends on theirs, and that must not close a circle: a clone that itself waits for the
//! yielder, however indirectly, is not waited for. The circle may lead through the back-pressure of
//! other yielders, so what is decided for one scope counts when the next is judged.

use super::{Dependency, FanInId, Taken, Wiring, yielders};
use crate::job::{Job, NodeId, ScopeId};

/// Which nodes must have ended before a node can, back-pressure included.
struct Needs(Vec<Vec<NodeId>>);

impl Needs {
    fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let mut seen = vec![false; self.0.len()];
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if !std::mem::replace(&mut seen[node.index()], true) {
                open.extend(&self.0[node.index()]);
            }
        }
        false
    }
}

impl Wiring {
    /// Finds what in the frames of each fan-out can end while the step that yields them runs.
    pub(super) fn find_eager(&mut self, job: &Job) {
        let mut needs = Needs(vec![Vec::new(); job.nodes.len()]);
        for node in job.node_ids() {
            for dependency in &self.nodes[node.index()].dependencies {
                match dependency {
                    Dependency::Step(on) => needs.0[node.index()].push(*on),
                    Dependency::FanIn(on) => self.needs_of(job, *on, &mut needs.0[node.index()]),
                }
            }
        }
        for (index, scope) in job.scopes.iter().enumerate() {
            if let Some(output) = scope.origin.yielder() {
                self.find_eager_in(job, index, output.node, &mut needs);
            }
        }
    }

    fn needs_of(&self, job: &Job, fan_in: FanInId, found: &mut Vec<NodeId>) {
        let wired = &self.fan_ins[fan_in.index()];
        found.extend(yielders(job, wired.scope).iter().map(|output| output.node));
        match wired.taken {
            Taken::Element => {}
            Taken::Output(output) => found.push(output.node),
            Taken::Ended(node) => found.push(node),
            Taken::Inner(inner) => self.needs_of(job, inner, found),
        }
    }

    fn find_eager_in(&mut self, job: &Job, scope: usize, yielder: NodeId, needs: &mut Needs) {
        let mut eager = 0;
        let mut waited_for = Vec::new();
        for &node in &self.scopes[scope].nodes {
            if !needs.reaches(node, yielder) {
                self.nodes[node.index()].eager = true;
                waited_for.push(node);
                eager += 1;
            }
        }
        for child in self.scopes[scope].children.clone() {
            if let Some(inside) = self.all_inside(job, child)
                && !inside.iter().any(|&node| needs.reaches(node, yielder))
            {
                self.scopes[child.index()].eager_in_parent = true;
                waited_for.extend(inside);
                eager += 1;
            }
        }
        self.scopes[scope].eager = eager;
        needs.0[yielder.index()].extend(waited_for);
    }

    /// The nodes that must end for a fan-out to end; `None` where frames in it meet others, or
    /// are made by others that meet: those are not waited for.
    fn all_inside(&self, job: &Job, child: ScopeId) -> Option<Vec<NodeId>> {
        let output = job.scope(child).origin.yielder()?;
        let mut nodes = vec![output.node];
        for (index, wired) in self.scopes.iter().enumerate() {
            if !job.is_around(child, super::scope_id(index)) {
                continue;
            }
            if !wired.meets.is_empty() || !wired.parts.is_empty() {
                return None;
            }
            nodes.extend(&wired.nodes);
        }
        Some(nodes)
    }
}
