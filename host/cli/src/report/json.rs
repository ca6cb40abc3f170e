//! JSON as text for people: on one line where it is short, otherwise one element per line, so that
//! it can be read and searched.

use serde_json::Value as Json;

/// The longest text on one line.
const WIDTH: usize = 96;

/// A JSON value as text; lines after the first are indented by `indent` and more.
pub(crate) fn pretty(value: &Json, indent: usize) -> String {
    let flat = spaced(value);
    if indent + flat.len() <= WIDTH {
        return flat;
    }
    let inner = " ".repeat(indent + 2);
    let close = " ".repeat(indent);
    match value {
        Json::Array(elements) if elements.iter().all(is_short) => {
            format!("[\n{}\n{close}]", filled(elements, &inner))
        }
        Json::Array(elements) if !elements.is_empty() => {
            let lines = elements.iter().map(|one| format!("{inner}{}", pretty(one, indent + 2)));
            format!("[\n{}\n{close}]", lines.collect::<Vec<_>>().join(",\n"))
        }
        Json::Object(entries) if !entries.is_empty() => {
            let lines = entries
                .iter()
                .map(|(key, one)| format!("{inner}{}: {}", quoted(key), pretty(one, indent + 2)));
            format!("{{\n{}\n{close}}}", lines.collect::<Vec<_>>().join(",\n"))
        }
        _ => flat,
    }
}

fn is_short(value: &Json) -> bool {
    matches!(value, Json::Number(_) | Json::Bool(_) | Json::Null)
}

/// As many elements on each line as it takes.
fn filled(elements: &[Json], margin: &str) -> String {
    let mut lines = vec![margin.to_owned()];
    for (at, element) in elements.iter().enumerate() {
        let comma = if at + 1 < elements.len() { "," } else { "" };
        let text = format!("{element}{comma}");
        match lines.last_mut() {
            Some(line) if line.len() == margin.len() => line.push_str(&text),
            Some(line) if line.len() + 1 + text.len() <= WIDTH => {
                line.push(' ');
                line.push_str(&text);
            }
            _ => lines.push(format!("{margin}{text}")),
        }
    }
    lines.join("\n")
}

/// A JSON value on one line, with blanks after commas and colons.
fn spaced(value: &Json) -> String {
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            format!("[{}]", elements.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) if !entries.is_empty() => {
            let entries =
                entries.iter().map(|(key, one)| format!("{}: {}", quoted(key), spaced(one)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(key: &str) -> String {
    Json::from(key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_values_stay_on_a_line() {
        let value = json!({"a": [1, 2], "b": {}, "c": null});
        assert_eq!(pretty(&value, 0), r#"{ "a": [1, 2], "b": {}, "c": null }"#);
    }

    #[test]
    fn numbers_fill_the_lines() {
        let text = pretty(&(0..40).collect::<Json>(), 0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("[", 4), "{text}");
        assert!(lines[1].starts_with("  0, 1, 2") && lines[1].len() <= WIDTH, "{text}");
    }

    #[test]
    fn long_lists_have_an_element_per_line() {
        let value = json!({ "words": [["x".repeat(60), 1], ["y".repeat(60), 2]] });
        let text = pretty(&value, 0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        assert!(lines[2].starts_with("    [\"xxx"), "{text}");
    }
}
