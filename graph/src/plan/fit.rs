//! Whether what feeds an input can be what the op takes there.

use std::sync::Arc;

use serde_json::Value as Json;

use super::port::Wire;
use crate::definition::InputDefinition;
use crate::job::Source;
use crate::manifest::Problem;
use crate::schema::{self, Shape};
use crate::value::Value;

/// Checks a wire against an input and gives the source to put there.
pub(super) fn source_for(
    input: &InputDefinition,
    op: &str,
    wire: Wire,
) -> Result<Source, Box<Problem>> {
    let wire = if input.collected { as_elements(input, op, wire)? } else { wire };
    if let Some(schema) = &input.schema {
        let why = if input.collected {
            elements_clash(&wire.shape, schema)
        } else {
            mistake(&wire.shape, schema)
        };
        if let Some(why) = why {
            return Err(Box::new(does_not_fit(input, op, &wire, &why)));
        }
    }
    Ok(wire.source)
}

/// A collected input takes a fan-in or a list; an array known before the run becomes a list.
fn as_elements(input: &InputDefinition, op: &str, wire: Wire) -> Result<Wire, Box<Problem>> {
    if is_batch(&wire) || matches!(wire.source, Source::Collect(_) | Source::List(_)) {
        return Ok(wire);
    }
    if let (Source::Value(_), Shape::Value(value)) = (&wire.source, &wire.shape)
        && let Json::Array(elements) = &**value
    {
        let source = elements.iter().map(|one| Source::Value(Value::json(one))).collect();
        let shape = elements.iter().map(|one| Shape::Value(Arc::new(one.clone()))).collect();
        return Ok(Wire { source: Source::List(source), shape: Shape::Items(shape), ..wire });
    }
    let takes_any =
        matches!(wire.source, Source::Value(_)) && !matches!(wire.shape, Shape::Value(_));
    if takes_any {
        // A param that has no value yet: whether it is an array is not known.
        return Ok(Wire { shape: Shape::Any, ..wire });
    }
    let problem = place(
        &wire,
        format!(
            "input `{}` of op `{op}` takes the elements of a list, and {} is one value",
            input.name, wire.what
        ),
    );
    Err(Box::new(problem.label("one value").help(
        "`collect` takes the values of all clones; a list of ordinary references is `[{ … }, { … }]`",
    )))
}

fn elements_clash(shape: &Shape, schema: &Json) -> Option<String> {
    match shape {
        Shape::ListOf(of) => mistake(of, schema),
        Shape::Items(items) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| mistake(item, schema).map(|why| format!("at `[{n}]`: {why}"))),
        _ => None,
    }
}

/// Why a shape does not fit: exactly for a value, conservatively otherwise.
fn mistake(shape: &Shape, schema: &Json) -> Option<String> {
    let Some(value) = known(shape) else {
        return schema::clash(shape, schema).map(|clash| clash.to_string());
    };
    match schema::mistakes(schema, &value) {
        Ok(mistakes) if mistakes.is_empty() => None,
        Ok(mistakes) => Some(mistakes.join("; ")),
        Err(error) => Some(format!("the op's own schema is malformed: {error}")),
    }
}

/// The value, where all of it is known before the run.
fn known(shape: &Shape) -> Option<Json> {
    match shape {
        Shape::Value(value) => Some((**value).clone()),
        Shape::Items(items) => items.iter().map(known).collect::<Option<_>>().map(Json::Array),
        Shape::Any | Shape::Schema(_) | Shape::ListOf(_) => None,
    }
}

fn does_not_fit(input: &InputDefinition, op: &str, wire: &Wire, why: &str) -> Problem {
    let message = format!("{} does not fit input `{}` of op `{op}`: {why}", wire.what, input.name);
    let problem = place(wire, message).label("does not fit");
    if !input.collected && is_batch(wire) && takes_no_list(input) {
        return problem.help(
            "a batch is a list: the op must declare the input collected, as an array, or without a \
             schema; or take `batch` away",
        );
    }
    problem
}

fn is_batch(wire: &Wire) -> bool {
    matches!((&wire.source, &wire.shape), (Source::Element(_), Shape::ListOf(_)))
}

fn takes_no_list(input: &InputDefinition) -> bool {
    let any_list = Shape::ListOf(Arc::new(Shape::Any));
    input.schema.as_ref().is_some_and(|schema| schema::clash(&any_list, schema).is_some())
}

/// A problem at a wire's reference, with the place where a graph's input is wired.
fn place(wire: &Wire, message: String) -> Problem {
    let problem = Problem::at(wire.span.clone(), message);
    match &wire.wired {
        Some(wired) => problem.related(wired.clone(), "what is wired to the graph's input"),
        None => problem,
    }
}
