//! What the scheduler knows of a job before it starts: who waits for whom, and where.
//!
//! Computed once per run, so that applying an event needs no search.

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
    /// The fan-ins that take something of its step.
    pub(super) fan_ins: Vec<FanInId>,
    /// The scope that each of its outputs makes, by position in the definition.
    pub(super) fan_outs: Vec<Option<ScopeId>>,
    /// Whether anything reads the output, by position in the definition.
    pub(super) kept: Vec<bool>,
    /// Whether its steps can end while the step that yields their frame is still running.
    pub(super) eager: bool,
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
        }
        for scope in 1..job.scopes.len() {
            wiring.find_eager(job, ScopeId(scope as u32));
        }
        wiring
    }

    /// Gives every node and scope its place in a frame.
    fn place(&mut self, job: &Job) {
        for (index, scope) in job.scopes.iter().enumerate() {
            if let Some(parent) = scope.parent {
                let children = &mut self.scopes[parent.index()].children;
                let slot = children.len();
                children.push(ScopeId(index as u32));
                self.scopes[index].slot = slot;
            }
        }
        for id in job.node_ids() {
            let node = job.node(id);
            let nodes = &mut self.scopes[node.scope.index()].nodes;
            let wired = &mut self.nodes[id.index()];
            wired.slot = nodes.len();
            nodes.push(id);
            wired.fan_outs = vec![None; node.op.outputs.len()];
            wired.kept = vec![false; node.op.outputs.len()];
        }
        for (index, scope) in job.scopes.iter().enumerate() {
            if let Origin::FanOut(output) = scope.origin {
                self.nodes[output.node.index()].fan_outs[output.output as usize] =
                    Some(ScopeId(index as u32));
            }
        }
    }

    fn add_fan_in(&mut self, scope: ScopeId, taken: Taken) -> FanInId {
        let id = FanInId(self.fan_ins.len() as u32);
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
        self.fan_ins.push(FanIn { scope, taken, slot, readers: Vec::new(), outer: Vec::new() });
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
        if let Origin::FanOut(output) = job.scope(node.scope).origin
            && job.node(output.node).policy.dispatch == Dispatch::AfterSuccess
        {
            order.push(Dependency::Step(output.node));
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
                Dependency::FanIn(on) => self.fan_ins[on.index()].readers.push(id),
            }
        }
        let wired = &mut self.nodes[id.index()];
        wired.dependencies = once;
        wired.order = order;
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
        if job.is_around(scope, reader) {
            return Dependency::Step(node);
        }
        let mut fan_in = self.add_fan_in(scope, Taken::Ended(node));
        while let Some(parent) = job.scope(scope).parent
            && !job.is_around(parent, reader)
        {
            scope = parent;
            fan_in = self.add_fan_in(scope, Taken::Inner(fan_in));
        }
        Dependency::FanIn(fan_in)
    }

    /// Finds what inside `scope` can end while the step that yields the scope is running.
    fn find_eager(&mut self, job: &Job, scope: ScopeId) {
        let Origin::FanOut(output) = job.scope(scope).origin else { return };
        // Nodes stand in topological order, so one pass finds all that wait for the yielder.
        let mut waits = vec![false; job.nodes.len()];
        for id in job.node_ids() {
            waits[id.index()] =
                self.nodes[id.index()].dependencies.iter().any(|&dependency| match dependency {
                    Dependency::Step(on) => on == output.node || waits[on.index()],
                    Dependency::FanIn(on) => self.fan_in_waits(on, scope, &waits),
                });
        }
        let inside = |here: ScopeId| job.is_around(scope, here);
        let mut eager = 0;
        for &node in &self.scopes[scope.index()].nodes.clone() {
            self.nodes[node.index()].eager = !waits[node.index()];
            eager += u32::from(!waits[node.index()]);
        }
        for &child in &self.scopes[scope.index()].children.clone() {
            let all = job.node_ids().all(|id| {
                !(inside(job.node(id).scope)
                    && job.is_around(child, job.node(id).scope)
                    && waits[id.index()])
            });
            let yielder_waits = match job.scope(child).origin {
                Origin::FanOut(output) => waits[output.node.index()],
                Origin::Root | Origin::Zip { .. } | Origin::Cross { .. } => true,
            };
            self.scopes[child.index()].eager_in_parent = all && !yielder_waits;
            eager += u32::from(all && !yielder_waits);
        }
        self.scopes[scope.index()].eager = eager;
    }

    fn fan_in_waits(&self, fan_in: FanInId, scope: ScopeId, waits: &[bool]) -> bool {
        let wired = &self.fan_ins[fan_in.index()];
        wired.scope == scope
            || match wired.taken {
                Taken::Element => false,
                Taken::Output(output) => waits[output.node.index()],
                Taken::Ended(node) => waits[node.index()],
                Taken::Inner(inner) => self.fan_in_waits(inner, scope, waits),
            }
    }
}

fn dependencies_of(source: &Source, found: &mut Vec<Dependency>) {
    match source {
        Source::Output(output) => found.push(Dependency::Step(output.node)),
        Source::Collect(collect) => found.push(Dependency::FanIn(FanInId::of(*collect))),
        Source::List(sources) => {
            sources.iter().for_each(|source| dependencies_of(source, found));
        }
        Source::Value(_) | Source::Element(_) => {}
    }
}
