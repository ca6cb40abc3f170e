//! A JSON Schema in short words: `{ path: string, size?: integer }`.

use serde_json::{Map, Value as Json};

/// How deep a schema is told.
const DEPTH: usize = 4;
/// The longest words for a schema.
const MOST_CHARACTERS: usize = 160;

/// The values of a schema in words; `None`: bytes of any media type.
pub(crate) fn words(schema: Option<&Json>) -> String {
    match schema {
        None => "bytes".to_owned(),
        Some(schema) => super::words::short(&any(schema, schema, DEPTH), MOST_CHARACTERS),
    }
}

fn any(schema: &Json, root: &Json, depth: usize) -> String {
    let Json::Object(object) = schema else {
        return if schema == &Json::Bool(false) { "nothing" } else { "any JSON" }.to_owned();
    };
    if depth == 0 {
        return "…".to_owned();
    }
    if let Some(Json::String(reference)) = object.get("$ref") {
        return referred(reference, root, depth);
    }
    if let Some(value) = object.get("const") {
        return value.to_string();
    }
    if let Some(Json::Array(values)) = object.get("enum") {
        return joined(values.iter().map(ToString::to_string).collect());
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Json::Array(parts)) = object.get(key) {
            return joined(parts.iter().map(|part| any(part, root, depth - 1)).collect());
        }
    }
    match object.get("type") {
        Some(Json::String(kind)) => typed(kind, object, root, depth),
        Some(Json::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Json::as_str);
            joined(kinds.map(|kind| typed(kind, object, root, depth)).collect())
        }
        _ if object.contains_key("properties") => typed("object", object, root, depth),
        _ if object.contains_key("items") => typed("array", object, root, depth),
        _ => "any JSON".to_owned(),
    }
}

fn joined(mut parts: Vec<String>) -> String {
    parts.dedup();
    parts.join(" | ")
}

fn referred(reference: &str, root: &Json, depth: usize) -> String {
    let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
    match target {
        Some(target) => any(target, root, depth - 1),
        None => reference.rsplit('/').next().unwrap_or(reference).to_owned(),
    }
}

fn typed(kind: &str, object: &Map<String, Json>, root: &Json, depth: usize) -> String {
    match kind {
        "array" => array(object, root, depth),
        "object" => properties(object, root, depth),
        _ => kind.to_owned(),
    }
}

fn array(object: &Map<String, Json>, root: &Json, depth: usize) -> String {
    if let Some(Json::Array(parts)) = object.get("prefixItems") {
        let parts: Vec<String> = parts.iter().map(|part| any(part, root, depth - 1)).collect();
        return format!("[{}]", parts.join(", "));
    }
    match object.get("items") {
        Some(items @ Json::Object(_)) => {
            let items = any(items, root, depth - 1);
            if items.contains(" | ") {
                format!("list of ({items})")
            } else {
                format!("list of {items}")
            }
        }
        _ => "list".to_owned(),
    }
}

fn properties(object: &Map<String, Json>, root: &Json, depth: usize) -> String {
    let required = object.get("required").and_then(Json::as_array);
    let required = |name: &str| {
        required.is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)))
    };
    match object.get("properties") {
        Some(Json::Object(properties)) if !properties.is_empty() => {
            let entry = |(name, schema): (&String, &Json)| {
                let mark = if required(name) { "" } else { "?" };
                format!("{name}{mark}: {}", any(schema, root, depth - 1))
            };
            format!("{{ {} }}", properties.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => match object.get("additionalProperties") {
            Some(values @ Json::Object(_)) => format!("map of {}", any(values, root, depth - 1)),
            _ => "object".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_are_short_words() {
        let cases = [
            (json!({"type": "integer", "minimum": 0}), "integer"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of string"),
            (json!({"type": ["string", "null"]}), "string | null"),
            (json!({"enum": ["a", "b"]}), r#""a" | "b""#),
            (json!(true), "any JSON"),
            (
                json!({"type": "object", "required": ["a"],
                       "properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/B"}},
                       "$defs": {"B": {"type": "number"}}}),
                "{ a: string, b?: number }",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                "map of integer",
            ),
            (
                json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}),
                "[string, integer]",
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(words(Some(&schema)), expected);
        }
        assert_eq!(words(None), "bytes");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(words(Some(&tree)).contains('…'));
    }
}
