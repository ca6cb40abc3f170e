//! `Manifest` + op definitions + params → [`Job`]: references resolved, scopes computed,
//! schemas checked, graphs put in place of the nodes that use them.
//!
//! Pure: no file is looked at. Whether a granted folder exists is for the host to say.

mod batch;
mod check;
mod fit;
mod grants;
mod graph;
mod node;
mod order;
mod port;
mod prune;
mod reference;
mod scopes;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;

use self::port::Frame;
use self::scopes::Scopes;
use crate::definition::OpDefinition;
use crate::job::{
    Collect, CollectId, Job, JobComponent, JobOutput, Node, OutputRef, Pool, ScopeId,
};
use crate::manifest::{Manifest, ManifestError, Problem, Span};
use crate::params::{self, BoundParam, GivenParams};

/// What a plan must know of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentInfo {
    /// The digest of the file, as hexadecimal SHA-256.
    pub digest: String,
    /// Its ops.
    pub ops: Vec<Arc<OpDefinition>>,
    /// The interfaces that it imports, such as `wasi:filesystem/types@0.2.0`.
    pub imports: Vec<String>,
}

/// The folders that relative paths of grants start from; both absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The folder of the manifest.
    pub manifest: PathBuf,
    /// The working folder of whoever gives the params.
    pub working: PathBuf,
}

/// Plans a job. `components` are the loaded ones by alias.
///
/// # Errors
/// Everything that `semantics.md` rules 4 and 6 refuse, all at once; a param without a value;
/// a used component that is not among `components`.
pub fn plan(
    manifest: &Manifest,
    components: &BTreeMap<String, ComponentInfo>,
    given: &GivenParams,
    folders: &Folders,
) -> Result<Job, ManifestError> {
    let (job, mut problems) = Planner::new(manifest, components, folders).run(given);
    problems.extend(params::missing(manifest, given));
    if problems.is_empty() { Ok(job) } else { Err(manifest.error(problems)) }
}

/// Checks all that [`plan`] checks, but asks no value of a param that has no default.
///
/// # Errors
/// As [`plan`].
pub fn check(
    manifest: &Manifest,
    components: &BTreeMap<String, ComponentInfo>,
    given: &GivenParams,
    folders: &Folders,
) -> Result<(), ManifestError> {
    let (_, problems) = Planner::new(manifest, components, folders).run(given);
    if problems.is_empty() { Ok(()) } else { Err(manifest.error(problems)) }
}

/// The greatest number of nodes of a job, uses of graphs included: a graph that uses another one twice
/// doubles it, so that a short manifest can describe more than any machine holds.
pub const MAX_NODES: usize = 10_000;

/// How many graphs may stand in each other.
pub const MAX_DEPTH: u32 = 64;

/// A job in the making.
struct Planner<'m> {
    manifest: &'m Manifest,
    components: &'m BTreeMap<String, ComponentInfo>,
    /// The aliases with their positions in [`Job::components`].
    positions: BTreeMap<&'m str, usize>,
    folders: &'m Folders,
    params: BTreeMap<String, BoundParam>,
    /// Graphs that use themselves, directly or not.
    recursive: BTreeSet<&'m str>,
    nodes: Vec<Node>,
    /// Uses of graphs so far.
    graph_uses: usize,
    /// There was a node too many, which has been reported.
    full: bool,
    scopes: Scopes,
    collects: Vec<Collect>,
    /// Dynamic outputs that a graph gives out, with the place where it says so.
    given_out: Vec<(OutputRef, Span)>,
    problems: Vec<Problem>,
}

impl<'m> Planner<'m> {
    fn new(
        manifest: &'m Manifest,
        components: &'m BTreeMap<String, ComponentInfo>,
        folders: &'m Folders,
    ) -> Self {
        let aliases = manifest.components.iter().map(|one| one.alias.value.as_str());
        let loaded = aliases.filter(|alias| components.contains_key(*alias));
        Self {
            manifest,
            components,
            positions: loaded.enumerate().map(|(at, alias)| (alias, at)).collect(),
            folders,
            params: BTreeMap::new(),
            recursive: BTreeSet::new(),
            nodes: Vec::new(),
            graph_uses: 0,
            full: false,
            scopes: Scopes::default(),
            collects: Vec::new(),
            given_out: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn run(mut self, given: &GivenParams) -> (Job, Vec<Problem>) {
        self.params = params::bind(self.manifest, given, &mut self.problems);
        self.recursive = order::recursive_graphs(self.manifest, &mut self.problems);
        let mut frame = Frame::new(&self.manifest.body);
        self.body(&mut frame);
        let outputs = self.job_outputs(&frame);
        let mut job = self.job(outputs);
        prune::prune(&mut job);
        if self.problems.is_empty() {
            check::idle_yielders(&job, &self.given_out, &mut self.problems);
        }
        (job, self.problems)
    }

    fn job_outputs(&mut self, frame: &Frame<'m>) -> Vec<JobOutput> {
        let mut outputs = Vec::new();
        for wiring in &self.manifest.body.outputs {
            let Some(wire) = self.feed(frame, &wiring.feed) else { continue };
            let reader = "the job's outputs are";
            if let Some(problem) = self.outside_its_map(&wire, ScopeId::ROOT, reader) {
                self.problems
                    .push(problem.help("`collect` takes the values of all clones as one list"));
                continue;
            }
            outputs.push(JobOutput { name: wiring.name.value.clone(), source: wire.source });
        }
        outputs
    }

    fn job(&mut self, outputs: Vec<JobOutput>) -> Job {
        let manifest = self.manifest;
        let component = |alias: &&str| JobComponent {
            alias: (*alias).to_owned(),
            digest: self.components[*alias].digest.clone(),
        };
        let mut aliases: Vec<&str> = self.positions.keys().copied().collect();
        aliases.sort_by_key(|alias| self.positions[alias]);
        let value = |bound: &BoundParam| bound.value.as_deref().cloned().unwrap_or(Json::Null);
        let pool = |(name, size): &(crate::manifest::Spanned<String>, u32)| Pool {
            name: name.value.clone(),
            size: *size,
        };
        Job {
            name: manifest.name.value.clone(),
            description: manifest.description.clone(),
            max_concurrency: manifest.max_concurrency,
            components: aliases.iter().map(component).collect(),
            params: self.params.iter().map(|(name, one)| (name.clone(), value(one))).collect(),
            nodes: std::mem::take(&mut self.nodes),
            scopes: std::mem::take(&mut self.scopes).into_list(),
            collects: std::mem::take(&mut self.collects),
            pools: manifest.pools.iter().map(pool).collect(),
            outputs,
        }
    }

    /// The fan-in of `of` over the innermost level of `scope`, each kind once.
    fn collect(&mut self, collect: Collect) -> CollectId {
        let known = self.collects.iter().position(|other| *other == collect);
        let position = known.unwrap_or_else(|| {
            self.collects.push(collect);
            self.collects.len() - 1
        });
        CollectId(u32::try_from(position).expect("fewer than 2^32 collects"))
    }
}
