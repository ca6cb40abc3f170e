//! Whether what is given can ever be what is taken.

use std::sync::Arc;

use dynhost_graph::schema::{Shape, clash};
use serde_json::{Value as Json, json};

fn why(given: &Json, taken: &Json) -> Option<String> {
    clash(&Shape::of_schema(Some(given)), taken).map(|clash| clash.to_string())
}

#[test]
fn what_some_value_fits_is_no_clash() {
    let person = json!({
        "type": "object", "required": ["name"],
        "properties": { "name": { "$ref": "#/$defs/name" }, "next": { "$ref": "#" } },
        "$defs": { "name": { "type": "string" } },
    });
    let pairs = [
        (json!({}), json!({ "type": "string" })),
        (json!(true), json!({ "type": "string" })),
        (json!({ "type": "integer" }), json!({ "type": "number" })),
        (json!({ "type": "number" }), json!({ "type": "integer" })),
        (json!({ "type": ["string", "null"] }), json!({ "type": "null" })),
        (json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }), json!({ "type": "null" })),
        (json!({ "enum": [1, "a"] }), json!({ "type": "string" })),
        (json!({ "const": 2.0 }), json!({ "type": "integer" })),
        (json!({ "$ref": "https://example.com/x" }), json!({ "type": "string" })),
        (person.clone(), person),
        // In older drafts `const` is no keyword, and nothing beside a reference counts.
        (
            json!({ "$schema": "http://json-schema.org/draft-04/schema#", "const": 1 }),
            json!({ "const": 2 }),
        ),
        (
            json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/any", "allOf": [{ "type": "string" }],
                "definitions": { "any": {} },
            }),
            json!({ "type": "integer" }),
        ),
        // A value without the property fits both.
        (
            json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
            json!({ "type": "object", "properties": { "a": { "type": "integer" } } }),
        ),
    ];
    for (given, taken) in pairs {
        assert_eq!(why(&given, &taken), None, "{given} into {taken}");
    }
}

#[test]
fn a_clash_says_where_and_why() {
    let closed = json!({
        "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
        "additionalProperties": false,
    });
    let cases = [
        (
            json!({ "type": "integer" }),
            json!({ "type": "string" }),
            "an integer is given, a string is expected",
        ),
        (
            json!({ "type": "array", "items": { "type": "integer" } }),
            json!({ "type": "array", "items": { "type": "string" } }),
            "at `[]`: an integer is given, a string is expected",
        ),
        (
            closed.clone(),
            json!({ "type": "object", "required": ["b"] }),
            "the property `b` is required and never given",
        ),
        (
            json!({ "type": "object", "required": ["b"] }),
            closed.clone(),
            "the property `b` is given and not allowed",
        ),
        (
            closed,
            json!({ "type": "object", "properties": { "a": { "enum": [1, 2] } } }),
            "at `.a`: a string is given, one of `1`, `2` is expected",
        ),
        (
            json!({ "const": "x" }),
            json!({ "enum": ["y", "z"] }),
            "`\"x\"` is given, one of `\"y\"`, `\"z\"` is expected",
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!({ "type": ["object", "integer", "array"] }),
            "a string or null is given, an object, an integer or an array is expected",
        ),
    ];
    for (given, taken, expected) in cases {
        assert_eq!(why(&given, &taken).as_deref(), Some(expected), "{given} into {taken}");
    }
}

/// `semantics.md` rule 6 with fan-ins: `T -> map -> list<T>`.
#[test]
fn a_fan_in_meets_the_items_of_an_array() {
    let integers = Shape::ListOf(Arc::new(Shape::of_schema(Some(&json!({ "type": "integer" })))));
    let array = |of: &str| json!({ "$ref": "#/$defs/all", "$defs": { "all": { "type": "array", "items": { "type": of } } } });
    assert_eq!(clash(&integers, &array("number")), None);
    assert_eq!(
        clash(&integers, &array("string")).unwrap().to_string(),
        "at `[]`: an integer is given, a string is expected"
    );
    assert_eq!(
        clash(&integers, &json!({ "type": "object" })).unwrap().to_string(),
        "an array is given, an object is expected"
    );
    let two = Shape::Items(vec![Shape::Any, Shape::Value(Arc::new(json!("x")))]);
    assert_eq!(
        clash(&two, &array("integer")).unwrap().to_string(),
        "at `[1]`: `\"x\"` is given, an integer is expected"
    );
}
