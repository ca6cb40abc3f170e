//! What a job grants of capabilities, checked before anything runs.

use std::iter;

use dynhost_graph::grant::{CapabilityGrant, SectionMistake};
use dynhost_graph::job::{Job, Node};
use dynhost_graph::manifest::{Manifest, Problem};
use dynhost_graph::operator::OperatorPolicy;

use super::Capabilities;
use crate::component::Component;

/// What speaks against the grants of nodes, each with the name of its node: capabilities that there are not, sections with
/// mistakes, and what the operator's policy does not allow.
pub(crate) fn refusals<'a>(
    capabilities: &Capabilities,
    policy: &OperatorPolicy,
    grants: impl Iterator<Item = (&'a str, &'a CapabilityGrant)>,
) -> Vec<Problem> {
    grants.filter_map(|(node, grant)| refusal(capabilities, policy, node, grant)).collect()
}

/// The grants of a job's nodes.
pub(crate) fn of_job(job: &Job) -> impl Iterator<Item = (&str, &CapabilityGrant)> {
    job.nodes
        .iter()
        .flat_map(|node| node.grants.capabilities.iter().map(|grant| (&*node.name, grant)))
}

/// The grants of a manifest's nodes that hang on no param, as they are written.
pub(crate) fn of_manifest(manifest: &Manifest) -> impl Iterator<Item = (&str, &CapabilityGrant)> {
    let bodies = iter::once(&manifest.body).chain(manifest.graphs.iter().map(|graph| &graph.body));
    bodies.flat_map(|body| &body.nodes).flat_map(|node| {
        let grants = &node.settings.grants.others.capabilities;
        let grants = grants.iter().filter(|grant| !grant.section.has_params());
        grants.map(|grant| (node.name.value.as_str(), grant))
    })
}

fn refusal(
    capabilities: &Capabilities,
    policy: &OperatorPolicy,
    node: &str,
    grant: &CapabilityGrant,
) -> Option<Problem> {
    let Some(offer) = capabilities.named(&grant.name) else {
        let names: Vec<&str> = capabilities.names().collect();
        return Some(grant.unknown(&names));
    };
    if let Err(SectionMistake { message, span }) = offer.check(&grant.section) {
        let message = format!("`grants.{}` of node `{node}`: {message}", grant.name);
        return Some(Problem::at(span.unwrap_or_else(|| grant.span.clone()), message));
    }
    let rule = policy.grants.as_ref().and_then(|rules| rules.capability(&grant.name))?;
    let why = offer.allows(&rule.section, &grant.section).err()?;
    let message = format!(
        "the manifest grants node `{node}` to {grant}, and the operator's policy does not: {why}"
    );
    let help = format!("have `grants.{}` of `{}` changed by the operator", grant.name, policy.name);
    Some(Problem::at(grant.span.clone(), message).label("not allowed by the policy").help(help))
}

/// Puts into the grants of a node whether they are pure; says which of them its component cannot use.
pub(crate) fn pure(node: &mut Node, component: &Component) -> Vec<Problem> {
    let mut problems = Vec::new();
    for grant in &mut node.grants.capabilities {
        let Some(offer) = component.offers().named(&grant.name) else {
            let message = format!(
                "node `{}` is granted the capability `{}`, and its component imports none of its interfaces",
                node.name, grant.name
            );
            let help = format!("the op cannot use it: take `grants.{}` away", grant.name);
            problems.push(Problem::at(grant.span.clone(), message).help(help));
            continue;
        };
        grant.pure = offer.pure();
    }
    problems
}
