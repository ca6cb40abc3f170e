//! A node that uses an op: its inputs wired, its scope found.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::port::{Frame, Planned, Port, Wire};
use super::{ComponentInfo, MAX_NODES, Planner};
use crate::definition::OpDefinition;
use crate::job::{After, Node, NodeId, OutputRef, ScopeId, Source};
use crate::manifest::nearest::{listed, suggestion};
use crate::manifest::{Combine, NodeEntry, NodeTarget, Problem, Spanned, Wiring};
use crate::name::STEP_KEYS;
use crate::schema::Shape;

/// An input of a node with what feeds it; `None` where that is broken.
pub(super) type Wired<'m> = (&'m Wiring, Option<Wire>);

/// An op with the component that it is in.
pub(super) struct FoundOp<'m> {
    pub(super) position: usize,
    pub(super) component: &'m ComponentInfo,
    pub(super) definition: &'m Arc<OpDefinition>,
}

impl<'m> Planner<'m> {
    /// Plans all nodes of a body.
    pub(super) fn body(&mut self, frame: &mut Frame<'m>) {
        let body = frame.body;
        for at in super::order::order(body, &mut self.problems) {
            let entry = &body.nodes[at];
            if self.nodes.len() + self.graph_uses >= MAX_NODES {
                if !std::mem::replace(&mut self.full, true) {
                    self.problems.push(too_many_nodes(entry));
                }
                return;
            }
            let planned = match &entry.target {
                NodeTarget::Op(op) => self.op_node(frame, entry, op),
                NodeTarget::Graph(graph) => self.graph_node(frame, entry, graph),
            };
            frame.planned.insert(&entry.name.value, planned);
        }
    }

    fn op_node(
        &mut self,
        frame: &Frame<'m>,
        entry: &'m NodeEntry,
        op: &'m Spanned<String>,
    ) -> Planned {
        let mut wired = self.wire_inputs(frame, entry);
        let scope = self
            .in_batches(frame, entry, &mut wired)
            .and_then(|()| self.node_scope(frame, entry, &wired));
        let after = self.after(frame, entry);
        let Some(found) = self.find_op(op) else { return Planned::default() };
        let inputs = self.op_inputs(entry, found.definition, wired);
        let config = self.config(entry, &found);
        let policy = self.policy(entry);
        let grants = self.grants(entry, &found, scope);
        let Some(scope) = scope else { return Planned::default() };
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        self.nodes.push(Node {
            name: format!("{}{}", frame.prefix, entry.name.value).into(),
            component: found.position,
            op: Arc::clone(found.definition),
            config,
            scope,
            inputs,
            after,
            policy,
            grants,
            span: entry.name.span.clone(),
        });
        Planned { ports: Some(op_ports(id, scope, found.definition)), nodes: vec![id] }
    }

    /// Resolves what feeds each input.
    pub(super) fn wire_inputs(
        &mut self,
        frame: &Frame<'m>,
        entry: &'m NodeEntry,
    ) -> Vec<Wired<'m>> {
        entry.inputs.iter().map(|wiring| (wiring, self.feed(frame, &wiring.feed))).collect()
    }

    /// The scope in which all inputs meet (`semantics.md` rules 3 and 4), at least that of the
    /// frame.
    pub(super) fn node_scope(
        &mut self,
        frame: &Frame<'m>,
        entry: &NodeEntry,
        wired: &[Wired<'m>],
    ) -> Option<ScopeId> {
        let known = || wired.iter().filter_map(|(_, wire)| wire.as_ref());
        let mut scopes = vec![frame.base];
        scopes.extend(known().filter(|wire| wire.extends).map(|wire| wire.scope));
        let unrelated = self.scopes.innermost(&scopes);
        let complete = wired.iter().all(|(_, wire)| wire.is_some());
        let met = match (unrelated.as_slice(), &entry.combine) {
            ([_], Some(combine)) if complete => {
                self.problems.push(nothing_to_combine(entry, combine));
                None
            }
            ([scope], _) => Some(*scope),
            (several, combine) => self.meet(entry, several, combine.as_ref(), wired),
        };
        let scope = met?;
        let reader = format!("node `{}` is", entry.name.value);
        for wire in known().filter(|wire| !wire.extends) {
            self.problems.extend(self.outside_its_map(wire, scope, &reader));
        }
        if self.scopes.get(scope).depth as usize > STEP_KEYS {
            self.problems.push(too_deep(entry));
            return None;
        }
        complete.then_some(scope)
    }

    fn meet(
        &mut self,
        entry: &NodeEntry,
        scopes: &[ScopeId],
        combine: Option<&Spanned<Combine>>,
        wired: &[Wired<'m>],
    ) -> Option<ScopeId> {
        let node = &entry.name.value;
        let Some(combine) = combine else {
            self.problems.push(self.unrelated(entry, scopes, wired));
            return None;
        };
        let (met, message, help) = match combine.value {
            Combine::Zip { drop_missing } => (
                self.scopes.zip(scopes, drop_missing),
                "cannot be zipped: they are not at the same level",
                "only dynamic outputs of the same scope share mapping keys; collect the deeper \
                 one first, or use `combine = \"cross\"`",
            ),
            Combine::Cross => (
                self.scopes.cross(scopes),
                "cannot be crossed: each has several levels that the other lacks",
                "collect one of them until a single level is left",
            ),
        };
        if met.is_none() {
            let names: Vec<_> = scopes.iter().map(|scope| self.scope_name(*scope)).collect();
            let problem = Problem::at(
                combine.span.clone(),
                format!("the maps over {} in node `{node}` {message}", names.join(" and ")),
            );
            self.problems.push(problem.help(help));
        }
        met
    }

    /// What is wrong where scopes meet that do not know how (`semantics.md` rule 4).
    fn unrelated(&self, entry: &NodeEntry, scopes: &[ScopeId], wired: &[Wired<'m>]) -> Problem {
        let names: Vec<_> = scopes.iter().map(|scope| self.scope_name(*scope)).collect();
        let mut problem = Problem::outside(format!(
            "node `{}` is mapped over {}, which have nothing to do with each other",
            entry.name.value,
            names.join(" and over ")
        ))
        .help(
            "say how they meet: `combine = \"zip\"` (same mapping key) or `combine = \"cross\"` \
             (every pair); or collect one of them",
        );
        for (scope, name) in scopes.iter().zip(&names) {
            let known = wired.iter().filter_map(|(_, wire)| wire.as_ref());
            let mut place = known.filter(|wire| wire.extends && wire.scope == *scope);
            let Some(wire) = place.next() else { continue };
            let label = format!("mapped over {name}");
            if problem.span.is_none() {
                problem.span = Some(wire.span.clone());
                problem.label = label;
            } else {
                problem = problem.related(wire.span.clone(), label);
            }
        }
        problem
    }

    /// What a node waits for, the waits of the graph around it included.
    pub(super) fn after(&mut self, frame: &Frame<'m>, entry: &NodeEntry) -> Vec<After> {
        let mut after = frame.after.clone();
        for name in &entry.after {
            if let Some(planned) = frame.planned.get(name.value.as_str()) {
                after.extend(planned.nodes.iter().map(|node| After { node: *node }));
            } else if !frame.body.nodes.iter().any(|node| node.name.value == name.value) {
                self.problems.push(self.unknown_node(frame, &name.value, name.span.clone()));
            }
        }
        let mut seen = BTreeSet::new();
        after.retain(|wait| seen.insert(wait.node));
        after
    }

    fn find_op(&mut self, op: &'m Spanned<String>) -> Option<FoundOp<'m>> {
        let (alias, name) = match op.value.split_once('/') {
            Some((alias, name)) => (alias, Some(name)),
            None => (op.value.as_str(), None),
        };
        let manifest = self.manifest;
        let declared = manifest.components.iter().find(|one| one.alias.value == alias);
        let Some(declared) = declared else {
            let mut problem =
                Problem::at(op.span.clone(), format!("there is no component `{alias}`"));
            let aliases = manifest.components.iter().map(|one| one.alias.value.as_str());
            problem.help = suggestion(alias, aliases)
                .or_else(|| Some(format!("declare it: `{alias} = \"….wasm\"` in `[components]`")));
            self.problems.push(problem);
            return None;
        };
        let Some(component) = self.components.get(alias) else {
            let message = format!("component `{alias}` is not loaded");
            self.problems.push(Problem::at(declared.alias.span.clone(), message));
            return None;
        };
        let ops = || component.ops.iter().map(|op| op.name.as_str());
        let problem = match (name, component.ops.as_slice()) {
            (None, [definition]) => return Some(self.found(alias, component, definition)),
            (None, _) => Problem::at(
                op.span.clone(),
                format!("component `{alias}` holds several ops: say which"),
            )
            .help(format!("write `{alias}/OP`; its ops are {}", listed(ops()))),
            (Some(name), all) => {
                if let Some(definition) = all.iter().find(|op| op.name == name) {
                    return Some(self.found(alias, component, definition));
                }
                let message = format!("component `{alias}` has no op `{name}`");
                Problem { help: suggestion(name, ops()), ..Problem::at(op.span.clone(), message) }
            }
        };
        self.problems.push(problem);
        None
    }

    fn found(
        &self,
        alias: &str,
        component: &'m ComponentInfo,
        definition: &'m Arc<OpDefinition>,
    ) -> FoundOp<'m> {
        FoundOp { position: self.positions[alias], component, definition }
    }

    /// Puts each wire at its input of the op, checked against the input's schema.
    fn op_inputs(
        &mut self,
        entry: &NodeEntry,
        op: &OpDefinition,
        wired: Vec<Wired<'m>>,
    ) -> Vec<Option<Source>> {
        let mut inputs: Vec<Option<Source>> = vec![None; op.inputs.len()];
        let mut named = vec![false; op.inputs.len()];
        for (wiring, wire) in wired {
            let name = &wiring.name;
            let Some((at, input)) = op.input(&name.value) else {
                let message = format!("op `{}` has no input `{}`", op.name, name.value);
                let mut problem = Problem::at(name.span.clone(), message);
                problem.help = suggestion(&name.value, op.inputs.iter().map(|i| i.name.as_str()));
                self.problems.push(problem);
                continue;
            };
            named[at] = true;
            let Some(wire) = wire else { continue };
            match super::fit::source_for(input, &op.name, wire) {
                Ok(source) => inputs[at] = Some(source),
                Err(problem) => self.problems.push(*problem),
            }
        }
        for (input, named) in op.inputs.iter().zip(named) {
            if input.required && !named {
                let message = format!(
                    "node `{}` lacks input `{}`, which op `{}` requires",
                    entry.name.value, input.name, op.name
                );
                self.problems.push(
                    Problem::at(entry.name.span.clone(), message)
                        .help(format!("add `inputs.{} = {{ … }}`", input.name)),
                );
            }
        }
        inputs
    }
}

fn too_many_nodes(entry: &NodeEntry) -> Problem {
    let message = format!("the job has more than {MAX_NODES} nodes");
    Problem::at(entry.name.span.clone(), message)
        .label("one too many")
        .help("a graph counts with all of its nodes wherever it is used; clones do not count: `map` makes any number of them")
}

fn too_deep(entry: &NodeEntry) -> Problem {
    let message = format!("node `{}` stands in more than {STEP_KEYS} maps", entry.name.value);
    Problem::at(entry.name.span.clone(), message)
        .help("`collect` the values of inner maps before they are mapped again")
}

fn nothing_to_combine(entry: &NodeEntry, combine: &Spanned<Combine>) -> Problem {
    Problem::at(
        combine.span.clone(),
        format!("node `{}` has nothing to combine: its inputs meet in one map", entry.name.value),
    )
    .help("take `combine` away")
}

fn op_ports(node: NodeId, scope: ScopeId, op: &OpDefinition) -> Vec<(String, Port)> {
    let port = |(output, definition): (u32, &crate::definition::OutputDefinition)| {
        let output = OutputRef { node, output };
        let shape = Shape::of_schema(definition.schema.as_ref());
        let port = if definition.dynamic {
            Port::Dynamic { output, scope, shape }
        } else {
            Port::Static(Wire::of_output(output, scope, shape))
        };
        (definition.name.clone(), port)
    };
    (0..).zip(&op.outputs).map(port).collect()
}
