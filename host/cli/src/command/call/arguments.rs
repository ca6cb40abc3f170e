//! What `dynhost call` is given: inputs and folders.

use std::path::{Path, PathBuf};

use dynhost::graph::definition::InputDefinition;
use dynhost::graph::schema;
use dynhost::graph::value::Value;
use serde_json::Value as Json;

use crate::cli::pair;
use crate::error::Error;
use crate::report::outputs::media_type;

/// `NAME=VALUE`, `NAME=@FILE` or `NAME=TYPE@FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    File { path: PathBuf, media_type: Option<String> },
}

impl std::str::FromStr for Argument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = pair(text)?;
        let content = match value.split_once('@') {
            Some((kind, path)) if !path.is_empty() && (kind.is_empty() || is_media_type(kind)) => {
                let media_type = (!kind.is_empty()).then(|| kind.to_owned());
                Content::File { path: path.into(), media_type }
            }
            _ => Content::Text(value),
        };
        Ok(Self { name, content })
    }
}

/// `type/subtype`: two tokens of RFC 9110.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        !text.is_empty() && text.chars().all(allowed)
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

impl Argument {
    /// The values for an input: one, or the elements of a collected one.
    pub(crate) fn values(&self, input: &InputDefinition) -> Result<Vec<Value>, Error> {
        let wrong = |why: String| Error::usage(format!("`--input {}=…`: {why}", self.name));
        match (&self.content, &input.schema) {
            (Content::Text(text), Some(schema)) => {
                let json = serde_json::from_str(text).ok();
                let text = Json::String(text.clone());
                fitting(json.into_iter().chain([text]), input, schema).map_err(wrong)
            }
            (Content::Text(text), None) => Ok(match serde_json::from_str::<Json>(text) {
                Ok(Json::Array(elements)) if input.collected => {
                    elements.iter().map(Value::json).collect()
                }
                Ok(json) => vec![Value::json(&json)],
                Err(_) => vec![Value::bytes("text/plain", text.clone())],
            }),
            (Content::File { path, media_type }, schema) => {
                let bytes = std::fs::read(path).map_err(|error| {
                    wrong(format!("`{}` cannot be read: {error}", path.display()))
                })?;
                let Some(schema) = schema else {
                    return Ok(vec![from_file(path, media_type.as_deref(), bytes)]);
                };
                let json = serde_json::from_slice(&bytes).map_err(|error| {
                    wrong(format!("`{}` is not JSON, which the op takes: {error}", path.display()))
                })?;
                fitting([json], input, schema).map_err(wrong)
            }
        }
    }
}

fn from_file(path: &Path, given: Option<&str>, bytes: Vec<u8>) -> Value {
    Value::bytes(given.unwrap_or_else(|| media_type(path)), bytes)
}

/// The first candidate that fits the input, as its values; why the first one does not.
fn fitting(
    candidates: impl IntoIterator<Item = Json>,
    input: &InputDefinition,
    schema: &Json,
) -> Result<Vec<Value>, String> {
    let mut first = None;
    for candidate in candidates {
        let elements = match candidate {
            Json::Array(elements) if input.collected => elements,
            other => vec![other],
        };
        let mut mistakes = Vec::new();
        for element in &elements {
            mistakes.extend(schema::mistakes(schema, element)?);
        }
        if mistakes.is_empty() {
            return Ok(elements.iter().map(Value::json).collect());
        }
        first.get_or_insert(format!("it does not fit its schema: {}", mistakes.join("; ")));
    }
    Err(first.unwrap_or_default())
}

/// `HOST::GUEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
}

impl std::str::FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, guest) = text
            .rsplit_once("::")
            .ok_or_else(|| format!("write HOST::GUEST, such as `{text}::/data`"))?;
        if !guest.starts_with('/') || guest.split('/').any(|part| part == "..") {
            return Err(format!("`{guest}` is not an absolute path, such as `/data`"));
        }
        let host = PathBuf::from(host);
        match std::fs::canonicalize(&host) {
            Ok(folder) if folder.is_dir() => Ok(Self { host: folder, guest: guest.to_owned() }),
            Ok(_) => Err(format!("`{}` is not a folder", host.display())),
            Err(error) => {
                Err(format!("the folder `{}` cannot be granted: {error}", host.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(collected: bool, schema: Option<Json>) -> InputDefinition {
        let name = "x".to_owned();
        InputDefinition { name, description: String::new(), required: true, collected, schema }
    }

    fn values(text: &str, input: &InputDefinition) -> Result<Vec<Value>, String> {
        let argument: Argument = text.parse()?;
        argument.values(input).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn text_is_json_or_a_string_as_the_schema_says() {
        let string = input(false, Some(json!({"type": "string"})));
        assert_eq!(values("x=5", &string), Ok(vec![Value::json(&json!("5"))]));
        let number = input(false, Some(json!({"type": "number"})));
        assert_eq!(values("x=5", &number), Ok(vec![Value::json(&json!(5))]));
        assert!(values("x=five", &number).is_err());
        assert_eq!(
            values("x=a b", &input(false, None)),
            Ok(vec![Value::bytes("text/plain", "a b")])
        );
    }

    #[test]
    fn an_array_is_split_for_a_collected_input() {
        let numbers = input(true, Some(json!({"type": "number"})));
        let two = vec![Value::json(&json!(1)), Value::json(&json!(2))];
        assert_eq!(values("x=[1, 2]", &numbers), Ok(two));
        assert_eq!(values("x=[]", &numbers), Ok(vec![]));
    }

    #[test]
    fn files_may_have_a_media_type() {
        let file = |text: &str| text.parse::<Argument>().unwrap().content;
        let path = PathBuf::from("a@b");
        assert_eq!(file("x=@a@b"), Content::File { path: path.clone(), media_type: None });
        let media_type = Some("image/x-y".to_owned());
        assert_eq!(file("x=image/x-y@a@b"), Content::File { path, media_type });
        assert_eq!(file("x=me@example.org"), Content::Text("me@example.org".to_owned()));
    }
}
