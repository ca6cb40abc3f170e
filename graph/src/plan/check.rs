//! What can only be seen when the whole job is there.

use std::collections::BTreeSet;

use crate::job::{Collect, Job, NodeId, OutputRef, Source};
use crate::manifest::{Problem, Span};

/// Reports nodes inside graphs that yield dynamic outputs for nobody: nothing maps or collects
/// them, and nothing uses anything else that the node gives. At the top of a job this is
/// allowed, since there it is in plain sight.
pub(super) fn idle_yielders(
    job: &Job,
    given_out: &[(OutputRef, Span)],
    problems: &mut Vec<Problem>,
) {
    let used = used(job);
    for id in job.node_ids() {
        let node = job.node(id);
        let dynamic = (0..).zip(&node.op.outputs).find(|(_, output)| output.dynamic);
        let Some((_, output)) = dynamic else { continue };
        if !node.name.contains('/') || used.contains(&id) {
            continue;
        }
        let message = format!(
            "nothing maps or collects the dynamic output `{}` of `{}`",
            output.name, node.name
        );
        let mut problem = Problem::at(node.span.clone(), message)
            .label("yields for nobody")
            .help("`map` or `collect` it, inside the graph or where the graph is used");
        for (_, span) in given_out.iter().filter(|(output, _)| output.node == id) {
            problem = problem.related(span.clone(), "the graph gives it out here");
        }
        problems.push(problem);
    }
}

/// The nodes that something depends on.
fn used(job: &Job) -> BTreeSet<NodeId> {
    let mut used = BTreeSet::new();
    let inputs = job.nodes.iter().flat_map(|node| node.inputs.iter().flatten());
    let outputs = job.outputs.iter().map(|output| &output.source);
    let fan_ins = job.collects.iter().map(|Collect { of, .. }| of);
    for source in inputs.chain(outputs).chain(fan_ins) {
        outputs_of(source, &mut used);
    }
    // What no node stands in and nothing collects is gone from the list of scopes.
    used.extend(job.scopes.iter().filter_map(|scope| Some(scope.origin.yielder()?.node)));
    used.extend(job.nodes.iter().flat_map(|node| node.after.iter().map(|after| after.node)));
    used
}

fn outputs_of(source: &Source, used: &mut BTreeSet<NodeId>) {
    match source {
        Source::Output(output) => {
            used.insert(output.node);
        }
        Source::List(list) => list.iter().for_each(|one| outputs_of(one, used)),
        Source::Value(_) | Source::Element(_) | Source::Collect(_) => {}
    }
}
