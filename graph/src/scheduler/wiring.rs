//! What the scheduler knows of a job before it starts: who waits for whom, and where.
//!
//! Computed once per run, so that applying an event needs no search.

mod eager;
mod window;

use std::sync::Arc;

use super::Credit;
use crate::job::{CollectId, Dispatch, Job, NodeId, Origin, OutputRef, ScopeId, Source};

/// Something that a node waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dependency {
    /// The step of this node, in the frame around the waiting step.
    Step(NodeId),
    /// The fan-in held by the frame around the waiting step.
    FanIn(FanInId),
}

/// The position of a fan-in in [`Wiring::fan_ins`]: the job's collects, and behind them those
/// that stand for `after` on a node of a deeper scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FanInId(pub(super) u32);

impl FanInId {
    pub(super) const fn of(collect: CollectId) -> Self {
        Self(collect.0)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a fan-in takes from each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The element that the frame was made for.
    Element,
    /// An output of a node.
    Output(OutputRef),
    /// The list of a fan-in inside the frame, as one JSON array.
    Inner(FanInId),
    /// Nothing but that the node has ended.
    Ended(NodeId),
}

#[derive(Debug)]
pub(super) struct FanIn {
    /// The level that it removes.
    pub(super) scope: ScopeId,
    pub(super) taken: Taken,
    /// Its place among the fan-ins of the scope.
    pub(super) slot: usize,
    /// The nodes that wait for it.
    pub(super) readers: Vec<NodeId>,
    /// The fan-ins one level further out that take its list.
    pub(super) outer: Vec<FanInId>,
    /// How many nodes and inner scopes of the holding frame read it: when all have ended, the
    /// list is no longer needed.
    pub(super) users: u32,
    /// Whether the list is needed for as long as the holding frame lives.
    pub(super) kept: bool,
}

#[derive(Debug, Default)]
pub(super) struct ScopeWiring {
    /// The nodes whose steps stand in a frame of this scope, in topological order.
    pub(super) nodes: Vec<NodeId>,
    /// The scopes right inside.
    pub(super) children: Vec<ScopeId>,
    /// The fan-ins that remove this level.
    pub(super) fan_ins: Vec<FanInId>,
    /// The place of this scope among its parent's children.
    pub(super) slot: usize,
    /// How many nodes and children of a frame can end while the step that yields the frame is
    /// still running; they are what back-pressure waits for.
    pub(super) eager: u32,
    /// Whether all inside can end while the step that yields this scope's parent is running.
    pub(super) eager_in_parent: bool,
    /// The names of the nodes whose steps stand in a frame of this scope or inside one.
    pub(super) inside: Vec<Arc<str>>,
    /// Whether the keys of its elements are needed after the elements have ended.
    pub(super) keeps_keys: bool,
    /// The fan-ins of the frame around it that are read inside.
    pub(super) uses: Vec<FanInId>,
    /// The scopes whose frames are made of frames of this one, each with the place among the
    /// parts.
    pub(super) meets: Vec<(ScopeId, usize)>,
    /// What the frames of this scope are made of, where it is one in which others meet.
    pub(super) parts: Vec<ScopeId>,
    /// Whether a part may be emitted anew after it has met.
    pub(super) may_meet_again: bool,
    /// The scopes that a scope further inside repeats: while more frames of this scope may
    /// come, theirs are needed.
    pub(super) on_way_to: Vec<ScopeId>,
}

#[derive(Debug, Default)]
pub(super) struct NodeWiring {
    /// Its place among the nodes of its scope.
    pub(super) slot: usize,
    /// What it waits for, each once.
    pub(super) dependencies: Vec<Dependency>,
    /// Those of them that give no data.
    pub(super) order: Vec<Dependency>,
    /// The nodes that wait for its step.
    pub(super) readers: Vec<NodeId>,
    /// The fan-ins of its own frame that it reads.
    pub(super) uses: Vec<FanInId>,
    /// The fan-ins that take something of its step.
    pub(super) fan_ins: Vec<FanInId>,
    /// The scopes that each of its outputs makes, by position in the definition: several where
    /// elements come one by one and in batches, or in batches of several sizes.
    pub(super) fan_outs: Vec<Vec<ScopeId>>,
    /// What a step of it may emit at least before its clones have caught up.
    pub(super) least_window: Credit,
    /// Whether anything reads the output, by position in the definition.
    pub(super) kept: Vec<bool>,
    /// Whether its steps can end while the step that yields their frame is still running.
    pub(super) eager: bool,
    /// Whether another attempt may be compared with what a step of it has emitted.
    pub(super) keeps_elements: bool,
}

#[derive(Debug)]
pub(super) struct Wiring {
    pub(super) scopes: Vec<ScopeWiring>,
    pub(super) nodes: Vec<NodeWiring>,
    pub(super) fan_ins: Vec<FanIn>,
}

impl Wiring {
    pub(super) fn new(job: &Job) -> Self {
        let mut wiring = Self {
            scopes: job.scopes.iter().map(|_| ScopeWiring::default()).collect(),
            nodes: job.nodes.iter().map(|_| NodeWiring::default()).collect(),
            fan_ins: Vec::new(),
        };
        wiring.place(job);
        for collect in &job.collects {
            let taken = match &collect.of {
                Source::Output(output) => Taken::Output(*output),
                Source::Collect(inner) => Taken::Inner(FanInId::of(*inner)),
                Source::Element(_) | Source::Value(_) | Source::List(_) => Taken::Element,
            };
            wiring.add_fan_in(collect.scope, taken);
        }
        for node in job.node_ids() {
            wiring.connect(job, node);
        }
        for output in &job.outputs {
            wiring.keep(&output.source);
            let mut read = Vec::new();
            dependencies_of(&output.source, &mut read);
            for dependency in read {
                if let Dependency::FanIn(fan_in) = dependency {
                    wiring.fan_ins[fan_in.index()].kept = true;
                }
            }
        }
        let by_policy = |node| is_retried(job, node);
        wiring.keep_elements(job, by_policy);
        wiring.let_meet_again(job, by_policy);
        wiring.find_eager(job);
        wiring.find_windows(job);
        wiring
    }

    /// Keeps what the nodes for which `again` holds emit, to be compared with another attempt.
    pub(super) fn keep_elements(&mut self, job: &Job, again: impl Fn(NodeId) -> bool) {
        for id in job.node_ids() {
            self.nodes[id.index()].keeps_elements = again(id);
        }
        for (index, scope) in self.scopes.iter_mut().enumerate() {
            let again = yielders(job, scope_id(index)).iter().any(|output| again(output.node));
            scope.keeps_keys = again || !scope.meets.is_empty();
        }
    }

    /// Keeps the frames that have met for as long as a part may be emitted anew: by a node for
    /// which `again` holds.
    pub(super) fn let_meet_again(&mut self, job: &Job, again: impl Fn(NodeId) -> bool) {
        for (index, scope) in self.scopes.iter_mut().enumerate() {
            scope.may_meet_again =
                yielders(job, scope_id(index)).iter().any(|output| again(output.node));
        }
    }

    /// Gives every node and scope its place in a frame.
    fn place(&mut self, job: &Job) {
        for (index, scope) in job.scopes.iter().enumerate() {
            if let Some(parent) = scope.parent {
                let children = &mut self.scopes[parent.index()].children;
                let slot = children.len();
                children.push(scope_id(index));
                self.scopes[index].slot = slot;
            }
        }
        for id in job.node_ids() {
            let node = job.node(id);
            let nodes = &mut self.scopes[node.scope.index()].nodes;
            let wired = &mut self.nodes[id.index()];
            wired.slot = nodes.len();
            nodes.push(id);
            wired.fan_outs = vec![Vec::new(); node.op.outputs.len()];
            wired.kept = vec![false; node.op.outputs.len()];
            for (index, scope) in self.scopes.iter_mut().enumerate() {
                if job.is_around(scope_id(index), node.scope) {
                    scope.inside.push(node.name.clone());
                }
            }
        }
        for (index, scope) in job.scopes.iter().enumerate() {
            let id = scope_id(index);
            match &scope.origin {
                Origin::Root => {}
                Origin::FanOut(of) | Origin::Batch { of, .. } => {
                    self.nodes[of.node.index()].fan_outs[of.output as usize].push(id);
                }
                Origin::Zip { parts, .. } => self.meet(id, parts),
                Origin::Cross { of } => {
                    self.meet(id, &[*of]);
                    let around = job.scope(*of).parent;
                    let mut here = scope.parent;
                    while here != around
                        && let Some(level) = here
                    {
                        self.scopes[level.index()].on_way_to.push(*of);
                        here = job.scope(level).parent;
                    }
                }
            }
        }
    }

    fn meet(&mut self, id: ScopeId, parts: &[ScopeId]) {
        for (place, part) in parts.iter().enumerate() {
            self.scopes[part.index()].meets.push((id, place));
        }
        self.scopes[id.index()].parts = parts.to_vec();
    }

    fn add_fan_in(&mut self, scope: ScopeId, taken: Taken) -> FanInId {
        let id = FanInId(count(self.fan_ins.len()));
        let fan_ins = &mut self.scopes[scope.index()].fan_ins;
        let slot = fan_ins.len();
        fan_ins.push(id);
        match taken {
            Taken::Element => {}
            Taken::Output(output) => {
                self.nodes[output.node.index()].kept[output.output as usize] = true;
                self.nodes[output.node.index()].fan_ins.push(id);
            }
            Taken::Ended(node) => self.nodes[node.index()].fan_ins.push(id),
            Taken::Inner(inner) => self.fan_ins[inner.index()].outer.push(id),
        }
        self.fan_ins.push(FanIn {
            scope,
            taken,
            slot,
            readers: Vec::new(),
            outer: Vec::new(),
            users: 0,
            kept: false,
        });
        id
    }

    /// Connects a node with all that it waits for.
    fn connect(&mut self, job: &Job, id: NodeId) {
        let node = job.node(id);
        let mut dependencies = Vec::new();
        for source in node.inputs.iter().flatten() {
            self.keep(source);
            dependencies_of(source, &mut dependencies);
        }
        let mut order = Vec::new();
        for after in &node.after {
            order.push(self.ended(job, after.node, node.scope));
        }
        for output in yielders(job, node.scope) {
            if job.node(output.node).policy.dispatch == Dispatch::AfterSuccess {
                order.push(Dependency::Step(output.node));
            }
        }
        dependencies.extend(order.iter().copied());
        let mut once: Vec<Dependency> = Vec::new();
        for dependency in dependencies {
            if !once.contains(&dependency) {
                once.push(dependency);
            }
        }
        for &dependency in &once {
            match dependency {
                Dependency::Step(on) => self.nodes[on.index()].readers.push(id),
                Dependency::FanIn(on) => {
                    self.fan_ins[on.index()].readers.push(id);
                    self.add_user(job, on, id);
                }
            }
        }
        let wired = &mut self.nodes[id.index()];
        wired.dependencies = once;
        wired.order = order;
    }

    /// Notes who in the frame that holds a fan-in reads it.
    fn add_user(&mut self, job: &Job, fan_in: FanInId, reader: NodeId) {
        let holder = job.scope(self.fan_ins[fan_in.index()].scope).parent;
        let scope = job.node(reader).scope;
        let uses = if holder == Some(scope) {
            &mut self.nodes[reader.index()].uses
        } else if let Some(holder) = holder
            && job.is_around(holder, scope)
        {
            &mut self.scopes[right_inside(job, holder, scope).index()].uses
        } else {
            self.fan_ins[fan_in.index()].kept = true;
            return;
        };
        if !uses.contains(&fan_in) {
            uses.push(fan_in);
            self.fan_ins[fan_in.index()].users += 1;
        }
    }

    /// Notes that the outputs a source refers to are read.
    fn keep(&mut self, source: &Source) {
        match source {
            Source::Output(output) => {
                self.nodes[output.node.index()].kept[output.output as usize] = true;
            }
            Source::List(sources) => sources.iter().for_each(|source| self.keep(source)),
            Source::Value(_) | Source::Element(_) | Source::Collect(_) => {}
        }
    }

    /// The dependency that is met when `node`, with all of its clones inside a frame of
    /// `reader`, has ended.
    fn ended(&mut self, job: &Job, node: NodeId, reader: ScopeId) -> Dependency {
        let mut scope = job.node(node).scope;
        if reaches(job, reader, scope) {
            return Dependency::Step(node);
        }
        let mut fan_in = self.add_fan_in(scope, Taken::Ended(node));
        while let Some(parent) = job.scope(scope).parent
            && !reaches(job, reader, parent)
        {
            scope = parent;
            fan_in = self.add_fan_in(scope, Taken::Inner(fan_in));
        }
        Dependency::FanIn(fan_in)
    }
}

/// Whether a failed attempt at a node's step may be followed by another.
pub(super) fn is_retried(job: &Job, node: NodeId) -> bool {
    job.node(node).policy.retry.max_attempts > 1
}

/// The outputs whose elements make the frames of a scope.
pub(super) fn yielders(job: &Job, scope: ScopeId) -> Vec<OutputRef> {
    let met = crate::job::met_in(&job.scopes, scope).into_iter();
    met.filter_map(|scope| job.scope(scope).origin.yielder()).collect()
}

/// Whether a frame of `outer` is around every frame of `inner`, or among what it is made of.
pub(super) fn reaches(job: &Job, inner: ScopeId, outer: ScopeId) -> bool {
    crate::job::reaches(&job.scopes, outer, inner)
}

/// The scope right inside `outer` on the way to `inner`, which is deeper.
pub(super) fn right_inside(job: &Job, outer: ScopeId, inner: ScopeId) -> ScopeId {
    let mut level = inner;
    while let Some(parent) = job.scope(level).parent
        && parent != outer
    {
        level = parent;
    }
    level
}

fn scope_id(index: usize) -> ScopeId {
    ScopeId(count(index))
}

/// A number of things of a job or a run as it is kept: four thousand million of anything in
/// one list are beyond any memory.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 of a kind")
}

fn dependencies_of(source: &Source, found: &mut Vec<Dependency>) {
    match source {
        Source::Output(output) => found.push(Dependency::Step(output.node)),
        Source::Collect(collect) => found.push(Dependency::FanIn(FanInId::of(*collect))),
        Source::List(sources) => {
            for source in sources {
                dependencies_of(source, found);
            }
        }
        Source::Value(_) | Source::Element(_) => {}
    }
}
