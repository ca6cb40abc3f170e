//! References resolved: what each kind takes of what a node gives.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Planner;
use super::port::{Frame, Port, Wire};
use crate::job::{Collect, NodeId, ScopeId, Source};
use crate::manifest::nearest::suggestion;
use crate::manifest::{Feed, Problem, Reference, ReferenceKind, Span, Target};
use crate::schema::Shape;
use crate::value::Value;

impl<'m> Planner<'m> {
    /// Resolves what feeds an input or output. `None`: a problem has been reported.
    pub(super) fn feed(&mut self, frame: &Frame<'m>, feed: &'m Feed) -> Option<Wire> {
        let list = match feed {
            Feed::One(reference) => return self.reference(frame, reference),
            Feed::List(list) => list,
        };
        let wires: Vec<Option<Wire>> =
            list.value.iter().map(|reference| self.element(frame, reference)).collect();
        let elements: Vec<Wire> = wires.into_iter().collect::<Option<_>>()?;
        Some(Wire {
            source: Source::List(elements.iter().map(|wire| wire.source.clone()).collect()),
            scope: ScopeId::ROOT,
            shape: Shape::Items(elements.iter().map(|wire| wire.shape.clone()).collect()),
            elements,
            ..Wire::at(list.span.clone(), "this list".to_owned())
        })
    }

    /// Resolves an element of a list: an ordinary value.
    fn element(&mut self, frame: &Frame<'m>, reference: &'m Reference) -> Option<Wire> {
        let wire = self.reference(frame, reference)?;
        if matches!(wire.source, Source::Collect(_) | Source::List(_)) {
            self.problems.push(
                Problem::at(
                    reference.span.clone(),
                    format!("{} is a list itself, and cannot stand in a list", wire.what),
                )
                .help("give it to an input of its own"),
            );
            return None;
        }
        Some(wire)
    }

    fn reference(&mut self, frame: &Frame<'m>, reference: &'m Reference) -> Option<Wire> {
        let span = reference.span.clone();
        match &reference.kind {
            ReferenceKind::Value(value) => Some(Wire {
                source: Source::Value(Value::json(value)),
                shape: Shape::Value(Arc::new(value.clone())),
                ..Wire::at(span, "this literal".to_owned())
            }),
            ReferenceKind::Param(name) => self.param(name, span),
            ReferenceKind::Input(name) => self.graph_input(frame, name, span),
            ReferenceKind::From(target) => {
                let port = self.port(frame, target, &span)?;
                self.from(port, target, span)
            }
            ReferenceKind::Map(target) => {
                let port = self.port(frame, target, &span)?;
                self.map(frame, port, target, span)
            }
            ReferenceKind::Collect(target) => {
                let port = self.port(frame, target, &span)?;
                self.collect_all(frame, port, target, span)
            }
        }
    }

    fn param(&mut self, name: &str, span: Span) -> Option<Wire> {
        let Some(bound) = self.params.get(name) else {
            self.unknown_param(name, span);
            return None;
        };
        let value = bound.value.clone();
        let shape = match (&value, &bound.schema) {
            (Some(value), _) => Shape::Value(Arc::clone(value)),
            (None, Some(schema)) => Shape::Schema(Arc::clone(schema)),
            (None, None) => Shape::Any,
        };
        Some(Wire {
            source: Source::Value(Value::json(value.as_deref().unwrap_or(&Json::Null))),
            shape,
            ..Wire::at(span, format!("param `{name}`"))
        })
    }

    fn graph_input(&mut self, frame: &Frame<'m>, name: &str, span: Span) -> Option<Wire> {
        let graph = frame.graph?;
        if let Some(bound) = frame.inputs.get(name) {
            let what = format!("input `{name}` of the graph");
            return bound.clone().map(|wire| {
                let wired = Some(wire.wired.unwrap_or(wire.span));
                Wire { extends: false, span, wired, what, ..wire }
            });
        }
        let names: Vec<&str> = graph.inputs.iter().map(|input| input.name.value.as_str()).collect();
        if !names.contains(&name) {
            let message = format!("graph `{}` has no input `{name}`", graph.name.value);
            let mut problem = Problem::at(span, message);
            problem.help = suggestion(name, names)
                .or_else(|| Some(format!("declare it: `inputs.{name} = {{}}`")));
            self.problems.push(problem);
        }
        None
    }

    fn from(&mut self, port: Port, target: &Target, span: Span) -> Option<Wire> {
        match port {
            Port::Broken => None,
            Port::Static(wire) => Some(Wire { extends: false, span, what: said(target), ..wire }),
            Port::Dynamic { output, .. } => {
                let problem = self.not_ordinary(output.node, target, span);
                self.problems.push(problem);
                None
            }
        }
    }

    /// What is wrong where a dynamic output is taken as an ordinary one.
    fn not_ordinary(&self, yields: NodeId, target: &Target, span: Span) -> Problem {
        let text = text(target);
        let message = format!("`{text}` is a dynamic output: `from` takes an ordinary one");
        let problem = Problem::at(span, message).label("a dynamic output").help(format!(
            "`collect = \"{text}\"` takes all elements as one list; on a node, `map = \"{text}\"` \
             makes one clone per element"
        ));
        let node = &self.nodes[yields.index()];
        if node.name.contains('/') {
            return problem.related(node.span.clone(), format!("yielded by `{}`", node.name));
        }
        problem
    }

    /// `semantics.md` rule 1.
    fn map(&mut self, frame: &Frame<'m>, port: Port, target: &Target, span: Span) -> Option<Wire> {
        match port {
            Port::Broken => None,
            Port::Static(wire) if self.scopes.is_inside(wire.scope, frame.base) => {
                Some(Wire { extends: true, span, what: said(target), ..wire })
            }
            Port::Static(_) => {
                self.problems.push(neither("map", target, span));
                None
            }
            Port::Dynamic { output, scope, shape } => {
                let scope = self.scopes.fan_out(scope, output);
                let source = Source::Element(scope);
                Some(Wire { source, scope, shape, extends: true, ..Wire::at(span, said(target)) })
            }
        }
    }

    /// `semantics.md` rule 2.
    fn collect_all(
        &mut self,
        frame: &Frame<'m>,
        port: Port,
        target: &Target,
        span: Span,
    ) -> Option<Wire> {
        let (of, level, shape) = match port {
            Port::Broken => return None,
            Port::Static(wire) if self.scopes.is_inside(wire.scope, frame.base) => {
                (wire.source, wire.scope, wire.shape)
            }
            Port::Static(_) => {
                self.problems.push(neither("collect", target, span));
                return None;
            }
            Port::Dynamic { output, scope, shape } => {
                let level = self.scopes.fan_out(scope, output);
                (Source::Element(level), level, shape)
            }
        };
        if !self.is_of_level(&of, level) {
            let text = text(target);
            self.problems.push(
                Problem::at(
                    span,
                    format!("`{text}` cannot be collected: no op inside the map makes it"),
                )
                .help(
                    "the graph only passes this value on: collect the output of a node that is \
                     inside the map",
                ),
            );
            return None;
        }
        let collect = self.collect(Collect { scope: level, of });
        Some(Wire {
            source: Source::Collect(collect),
            scope: self.scopes.parent(level),
            shape: Shape::ListOf(Arc::new(shape)),
            extends: true,
            ..Wire::at(span, said(target))
        })
    }

    /// Whether a source has one value in each frame of a level, and no more.
    fn is_of_level(&self, source: &Source, level: ScopeId) -> bool {
        match source {
            Source::Output(output) => self.nodes[output.node.index()].scope == level,
            Source::Element(scope) => *scope == level,
            Source::Collect(collect) => {
                let inner = self.collects[collect.index()].scope;
                self.scopes.parent(inner) == level
            }
            Source::Value(_) | Source::List(_) => false,
        }
    }
}

fn neither(word: &str, target: &Target, span: Span) -> Problem {
    let text = text(target);
    Problem::at(
        span,
        format!("`{word}` on `{text}`, which is neither a dynamic output nor inside a map"),
    )
    .label("an ordinary output")
    .help(format!("`from = \"{text}\"` takes its one value"))
}

fn text(target: &Target) -> String {
    match &target.output {
        Some(output) => format!("{}.{output}", target.node),
        None => target.node.clone(),
    }
}

fn said(target: &Target) -> String {
    format!("`{}`", text(target))
}
