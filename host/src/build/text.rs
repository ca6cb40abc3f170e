//! The text of a manifest, and which line of it says what.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use dynhost_graph::manifest::Problem;
use dynhost_graph::name::check_name;
use serde_json::{Value as Json, json};

use super::ComponentSource;
use crate::component::{Component, NATIVE};

/// Keys and values under one header.
#[derive(Debug, Default)]
pub(super) struct Section(Vec<(String, Json)>);

impl Section {
    /// Sets a key, which is written as it stands.
    pub(super) fn set(&mut self, key: &str, value: &Json) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => old.clone_from(value),
            None => self.0.push((key.to_owned(), value.clone())),
        }
    }
}

/// Nodes and outputs.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) nodes: Vec<(String, Section)>,
    pub(super) outputs: Section,
}

#[derive(Debug)]
pub(super) struct GraphDraft {
    pub(super) name: String,
    pub(super) about: Section,
    pub(super) inputs: Section,
    pub(super) body: Body,
}

/// All that was said of a job.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) job: Section,
    pub(super) defaults: Section,
    pub(super) params: Vec<(String, Section)>,
    pub(super) components: Vec<(String, ComponentSource)>,
    pub(super) pools: Section,
    pub(super) graphs: Vec<GraphDraft>,
    pub(super) body: Body,
    mistakes: Vec<Problem>,
}

impl Draft {
    fn is_new<'a>(
        what: &str,
        name: &str,
        mut known: impl Iterator<Item = &'a String>,
    ) -> Option<Problem> {
        known.any(|other| other == name).then(|| {
            Problem::outside(format!("there are two {what} `{name}`")).help("give one another name")
        })
    }

    pub(super) fn body(&mut self, graph: Option<usize>) -> &mut Body {
        match graph {
            Some(at) => &mut self.graphs[at].body,
            None => &mut self.body,
        }
    }

    pub(super) fn add_node(&mut self, graph: Option<usize>, name: &str) -> usize {
        let nodes = &self.body(graph).nodes;
        let twice = Self::is_new("nodes", name, nodes.iter().map(|(name, _)| name));
        self.mistakes.extend(twice);
        let nodes = &mut self.body(graph).nodes;
        nodes.push((name.to_owned(), Section::default()));
        nodes.len() - 1
    }

    pub(super) fn add_graph(&mut self, name: &str) -> usize {
        let twice = Self::is_new("graphs", name, self.graphs.iter().map(|graph| &graph.name));
        self.mistakes.extend(twice);
        self.graphs.push(GraphDraft {
            name: name.to_owned(),
            about: Section::default(),
            inputs: Section::default(),
            body: Body::default(),
        });
        self.graphs.len() - 1
    }

    pub(super) fn add_param(&mut self, name: &str) {
        let twice = Self::is_new("params", name, self.params.iter().map(|(name, _)| name));
        self.mistakes.extend(twice);
        self.params.push((name.to_owned(), Section::default()));
    }

    pub(super) fn param(&mut self, name: &str) -> &mut Section {
        let at = self.params.iter().rposition(|(known, _)| known == name);
        &mut self.params[at.expect("a param builder is made with its param")].1
    }

    pub(super) fn component(&mut self, alias: &str, source: ComponentSource) {
        let known = self.components.iter().map(|(alias, _)| alias);
        self.mistakes.extend(Self::is_new("components", alias, known));
        self.components.push((alias.to_owned(), source));
    }

    /// The name of a loaded component, which is declared where it is not yet.
    pub(super) fn alias_of(&mut self, component: Component) -> String {
        let is_it = |source: &ComponentSource| matches!(source, ComponentSource::Loaded(known) if known.is_same(&component));
        if let Some((alias, _)) = self.components.iter().find(|(_, source)| is_it(source)) {
            return alias.clone();
        }
        let alias = self.free_alias(&name_of(component.path()));
        self.components.push((alias.clone(), ComponentSource::Loaded(component)));
        alias
    }

    fn free_alias(&self, name: &str) -> String {
        let is_free = |alias: &String| self.components.iter().all(|(known, _)| known != alias);
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }

    pub(super) fn write(&self) -> Written {
        let mut text = Written::default();
        text.section("job", &self.job);
        text.optional("defaults", &self.defaults);
        for (name, section) in &self.params {
            text.section(&format!("params.{}", key(name)), section);
        }
        let mut components = Section::default();
        for (alias, source) in &self.components {
            components.set(&key(alias), &path_of(source));
        }
        text.optional("components", &components);
        text.optional("pools", &self.pools);
        for graph in &self.graphs {
            let header = format!("graphs.{}", key(&graph.name));
            text.section(&header, &graph.about);
            text.optional(&format!("{header}.inputs"), &graph.inputs);
            text.body(&format!("{header}."), &graph.body);
        }
        text.body("", &self.body);
        text.mistakes.extend(self.mistakes.iter().cloned());
        text
    }
}

/// A job as text.
#[derive(Default)]
pub(super) struct Written {
    pub(super) text: String,
    /// Where each line of it begins, and what it says.
    pub(super) places: Vec<(usize, String)>,
    /// What the text could not show.
    pub(super) mistakes: Vec<Problem>,
}

impl Written {
    fn line(&mut self, place: String, line: &str) {
        self.places.push((self.text.len(), place));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, header: &str, section: &Section) {
        self.line(header.to_owned(), &format!("[{header}]"));
        for (key, value) in &section.0 {
            let mut line = format!("{key} = ");
            inline(value, &mut line);
            if holds_null(value) {
                let span = self.text.len()..self.text.len() + line.len();
                self.mistakes.push(
                    Problem::at(span, "a job cannot say JSON `null`")
                        .help("leave it out: an input without a wire is absent"),
                );
            }
            self.line(format!("{header}.{key}"), &line);
        }
        self.text.push('\n');
    }

    fn optional(&mut self, header: &str, section: &Section) {
        if !section.0.is_empty() {
            self.section(header, section);
        }
    }

    fn body(&mut self, prefix: &str, body: &Body) {
        let mut written: Vec<&str> = Vec::new();
        for (name, section) in &body.nodes {
            // One of the same name is among the mistakes.
            if !written.contains(&name.as_str()) {
                written.push(name);
                self.section(&format!("{prefix}nodes.{}", key(name)), section);
            }
        }
        self.optional(&format!("{prefix}outputs"), &body.outputs);
    }
}

/// A key of TOML.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    quoted(name)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// JSON as a TOML value on one line. TOML has no `null`; it is among the mistakes.
fn inline(value: &Json, text: &mut String) {
    match value {
        Json::String(string) => text.push_str(&quoted(string)),
        Json::Array(elements) => {
            text.push('[');
            for (n, element) in elements.iter().enumerate() {
                text.push_str(if n > 0 { ", " } else { "" });
                inline(element, text);
            }
            text.push(']');
        }
        Json::Object(entries) => {
            text.push('{');
            for (n, (name, value)) in entries.iter().enumerate() {
                text.push_str(if n > 0 { ", " } else { " " });
                let _ = write!(text, "{} = ", key(name));
                inline(value, text);
            }
            text.push_str(" }");
        }
        Json::Null => text.push_str("\"\""),
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

/// Whether JSON holds a `null`, which TOML cannot say.
fn holds_null(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(elements) => elements.iter().any(holds_null),
        Json::Object(entries) => entries.values().any(holds_null),
        _ => false,
    }
}

/// One value, or a list of one for each attempt.
pub(super) fn per_attempt<T>(values: &[T], write: impl Fn(&T) -> Json) -> Json {
    match values {
        [one] => write(one),
        several => several.iter().map(write).collect(),
    }
}

pub(super) fn duration(duration: Duration) -> Json {
    json!(format!("{}s", duration.as_secs_f64()))
}

/// The name of native ops in the path of a component.
pub(super) fn native(path: &str) -> Option<&str> {
    path.strip_prefix(NATIVE)
}

/// How a manifest names a component.
fn path_of(source: &ComponentSource) -> Json {
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        json!(path.to_string_lossy())
    };
    match source {
        ComponentSource::Native(ops) => json!(format!("{NATIVE}{}", ops.name())),
        ComponentSource::Loaded(component) if component.is_native() => {
            json!(component.path().to_string_lossy())
        }
        ComponentSource::Loaded(component) => {
            json!({ "path": absolute(component.path()), "sha256": component.digest() })
        }
        ComponentSource::File(path) if path.to_str().and_then(native).is_some() => {
            json!(path.to_string_lossy())
        }
        ComponentSource::File(path) => absolute(path),
    }
}

/// A name for the component at a path.
fn name_of(path: &Path) -> String {
    let text = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let text = text.unwrap_or_default();
    let text = text.strip_prefix(NATIVE).unwrap_or(&text);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = text.chars().map(plain).collect();
    if check_name(&name).is_ok() { name } else { "component".to_owned() }
}
