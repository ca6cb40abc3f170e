//! Random jobs and ops: nested fan-outs, collects level by level, outer values, skips, lists,
//! `after`, failures and retries.

use dynhost_graph::event::ReportedRetry;
use dynhost_graph::job::{
    Dispatch, NodeId, OnFailure, Origin, Policy, Retry, ScopeId, Source, Tolerance,
};

use crate::draft::{Draft, Out, from, number, position};
use crate::random::{Random, mix, mix_text};
use crate::reference::locate;
use crate::script::{Call, Ops, Script};
use crate::trace::inputs_text;

/// What a random job may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wild {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) fails: bool,
    pub(crate) meets: bool,
}

const DEEPEST: u32 = 4;

/// A random job; the same for the same seed.
pub(crate) fn generate(wild: Wild) -> (Draft, Ops) {
    let mut making =
        Making { random: Random::new(mix(&[wild.seed, 1])), draft: Draft::new(), wild };
    let pools = [making.draft.pool(1), making.draft.pool(2)];
    for _ in 0..wild.nodes {
        let node = making.add_node();
        let policy = making.policy();
        *making.draft.policy(node) = policy;
        if making.random.chance(15) {
            let pool = *making.random.choose(&pools);
            making.draft.policy(node).pool = Some(pool);
        }
    }
    making.settle_tolerances();
    for _ in 0..3 {
        let source = making.source(ScopeId::ROOT);
        making.draft.output(source);
    }
    (making.draft, Ops::all(move |call| behave(wild, call)))
}

struct Making {
    random: Random,
    draft: Draft,
    wild: Wild,
}

impl Making {
    fn add_node(&mut self) -> NodeId {
        let scope = self.scope();
        let inputs: Vec<Source> = (0..self.random.below(4)).map(|_| self.source(scope)).collect();
        let mut outs = vec![if self.random.chance(70) { Out::Required } else { Out::Optional }];
        while outs.len() < 3 && self.random.chance(50) {
            outs.push(if self.random.chance(70) { Out::Dynamic } else { Out::OptionalDynamic });
        }
        let position = self.draft.job().nodes.len();
        let node = self.draft.node(&format!("n{position}"), scope, inputs, &outs);
        if position > 0 && self.random.chance(15) {
            let before = NodeId(crate::draft::position(self.random.below(position)));
            self.draft.after(node, before);
        }
        node
    }

    fn scopes(&self) -> Vec<ScopeId> {
        (0..self.draft.job().scopes.len()).map(|index| ScopeId(position(index))).collect()
    }

    /// Where a node stands: an old scope or a new one.
    fn scope(&mut self) -> ScopeId {
        if self.wild.meets
            && self.random.chance(35)
            && let Some(scope) = self.meeting()
        {
            return scope;
        }
        let mut dynamic = Vec::new();
        for node in self.draft.job().node_ids() {
            let of = self.draft.job().node(node);
            let outputs = of.op.outputs.iter().enumerate();
            let depth = self.draft.job().scope(of.scope).depth;
            dynamic.extend(
                outputs
                    .filter(|(_, output)| output.dynamic && depth < DEEPEST)
                    .map(|(index, _)| (node, position(index))),
            );
        }
        if !dynamic.is_empty() && self.random.chance(60) {
            let (node, output) = *self.random.choose(&dynamic);
            if self.random.chance(30) {
                return self.batch(node, output);
            }
            return self.draft.fan_out(node, output);
        }
        let scopes = self.scopes();
        *self.random.choose(&scopes)
    }

    fn batch(&mut self, node: NodeId, output: u32) -> ScopeId {
        let items = 1 + self.random.next() % 3;
        let bytes = *self.random.choose(&[2, 4, 6, 8, 12, 100]);
        let (max_items, max_bytes) = match self.random.below(3) {
            0 => (Some(items), None),
            1 => (None, Some(bytes)),
            _ => (Some(items), Some(bytes)),
        };
        self.draft.batch(node, output, max_items, max_bytes)
    }

    /// A scope in which two unrelated ones meet.
    fn meeting(&mut self) -> Option<ScopeId> {
        let scopes = self.scopes();
        let (one, other) = (*self.random.choose(&scopes), *self.random.choose(&scopes));
        let job = self.draft.job();
        let related = one == other || job.is_around(one, other) || job.is_around(other, one);
        let parent = job.scope(other).parent;
        if related || job.scope(one).depth >= DEEPEST {
            return None;
        }
        let is_fan_out = |scope| is_fan_out(&job.scope(scope).origin);
        if job.scope(one).parent == parent && self.random.chance(60) {
            let drop_missing = self.random.chance(60);
            return Some(self.draft.zip(&[one, other], drop_missing));
        }
        let reaches = |to| {
            let path = vec![String::new(); job.scope(one).depth as usize];
            locate(job, one, &path, to).is_some()
        };
        (job.is_around(parent?, one) && !reaches(other) && is_fan_out(other))
            .then(|| self.draft.cross(one, other))
    }

    fn source(&mut self, scope: ScopeId) -> Source {
        let choice = self.random.below(10);
        let found = match choice {
            0..=3 => self.output(scope),
            4 => self.element(scope),
            5..=7 => self.collect(scope),
            8 => {
                let length = self.random.below(4);
                Some(Source::List((0..length).filter_map(|_| self.output(scope)).collect()))
            }
            _ => None,
        };
        found.unwrap_or_else(|| number(7))
    }

    /// Whether a frame of scope `to` is around every frame of `from`.
    fn reaches(&self, from: ScopeId, to: ScopeId) -> bool {
        let path = vec![String::new(); self.draft.job().scope(from).depth as usize];
        locate(self.draft.job(), from, &path, to).is_some()
    }

    fn output(&mut self, scope: ScopeId) -> Option<Source> {
        let job = self.draft.job();
        let within = |node: &NodeId| self.reaches(scope, job.node(*node).scope);
        let nodes: Vec<NodeId> = job.node_ids().filter(within).collect();
        (!nodes.is_empty()).then(|| from(*self.random.choose(&nodes), 0))
    }

    fn element(&mut self, scope: ScopeId) -> Option<Source> {
        let job = self.draft.job();
        let is_fan_out = |s: ScopeId| is_fan_out(&job.scope(s).origin);
        let mut scopes = self.scopes();
        scopes.retain(|to| is_fan_out(*to) && self.reaches(scope, *to));
        (!scopes.is_empty()).then(|| Source::Element(*self.random.choose(&scopes)))
    }

    /// A collect of anything whose readers may stand in `scope`.
    fn collect(&mut self, scope: ScopeId) -> Option<Source> {
        let mut scopes = self.scopes();
        let job = self.draft.job();
        scopes.retain(|of| job.scope(*of).parent.is_some_and(|to| self.reaches(scope, to)));
        if scopes.is_empty() {
            return None;
        }
        let over = *self.random.choose(&scopes);
        self.collect_over(over)
    }

    fn collect_over(&mut self, over: ScopeId) -> Option<Source> {
        let job = self.draft.job();
        let mut of: Vec<Source> = Vec::new();
        for node in job.node_ids().filter(|node| job.node(*node).scope == over) {
            of.push(from(node, 0));
        }
        if matches!(job.scope(over).origin, Origin::FanOut(_)) {
            of.push(Source::Element(over));
        }
        let is_inner = |scope: &ScopeId| job.scope(*scope).parent == Some(over);
        let inner: Vec<ScopeId> = self.scopes().into_iter().filter(is_inner).collect();
        if !inner.is_empty() && (of.is_empty() || self.random.chance(50)) {
            let inner = *self.random.choose(&inner);
            of = vec![self.collect_over(inner)?];
        }
        if of.is_empty() {
            return None;
        }
        let of = self.random.choose(&of).clone();
        Some(self.draft.collect(over, of))
    }

    fn policy(&mut self) -> Policy {
        let mut policy = Policy::default();
        if self.random.chance(15) {
            policy.max_concurrency = Some(1 + position(self.random.below(2)));
        }
        if self.random.chance(20) {
            policy.dispatch = Dispatch::AfterSuccess;
        }
        if self.wild.fails {
            let max_attempts = 1 + position(self.random.below(3));
            policy.retry = Retry { max_attempts, ..Retry::default() };
            policy.on_failure = match self.random.below(10) {
                0..=4 => OnFailure::Finish,
                5 => OnFailure::Tolerate(Tolerance::Count(0)),
                6 => OnFailure::Tolerate(Tolerance::Count(1)),
                7 => OnFailure::Tolerate(Tolerance::Count(1000)),
                _ => OnFailure::Tolerate(Tolerance::Ratio(0.5)),
            };
        }
        policy
    }

    /// A count of failures in the whole run depends on the order of completion where it is
    /// judged more than once.
    fn settle_tolerances(&mut self) {
        let plain = |scope: &dynhost_graph::job::Scope| {
            scope.depth <= 1 && (is_fan_out(&scope.origin) || scope.origin == Origin::Root)
        };
        if self.draft.job().scopes.iter().all(plain) {
            return;
        }
        for node in self.draft.job().node_ids() {
            let policy = self.draft.policy(node);
            if policy.on_failure == OnFailure::Tolerate(Tolerance::Count(1)) {
                policy.on_failure = OnFailure::Tolerate(Tolerance::Count(1000));
            }
        }
    }
}

/// Whether a scope has elements, or batches of them.
fn is_fan_out(origin: &Origin) -> bool {
    matches!(origin, Origin::FanOut(_) | Origin::Batch { .. })
}

/// What an op of a random job does: decided by the seed, the step, the attempt and the inputs.
pub(crate) fn behave(wild: Wild, call: &Call<'_>) -> Script {
    let inputs = mix_text(&inputs_text(call.inputs));
    let step = mix(&[wild.seed, u64::from(call.node.0), mix_text(&call.step.to_string())]);
    let attempt = u64::from(call.attempt);
    let mut random = Random::new(mix(&[step, inputs, attempt]));
    let mut script = Script::default();
    // Half of the attempts emit what the first one did.
    let like = if random.chance(50) { 1 } else { attempt };
    let yields = call.op.outputs.iter().any(|output| output.dynamic);
    let (nodes, attempts) = if yields { (60, 60) } else { (40, 30) };
    let fails = wild.fails
        && mix(&[wild.seed, u64::from(call.node.0), 2]) % 100 < nodes
        && random.chance(attempts);
    for (output, of) in call.op.outputs.iter().enumerate() {
        let output = position(output);
        let mut random = Random::new(mix(&[step, inputs, like, u64::from(output)]));
        if !of.dynamic {
            if of.required || random.chance(70) {
                script = script.give(output, mix(&[step, inputs]) % 10_000);
            }
            continue;
        }
        let mut keys = ["zeta", "alpha", "mid", "ü"];
        for place in 0..keys.len() {
            keys.swap(place, random.below(4));
        }
        for key in &keys[..random.below(4)] {
            let changes = if random.chance(30) { like } else { 0 };
            let value = mix(&[step, inputs, changes, mix_text(key)]) % 10_000;
            script = script.emit(output, key, value);
        }
    }
    if fails {
        script.emits.truncate(random.below(script.emits.len() + 1));
        let transient = random.chance(75);
        script = script.fail(if transient {
            ReportedRetry::Transient
        } else {
            ReportedRetry::Permanent
        });
    }
    script
}
