//! A node whose clones take several elements each.

use std::sync::Arc;

use super::Planner;
use super::node::Wired;
use super::port::{Frame, Port};
use crate::job::{BatchBounds, OutputRef, ScopeId, Source};
use crate::manifest::{Feed, NodeEntry, Problem, ReferenceKind, Span, Spanned};
use crate::schema::Shape;

/// A `map` input of a node: its place, what it names, where that is made, and the dynamic output, if
/// it is one.
struct Mapped {
    at: usize,
    what: String,
    span: Span,
    scope: ScopeId,
    dynamic: Option<(OutputRef, ScopeId)>,
}

impl<'m> Planner<'m> {
    /// Makes the elements that a node with `batch` maps come as lists. `None`: it cannot have
    /// batches, which has been reported.
    pub(super) fn in_batches(
        &mut self,
        frame: &Frame<'m>,
        entry: &'m NodeEntry,
        wired: &mut [Wired<'m>],
    ) -> Option<()> {
        let Some(batch) = &entry.settings.batch else { return Some(()) };
        if wired.iter().any(|(_, wire)| wire.is_none()) {
            return None;
        }
        let mapped = self.mapped(frame, wired);
        let (output, outer) = match batched(entry, batch, &mapped) {
            Ok(found) => found,
            Err(problem) => {
                self.problems.push(*problem);
                return None;
            }
        };
        let scope = self.scopes.batch(outer, output, batch.value);
        let beside = |one: &&Mapped| {
            one.dynamic.is_none()
                && !self.scopes.reaches(one.scope, scope)
                && !self.scopes.reaches(scope, one.scope)
        };
        if let Some(other) = mapped.iter().find(beside) {
            self.problems.push(not_in_these_batches(&entry.name.value, batch, other));
            return None;
        }
        for mapped in mapped.iter().filter(|mapped| mapped.dynamic.is_some()) {
            let Some(wire) = &mut wired[mapped.at].1 else { continue };
            wire.source = Source::Element(scope);
            wire.scope = scope;
            wire.shape = Shape::ListOf(Arc::new(wire.shape.clone()));
            wire.what = format!("a batch of {}", wire.what);
        }
        Some(())
    }

    /// The `map` inputs of a node, all of them resolved.
    fn mapped(&mut self, frame: &Frame<'m>, wired: &[Wired<'m>]) -> Vec<Mapped> {
        let mut found = Vec::new();
        for (at, (wiring, wire)) in wired.iter().enumerate() {
            let (Feed::One(reference), Some(wire)) = (&wiring.feed, wire) else { continue };
            let ReferenceKind::Map(target) = &reference.kind else { continue };
            let dynamic = match self.port(frame, target, &reference.span) {
                Some(Port::Dynamic { output, scope, .. }) => Some((output, scope)),
                _ => None,
            };
            found.push(Mapped {
                at,
                what: wire.what.clone(),
                span: wire.span.clone(),
                scope: wire.scope,
                dynamic,
            });
        }
        found
    }
}

/// The one dynamic output that a node maps, and the scope of the node that yields it.
fn batched(
    entry: &NodeEntry,
    batch: &Spanned<BatchBounds>,
    mapped: &[Mapped],
) -> Result<(OutputRef, ScopeId), Box<Problem>> {
    let node = &entry.name.value;
    if let Some(combine) = &entry.combine {
        let message = format!("node `{node}` has both `batch` and `combine`");
        let problem = Problem::at(batch.span.clone(), message);
        return Err(Box::new(
            problem
                .related(combine.span.clone(), "`combine` is here")
                .help("take the batches in a node of their own, and combine what it gives"),
        ));
    }
    let mut dynamic = mapped.iter().filter_map(|one| Some((one, one.dynamic?)));
    let Some((first, (output, outer))) = dynamic.next() else {
        return Err(Box::new(nothing_to_batch(node, batch, mapped)));
    };
    if let Some((other, _)) = dynamic.find(|(_, (other, _))| *other != output) {
        let message =
            format!("`batch` in node `{node}`, which maps {} and {}", first.what, other.what);
        let problem = Problem::at(batch.span.clone(), message);
        let problem = problem.related(first.span.clone(), "one dynamic output");
        return Err(Box::new(
            problem
                .related(other.span.clone(), "another one")
                .help("a batch has elements of one dynamic output: map only that one"),
        ));
    }
    Ok((output, outer))
}

fn not_in_these_batches(node: &str, batch: &Spanned<BatchBounds>, other: &Mapped) -> Problem {
    let message =
        format!("node `{node}` takes batches, and maps {}, which is not made of them", other.what);
    Problem::at(other.span.clone(), message)
        .label("not one value per batch")
        .related(batch.span.clone(), "the batches")
        .help(
            "beside a batch, map what is made in the same batches (the same `batch` over the same \
             output); `collect` the other, or take `batch` away",
        )
}

fn nothing_to_batch(node: &str, batch: &Spanned<BatchBounds>, mapped: &[Mapped]) -> Problem {
    let Some(first) = mapped.first() else {
        let message = format!("`batch` in node `{node}`, which maps nothing");
        return Problem::at(batch.span.clone(), message).help(
            "`batch` is for a node that maps a dynamic output, `inputs.NAME.map = \"NODE\"`: \
             add the `map`, or take `batch` away",
        );
    };
    let message =
        format!("`batch` in node `{node}`, which maps {}, an ordinary output", first.what);
    Problem::at(batch.span.clone(), message).related(first.span.clone(), "mapped here").help(
        "only elements of a dynamic output come in batches: write `batch` on the node that maps \
         it directly, or take `batch` away",
    )
}
