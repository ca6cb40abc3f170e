//! Whether a job fits the machine and what the operator allows: known before anything runs.
//!
//! Each attempt that has begun holds its memory limit out of what the host has for all guests (`executor/local/queue.rs`),
//! so that the sum never goes beyond it, whatever the guests do. What is left to find out beforehand is whether every
//! step can begin at all, and how many can at once.

use std::path::{Path, PathBuf};

use dynhost_graph::event::LimitKind;
use dynhost_graph::event::bytes_in_words;
use dynhost_graph::job::{Job, Node};
use dynhost_graph::limits::Bound;
use dynhost_graph::manifest::Problem;

use crate::capability;
use crate::engine::INSTANCES;
use crate::host::Host;
use crate::prepare::PreparedJob;
use crate::run::RunOptions;

/// How many steps of a run may run at once, and what they may need in all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// Steps at once.
    pub max_concurrency: u32,
    /// What the options, the manifest or the number of cores asked for.
    pub asked: u32,
    /// Why it is fewer than asked for, if it is: in words, for people.
    pub lowered: Option<String>,
    /// Bytes of guest memory that all attempts together can have at most.
    pub memory: u64,
}

impl Host {
    /// How a run of this job would be admitted.
    #[must_use]
    pub fn admission(&self, prepared: &PreparedJob, options: &RunOptions) -> Admission {
        self.admit(&prepared.job, options)
    }

    pub(crate) fn admit(&self, job: &Job, options: &RunOptions) -> Admission {
        let asked = options.max_concurrency.or(job.max_concurrency).unwrap_or(self.workers());
        let asked = asked.max(1);
        let largest = job.nodes.iter().map(|node| self.memory_of(node)).max().unwrap_or(0);
        let fit = u32::try_from(self.memory() / largest.max(1)).unwrap_or(u32::MAX).max(1);
        let policy = self.policy().max_concurrency.unwrap_or(u32::MAX);
        let most = self.max_concurrency();
        let why = if policy < asked.min(fit) && policy <= most {
            Some(format!("`{}` allows no more", self.policy().name))
        } else if fit < asked.min(most) {
            Some(format!(
                "each may use {} of memory, and {} are there for all of them; a smaller \
                 `limits.memory` lets more run",
                bytes_in_words(largest),
                bytes_in_words(self.memory())
            ))
        } else if most < asked {
            Some(self.shortage().unwrap_or_else(|| "no run may have more".to_owned()))
        } else {
            None
        };
        let max_concurrency = asked.min(fit).min(policy).min(most);
        let lowered =
            why.map(|why| format!("{max_concurrency} steps run at once instead of {asked}: {why}"));
        // Steps that are suspended hold memory beside those that run.
        let yields = job.nodes.iter().any(yields);
        let running = largest.saturating_mul(max_concurrency.into()).min(self.memory());
        let memory = if yields { self.memory() } else { running };
        Admission { max_concurrency, asked, lowered, memory }
    }

    /// What speaks against ever running a job: what it asks beyond the operator's policy, and steps for which there
    /// could be too little memory.
    pub(crate) fn refusals(&self, job: &Job) -> Vec<Problem> {
        let mut problems = self.policy().refusals(job, &real);
        let grants = capability::of_job(job);
        problems.extend(capability::refusals(self.capabilities(), self.policy(), grants));
        problems.extend(self.too_many_nodes(job));
        let names =
            || if self.policy().memory_total.is_some() { "policy allows" } else { "host has" };
        let largest = job.nodes.iter().filter(|node| !yields(node));
        let largest = largest.map(|node| self.memory_of(node)).max().unwrap_or(0);
        let levels = levels(job);
        let each = self.memory().saturating_sub(largest) / u64::from(levels.max(1));
        for node in &job.nodes {
            let memory = self.memory_of(node);
            let most = if yields(node) { each } else { self.memory() };
            if memory <= most {
                continue;
            }
            let span = node.policy.limits.get(LimitKind::Memory).map(|bound| bound.span.clone());
            let message = format!(
                "node `{}` may use {} of memory, and there could be too little of it",
                node.name,
                bytes_in_words(memory)
            );
            let all = bytes_in_words(self.memory());
            let why = if yields(node) && levels > 0 {
                format!(
                    "the {} {all} for all steps; beside the largest step ({}), each of the {levels} \
                     nodes that yield must find room while its clones run: set `limits.memory` to \
                     {} at most",
                    names(),
                    bytes_in_words(largest),
                    bytes_in_words(most)
                )
            } else {
                format!("the {} {all} for all steps: set `limits.memory` lower", names())
            };
            problems
                .push(Problem::at(span.unwrap_or_else(|| node.span.clone()), message).help(why));
        }
        problems
    }

    /// Steps of each node must find an instance while those of the nodes before it are suspended. In a pool of the usual
    /// size there are enough for every job that anybody writes.
    fn too_many_nodes(&self, job: &Job) -> Option<Problem> {
        let most = self.max_concurrency() as usize - 1;
        let node = job.nodes.get(most).filter(|_| self.instances() < INSTANCES)?;
        let message =
            format!("the job has {} nodes, and there is room for {most}", job.nodes.len());
        Some(Problem::at(node.span.clone(), message).help(self.shortage()?))
    }

    /// The most memory that an attempt at a step of this node may have.
    fn memory_of(&self, node: &Node) -> u64 {
        node.policy.limits.get(LimitKind::Memory).map_or(self.limits().memory, Bound::most)
    }
}

/// Whether steps of a node may be suspended while others run.
pub(crate) fn yields(node: &Node) -> bool {
    node.op.outputs.iter().any(|output| output.dynamic)
}

/// How many nodes of a job yield.
pub(crate) fn levels(job: &Job) -> u32 {
    u32::try_from(job.nodes.iter().filter(|node| yields(node)).count()).unwrap_or(u32::MAX)
}

/// Where a path leads when symbolic links are followed; itself, where nothing is there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
