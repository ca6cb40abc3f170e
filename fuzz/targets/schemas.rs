//! Schemas and values that are likely to have to do with each other.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Map, Value as Json, json};

const DEPTH: u8 = 5;
const NAMES: [&str; 3] = ["a", "b", "c"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// A JSON Schema, mostly.
#[derive(Debug)]
pub(crate) struct Schema(pub(crate) Json);

/// A JSON value.
#[derive(Debug)]
pub(crate) struct AnyValue(pub(crate) Json);

impl<'a> Arbitrary<'a> for Schema {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        schema(u, DEPTH).map(Self)
    }
}

impl<'a> Arbitrary<'a> for AnyValue {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        value(u, DEPTH).map(Self)
    }
}

/// Whether a value has no part that is empty: an empty list fits lists of anything, and is not
/// what their schemas are about.
pub(crate) fn is_useful(value: &Json) -> bool {
    match value {
        Json::Array(list) => !list.is_empty() && list.iter().all(is_useful),
        Json::Object(object) => object.values().all(is_useful),
        _ => true,
    }
}

fn value(u: &mut Unstructured<'_>, depth: u8) -> Result<Json> {
    Ok(match u.int_in_range(0..=if depth == 0 { 7 } else { 9 })? {
        0 => Json::Null,
        1 => bool::arbitrary(u)?.into(),
        2 => i8::arbitrary(u)?.into(),
        3 => i64::arbitrary(u)?.into(),
        4 => u64::arbitrary(u)?.into(),
        5 => f64::arbitrary(u)?.into(),
        6 => f64::from(i8::arbitrary(u)?).into(),
        7 => (*u.choose(&["a", "b", "aaaaaaaa", "", "ü", "1", "2026-11-22"])?).into(),
        8 => list(u, |u| value(u, depth - 1))?.into(),
        _ => object(u, |u| value(u, depth - 1))?.into(),
    })
}

fn list(
    u: &mut Unstructured<'_>,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<Json>,
) -> Result<Vec<Json>> {
    (0..u.int_in_range(0..=3)?).map(|_| one(u)).collect()
}

fn object(
    u: &mut Unstructured<'_>,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<Json>,
) -> Result<Map<String, Json>> {
    let count = u.int_in_range(0..=3)?;
    (0..count).map(|_| Ok(((*u.choose(&NAMES)?).to_owned(), one(u)?))).collect()
}

fn schema(u: &mut Unstructured<'_>, depth: u8) -> Result<Json> {
    if depth == 0 || u.ratio(1, 8)? {
        return Ok(bool::arbitrary(u)?.into());
    }
    let mut keywords = Map::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let (name, of) = keyword(u, depth - 1)?;
        keywords.insert(name.to_owned(), of);
    }
    Ok(keywords.into())
}

fn keyword(u: &mut Unstructured<'_>, depth: u8) -> Result<(&'static str, Json)> {
    const OF_SCHEMA: [&str; 11] = [
        "items",
        "additionalProperties",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
        "contentSchema",
    ];
    const OF_LIST: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
    const OF_OBJECT: [&str; 5] =
        ["properties", "properties", "$defs", "dependentSchemas", "patternProperties"];
    const OF_NUMBER: [&str; 8] = [
        "minimum",
        "maximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "maxLength",
        "minProperties",
        "exclusiveMinimum",
    ];
    Ok(match u.int_in_range(0..=10)? {
        0 | 1 => ("type", one_or_some_types(u)?),
        2 => (u.choose(&OF_SCHEMA)?, schema(u, depth)?),
        3 => (u.choose(&OF_LIST)?, list(u, |u| schema(u, depth))?.into()),
        4 => (u.choose(&OF_OBJECT)?, object(u, |u| schema(u, depth))?.into()),
        5 => (u.choose(&OF_NUMBER)?, value(u, 0)?),
        6 => ("required", list(u, |u| Ok((*u.choose(&NAMES)?).into()))?.into()),
        7 => ("const", value(u, depth)?),
        8 => ("enum", list(u, |u| value(u, depth))?.into()),
        9 => reference(u)?,
        _ => text(u)?,
    })
}

fn one_or_some_types(u: &mut Unstructured<'_>) -> Result<Json> {
    let one = |u: &mut Unstructured<'_>| Ok(Json::from(*u.choose(&TYPES)?));
    if u.ratio(3, 4)? { one(u) } else { Ok(list(u, one)?.into()) }
}

fn reference(u: &mut Unstructured<'_>) -> Result<(&'static str, Json)> {
    const TARGETS: [&str; 10] = [
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#/properties/a",
        "#/items",
        "#/anyOf/0",
        "#a",
        "other",
        "#/$defs/a~1b",
        "https://json-schema.org/draft/2020-12/schema",
    ];
    Ok((u.choose(&["$ref", "$ref", "$ref", "$dynamicRef"])?, (*u.choose(&TARGETS)?).into()))
}

fn text(u: &mut Unstructured<'_>) -> Result<(&'static str, Json)> {
    const DRAFTS: [&str; 4] = [
        "https://json-schema.org/draft/2020-12/schema",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-04/schema#",
        "other",
    ];
    const PATTERNS: [&str; 6] = ["^a", "(a+)+$", "[", "\\p{L}{30}", "(?=a)a", "(a|aa)*\\1$"];
    const FORMATS: [&str; 5] = ["date", "email", "regex", "uri", "uuid"];
    Ok(match u.int_in_range(0..=5)? {
        0 => ("$schema", (*u.choose(&DRAFTS)?).into()),
        1 => ("pattern", (*u.choose(&PATTERNS)?).into()),
        2 => ("format", (*u.choose(&FORMATS)?).into()),
        3 => ("$anchor", (*u.choose(&NAMES)?).into()),
        4 => ("$id", (*u.choose(&["a", "http://x/y", "#a", "urn:a:b"])?).into()),
        _ => ("dependentRequired", json!({ "a": ["b"] })),
    })
}
