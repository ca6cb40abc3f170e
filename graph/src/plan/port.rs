//! What the nodes of a body give under which names, and finding it.

use std::collections::BTreeMap;

use super::Planner;
use crate::job::{After, NodeId, Origin, OutputRef, ScopeId, Source};
use crate::manifest::nearest::{listed, suggestion};
use crate::manifest::{Body, Graph, Problem, Span, Target};
use crate::schema::Shape;

/// A body being planned: that of the job, or that of a graph at one of its uses.
pub(super) struct Frame<'m> {
    pub(super) body: &'m Body,
    /// The graph; `None` for the job itself.
    pub(super) graph: Option<&'m Graph>,
    /// What stands before the names of its nodes: empty, or `clean/`.
    pub(super) prefix: String,
    /// How many graphs it is in.
    pub(super) depth: u32,
    /// The scope of whatever is not mapped inside.
    pub(super) base: ScopeId,
    /// What is wired to the graph's inputs; `None` where that is broken.
    pub(super) inputs: BTreeMap<&'m str, Option<Wire>>,
    /// What all of its nodes wait for.
    pub(super) after: Vec<After>,
    /// The nodes planned so far.
    pub(super) planned: BTreeMap<&'m str, Planned>,
}

/// A node that was planned.
#[derive(Default)]
pub(super) struct Planned {
    /// What it gives, by name; `None` where it is too broken to tell.
    pub(super) ports: Option<Vec<(String, Port)>>,
    /// The steps' nodes that it stands for: one, or those of a graph.
    pub(super) nodes: Vec<NodeId>,
}

/// What a node gives under one name.
#[derive(Debug, Clone)]
pub(super) enum Port {
    /// One value per frame of the wire's scope.
    Static(Wire),
    /// Any number of values per frame of the scope.
    Dynamic { output: OutputRef, scope: ScopeId, shape: Shape },
    /// Something was wrong, and has been said.
    Broken,
}

/// A value on its way to an input.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) source: Source,
    /// Where it has one value per frame; of no account for a list.
    pub(super) scope: ScopeId,
    /// What a list consists of; each element has its own scope.
    pub(super) elements: Vec<Wire>,
    pub(super) shape: Shape,
    /// Whether it gives its scope to the node that takes it, as `map` and `collect` do.
    pub(super) extends: bool,
    /// Where it is referred to.
    pub(super) span: Span,
    /// Where it is wired to the graph, if it comes from a graph's input.
    pub(super) wired: Option<Span>,
    /// What is referred to, for people.
    pub(super) what: String,
}

impl Wire {
    /// What a static output gives; where it is referred to is still open.
    pub(super) fn of_output(output: OutputRef, scope: ScopeId, shape: Shape) -> Self {
        let source = Source::Output(output);
        Self { source, scope, shape, ..Self::at(0..0, String::new()) }
    }

    /// A wire that begins at a reference, to be completed.
    pub(super) fn at(span: Span, what: String) -> Self {
        Self {
            source: Source::List(Vec::new()),
            scope: ScopeId::ROOT,
            elements: Vec::new(),
            shape: Shape::Any,
            extends: false,
            span,
            wired: None,
            what,
        }
    }
}

impl<'m> Frame<'m> {
    /// A frame outside of every graph and map.
    pub(super) fn new(body: &'m Body) -> Self {
        Self {
            body,
            graph: None,
            prefix: String::new(),
            depth: 0,
            base: ScopeId::ROOT,
            inputs: BTreeMap::new(),
            after: Vec::new(),
            planned: BTreeMap::new(),
        }
    }
}

impl<'m> Planner<'m> {
    /// Finds the output that a reference names.
    pub(super) fn port(&mut self, frame: &Frame<'m>, target: &Target, span: &Span) -> Option<Port> {
        let node = target.node.as_str();
        let Some(planned) = frame.planned.get(node) else {
            if !frame.body.nodes.iter().any(|entry| entry.name.value == node) {
                self.problems.push(self.unknown_node(frame, node, span.clone()));
            }
            return None;
        };
        let ports = planned.ports.as_ref()?;
        let names = || ports.iter().map(|(name, _)| name.as_str());
        let problem = match (&target.output, ports.as_slice()) {
            (None, [(_, port)]) => return Some(port.clone()),
            (None, []) => Problem::at(span.clone(), format!("`{node}` gives nothing"))
                .help("to wait for it without data, use `after`"),
            (None, _) => {
                Problem::at(span.clone(), format!("`{node}` has several outputs: say which"))
                    .help(format!("its outputs are {}", listed(names())))
            }
            (Some(output), _) => {
                if let Some((_, port)) = ports.iter().find(|(name, _)| name == output) {
                    return Some(port.clone());
                }
                let message = format!("`{node}` has no output `{output}`");
                Problem { help: suggestion(output, names()), ..Problem::at(span.clone(), message) }
            }
        };
        self.problems.push(problem);
        None
    }

    pub(super) fn unknown_node(&self, frame: &Frame<'m>, node: &str, span: Span) -> Problem {
        let names = frame.body.nodes.iter().map(|entry| entry.name.value.as_str());
        let problem = match frame.graph {
            Some(graph) => Problem::at(
                span,
                format!("there is no node `{node}` in graph `{}`", graph.name.value),
            ),
            None => Problem::at(span, format!("there is no node `{node}`")),
        };
        let is_input = |graph: &Graph| graph.inputs.iter().any(|one| one.name.value == node);
        if frame.graph.is_some_and(is_input) {
            return problem.help(format!(
                "`{node}` is an input of the graph: write `{{ input = \"{node}\" }}`"
            ));
        }
        if self.params.contains_key(node) {
            return problem.help(format!("`{node}` is a param: write `{{ param = \"{node}\" }}`"));
        }
        if frame.graph.is_some() && self.manifest.body.nodes.iter().any(|n| n.name.value == node) {
            return problem.help(
                "a graph sees its own nodes only: declare an input, and wire it where the \
                 graph is used",
            );
        }
        Problem { help: suggestion(node, names), ..problem }
    }

    pub(super) fn unknown_param(&mut self, name: &str, span: Span) {
        let names = self.manifest.params.iter().map(|param| param.name.value.as_str());
        let mut problem = Problem::at(span, format!("there is no param `{name}`"));
        problem.help =
            suggestion(name, names).or_else(|| Some(format!("declare it: `[params.{name}]`")));
        self.problems.push(problem);
    }

    /// What is wrong where a value is taken outside of the map that it is made in.
    pub(super) fn outside_its_map(
        &self,
        wire: &Wire,
        scope: ScopeId,
        reader: &str,
    ) -> Option<Problem> {
        let mut elements = wire.elements.iter();
        if let Some(problem) =
            elements.find_map(|element| self.outside_its_map(element, scope, reader))
        {
            return Some(problem);
        }
        if self.scopes.reaches(wire.scope, scope) {
            return None;
        }
        Some(
            Problem::at(
                wire.span.clone(),
                format!(
                    "{} has one value per clone in the map over {}, and {reader} outside of \
                     that map",
                    wire.what,
                    self.scope_name(wire.scope)
                ),
            )
            .label("one value per clone")
            .help(
                "`collect` takes the values of all clones as one list; `map` takes them one by \
                 one, in a clone each",
            ),
        )
    }

    /// What a scope is mapped over, outermost first, for people.
    pub(super) fn scope_name(&self, scope: ScopeId) -> String {
        let (mut levels, mut here) = (Vec::new(), scope);
        while here != ScopeId::ROOT {
            let met = self.scopes.met_in(here).into_iter();
            levels.push(met.map(|scope| self.level_name(scope)).collect::<Vec<_>>().join(" with "));
            here = self.scopes.parent(here);
        }
        levels.reverse();
        if levels.is_empty() { "nothing".to_owned() } else { levels.join(" → ") }
    }

    fn level_name(&self, scope: ScopeId) -> String {
        match &self.scopes.get(scope).origin {
            Origin::FanOut(output) => self.output_name(*output),
            Origin::Batch { of, .. } => format!("{} in batches", self.output_name(*of)),
            Origin::Root | Origin::Zip { .. } | Origin::Cross { .. } => String::new(),
        }
    }

    fn output_name(&self, output: OutputRef) -> String {
        let node = &self.nodes[output.node.index()];
        match node.op.outputs.as_slice() {
            [_] => format!("`{}`", node.name),
            several => format!("`{}.{}`", node.name, several[output.output as usize].name),
        }
    }
}
