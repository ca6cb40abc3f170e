//! `dynhost inspect`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use dynhost::Component;
use dynhost::graph::definition::OpDefinition;
use dynhost::graph::event::bytes_in_words;
use serde_json::{Value as Json, json};

use super::host;
use crate::error::Error;
use crate::report::{Console, schema, words};

/// Show what a component is: its ops, and what it can reach
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost inspect ops/files.wasm
  dynhost inspect ops/files.wasm -o json | jq '.ops[].name'")]
pub(crate) struct InspectArgs {
    /// The component, a .wasm file
    component: PathBuf,
}

pub(super) fn execute(arguments: &InspectArgs, console: Console) -> Result<u8, Error> {
    let component = host()?.load(&arguments.component)?;
    if console.is_json() {
        console.print_json(&to_json(&component))?;
    } else {
        console.print(&to_text(&component))?;
    }
    Ok(0)
}

/// What the authority behind an import is, given what the host does with it.
const MEANINGS: [(&str, &str); 14] = [
    ("dynhost:op/", "the interface of ops: inputs, outputs, log, progress"),
    ("wasi:filesystem/", "files, only in folders that a manifest grants (`grants.fs`)"),
    ("wasi:http/", "requests, only to hosts that a manifest grants (`grants.network`)"),
    ("wasi:sockets/", "connections and datagrams, only with hosts that a manifest grants"),
    ("wasi:cli/environment", "variables and secrets that a manifest grants; no arguments"),
    ("wasi:cli/exit", "may end its own step"),
    ("wasi:cli/stdin", "standard input: always empty"),
    ("wasi:cli/stdout", "what it prints goes to the step's log"),
    ("wasi:cli/stderr", "what it prints goes to the step's log"),
    ("wasi:cli/terminal-", "a terminal: there is none"),
    (
        "wasi:clocks/",
        "time: a virtual clock, the same in each run, unless `grants.clock` says otherwise",
    ),
    (
        "wasi:random/",
        "randomness: it follows from the step's inputs, unless `grants.random` says otherwise",
    ),
    ("wasi:io/", "streams and waiting: no authority of their own"),
    ("", "unknown"),
];

fn meaning(import: &str) -> &'static str {
    let known = MEANINGS.iter().find(|(prefix, _)| import.starts_with(prefix));
    known.map_or("unknown", |(_, meaning)| meaning)
}

fn to_text(component: &Component) -> String {
    let purity = if component.is_pure() {
        "yes: what its ops give follows from configuration and inputs alone"
    } else {
        "no: it imports WASI, and can reach what a manifest grants"
    };
    let mut text = format!(
        "{}\n  size    {}\n  sha256  {}\n  pure    {purity}\n",
        component.path().display(),
        bytes_in_words(component.size()),
        component.digest(),
    );
    text.push_str("\nimports\n");
    let by_meaning = by_meaning(component);
    for (meaning, names) in &by_meaning {
        let _ = writeln!(text, "  {} — {meaning}", names.join(", "));
    }
    if by_meaning.is_empty() {
        text.push_str("  nothing\n");
    }
    text.push_str("\nops\n");
    for op in component.ops() {
        op_to_text(op, &mut text);
    }
    text
}

/// The imports without their versions, together where they mean the same.
fn by_meaning(component: &Component) -> Vec<(&'static str, Vec<String>)> {
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for import in component.imports() {
        let meaning = meaning(import);
        let at = MEANINGS.iter().position(|(_, other)| *other == meaning).unwrap_or(MEANINGS.len());
        let name = import.split('@').next().unwrap_or(import);
        groups.entry(at).or_default().push(name.to_owned());
    }
    let meaning = |at: usize| MEANINGS.get(at).map_or("unknown", |(_, meaning)| *meaning);
    groups.into_iter().map(|(at, names)| (meaning(at), together(&names))).collect()
}

/// `a:b/c`, `a:b/d` as `a:b/{c, d}`.
fn together(names: &[String]) -> Vec<String> {
    let mut packages: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (package, interface) = name.split_once('/').unwrap_or((name, ""));
        match packages.last_mut() {
            Some((last, interfaces)) if *last == package => interfaces.push(interface),
            _ => packages.push((package, vec![interface])),
        }
    }
    let package = |(package, interfaces): (&str, Vec<&str>)| match interfaces.as_slice() {
        [only] => format!("{package}/{only}"),
        several => format!("{package}/{{{}}}", several.join(", ")),
    };
    packages.into_iter().map(package).collect()
}

fn op_to_text(op: &OpDefinition, text: &mut String) {
    let _ = writeln!(text, "  {}", op.name);
    describe(&op.description, 4, text);
    let names = op.inputs.iter().map(|input| &input.name);
    let names = names.chain(op.outputs.iter().map(|output| &output.name));
    let width = names.map(String::len).max().unwrap_or(0);
    let mut port = |kind: &str, name: &str, schema: &str, marks: &[&str], description: &str| {
        let shown = [&[schema], marks].concat().join(", ");
        let _ = writeln!(text, "    {kind:<7} {name:width$}  {shown}");
        describe(description, 12, text);
    };
    for input in &op.inputs {
        let mut marks = Vec::new();
        marks.extend(input.collected.then_some("collected"));
        marks.extend((!input.required).then_some("optional"));
        let schema = schema::words(input.schema.as_ref());
        port("input", &input.name, &schema, &marks, &input.description);
    }
    for output in &op.outputs {
        let mut marks = Vec::new();
        marks.extend(output.dynamic.then_some("dynamic"));
        marks.extend((!output.required && !output.dynamic).then_some("optional"));
        let schema = schema::words(output.schema.as_ref());
        port("output", &output.name, &schema, &marks, &output.description);
    }
    if let Some(config) = &op.config_schema {
        let _ = writeln!(text, "    config  {}", schema::words(Some(config)));
    }
}

fn describe(description: &str, indent: usize, text: &mut String) {
    if !description.trim().is_empty() {
        let _ = writeln!(text, "{}", words::indented(&words::lines(description.trim()), indent));
    }
}

fn to_json(component: &Component) -> Json {
    let import = |name: &String| json!({ "name": name, "meaning": meaning(name) });
    json!({
        "path": component.path().display().to_string(),
        "size": component.size(),
        "sha256": component.digest(),
        "pure": component.is_pure(),
        "imports": component.imports().iter().map(import).collect::<Vec<_>>(),
        "ops": component.ops(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_have_meanings() {
        assert!(meaning("wasi:filesystem/types@0.2.6").starts_with("files"));
        assert!(meaning("wasi:cli/terminal-input@0.2.6").starts_with("a terminal"));
        assert_eq!(meaning("other:thing/x"), "unknown");
    }

    #[test]
    fn interfaces_of_a_package_stand_together() {
        let names = ["wasi:io/error", "wasi:io/poll", "wasi:cli/exit"].map(str::to_owned);
        assert_eq!(together(&names), ["wasi:io/{error, poll}", "wasi:cli/exit"]);
    }
}
