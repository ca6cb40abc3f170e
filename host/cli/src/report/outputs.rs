//! The outputs of a run: as text, as JSON, as files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dynhost::graph::event::bytes_in_words;
use dynhost::graph::scheduler::{Collection, Element, JobOutputValue};
use dynhost::graph::value::Value;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::json::pretty;
use super::{Console, words};
use crate::error::Error;

/// `--save NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Save {
    name: String,
    file: PathBuf,
}

impl std::str::FromStr for Save {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = crate::cli::pair(text).map_err(|_| "write NAME=FILE".to_owned())?;
        if file.is_empty() {
            return Err("there is no file after `=`".to_owned());
        }
        Ok(Self { name, file: file.into() })
    }
}

impl Save {
    /// Whether it is for this output.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    fn is_stdout(&self) -> bool {
        self.file == Path::new("-")
    }
}

/// Refuses, before anything runs, what could not be saved afterwards.
pub(crate) fn check_saves(saves: &[Save], names: &[&str], json: bool) -> Result<(), Error> {
    for save in saves {
        if !names.contains(&save.name.as_str()) {
            let message = format!("`--save {0}=…`: there is no output `{0}`", save.name);
            let help = format!("outputs: {}", words::listed(names.iter().copied()));
            return Err(Error::usage(message).with_help(help));
        }
        if save.is_stdout() && (json || saves.len() > 1) {
            return Err(Error::usage("`--save NAME=-` takes stdout for one output alone")
                .with_help("save to a file, or leave out `-o json` and other `--save`"));
        }
        let folder = save.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder
            && !folder.is_dir()
        {
            let message = format!("the folder `{}` does not exist", folder.display());
            return Err(Error::usage(message).with_help("make it before the run"));
        }
    }
    Ok(())
}

/// Outputs by name, in their order; absent ones are not among them.
#[derive(Debug, Default)]
pub(crate) struct Outputs(pub(crate) Vec<(String, JobOutputValue)>);

impl Outputs {
    /// Outputs without the absent ones, and the names of those.
    pub(crate) fn present(outputs: Vec<(String, JobOutputValue)>) -> (Self, Vec<String>) {
        let (absent, present): (Vec<_>, Vec<_>) =
            outputs.into_iter().partition(|(_, value)| matches!(value, JobOutputValue::Absent));
        (Self(present), absent.into_iter().map(|(name, _)| name).collect())
    }

    /// For people: `name: value`, large values on lines of their own.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let value = match value {
                JobOutputValue::Absent => continue,
                JobOutputValue::Single(value) => to_text(value, name.len() + 2),
                JobOutputValue::Many(list) => pretty(&described(list), 0),
            };
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }

    /// As an object in their order. JSON stands as it is, anything else in base64 with its media type;
    /// with `keys`, an element of a list is `{"key", "value"}`.
    pub(crate) fn to_object(&self, keys: bool) -> OutputsObject<'_> {
        OutputsObject { outputs: self, keys }
    }

    /// The names of outputs that text does not show whole, each with the extension of a file
    /// that would hold it; a list has none.
    pub(crate) fn opaque(&self) -> Vec<(&str, Option<&'static str>)> {
        let extension = |value: &JobOutputValue| match value {
            JobOutputValue::Single(value) if !is_text(value) => {
                Some(Some(extension(value.media_type.as_str())))
            }
            JobOutputValue::Many(list) if !all_json(list) => Some(None),
            _ => None,
        };
        let outputs = self.0.iter();
        outputs.filter_map(|(name, value)| Some((name.as_str(), extension(value)?))).collect()
    }

    /// Writes what `saves` ask for; gives whether one of them went to stdout.
    pub(crate) fn save(&self, saves: &[Save], console: Console) -> Result<bool, Error> {
        let mut to_stdout = false;
        for save in saves {
            let Some((_, value)) = self.0.iter().find(|(name, _)| *name == save.name) else {
                console.say(&format!("`{}` was not made, and is not saved", save.name));
                continue;
            };
            if save.is_stdout() {
                console.print_bytes(&bytes(value))?;
                to_stdout = true;
                continue;
            }
            let written = match value {
                JobOutputValue::Many(list) if !all_json(list) => save_each(list, &save.file),
                _ => std::fs::write(&save.file, bytes(value)),
            };
            written.map_err(|error| {
                Error::failed(format!("`{}` cannot be written: {error}", save.file.display()))
            })?;
            console.say(&format!("saved `{}` to {}", save.name, save.file.display()));
        }
        Ok(to_stdout)
    }
}

/// Outputs on their way to JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputsObject<'a> {
    outputs: &'a Outputs,
    keys: bool,
}

impl Serialize for OutputsObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let element = |element: &Element| {
            let value = value_to_json(&element.value);
            if self.keys { json!({ "key": element.key, "value": value }) } else { value }
        };
        let entry = |(name, value): &'_ (String, JobOutputValue)| {
            let json = match value {
                JobOutputValue::Absent => return None,
                JobOutputValue::Single(value) => value_to_json(value),
                JobOutputValue::Many(list) => list.elements.iter().map(element).collect(),
            };
            Some((name.clone(), json))
        };
        serializer.collect_map(self.outputs.0.iter().filter_map(entry))
    }
}

/// The bytes of an output; a list as a JSON array.
fn bytes(value: &JobOutputValue) -> Vec<u8> {
    match value {
        JobOutputValue::Absent => Vec::new(),
        JobOutputValue::Single(value) => value.data.to_vec(),
        JobOutputValue::Many(list) => {
            let values = list.elements.iter().map(|element| value_to_json(&element.value));
            values.collect::<Json>().to_string().into_bytes()
        }
    }
}

/// Writes a file for each element of a list, named by its mapping key.
fn save_each(list: &Collection, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for element in &list.elements {
        let mut name = element.key.as_str().replace(['/', '\\'], "_");
        if name.starts_with('.') {
            name.insert(0, '_');
        }
        let extension = extension(element.value.media_type.as_str());
        if !name.to_lowercase().ends_with(extension) {
            name.push_str(extension);
        }
        std::fs::write(folder.join(name), &element.value.data)?;
    }
    Ok(())
}

/// A value as it stands in the JSON of a command.
pub(crate) fn value_to_json(value: &Value) -> Json {
    value.to_json().unwrap_or_else(|_| {
        let base64 = BASE64_STANDARD.encode(&value.data);
        json!({ "media_type": value.media_type.as_str(), "base64": base64 })
    })
}

/// A value for people. Text is shown as it is where it cannot steer the terminal.
pub(crate) fn to_text(value: &Value, indent: usize) -> String {
    match value.to_json() {
        Ok(Json::String(text)) if words::is_clean(&text) => text_block(&text),
        Ok(json) if pretty(&json, indent).contains('\n') => pretty(&json, 0),
        Ok(json) => pretty(&json, indent),
        Err(_) => match std::str::from_utf8(&value.data) {
            Ok(text) if is_text(value) => text_block(text),
            _ => summary(value),
        },
    }
}

/// A value on one line.
pub(crate) fn to_line(value: &Value) -> String {
    match value.to_json() {
        Ok(Json::String(text)) if words::is_clean(&text) && !text.contains('\n') => text,
        Ok(json) => json.to_string(),
        Err(_) => summary(value),
    }
}

fn text_block(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    if text.contains('\n') { format!("\n{}", words::indented(text, 2)) } else { text.to_owned() }
}

fn summary(value: &Value) -> String {
    let media_type = words::one_line(value.media_type.as_str());
    format!("<{media_type}, {}>", bytes_in_words(value.data.len() as u64))
}

fn is_text(value: &Value) -> bool {
    let text = || std::str::from_utf8(&value.data).is_ok_and(words::is_clean);
    value.media_type.is_json() || value.media_type.as_str().starts_with("text/") && text()
}

fn all_json(list: &Collection) -> bool {
    list.elements.iter().all(|element| element.value.media_type.is_json())
}

/// A list for people: JSON as it is, a summary of anything else.
fn described(list: &Collection) -> Json {
    let described = |value: &Value| value.to_json().unwrap_or_else(|_| summary(value).into());
    list.elements.iter().map(|element| described(&element.value)).collect()
}

/// File name extensions and media types, the usual one first.
const EXTENSIONS: [(&str, &str); 18] = [
    (".json", "application/json"),
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".gif", "image/gif"),
    (".webp", "image/webp"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain"),
    (".csv", "text/csv"),
    (".html", "text/html"),
    (".md", "text/markdown"),
    (".xml", "application/xml"),
    (".pdf", "application/pdf"),
    (".zip", "application/zip"),
    (".gz", "application/gzip"),
    (".wasm", "application/wasm"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
];

/// The extension of a media type, with its dot; empty where none is known.
pub(crate) fn extension(media_type: &str) -> &'static str {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    let known = EXTENSIONS.iter().find(|(_, known)| known.eq_ignore_ascii_case(bare));
    known.map_or("", |(extension, _)| extension)
}

/// The media type of a file by its extension.
pub(crate) fn media_type(file: &Path) -> &'static str {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let known = EXTENSIONS.iter().find(|(known, _)| known[1..].eq_ignore_ascii_case(extension));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_readable_and_cannot_steer_the_terminal() {
        let text = |json: Json| to_text(&Value::json(&json), 0);
        assert_eq!(text(json!(42)), "42");
        assert_eq!(text(json!("hello")), "hello");
        assert_eq!(text(json!("a\nb\n")), "\n  a\n  b");
        assert_eq!(text(json!("\u{1b}[2J")), "\"\\u001b[2J\"");
        assert_eq!(to_text(&Value::bytes("image/png", vec![0; 2048]), 0), "<image/png, 2 KiB>");
        assert_eq!(to_line(&Value::json(&json!({"a": 1}))), r#"{"a":1}"#);
    }

    #[test]
    fn bytes_are_base64_in_json() {
        let value = value_to_json(&Value::bytes("image/png", vec![1, 2, 3]));
        assert_eq!(value, json!({ "media_type": "image/png", "base64": "AQID" }));
    }

    #[test]
    fn media_types_and_extensions_agree() {
        assert_eq!(extension("text/plain; charset=utf-8"), ".txt");
        assert_eq!(media_type(Path::new("a/b.JPEG")), "image/jpeg");
        assert_eq!(media_type(Path::new("a/b")), "application/octet-stream");
    }

    #[test]
    fn saves_are_checked_before_the_run() {
        let save = |text: &str| vec![text.parse::<Save>().unwrap()];
        assert!(check_saves(&save("sheet=x.png"), &["sheet"], false).is_ok());
        assert!(check_saves(&save("shet=x.png"), &["sheet"], false).is_err());
        assert!(check_saves(&save("sheet=-"), &["sheet"], true).is_err());
        assert!(check_saves(&save("sheet=no/such/x.png"), &["sheet"], false).is_err());
        assert!("sheet=".parse::<Save>().is_err());
    }
}
