//! A manifest: its text as spanned, unresolved data, with all mistakes collected.
//!
//! What can be checked without any component is checked here: keys, types, the form of names
//! and references. Whether a name exists is for [`plan`](mod@crate::plan) to say.

mod body;
pub mod error;
pub(crate) mod grants;
pub(crate) mod item;
pub(crate) mod nearest;
mod policy;
pub(crate) mod quantity;
mod read;
mod reference;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

pub use self::error::{ManifestError, Problem, Span};
use crate::grant::{Access, Grants};
use crate::job::{BatchBounds, Policy};
use crate::limits::{Bound, Limits};

/// Something read from a manifest, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    #[must_use]
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A manifest as it is written; lists are in the order of the text.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The path, as it was given: only for messages.
    pub path: PathBuf,
    /// The text that all spans point into.
    pub text: Arc<str>,
    /// `[job] name`.
    pub name: Spanned<String>,
    /// `[job] description`; may be empty.
    pub description: String,
    /// `[job] max_concurrency`.
    pub max_concurrency: Option<u32>,
    /// `[defaults]`.
    pub defaults: Defaults,
    /// `[params]`.
    pub params: Vec<Param>,
    /// `[components]`.
    pub components: Vec<Component>,
    /// `[pools]`: the names and how many steps each takes at once.
    pub pools: Vec<(Spanned<String>, u32)>,
    /// `[graphs]`.
    pub graphs: Vec<Graph>,
    /// `[nodes]` and `[outputs]`.
    pub body: Body,
}

/// What holds for every node that does not say otherwise.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// `limits`.
    pub limits: Limits,
    /// `timeout`.
    pub timeout: Option<Bound<Duration>>,
}

/// A run parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name.
    pub name: Spanned<String>,
    /// For people; may be empty.
    pub description: String,
    /// JSON Schema, from `type` or `schema`; `None`: any JSON value.
    pub schema: Option<Arc<Json>>,
    /// The value where none is given.
    pub default: Option<Spanned<Json>>,
}

/// A component file.
#[derive(Debug, Clone)]
pub struct Component {
    /// The name by which nodes refer to it.
    pub alias: Spanned<String>,
    /// The file, relative to the manifest's folder.
    pub path: Spanned<String>,
    /// The digest that the file must have: 64 lower-case hexadecimal digits.
    pub sha256: Option<Spanned<String>>,
    /// How the file is made.
    pub build: Option<Build>,
}

/// How a component file is made from source.
#[derive(Debug, Clone)]
pub struct Build {
    /// A shell command.
    pub command: Spanned<String>,
    /// Where the command runs, relative to the manifest's folder; `None`: in that folder.
    pub dir: Option<Spanned<String>>,
    /// Files and folders, relative to `dir`; the component is stale when one of them is newer.
    pub sources: Vec<Spanned<String>>,
}

/// A graph: nodes that are used together as one node.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The name by which nodes refer to it.
    pub name: Spanned<String>,
    /// For people; may be empty.
    pub description: String,
    /// What every use must wire.
    pub inputs: Vec<GraphInput>,
    /// Its nodes and outputs.
    pub body: Body,
}

/// What a graph takes under one name.
#[derive(Debug, Clone)]
pub struct GraphInput {
    /// The name.
    pub name: Spanned<String>,
    /// For people; may be empty.
    pub description: String,
}

/// Nodes and outputs, of a job or of a graph.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The nodes.
    pub nodes: Vec<NodeEntry>,
    /// What goes out of the job or graph.
    pub outputs: Vec<Wiring>,
}

/// One use of an op or graph.
#[derive(Debug, Clone)]
pub struct NodeEntry {
    /// The name; its place is the node's header.
    pub name: Spanned<String>,
    /// For people; may be empty.
    pub description: String,
    /// What is used.
    pub target: NodeTarget,
    /// What feeds its inputs.
    pub inputs: Vec<Wiring>,
    /// Nodes that must have ended before.
    pub after: Vec<Spanned<String>>,
    /// How unrelated scopes meet (`semantics.md` rule 4).
    pub combine: Option<Spanned<Combine>>,
    /// What belongs only to the use of an op.
    pub settings: Settings,
}

/// What a node uses.
#[derive(Debug, Clone)]
pub enum NodeTarget {
    /// `op = "component/op"`, or the component alone where it holds one op.
    Op(Spanned<String>),
    /// `graph = "name"`.
    Graph(Spanned<String>),
}

/// How two unrelated scopes meet in one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// By mapping key.
    Zip {
        /// Whether a key that one side lacks is dropped instead of failing the run.
        drop_missing: bool,
    },
    /// Every pair.
    Cross,
}

/// Configuration, policy and grants of a node that uses an op.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `config`; a table `{ param = "p" }` anywhere inside stands for the param's value.
    pub config: Option<Spanned<Json>>,
    /// How its steps are run; [`Policy::pool`] is not resolved yet.
    pub policy: Policy,
    /// `pool`.
    pub pool: Option<Spanned<String>>,
    /// `batch`: how many elements of the dynamic output one clone takes.
    pub batch: Option<Spanned<BatchBounds>>,
    /// `grants`.
    pub grants: GrantEntries,
}

/// What a node is granted, as it is written.
#[derive(Debug, Clone, Default)]
pub struct GrantEntries {
    /// `fs`, whose paths are not resolved yet.
    pub folders: Vec<FolderEntry>,
    /// Everything else; files of secrets are not made absolute yet.
    pub others: Grants,
}

impl GrantEntries {
    /// Whether what a step gives still follows from what it is given alone.
    #[must_use]
    pub fn are_pure(&self) -> bool {
        self.folders.is_empty() && self.others.are_pure()
    }
}

/// An entry of `grants.fs`.
#[derive(Debug, Clone)]
pub struct FolderEntry {
    /// The folder on the host; may contain `{params.NAME}`, `{key}` and `{keys[N]}`.
    pub host: Spanned<String>,
    /// Where the guest sees it, an absolute path.
    pub guest: Spanned<String>,
    /// What the guest may do there.
    pub access: Access,
}

/// A name and what feeds it.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The input's or output's name.
    pub name: Spanned<String>,
    /// What feeds it.
    pub feed: Feed,
}

/// What feeds an input or output.
#[derive(Debug, Clone)]
pub enum Feed {
    /// One reference.
    One(Reference),
    /// The fan-in of several ordinary references into one list.
    List(Spanned<Vec<Reference>>),
}

/// Where a value comes from, by name.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Which kind.
    pub kind: ReferenceKind,
    /// Where the value of the reference's key stands, such as `"list.files"`.
    pub span: Span,
}

/// The kinds of references.
#[derive(Debug, Clone, PartialEq)]
pub enum ReferenceKind {
    /// `{ value = … }`: a literal.
    Value(Json),
    /// `{ param = "p" }`: a run parameter.
    Param(String),
    /// `{ input = "i" }`: an input of the graph that the reference stands in.
    Input(String),
    /// `{ from = "node.output" }`: an ordinary output.
    From(Target),
    /// `{ map = "node.output" }`: per dynamic output, or per clone.
    Map(Target),
    /// `{ collect = "node.output" }`: all clones of the innermost map.
    Collect(Target),
}

/// An output of a node, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node.
    pub node: String,
    /// The output; `None` where the node has one output.
    pub output: Option<String>,
}

impl Reference {
    /// The output that the reference names, if it names one.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        match &self.kind {
            ReferenceKind::From(target)
            | ReferenceKind::Map(target)
            | ReferenceKind::Collect(target) => Some(target),
            _ => None,
        }
    }
}

impl Feed {
    /// The references, in order.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        match self {
            Self::One(reference) => std::slice::from_ref(reference),
            Self::List(list) => &list.value,
        }
    }
}

impl Manifest {
    /// Reads a manifest. `path` is only named in messages.
    ///
    /// # Errors
    /// All mistakes that can be seen in the text alone; only those of TOML where the text is
    /// not TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        read::manifest(path, text)
            .map_err(|problems| ManifestError::new(path, text.into(), problems))
    }

    /// An error that lists problems of this manifest.
    #[must_use]
    pub fn error(&self, problems: Vec<Problem>) -> ManifestError {
        ManifestError::new(&self.path, Arc::clone(&self.text), problems)
    }
}
