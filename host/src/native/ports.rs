//! The inputs and outputs of an op, from the Rust types of its function.

use dynhost_graph::definition::{InputDefinition, OutputDefinition};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::{Context, OpFailure};

/// How the argument of a function is made of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// `()`: there are none.
    Nothing,
    /// One input is the argument.
    Whole,
    /// Each field of the argument is an input.
    Fields,
}

/// The JSON Schema of a type, in one piece where the type does not hold itself.
pub(super) fn schema<T: JsonSchema>() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
    }
    schema
}

/// The inputs of a function whose argument is a `T`.
pub(super) fn inputs<T: JsonSchema>() -> (Argument, Vec<InputDefinition>) {
    let schema = schema::<T>();
    if schema.get("type").and_then(Json::as_str) == Some("null") {
        return (Argument::Nothing, Vec::new());
    }
    let Some(fields) = schema.get("properties").and_then(Json::as_object) else {
        return (Argument::Whole, vec![input("value", true, schema)]);
    };
    let required = schema.get("required").and_then(Json::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let field = |(name, field): (&String, &Json)| {
        input(name, is_required(name), with_definitions(field, &schema))
    };
    (Argument::Fields, fields.iter().map(field).collect())
}

fn input(name: &str, required: bool, schema: Json) -> InputDefinition {
    let description = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    InputDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        required,
        collected: false,
        schema: Some(schema),
    }
}

/// A part of a schema on its own: what it refers to comes along.
fn with_definitions(part: &Json, whole: &Json) -> Json {
    let mut part = part.clone();
    if let (Some(object), Some(definitions)) = (part.as_object_mut(), whole.get("$defs")) {
        object.insert("$defs".to_owned(), definitions.clone());
    }
    part
}

/// An output of this name.
pub(super) fn output<T: JsonSchema>(name: &str, dynamic: bool) -> OutputDefinition {
    OutputDefinition {
        name: name.to_owned(),
        description: String::new(),
        required: !dynamic,
        dynamic,
        schema: Some(schema::<T>()),
    }
}

/// The argument of a function, from what its step is given.
pub(super) fn argument<T: DeserializeOwned>(
    context: &Context,
    kind: Argument,
    names: &[String],
) -> Result<T, OpFailure> {
    match (kind, names) {
        (Argument::Whole, [name]) => context.input(name),
        (Argument::Fields, _) => {
            let mut fields = Map::new();
            for name in names {
                if let Some(json) = context.json(name)? {
                    fields.insert(name.clone(), json);
                }
            }
            serde_json::from_value(Json::Object(fields))
                .map_err(|error| OpFailure::from(error).context("the inputs"))
        }
        _ => Ok(serde_json::from_value(Json::Null)?),
    }
}
