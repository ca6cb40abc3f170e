//! What the executor has to know of the nodes of a run.

use std::sync::Arc;

use dynhost_graph::job::{Node, NodeId, Policy};
use dynhost_graph::limits::Bound;

use crate::admission::yields;
use crate::capability::Granted;
use crate::executor::{Settings, StepSpec};
use crate::host::Host;
use crate::instance::StepLimits;
use crate::large::LargeValues;
use crate::prepare::PreparedJob;

use super::reuse::{CHEAP, Reuse};

/// How the steps of each node are run.
pub(super) fn specs(
    host: &Host,
    run: &Arc<str>,
    prepared: &PreparedJob,
    (reuse, large_values): (&Reuse, Option<&Arc<LargeValues>>),
) -> Vec<Arc<StepSpec>> {
    let job = &prepared.job;
    let mut yielding = 0..;
    let spec = |((id, node), rank): ((NodeId, &Node), u32)| {
        let (component, granted) = prepared.components[node.component].granted(node);
        let large_values = large_values.cloned();
        let settings = Settings { large_values, granted, ..settings(host, run, prepared, node) };
        let level = if yields(node) { yielding.next() } else { None };
        Arc::new(StepSpec {
            component,
            settings: Arc::new(settings),
            outputs: node.op.outputs.iter().map(|output| output.name.as_str().into()).collect(),
            rank,
            level,
            handed_back_after: reuse.keeps(id).then_some(CHEAP),
        })
    };
    job.node_ids().zip(&job.nodes).zip(0..).map(spec).collect()
}

/// Joins what a node says with the defaults of the host.
fn settings(host: &Host, run: &Arc<str>, prepared: &PreparedJob, node: &Node) -> Settings {
    let policy = &node.policy;
    let timeouts = policy.timeout.as_ref().map_or(1, Bound::attempts);
    let attempts = u32::try_from(policy.limits.attempts().max(timeouts)).unwrap_or(u32::MAX);
    Settings {
        run: Arc::clone(run),
        op: Arc::clone(&node.op),
        config: Arc::clone(&node.config),
        limits: (1..=attempts).map(|attempt| limits(host, policy, attempt)).collect(),
        grants: node.grants.clone(),
        secrets: prepared.secrets.of(&node.grants),
        large_values: None,
        granted: Granted::default(),
        clock: prepared.clock.clone(),
    }
}

fn limits(host: &Host, policy: &Policy, attempt: u32) -> StepLimits {
    let mut limits = host.limits().clone();
    for (kind, bound) in policy.limits.iter() {
        limits.set(kind, bound.at(attempt));
    }
    if let Some(timeout) = &policy.timeout {
        limits.timeout = timeout.at(attempt);
    }
    if let Some(most) = policy.max_clones {
        limits.elements = most;
    }
    limits
}
