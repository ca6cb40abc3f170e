//! A node that uses a graph: the graph's nodes are planned in its place, under its path.

use super::port::{Frame, Planned, Port, Wire};
use super::{MAX_DEPTH, Planner};
use crate::manifest::nearest::suggestion;
use crate::manifest::{Feed, Graph, NodeEntry, Problem, ReferenceKind, Spanned, Wiring};

impl<'m> Planner<'m> {
    pub(super) fn graph_node(
        &mut self,
        frame: &Frame<'m>,
        entry: &'m NodeEntry,
        name: &'m Spanned<String>,
    ) -> Planned {
        let wired = self.wire_inputs(frame, entry);
        let base = self.node_scope(frame, entry, &wired);
        let after = self.after(frame, entry);
        let Some(graph) = self.find_graph(name) else { return Planned::default() };
        self.check_graph_inputs(entry, graph);
        let (Some(base), false) = (base, self.recursive.contains(graph.name.value.as_str())) else {
            return Planned::default();
        };
        self.graph_uses += 1;
        if frame.depth >= MAX_DEPTH {
            self.problems.push(too_deep(name));
            return Planned::default();
        }
        let inputs = wired.into_iter().map(|(wiring, wire)| (wiring.name.value.as_str(), wire));
        let mut inside = Frame {
            graph: Some(graph),
            prefix: format!("{}{}/", frame.prefix, entry.name.value),
            depth: frame.depth + 1,
            base,
            inputs: inputs.collect(),
            after,
            ..Frame::new(&graph.body)
        };
        self.body(&mut inside);
        let outputs = graph.body.outputs.iter();
        let ports = outputs.map(|wiring| (wiring.name.value.clone(), self.output(&inside, wiring)));
        let ports = ports.collect();
        let nodes = inside.planned.into_values().flat_map(|planned| planned.nodes);
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_unstable();
        Planned { ports: Some(ports), nodes }
    }

    fn find_graph(&mut self, name: &Spanned<String>) -> Option<&'m Graph> {
        let graphs = &self.manifest.graphs;
        let found = graphs.iter().find(|graph| graph.name.value == name.value);
        if found.is_none() {
            let message = format!("there is no graph `{}`", name.value);
            let mut problem = Problem::at(name.span.clone(), message);
            let names = graphs.iter().map(|graph| graph.name.value.as_str());
            problem.help = suggestion(&name.value, names)
                .or_else(|| Some(format!("declare it: `[graphs.{}]`", name.value)));
            self.problems.push(problem);
        }
        found
    }

    fn check_graph_inputs(&mut self, entry: &NodeEntry, graph: &Graph) {
        let declared = || graph.inputs.iter().map(|input| input.name.value.as_str());
        for wiring in &entry.inputs {
            let name = &wiring.name;
            if !declared().any(|known| known == name.value) {
                let message = format!("graph `{}` has no input `{}`", graph.name.value, name.value);
                let mut problem = Problem::at(name.span.clone(), message);
                problem.help = suggestion(&name.value, declared());
                self.problems.push(problem);
            }
        }
        for input in &graph.inputs {
            if !entry.inputs.iter().any(|wiring| wiring.name.value == input.name.value) {
                let message = format!(
                    "node `{}` lacks input `{}` of graph `{}`",
                    entry.name.value, input.name.value, graph.name.value
                );
                self.problems.push(
                    Problem::at(entry.name.span.clone(), message)
                        .related(input.name.span.clone(), "declared here")
                        .help(format!("add `inputs.{} = {{ … }}`", input.name.value)),
                );
            }
        }
    }

    /// What the graph gives out under one name.
    fn output(&mut self, frame: &Frame<'m>, wiring: &'m Wiring) -> Port {
        if let Some(port) = dynamic(frame, wiring) {
            if let Port::Dynamic { output, .. } = port {
                self.given_out.push((output, wiring.name.span.clone()));
            }
            return port;
        }
        let Some(wire) = self.feed(frame, &wiring.feed) else { return Port::Broken };
        if wire.extends {
            return Port::Static(Wire { extends: false, ..wire });
        }
        if let Some(problem) = self.outside_its_map(&wire, frame.base, "the graph's outputs are") {
            self.problems.push(problem);
            return Port::Broken;
        }
        Port::Static(Wire { scope: frame.base, elements: Vec::new(), ..wire })
    }
}

fn too_deep(name: &Spanned<String>) -> Problem {
    let message = format!("more than {MAX_DEPTH} graphs stand in each other");
    Problem::at(name.span.clone(), message)
        .label("the innermost one")
        .help("use ops or less deep graphs here")
}

/// A dynamic output that the graph gives out as it is, with `from`.
fn dynamic(frame: &Frame<'_>, wiring: &Wiring) -> Option<Port> {
    let Feed::One(reference) = &wiring.feed else { return None };
    let ReferenceKind::From(target) = &reference.kind else { return None };
    let ports = frame.planned.get(target.node.as_str())?.ports.as_ref()?;
    let port = match (&target.output, ports.as_slice()) {
        (None, [(_, port)]) => port,
        (None, _) => return None,
        (Some(name), ports) => ports.iter().find(|(other, _)| other == name).map(|(_, p)| p)?,
    };
    matches!(port, Port::Dynamic { .. }).then(|| port.clone())
}
