//! Whether two shapes have a value in common.

use std::cell::Cell;
use std::fmt::Write as _;

use jsonschema::Draft;
use serde_json::Value as Json;

use super::{Clash, Shape};

/// How deep schemas are followed; beyond it everything fits, so that recursive ones end.
const DEPTH: u32 = 24;

const ALL: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// How many parts of schemas are compared; beyond it everything fits. A recursive schema with several
/// branches has more ways through it than could ever be gone.
const STEPS: usize = 100_000;

/// How far a comparison may still go.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    depth: u32,
    steps: &'a Cell<usize>,
}

impl Bounds<'_> {
    /// What is left one level further inside; `None`: this is far enough.
    fn deeper(self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        self.spend(1).then_some(Self { depth, ..self })
    }

    fn spend(self, steps: usize) -> bool {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// One side of the comparison.
#[derive(Clone, Copy)]
enum Side<'a> {
    Any,
    Schema { root: &'a Json, node: &'a Json },
    Value(&'a Json),
    ListOf(&'a Shape),
    Items(&'a [Shape]),
}

impl<'a> From<&'a Shape> for Side<'a> {
    fn from(shape: &'a Shape) -> Self {
        match shape {
            Shape::Any => Self::Any,
            Shape::Schema(schema) => Self::Schema { root: schema, node: schema },
            Shape::Value(value) => Self::Value(value),
            Shape::ListOf(of) => Self::ListOf(of),
            Shape::Items(items) => Self::Items(items),
        }
    }
}

pub(super) fn clash(given: &Shape, taken: &Json) -> Option<Clash> {
    let bounds = Bounds { depth: DEPTH, steps: &Cell::new(STEPS) };
    meet(given.into(), Side::Schema { root: taken, node: taken }, bounds)
}

fn meet(given: Side<'_>, taken: Side<'_>, bounds: Bounds<'_>) -> Option<Clash> {
    if given.is_open() || taken.is_open() {
        return None;
    }
    let bounds = bounds.deeper()?;
    if let Some(parts) = given.parts() {
        let found = combine(&parts, |given| meet(given, taken, bounds))?;
        return Some(if given.values().is_some() { differ_at(found, given, taken) } else { found });
    }
    if let Some(parts) = taken.parts() {
        let found = combine(&parts, |taken| meet(given, taken, bounds))?;
        return Some(if taken.values().is_some() { differ_at(found, given, taken) } else { found });
    }
    if given.types().iter().all(|one| taken.types().iter().all(|other| !same_type(one, other))) {
        return Some(differ(given, taken));
    }
    if let (Side::Value(a), Side::Value(b)) = (given, taken) {
        return (!same_value(a, b)).then(|| differ(given, taken));
    }
    arrays(given, taken, bounds).or_else(|| objects(given, taken, bounds))
}

/// How a side divides into simpler ones.
enum Parts<'a> {
    /// A value is one of them.
    Any(Vec<Side<'a>>),
    /// A value is all of them at once.
    All(Vec<Side<'a>>),
}

fn combine<'a>(parts: &Parts<'a>, clash: impl Fn(Side<'a>) -> Option<Clash>) -> Option<Clash> {
    match parts {
        Parts::All(sides) => sides.iter().find_map(|side| clash(*side)),
        Parts::Any(sides) => {
            let mut deepest: Option<Clash> = None;
            for side in sides {
                let found = clash(*side)?;
                if deepest.as_ref().is_none_or(|other| found.at.len() > other.at.len()) {
                    deepest = Some(found);
                }
            }
            deepest
        }
    }
}

impl<'a> Side<'a> {
    /// Whether nothing is known of it. A part of a schema that names a draft of its own is not understood.
    fn is_open(self) -> bool {
        match self {
            Self::Any => true,
            Self::Schema { root, node } => {
                !std::ptr::eq(root, node) && node.get("$schema").is_some()
            }
            _ => false,
        }
    }

    /// Divides what `$ref`, `allOf`, `anyOf`, `oneOf`, `enum` and `const` join. Keywords beside
    /// them are left aside, which can only make the answer more lenient.
    fn parts(self) -> Option<Parts<'a>> {
        let Self::Schema { root, node } = self else { return None };
        let object = node.as_object()?;
        let draft = Draft::Draft202012.detect(root);
        let side = |node| Self::Schema { root, node };
        let mut all = Vec::new();
        if let Some(reference) = object.get("$ref").and_then(Json::as_str) {
            all.push(resolve(root, reference).map_or(Self::Any, side));
            if draft <= Draft::Draft7 {
                // Nothing beside a reference counts.
                return Some(Parts::All(all));
            }
        }
        if let Some(members) = object.get("allOf").and_then(Json::as_array) {
            all.extend(members.iter().map(side));
        }
        if !all.is_empty() {
            return Some(Parts::All(all));
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(members) = object.get(key).and_then(Json::as_array) {
                return Some(Parts::Any(members.iter().map(side).collect()));
            }
        }
        if let Some(value) = object.get("const")
            && draft > Draft::Draft4
        {
            return Some(Parts::All(vec![Self::Value(value)]));
        }
        let members = object.get("enum").and_then(Json::as_array)?;
        Some(Parts::Any(members.iter().map(Self::Value).collect()))
    }

    /// All values that it allows, where it lists them.
    fn values(self) -> Option<Vec<&'a Json>> {
        if let Self::Value(value) = self {
            return Some(vec![value]);
        }
        let sides = match self.parts()? {
            Parts::Any(sides) => sides,
            Parts::All(sides) if sides.len() == 1 => sides,
            Parts::All(_) => return None,
        };
        let values: Option<Vec<_>> = sides
            .into_iter()
            .map(|side| match side {
                Self::Value(value) => Some(value),
                other => other.keyword("const"),
            })
            .collect();
        values.filter(|values| !values.is_empty())
    }

    /// The JSON types that a value may have.
    fn types(self) -> Vec<&'a str> {
        match self {
            Self::Any => ALL.to_vec(),
            Self::ListOf(_) | Self::Items(_) => vec!["array"],
            Self::Value(value) => vec![type_of(value)],
            Self::Schema { node: Json::Bool(false), .. } => Vec::new(),
            Self::Schema { node, .. } => match node.get("type") {
                Some(Json::String(name)) => vec![name],
                Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
                _ => ALL.to_vec(),
            },
        }
    }

    fn keyword(self, key: &str) -> Option<&'a Json> {
        match self {
            Self::Schema { node, .. } => node.get(key),
            _ => None,
        }
    }

    /// Whether it allows arrays only: then a clash of elements is a clash.
    fn is_list(self) -> bool {
        self.types() == ["array"]
    }

    /// What its elements are, where they are all alike.
    fn element(self) -> Self {
        match self {
            Self::ListOf(of) => of.into(),
            Self::Schema { root, .. } if self.keyword("prefixItems").is_none() => {
                self.keyword("items").map_or(Self::Any, |node| Self::Schema { root, node })
            }
            _ => Self::Any,
        }
    }

    /// Its elements one by one, where their number is known.
    fn elements(self) -> Option<Vec<Self>> {
        match self {
            Self::Items(items) => Some(items.iter().map(Into::into).collect()),
            Self::Value(Json::Array(items)) => Some(items.iter().map(Self::Value).collect()),
            _ => None,
        }
    }

    /// The properties that it speaks of, and what it says of each.
    fn property_names(self) -> Vec<&'a str> {
        let properties = match self {
            Self::Value(Json::Object(object)) => Some(object),
            _ => self.keyword("properties").and_then(Json::as_object),
        };
        properties.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// What it says of a property; `None`: the property cannot be there.
    fn property(self, name: &str) -> Option<Self> {
        let Self::Schema { root, .. } = self else {
            let Self::Value(value) = self else { return Some(Self::Any) };
            return value.get(name).map(Self::Value);
        };
        let declared = self.keyword("properties").and_then(|properties| properties.get(name));
        match (declared, self.keyword("additionalProperties")) {
            (Some(node), _) => Some(Self::Schema { root, node }),
            (None, Some(Json::Bool(false))) if self.keyword("patternProperties").is_none() => None,
            (None, Some(node)) if self.keyword("patternProperties").is_none() => {
                Some(Self::Schema { root, node })
            }
            (None, _) => Some(Self::Any),
        }
    }

    fn requires(self, name: &str) -> bool {
        if let Self::Value(value) = self {
            return value.get(name).is_some();
        }
        let required = self.keyword("required").and_then(Json::as_array);
        required.is_some_and(|names| names.iter().any(|one| one == name))
    }

    fn is_object(self) -> bool {
        self.types() == ["object"]
    }
}

fn arrays(given: Side<'_>, taken: Side<'_>, bounds: Bounds<'_>) -> Option<Clash> {
    if !given.is_list() || !taken.is_list() {
        return None;
    }
    match (given.elements(), taken.elements()) {
        (Some(given), _) => {
            let element = taken.element();
            let found = given.into_iter().enumerate();
            found
                .filter_map(|(n, one)| Some((n, meet(one, element, bounds)?)))
                .map(|(n, clash)| inside(&format!("[{n}]"), clash))
                .next()
        }
        (None, Some(taken)) => {
            let element = given.element();
            taken.into_iter().find_map(|one| meet(element, one, bounds))
        }
        (None, None) => {
            meet(given.element(), taken.element(), bounds).map(|clash| inside("[]", clash))
        }
    }
}

fn objects(given: Side<'_>, taken: Side<'_>, bounds: Bounds<'_>) -> Option<Clash> {
    if !given.is_object() || !taken.is_object() {
        return None;
    }
    let mut names = given.property_names();
    names.extend(taken.property_names());
    for side in [given, taken] {
        let required = side.keyword("required").and_then(Json::as_array);
        names.extend(required.into_iter().flatten().filter_map(Json::as_str));
    }
    if !bounds.spend(names.len()) {
        return None;
    }
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| given.requires(name) || taken.requires(name))
        .find_map(|name| property(given, taken, name, bounds))
}

/// Compares a property that one side at least requires.
fn property(given: Side<'_>, taken: Side<'_>, name: &str, bounds: Bounds<'_>) -> Option<Clash> {
    match (given.property(name), taken.property(name)) {
        (Some(given), Some(taken)) => {
            meet(given, taken, bounds).map(|clash| inside(&format!(".{name}"), clash))
        }
        (None, _) => Some(Clash {
            at: String::new(),
            reason: format!("the property `{name}` is required and never given"),
        }),
        (_, None) => Some(Clash {
            at: String::new(),
            reason: format!("the property `{name}` is given and not allowed"),
        }),
    }
}

fn inside(step: &str, mut clash: Clash) -> Clash {
    clash.at.insert_str(0, step);
    clash
}

fn differ(given: Side<'_>, taken: Side<'_>) -> Clash {
    let reason = format!("{} is given, {} is expected", describe(given), describe(taken));
    Clash { at: String::new(), reason }
}

/// Says of a clash of whole values what all of the values are.
fn differ_at(found: Clash, given: Side<'_>, taken: Side<'_>) -> Clash {
    if found.at.is_empty() { differ(given, taken) } else { found }
}

/// What a side allows, for people.
fn describe(side: Side<'_>) -> String {
    if let Some(values) = side.values() {
        let shown = values.iter().take(5).map(|value| format!("`{}`", short(value)));
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if values.len() > 5 {
            text.push_str(", …");
        }
        return if values.len() > 1 { format!("one of {text}") } else { text };
    }
    let types = side.types();
    let mut text = String::new();
    for (n, name) in types.iter().enumerate() {
        let article = if *name == "null" {
            ""
        } else if name.starts_with(['i', 'o', 'a']) {
            "an "
        } else {
            "a "
        };
        let separator = match n {
            0 => "",
            n if n + 1 == types.len() => " or ",
            _ => ", ",
        };
        let _ = write!(text, "{separator}{article}{name}");
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// A value as text that leaves room for others.
fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(n) if n.is_f64() && n.as_f64().is_some_and(|n| n.fract() != 0.0) => "fraction",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Whether two types share values: every integer is a number, as is every fraction.
fn same_type(one: &str, other: &str) -> bool {
    let number = |name: &str| matches!(name, "integer" | "fraction");
    one == other || (one == "number" && number(other)) || (other == "number" && number(one))
}

/// Whether two values are the same to JSON Schema, for which `0.0` is `0`.
fn same_value(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let same = |(key, a)| b.get(key).is_some_and(|b| same_value(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => one == other,
    }
}

/// What a reference inside a schema points to; `None` for anything outside.
fn resolve<'a>(root: &'a Json, reference: &str) -> Option<&'a Json> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.is_empty() { Some(root) } else { root.pointer(pointer) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_what_they_are_worth() {
        let given = |value| Shape::Value(Arc::new(value));
        let zero = json!({ "enum": [0, true] });
        assert_eq!(clash(&given(json!(0.0)), &zero), None);
        assert!(clash(&given(json!(0.5)), &zero).is_some());
        let nested = json!({ "const": { "a": [1, "x"] } });
        assert_eq!(clash(&given(json!({ "a": [1.0, "x"] })), &nested), None);
        assert!(clash(&given(json!({ "a": [1.5, "x"] })), &nested).is_some());
        assert!(clash(&given(json!({ "b": [1, "x"] })), &nested).is_some());
    }

    #[test]
    fn a_part_with_a_draft_of_its_own_takes_everything() {
        let old = "http://json-schema.org/draft-04/schema#";
        let given = Shape::Value(Arc::new(json!(null)));
        // Draft 4 knows no `const`.
        let part = json!({ "oneOf": [{ "$schema": old, "const": 0, "type": "null" }, false] });
        assert_eq!(clash(&given, &part), None);
        let whole = json!({ "$schema": old, "oneOf": [{ "const": 0, "type": "null" }, false] });
        assert_eq!(clash(&given, &whole), None);
        let known = json!({ "oneOf": [{ "const": 0, "type": "null" }, false] });
        assert!(clash(&given, &known).is_some());
    }
}
