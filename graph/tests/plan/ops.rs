//! Ops that exist only as definitions, written as `name(input: type) -> output: type`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dynhost_graph::definition::{InputDefinition, OpDefinition, OutputDefinition};
use dynhost_graph::job::Job;
use dynhost_graph::manifest::{Manifest, ManifestError};
use dynhost_graph::params::GivenParams;
use dynhost_graph::plan::{ComponentInfo, Folders, plan};
use serde_json::{Value as Json, json};

/// An input ends in `?` where it is optional and in `..` where it is collected; an output ends
/// in `?` where it is optional and in `*` where it is dynamic.
const OPS: &[(&str, &[&str])] = &[
    (
        "files",
        &[
            "list(dir: string) -> files*: string",
            "size(file: string, scale?: integer, unit?: unit) -> size: integer",
        ],
    ),
    (
        "numbers",
        &[
            "emit(count?: integer) -> numbers*: integer",
            "several() -> left*: integer, right*: integer, plain: string",
            "one() -> value: integer",
            "double(x: integer) -> value: integer",
            "add(x: integer, y: integer) -> value: integer",
            "split(x: integer) -> parts*: integer",
            "sum(values..: integer) -> total: integer",
            "whole(values: [integer]) -> total: integer",
            "branch(x: integer) -> low?: integer, high?: integer",
            "nothing() ->",
        ],
    ),
    (
        "records",
        &[
            "make() -> record: record",
            "read(record: record) -> id: string",
            "strict(record: strict) -> id: string",
            "scaled(x: integer) config scale -> value: integer",
            "relaxed(x: integer) config relaxed -> value: integer",
        ],
    ),
    ("solo", &["only(x: any, y?: any) -> value: any"]),
    ("net", &["one() -> value: integer"]),
];

/// What the tests' manifests declare as components.
pub(crate) fn components() -> BTreeMap<String, ComponentInfo> {
    let info = |(alias, ops): &(&str, &[&str])| {
        let imports = match *alias {
            "files" => vec!["wasi:filesystem/types@0.2.0"],
            "net" => vec![
                "wasi:cli/environment@0.2.0",
                "wasi:clocks/wall-clock@0.2.0",
                "wasi:http/outgoing-handler@0.2.0",
                "wasi:random/random@0.2.0",
                "wasi:sockets/tcp@0.2.0",
                "wasi:sockets/udp@0.2.0",
            ],
            _ => vec![],
        };
        let info = ComponentInfo {
            digest: format!("digest of {alias}"),
            ops: ops.iter().map(|op| Arc::new(definition(op))).collect(),
            imports: imports.into_iter().map(str::to_owned).collect(),
        };
        ((*alias).to_owned(), info)
    };
    OPS.iter().map(info).collect()
}

/// The folders that the tests' grants start from.
pub(crate) fn folders() -> Folders {
    Folders { manifest: "/jobs".into(), working: "/home/work".into() }
}

/// A manifest that declares all components, and then says `text`.
pub(crate) fn manifest(text: &str) -> Manifest {
    let aliases = OPS.iter().map(|(alias, _)| format!("{alias} = \"{alias}.wasm\"\n"));
    let components: String = aliases.collect();
    let whole = format!("[job]\nname = \"test\"\n[components]\n{components}{text}");
    Manifest::parse(Path::new("job.toml"), &whole).unwrap_or_else(|error| panic!("{error}"))
}

/// Plans such a manifest without params.
pub(crate) fn try_plan(text: &str) -> Result<Job, ManifestError> {
    plan(&manifest(text), &components(), &GivenParams::new(), &folders())
}

/// Plans such a manifest, which must be good.
pub(crate) fn planned(text: &str) -> Job {
    let job = try_plan(text).unwrap_or_else(|error| panic!("{error}"));
    crate::invariants::check(&job);
    job
}

fn definition(text: &str) -> OpDefinition {
    let (name, rest) = text.split_once('(').expect("inputs");
    let (inputs, rest) = rest.split_once(')').expect("end of inputs");
    let (config, outputs) = rest.split_once("->").expect("outputs");
    let config = config.trim().strip_prefix("config ");
    OpDefinition {
        name: name.to_owned(),
        description: String::new(),
        inputs: ports(inputs).map(input).collect(),
        outputs: ports(outputs).map(output).collect(),
        config_schema: config.map(|name| schema(name).expect("a schema")),
    }
}

fn ports(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let ports = text.split(", ").filter(|port| !port.trim().is_empty());
    ports.map(|port| port.split_once(": ").expect("a type")).map(|(a, b)| (a.trim(), b.trim()))
}

fn input((name, of): (&str, &str)) -> InputDefinition {
    InputDefinition {
        name: name.trim_end_matches(['?', '.']).to_owned(),
        description: String::new(),
        required: !name.ends_with('?'),
        collected: name.ends_with(".."),
        schema: schema(of),
    }
}

fn output((name, of): (&str, &str)) -> OutputDefinition {
    OutputDefinition {
        name: name.trim_end_matches(['?', '*']).to_owned(),
        description: String::new(),
        required: !name.ends_with('?'),
        dynamic: name.ends_with('*'),
        schema: schema(of),
    }
}

fn schema(name: &str) -> Option<Json> {
    Some(match name {
        "any" => return None,
        "[integer]" => json!({ "type": "array", "items": { "type": "integer" } }),
        "unit" => json!({ "enum": ["B", "KiB"] }),
        "record" => json!({
            "type": "object", "required": ["id"], "additionalProperties": false,
            "properties": { "id": { "$ref": "#/$defs/id" }, "note": { "type": "string" } },
            "$defs": { "id": { "type": "string" } },
        }),
        "strict" => json!({ "type": "object", "required": ["id", "size"] }),
        "scale" => json!({
            "type": "object", "required": ["factor"], "additionalProperties": false,
            "properties": { "factor": { "type": "integer" } },
        }),
        "relaxed" => json!({ "type": "object", "properties": { "factor": { "type": "integer" } } }),
        name => json!({ "type": name }),
    })
}
