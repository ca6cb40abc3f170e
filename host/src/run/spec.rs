//! What the executor has to know of the nodes of a run.

use std::sync::Arc;

use dynhost_graph::job::Node;

use crate::executor::{Settings, StepSpec};
use crate::host::Host;
use crate::instance::StepLimits;
use crate::prepare::PreparedJob;

use super::reuse::{CHEAP, Reuse};

/// How the steps of each node are run.
pub(super) fn specs(
    host: &Host,
    run: &Arc<str>,
    prepared: &PreparedJob,
    reuse: &Reuse,
) -> Vec<Arc<StepSpec>> {
    let job = &prepared.job;
    let spec = |((id, node), rank)| {
        let settings = settings(host, run, prepared, node);
        Arc::new(StepSpec {
            component: prepared.components[node.component].clone(),
            settings: Arc::new(settings),
            timeout: node.policy.timeout.unwrap_or(host.timeout()),
            rank,
            handed_back_after: reuse.keeps(id).then_some(CHEAP),
        })
    };
    job.node_ids().zip(&job.nodes).zip(0..).map(spec).collect()
}

/// Joins what a node says with the defaults of the host.
fn settings(host: &Host, run: &Arc<str>, prepared: &PreparedJob, node: &Node) -> Settings {
    let defaults = host.limits();
    let limits = &node.policy.limits;
    Settings {
        run: Arc::clone(run),
        op: Arc::clone(&node.op),
        config: Arc::clone(&node.config),
        limits: StepLimits {
            memory: limits.memory.unwrap_or(defaults.memory),
            output: limits.output.unwrap_or(defaults.output),
            elements: node.policy.max_clones.unwrap_or(defaults.elements),
            fuel: limits.fuel.or(defaults.fuel),
            ..defaults.clone()
        },
        grants: node.grants.clone(),
        secrets: prepared.secrets.of(&node.grants),
    }
}
