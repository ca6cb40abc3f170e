//! The order of nodes, and cycles shown as paths.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::{Body, Manifest, NodeTarget, Problem, Span};

/// What each thing depends on: the position of the other thing, and where that is said.
type Dependencies = Vec<Vec<(usize, Span)>>;

/// The positions of the nodes of a body, each behind all that it depends on, in the order of
/// the manifest where free. Cycles are reported, and their nodes stand last.
pub(super) fn order(body: &Body, problems: &mut Vec<Problem>) -> Vec<usize> {
    let dependencies = node_dependencies(body);
    let (mut sequence, rest) = sort(&dependencies);
    let name = |at: usize| body.nodes[at].name.value.as_str();
    for cycle in cycles(&dependencies, &rest) {
        let path = path(&cycle, name);
        problems.push(
            cycle_problem(&dependencies, &cycle, format!("the nodes form a cycle: {path}"), name)
                .help("a node cannot wait for its own result: take one of these references away"),
        );
    }
    sequence.extend(rest);
    sequence
}

/// The names of the graphs that use themselves, directly or through others; each such cycle is
/// reported.
pub(super) fn recursive_graphs<'m>(
    manifest: &'m Manifest,
    problems: &mut Vec<Problem>,
) -> BTreeSet<&'m str> {
    let graphs = &manifest.graphs;
    let name = |at: usize| graphs[at].name.value.as_str();
    let positions: BTreeMap<&str, usize> = (0..graphs.len()).map(|at| (name(at), at)).collect();
    let uses = |body: &Body| {
        let targets = body.nodes.iter().filter_map(|node| match &node.target {
            NodeTarget::Graph(used) => {
                Some((*positions.get(used.value.as_str())?, used.span.clone()))
            }
            NodeTarget::Op(_) => None,
        });
        targets.collect()
    };
    let dependencies: Dependencies = graphs.iter().map(|graph| uses(&graph.body)).collect();
    let (_, rest) = sort(&dependencies);
    let found = cycles(&dependencies, &rest);
    for cycle in &found {
        // A graph points to what it uses; nodes point to what they feed.
        let mut forward = cycle.clone();
        forward.reverse();
        forward.rotate_right(1);
        let path = path(&forward, name);
        problems.push(
            cycle_problem(&dependencies, cycle, format!("a graph uses itself: {path}"), name)
                .help("a graph cannot contain itself: use an op or another graph here"),
        );
    }
    rest.iter().map(|at| name(*at)).collect()
}

fn node_dependencies(body: &Body) -> Dependencies {
    let positions: BTreeMap<&str, usize> =
        body.nodes.iter().enumerate().map(|(at, node)| (node.name.value.as_str(), at)).collect();
    let of_node = |node: &crate::manifest::NodeEntry| {
        let references = node.inputs.iter().flat_map(|wiring| wiring.feed.references());
        let targets = references.filter_map(|reference| {
            let at = positions.get(reference.target()?.node.as_str())?;
            Some((*at, reference.span.clone()))
        });
        let after = node
            .after
            .iter()
            .filter_map(|name| Some((*positions.get(name.value.as_str())?, name.span.clone())));
        targets.chain(after).collect()
    };
    body.nodes.iter().map(of_node).collect()
}

/// The things that can be sorted, and those in cycles or behind them, in order of position.
fn sort(dependencies: &Dependencies) -> (Vec<usize>, Vec<usize>) {
    let mut waits: Vec<usize> = vec![0; dependencies.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); dependencies.len()];
    for (at, needs) in dependencies.iter().enumerate() {
        let distinct: BTreeSet<usize> = needs.iter().map(|(other, _)| *other).collect();
        waits[at] = distinct.len();
        for other in distinct {
            readers[other].push(at);
        }
    }
    let mut ready: BTreeSet<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
    let mut sequence = Vec::with_capacity(waits.len());
    while let Some(at) = ready.pop_first() {
        sequence.push(at);
        for &reader in &readers[at] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    let rest = (0..waits.len()).filter(|at| waits[*at] > 0).collect();
    (sequence, rest)
}

/// Disjoint cycles among `rest`, every one of which depends on another: each from its first
/// member, following the data from the one that feeds to the one that is fed.
fn cycles(dependencies: &Dependencies, rest: &[usize]) -> Vec<Vec<usize>> {
    let mut visited: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for &start in rest {
        let mut walk = Vec::new();
        let mut here = start;
        while visited.insert(here) {
            walk.push(here);
            let next = dependencies[here].iter().find(|(other, _)| rest.contains(other));
            let Some((other, _)) = next else { break };
            here = *other;
        }
        if let Some(begin) = walk.iter().position(|at| *at == here) {
            let mut cycle = walk.split_off(begin);
            cycle.reverse();
            let first = cycle.iter().enumerate().min_by_key(|(_, at)| **at);
            let first = first.map_or(0, |(position, _)| position);
            cycle.rotate_left(first);
            found.push(cycle);
        }
    }
    found
}

/// `a → b → a`.
fn path<'a>(cycle: &[usize], name: impl Fn(usize) -> &'a str) -> String {
    let names = cycle.iter().chain(cycle.first()).map(|at| name(*at));
    let names: Vec<&str> = names.collect();
    format!("`{}`", names.join(" → "))
}

/// A problem at the first member's dependency, with those of the others related.
fn cycle_problem<'a>(
    dependencies: &Dependencies,
    cycle: &[usize],
    message: String,
    name: impl Fn(usize) -> &'a str,
) -> Problem {
    let mut problem = Problem::outside(message);
    for (n, &at) in cycle.iter().enumerate() {
        let before = cycle[(n + cycle.len() - 1) % cycle.len()];
        let needs = dependencies[at].iter().find(|(other, _)| *other == before);
        let Some((_, span)) = needs else { continue };
        let label = format!("`{}` needs `{}`", name(at), name(before));
        if problem.span.is_none() {
            problem.span = Some(span.clone());
            problem.label = label;
        } else {
            problem = problem.related(span.clone(), label);
        }
    }
    problem
}
