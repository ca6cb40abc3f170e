//! What a run must come to, computed from the rules alone: node by node, frame by frame,
//! nothing at once, nothing twice, with no thought for cost.

mod batches;
mod scopes;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use dynhost_graph::event::{RunStatus, SkipReason};
use dynhost_graph::job::{Dispatch, Job, NodeId, OnFailure, ScopeId, Source, Tolerance};
use dynhost_graph::name::{KeyPath, MappingKey, StepKey};
use dynhost_graph::scheduler::Input;
use dynhost_graph::value::Value;

pub(crate) use scopes::locate;

use crate::script::{Call, Ops, is_retried};
use crate::trace::{Outcome, Record, input_text, inputs_text};

/// The mapping keys of a frame, outermost first.
pub(crate) type Path = Vec<String>;

/// What a run must come to.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) steps: BTreeMap<String, Record>,
    pub(crate) outputs: Vec<String>,
    pub(crate) failures: BTreeSet<String>,
    pub(crate) status: RunStatus,
    /// Elements that an attempt emitted and a later one did not, or not with the same bytes:
    /// what ran for them does not count (rule 17).
    pub(crate) dropped: Vec<(ScopeId, Path)>,
}

/// How a step ended, or a fan-out closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Skipped,
    Blocked(NodeId),
}

#[derive(Debug)]
struct Step {
    end: End,
    failed: bool,
    gives: Vec<(u32, Value)>,
    /// What makes the frames of each scope that it yields.
    elements: Elements,
}

/// The elements or batches of each scope, by key, in order.
type Elements = BTreeMap<ScopeId, Vec<(String, Input)>>;

enum Found {
    There(Input),
    Missing,
    Blocked(NodeId),
}

/// What a fan-in takes from each frame.
#[derive(Clone, Copy)]
enum Taken<'a> {
    Value(&'a Source),
    Ended(NodeId),
}

struct Interpreter<'a> {
    job: &'a Job,
    ops: &'a Ops,
    done: BTreeMap<(NodeId, Path), Step>,
    expected: Expected,
}

/// Interprets a job.
pub(crate) fn interpret(job: &Job, ops: &Ops) -> Expected {
    let expected = Expected {
        steps: BTreeMap::new(),
        outputs: Vec::new(),
        failures: BTreeSet::new(),
        status: RunStatus::Succeeded,
        dropped: Vec::new(),
    };
    let mut interpreter = Interpreter { job, ops, done: BTreeMap::new(), expected };
    for node in job.node_ids() {
        for path in interpreter.frames(job.node(node).scope, &[]) {
            interpreter.step(node, path);
        }
        interpreter.fail_unmatched(node);
    }
    interpreter.finish()
}

impl Interpreter<'_> {
    fn step(&mut self, node: NodeId, path: Path) {
        let (end, inputs) = self.judge(node, &path);
        if let Some(reason) = self.reason(node, end, &path) {
            let outcome = Outcome::Skipped(reason);
            let record = Record { outcome, inputs: String::new(), attempts: 0 };
            self.expected.steps.insert(self.key(node, &path).to_string(), record);
            let step = Step { end, failed: false, gives: Vec::new(), elements: BTreeMap::new() };
            self.done.insert((node, path), step);
        } else {
            self.run(node, path, &inputs);
        }
    }

    /// Rules 14 and 15: whether a step runs, and on what.
    fn judge(&self, node: NodeId, path: &Path) -> (End, Vec<Input>) {
        let (scope, mut inputs) = (self.job.node(node).scope, Vec::new());
        let (mut missing, mut blocked) = (false, None);
        for source in &self.job.node(node).inputs {
            match source.as_ref().map(|source| self.find(source, scope, path)) {
                None => inputs.push(Input::Absent),
                Some(Found::There(input)) => inputs.push(input),
                Some(Found::Missing) => missing = true,
                Some(Found::Blocked(by)) => blocked = blocked.or(Some(by)),
            }
        }
        for after in &self.job.node(node).after {
            if let End::Blocked(by) = self.ended(after.node, scope, path) {
                blocked = blocked.or(Some(by));
            }
        }
        for output in self.yielders(scope) {
            if self.job.node(output.node).policy.dispatch == Dispatch::AfterSuccess
                && let End::Blocked(by) = self.ended(output.node, scope, path)
            {
                blocked = blocked.or(Some(by));
            }
        }
        let end = match blocked {
            Some(by) => End::Blocked(by),
            None if missing => End::Skipped,
            None => End::Well,
        };
        (end, inputs)
    }

    fn reason(&self, node: NodeId, end: End, path: &Path) -> Option<SkipReason> {
        match end {
            End::Well => None,
            End::Blocked(by) => Some(SkipReason::Upstream { node: self.job.node(by).name.clone() }),
            End::Skipped => {
                let of = self.job.node(node);
                let mut inputs = of.inputs.iter().zip(&of.op.inputs);
                let missing =
                    |source: &Source| matches!(self.find(source, of.scope, path), Found::Missing);
                let (_, input) = inputs
                    .find(|(source, _)| source.as_ref().is_some_and(missing))
                    .expect("a step is skipped for an input");
                Some(SkipReason::NotEmitted { input: input.name.clone() })
            }
        }
    }

    /// Rules 16 and 17: attempts until one succeeds or the last has failed.
    fn run(&mut self, node: NodeId, path: Path, inputs: &[Input]) {
        let step = self.key(node, &path);
        let mut emitted = Elements::new();
        let mut attempt = 1;
        let (script, elements, failed) = loop {
            let op = &self.job.node(node).op;
            let call = Call { node, op, step: &step, attempt, inputs };
            let script = self.ops.call(&call);
            let elements = self.elements_of(node, &script);
            for (scope, key, element) in all(&elements) {
                let before = emitted.entry(scope).or_default();
                match before.iter_mut().find(|(k, _)| k == key) {
                    None => before.push((key.clone(), element.clone())),
                    Some((_, before)) if before == element => {}
                    Some((_, before)) => {
                        *before = element.clone();
                        self.expected.dropped.push((scope, join(&path, key)));
                    }
                }
            }
            match &script.fails {
                None => break (script, elements, false),
                Some(failure) if !is_retried(self.job, node, failure, attempt) => {
                    break (script, elements, true);
                }
                Some(_) => attempt += 1,
            }
        };
        if failed {
            self.expected.failures.insert(step.to_string());
        } else {
            let again = |scope, key| all(&elements).any(|(s, k, _)| s == scope && k == key);
            for (scope, key, _) in all(&emitted).filter(|(s, k, _)| !again(*s, *k)) {
                self.expected.dropped.push((scope, join(&path, key)));
            }
        }
        let outcome = if failed { Outcome::Failed } else { Outcome::Succeeded };
        let record = Record { outcome, inputs: inputs_text(inputs), attempts: attempt };
        self.expected.steps.insert(step.to_string(), record);
        let end = if failed { End::Blocked(node) } else { End::Well };
        let elements = if failed { emitted } else { elements };
        self.done.insert((node, path), Step { end, failed, gives: script.gives, elements });
    }

    fn key(&self, node: NodeId, path: &Path) -> StepKey {
        let key = |key: &String| MappingKey::new(key).expect("keys in tests are good");
        StepKey {
            node: self.job.node(node).name.clone(),
            keys: path.iter().map(key).collect::<KeyPath>(),
        }
    }

    /// Rule 4: a key that a part of a zip lacks fails the first step that was to run for it.
    fn fail_unmatched(&mut self, node: NodeId) {
        let scope = self.job.node(node).scope;
        let first = self.first_in(scope);
        let Some(parent) = self.job.scope(scope).parent else { return };
        for path in self.frames(parent, &[]) {
            for key in self.unmatched(scope, &path) {
                let path = join(&path, &key);
                let step = self.key(node, &path).to_string();
                let outcome = if node == first {
                    self.expected.failures.insert(step.clone());
                    Outcome::Failed
                } else {
                    let node = self.job.node(first).name.clone();
                    Outcome::Skipped(SkipReason::Upstream { node })
                };
                let record = Record { outcome, inputs: String::new(), attempts: 0 };
                self.expected.steps.insert(step, record);
                let end = End::Blocked(first);
                let failed = node == first;
                let step = Step { end, failed, gives: Vec::new(), elements: BTreeMap::new() };
                self.done.insert((node, path), step);
            }
        }
    }

    /// The node that fails for a key that cannot meet.
    fn first_in(&self, scope: ScopeId) -> NodeId {
        let mut nodes = self.job.node_ids();
        nodes.find(|node| self.job.node(*node).scope == scope).expect("a zip is made for a node")
    }

    fn tolerated(&self, node: NodeId, failed: usize, total: usize) -> bool {
        match self.job.node(node).policy.on_failure {
            OnFailure::Finish | OnFailure::Abort => false,
            OnFailure::Tolerate(Tolerance::Count(count)) => {
                self.count(node, |step| step.failed) as u64 <= count
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
            OnFailure::Tolerate(Tolerance::Ratio(ratio)) => failed as f64 <= ratio * total as f64,
        }
    }

    fn count(&self, node: NodeId, of: impl Fn(&Step) -> bool) -> usize {
        self.done.iter().filter(|((there, _), step)| *there == node && of(step)).count()
    }

    fn finish(mut self) -> Expected {
        let text = |found| match found {
            Found::There(input) => input_text(&input),
            Found::Missing | Found::Blocked(_) => "absent".to_owned(),
        };
        let outputs = self.job.outputs.iter();
        self.expected.outputs =
            outputs.map(|o| text(self.find(&o.source, ScopeId::ROOT, &Vec::new()))).collect();
        for node in self.job.node_ids() {
            let failed = self.count(node, |step| step.failed);
            if failed > 0 && !self.tolerated(node, failed, self.count(node, |_| true)) {
                self.expected.status = RunStatus::Failed;
            }
        }
        self.expected
    }
}

/// All elements of all scopes.
fn all(elements: &Elements) -> impl Iterator<Item = (ScopeId, &String, &Input)> {
    elements.iter().flat_map(|(scope, of)| of.iter().map(|(key, element)| (*scope, key, element)))
}

fn join(path: &[String], key: &str) -> Path {
    let mut path = path.to_vec();
    path.push(key.to_owned());
    path
}
