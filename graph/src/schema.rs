//! JSON Schemas: checking a value against one, and whether what one place gives can ever be
//! what another place takes.
//!
//! The second question is answered conservatively: a clash is reported only where no useful
//! value can fit both. Keywords that are not understood fit everything.

mod meet;

use std::sync::Arc;

use jsonschema::Draft;
use serde_json::Value as Json;

/// What a place of a graph gives, as far as it is known before the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing is known: bytes of any media type.
    Any,
    /// A value of this JSON Schema.
    Schema(Arc<Json>),
    /// This very value.
    Value(Arc<Json>),
    /// A list of any length, all of one shape.
    ListOf(Arc<Shape>),
    /// A list of known length.
    Items(Vec<Shape>),
}

impl Shape {
    /// What a port with this schema gives.
    #[must_use]
    pub fn of_schema(schema: Option<&Json>) -> Self {
        schema.map_or(Self::Any, |schema| Self::Schema(Arc::new(schema.clone())))
    }
}

/// Why what is given cannot be what is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if at.is_empty() { String::new() } else { format!("at `{at}`: ") })]
pub struct Clash {
    /// Where in the value, such as `[].size`; empty for the value itself.
    pub at: String,
    /// What is given and what is taken there.
    pub reason: String,
}

/// Compiles a schema. References out of the schema are refused.
///
/// # Errors
/// What is wrong with the schema, in words.
pub fn validator(schema: &Json) -> Result<jsonschema::Validator, String> {
    // 2020-12 unless the schema names another one.
    let draft = match Draft::Draft202012.detect(schema) {
        Draft::Unknown => {
            let named = schema.get("$schema").unwrap_or(&Json::Null);
            return Err(format!(
                "its `$schema` is {named}, which is no known draft of JSON Schema"
            ));
        }
        known => known,
    };
    jsonschema::options().with_draft(draft).build(schema).map_err(|error| in_words(&error))
}

/// A mistake with its place in the value, such as ``at `.files[0]`: …``.
fn in_words(error: &jsonschema::ValidationError<'_>) -> String {
    let mut message = error.to_string();
    if let Some(first) = message.get(..1) {
        message = first.to_lowercase() + &message[1..];
    }
    let place = error.instance_path().to_string();
    if place.is_empty() {
        return message;
    }
    let step = |step: &str| match step.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{}", step.replace("~1", "/").replace("~0", "~")),
    };
    let at: String = place.split('/').skip(1).map(step).collect();
    format!("at `{at}`: {message}")
}

/// Everything in which a value breaks a schema, in words.
///
/// # Errors
/// The schema itself is malformed; says how.
pub fn mistakes(schema: &Json, value: &Json) -> Result<Vec<String>, String> {
    let validator = validator(schema)?;
    Ok(validator.iter_errors(value).map(|error| in_words(&error)).collect())
}

/// Why no value can be both what is given and what `schema` takes; `None`: some may.
#[must_use]
pub fn clash(given: &Shape, schema: &Json) -> Option<Clash> {
    meet::clash(given, schema)
}
