//! A job: a manifest whose references are resolved and checked, ready to be scheduled.
//!
//! Everything here is an index into a list of the same job: nothing is looked up by name
//! once a job exists. Graphs used as nodes are gone, their nodes stand here under their
//! path (`clean/trim`). A job knows nothing of wasm, files or time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::definition::OpDefinition;
use crate::grant::Grants;
use crate::limits::{Bound, Limits};
use crate::value::Value;

/// The position of a node in [`Job::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// The position of a scope in [`Job::scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeId(pub u32);

/// The position of a collect in [`Job::collects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CollectId(pub u32);

/// The position of a pool in [`Job::pools`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolId(pub u32);

impl NodeId {
    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl ScopeId {
    /// The scope outside every map.
    pub const ROOT: Self = Self(0);

    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl CollectId {
    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl PoolId {
    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A job, ready to be scheduled.
#[derive(Debug, Clone)]
pub struct Job {
    /// `[job] name`.
    pub name: String,
    /// `[job] description`; may be empty.
    pub description: String,
    /// `[job] max_concurrency`: steps of a run at once.
    pub max_concurrency: Option<u32>,
    /// The components, in the order of the manifest.
    pub components: Vec<JobComponent>,
    /// The parameters with the values that this job was planned with, by name.
    pub params: Vec<(String, serde_json::Value)>,
    /// In topological order: a node stands behind all that it depends on.
    pub nodes: Vec<Node>,
    /// The first is the root; a scope stands behind its parent.
    pub scopes: Vec<Scope>,
    /// All fan-ins, each kind once however many inputs use it; one that takes another's list
    /// stands behind it.
    pub collects: Vec<Collect>,
    /// `[pools]`, in the order of the manifest.
    pub pools: Vec<Pool>,
    /// `[outputs]`, in the order of the manifest.
    pub outputs: Vec<JobOutput>,
}

/// A component as a job uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobComponent {
    /// The name that the manifest gives it.
    pub alias: String,
    /// The digest of the file that was loaded, as hexadecimal SHA-256.
    pub digest: String,
}

/// One use of an op.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name; inside a graph with its path, `clean/trim`.
    pub name: Arc<str>,
    /// The position of the component in [`Job::components`].
    pub component: usize,
    /// The op.
    pub op: Arc<OpDefinition>,
    /// The configuration as JSON text; `null` where the manifest gives none.
    pub config: Arc<str>,
    /// Where the node stands: its steps are one per frame of this scope.
    pub scope: ScopeId,
    /// One entry per input of the op's definition, in its order; `None`: not wired.
    pub inputs: Vec<Option<Source>>,
    /// What must have ended before, without giving data.
    pub after: Vec<After>,
    /// How its steps are run.
    pub policy: Policy,
    /// What its steps may reach.
    pub grants: Grants,
    /// Where the manifest has the node: the bytes of its header.
    pub span: std::ops::Range<usize>,
}

/// A scope: the sequence of fan-outs that a node is mapped over (`semantics.md`, *Scopes*).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The scope without its innermost level; `None` for the root.
    pub parent: Option<ScopeId>,
    /// How many levels there are; 0 for the root.
    pub depth: u32,
    /// What makes the frames of this scope.
    pub origin: Origin,
}

/// What makes the frames of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// There is one frame, from the start.
    Root,
    /// One frame per element of a dynamic output; the node stands in the parent scope.
    FanOut(OutputRef),
    /// One frame per batch of elements of a dynamic output, consecutive in the order of emission;
    /// the node stands in the parent scope. The mapping key is that of the first element.
    Batch {
        /// The dynamic output.
        of: OutputRef,
        /// When a batch is whole.
        bounds: BatchBounds,
    },
    /// One frame per mapping key of two or more fan-outs, each a scope with the same parent as
    /// this one (`combine = "zip"`).
    Zip {
        /// The scopes that meet.
        parts: Vec<ScopeId>,
        /// Whether a key that a part lacks is dropped; otherwise it fails the run.
        drop_missing: bool,
    },
    /// One frame per frame of `of`, in each frame of the parent scope, which is unrelated
    /// to it (`combine = "cross"`).
    Cross {
        /// The scope whose frames are repeated; its parent is an ancestor of this scope.
        of: ScopeId,
    },
}

/// When a batch is whole; so is the last one when the yielding step has succeeded. At least one
/// of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchBounds {
    /// Elements of one batch.
    pub max_items: Option<u64>,
    /// Bytes of the values of one batch; an element with more is a batch of its own.
    pub max_bytes: Option<u64>,
}

impl Origin {
    /// The scopes whose frames are joined in the frames of this one; each stands before it.
    pub(crate) fn parts(&self) -> &[ScopeId] {
        match self {
            Self::Zip { parts, .. } => parts,
            Self::Cross { of } => std::slice::from_ref(of),
            Self::Root | Self::FanOut(_) | Self::Batch { .. } => &[],
        }
    }

    /// The dynamic output that alone makes the frames.
    pub(crate) const fn yielder(&self) -> Option<OutputRef> {
        match self {
            Self::FanOut(of) | Self::Batch { of, .. } => Some(*of),
            Self::Root | Self::Zip { .. } | Self::Cross { .. } => None,
        }
    }
}

/// An output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutputRef {
    /// The node.
    pub node: NodeId,
    /// The position in the outputs of its op's definition.
    pub output: u32,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Known before the run: a literal or a param.
    Value(Value),
    /// A static output of the step of a node whose scope is the reader's or around it.
    Output(OutputRef),
    /// The value under which the frame of this scope was made, or the list of the values of a
    /// batch; the reader stands in the scope or inside it. The scope's origin is a fan-out or
    /// a batch.
    Element(ScopeId),
    /// The fan-in of all frames of one level.
    Collect(CollectId),
    /// Several values in order; none of them a collect or another list. One without any element
    /// was written so: it is an empty list, not a skip.
    List(Vec<Source>),
}

/// A fan-in: what `of` gives in each frame of `scope`, in the order of emission.
#[derive(Debug, Clone, PartialEq)]
pub struct Collect {
    /// The level that the fan-in removes. Readers stand in its parent or inside the parent.
    pub scope: ScopeId,
    /// What is taken from each frame: [`Source::Output`] of a node in `scope`,
    /// [`Source::Element`] of `scope`, which is no batch, or [`Source::Collect`] of a scope right inside it, whose
    /// elements then become one JSON array.
    pub of: Source,
}

/// What a node waits for without taking data from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// The node waited for. Where its scope is not around the waiting node's, all of its clones
    /// inside the innermost frame that both share are waited for.
    pub node: NodeId,
}

/// A named bound on steps at once, shared by nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The name.
    pub name: String,
    /// Steps at once.
    pub size: u32,
}

/// One output of a job; its source stands in the root scope.
#[derive(Debug, Clone)]
pub struct JobOutput {
    /// The name.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// How the steps of a node are run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Steps of this node at once.
    pub max_concurrency: Option<u32>,
    /// The pool that its steps take a place of.
    pub pool: Option<PoolId>,
    /// Wall-clock time of one attempt.
    pub timeout: Option<Bound<Duration>>,
    /// Bounds on one attempt.
    pub limits: Limits,
    /// What happens when an attempt fails.
    pub retry: Retry,
    /// What a step that failed for good means for the run.
    pub on_failure: OnFailure,
    /// When the clones of its dynamic outputs start.
    pub dispatch: Dispatch,
    /// How many elements each of its dynamic outputs may have in one step.
    pub max_clones: Option<u64>,
    /// `cache = …`; `None`: the host decides (`semantics.md` rule 21).
    pub cache: Option<bool>,
}

/// The retry policy of a node (`semantics.md` rule 16).
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all; 1: no retry.
    pub max_attempts: u32,
    /// The delay before the second attempt.
    pub delay: Duration,
    /// How the delay goes on.
    pub backoff: Backoff,
    /// The longest delay.
    pub max_delay: Option<Duration>,
    /// Whether each delay is cut to a random part of itself.
    pub jitter: bool,
    /// The kinds of failure that are retried; `None`: the default of rule 16.
    pub on: Option<Vec<RetryOn>>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            delay: Duration::ZERO,
            backoff: Backoff::Constant,
            max_delay: None,
            jitter: false,
            on: None,
        }
    }
}

/// How the delay before a retry goes on from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Always the same.
    Constant,
    /// Grows by the first delay each time.
    Linear,
    /// Doubles each time.
    Exponential,
}

/// A kind of failure that a retry policy may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    /// The op said `transient` or `retry-after`.
    Transient,
    /// The guest trapped.
    Trap,
    /// The attempt took too long.
    Timeout,
    /// A limit was exceeded.
    Limit,
}

/// What a step that failed for good means for the run (`semantics.md` rule 15).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum OnFailure {
    /// Siblings finish, what depends on it does not run, the run fails.
    #[default]
    Finish,
    /// The run is cancelled.
    Abort,
    /// Collects go on with the successes while failures stay within the bound.
    Tolerate(Tolerance),
}

/// How many failures of a node's steps are tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// So many in the run.
    Count(u64),
    /// This part of the node's steps, 0 to 1, judged when all of a fan-out have ended.
    Ratio(f64),
}

/// When the clones of a node's dynamic outputs start (`semantics.md` rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dispatch {
    /// As soon as their output is emitted.
    #[default]
    Eager,
    /// When the node's step has succeeded.
    AfterSuccess,
}

impl Job {
    /// The node at `id`.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The scope at `id`.
    #[must_use]
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.index()]
    }

    /// The collect at `id`.
    #[must_use]
    pub fn collect(&self, id: CollectId) -> &Collect {
        &self.collects[id.index()]
    }

    /// The identifiers of all nodes, in topological order.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// Whether `outer` is `inner` or one of the scopes around it.
    #[must_use]
    pub fn is_around(&self, outer: ScopeId, inner: ScopeId) -> bool {
        let mut here = Some(inner);
        while let Some(scope) = here {
            if scope == outer {
                return true;
            }
            here = self.scope(scope).parent;
        }
        false
    }
}

/// The scopes of elements or batches that meet in the innermost level of a scope, each once; the scope
/// itself where nothing meets.
pub(crate) fn met_in(scopes: &[Scope], scope: ScopeId) -> Vec<ScopeId> {
    let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::new(), vec![scope]);
    while let Some(here) = open.pop() {
        if seen.insert(here) {
            let parts = scopes[here.index()].origin.parts();
            open.extend(parts.iter().rev());
            found.extend(parts.is_empty().then_some(here));
        }
    }
    found
}

/// Whether a frame of `outer` is around every frame of `inner`, or among what it is made of
/// (`semantics.md` rules 3 and 4).
pub(crate) fn reaches(scopes: &[Scope], outer: ScopeId, inner: ScopeId) -> bool {
    // Where scopes meet, the ways out of them double with each level: no scope is left twice.
    let (mut open, mut seen) = (vec![inner], BTreeSet::new());
    while let Some(here) = open.pop() {
        if here == outer {
            return true;
        }
        if here > outer && seen.insert(here) {
            let scope = &scopes[here.index()];
            open.extend(scope.origin.parts());
            open.extend(scope.parent);
        }
    }
    false
}
