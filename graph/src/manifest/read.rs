//! The top level of a manifest: job, params, components, pools, graphs.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::item::{self, Item, Keys};
use super::nearest::{listed, nearest};
use super::{
    Build, Component, Defaults, Graph, GraphInput, Manifest, Param, Spanned, body, policy,
};

const SECTIONS: [&str; 8] =
    ["job", "defaults", "params", "components", "pools", "graphs", "nodes", "outputs"];
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];

/// Reads the whole text.
pub(super) fn manifest(path: &Path, text: &str) -> Result<Manifest, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: toml::de::Error| {
            let message = format!("not TOML: {}", error.message().replace('\n', "; "));
            Problem { span: error.span(), ..Problem::outside(message) }
        };
        return Err(errors.into_iter().map(problem).collect());
    }
    let mut problems = Vec::new();
    let top = Keys::open(document.get_ref(), "the manifest", &SECTIONS, &mut problems);
    let manifest = sections(&top, path, text, &mut problems);
    match manifest {
        Some(manifest) if problems.is_empty() => Ok(manifest),
        _ => Err(problems),
    }
}

fn sections(
    top: &Keys<'_>,
    path: &Path,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<Manifest> {
    let job = top.read("job", problems, job);
    if top.get("job").is_none() {
        problems.push(
            Problem::at(0..0, "the manifest has no `[job]`")
                .help("begin with `[job]` and `name = \"…\"`"),
        );
    }
    let defaults = top.read("defaults", problems, defaults);
    let params = top.read("params", problems, |item, p| each(item, p, param));
    let components = top.read("components", problems, |item, p| each(item, p, component));
    let pools = top.read("pools", problems, |item, p| each(item, p, pool));
    let graphs = top.read("graphs", problems, |item, p| each(item, p, graph));
    let body = body::read(top, false, problems);
    if top.get("nodes").is_none() && top.all_known {
        problems.push(
            Problem::at(0..0, "the job has no nodes")
                .help("add `[nodes.NAME]` with `op = \"component/op\"`"),
        );
    }
    let (name, description, max_concurrency) = job?;
    Some(Manifest {
        path: path.to_owned(),
        text: text.into(),
        name,
        description,
        max_concurrency,
        defaults: defaults.unwrap_or_default(),
        params: params.unwrap_or_default(),
        components: components.unwrap_or_default(),
        pools: pools.unwrap_or_default(),
        graphs: graphs.unwrap_or_default(),
        body,
    })
}

/// Reads every entry of a table of named things.
pub(super) fn each<'a, T>(
    item: &Item<'a>,
    problems: &mut Vec<Problem>,
    mut read: impl FnMut(&Item<'a>, &mut Vec<Problem>) -> Option<T>,
) -> Option<Vec<T>> {
    let table = item::table(item, problems)?;
    Some(item::items(table).iter().filter_map(|entry| read(entry, problems)).collect())
}

fn job(
    item: &Item<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(Spanned<String>, String, Option<u32>)> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`[job]`", &["name", "description", "max_concurrency"], problems);
    let description = keys.read("description", problems, item::plain_text).unwrap_or_default();
    let max_concurrency = keys.read("max_concurrency", problems, item::count);
    let Some(name) = keys.get("name") else {
        problems.push(
            Problem::at(item.key_span.clone(), "the job has no name")
                .help("add `name = \"…\"` under `[job]`"),
        );
        return None;
    };
    let name = item::text(name, problems)?;
    item::check(&name.value, &name.span, "a job", problems);
    Some((name, description, max_concurrency))
}

fn defaults(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Defaults> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`[defaults]`", &["limits", "timeout"], problems);
    Some(Defaults {
        limits: keys.read("limits", problems, policy::limits).unwrap_or_default(),
        timeout: keys.read("timeout", problems, policy::timeout),
    })
}

fn param(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Param> {
    let name = item::name(item, "a param", problems);
    let table = item::table(item, problems)?;
    let what = format!("param `{}`", item.key);
    let keys = Keys::open(table, &what, &["type", "schema", "default", "description"], problems);
    let from_type = keys.read("type", problems, param_type);
    let inline = keys.read("schema", problems, schema);
    if let (Some(_), Some(second)) = (keys.get("type"), keys.get("schema")) {
        problems.push(
            Problem::at(second.key_span.clone(), format!("{what} has both `type` and `schema`"))
                .help("keep one: `schema` can hold the `type`"),
        );
    }
    Some(Param {
        name,
        description: keys.read("description", problems, item::plain_text).unwrap_or_default(),
        schema: from_type.or(inline).map(Arc::new),
        default: keys.read("default", problems, |item, problems| {
            Some(Spanned::new(item::json(item, problems)?, item.span.clone()))
        }),
    })
}

fn param_type(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Json> {
    let text = item::text(item, problems)?;
    if TYPES.contains(&text.value.as_str()) {
        return Some(json!({ "type": text.value }));
    }
    let mut problem = Problem::at(text.span, format!("`{}` is not a JSON Schema type", text.value));
    problem.label = format!("expected {}", listed(TYPES));
    problem.help = Some(match nearest(&text.value, TYPES) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the types are {}", listed(TYPES)),
    });
    problems.push(problem);
    None
}

fn schema(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Json> {
    if !matches!(item.value, DeValue::Table(_) | DeValue::Boolean(_)) {
        item::expected(item, "a JSON Schema as a table", problems);
        return None;
    }
    let schema = item::json(item, problems)?;
    if let Err(error) = crate::schema::validator(&schema) {
        problems.push(
            Problem::at(item.key_span.clone(), format!("this is not a JSON Schema: {error}"))
                .label("not a JSON Schema"),
        );
        return None;
    }
    Some(schema)
}

fn component(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Component> {
    let alias = item::name(item, "a component", problems);
    if let DeValue::String(_) = item.value {
        let path = item::text(item, problems)?;
        return Some(Component { alias, path, sha256: None, build: None });
    }
    let DeValue::Table(table) = item.value else {
        item::expected(item, "a path, or a table with `path`", problems);
        return None;
    };
    let what = format!("component `{}`", item.key);
    let keys = Keys::open(table, &what, &["path", "sha256", "build"], problems);
    let sha256 = keys.read("sha256", problems, digest);
    let build = keys.read("build", problems, build);
    let Some(path) = keys.get("path") else {
        problems.push(
            Problem::at(item.key_span.clone(), format!("{what} has no `path`"))
                .help("add `path = \"….wasm\"`, relative to the manifest"),
        );
        return None;
    };
    Some(Component { alias, path: item::text(path, problems)?, sha256, build })
}

fn digest(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Spanned<String>> {
    let text = item::text(item, problems)?;
    if text.value.len() == 64 && text.value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(Spanned::new(text.value.to_ascii_lowercase(), text.span));
    }
    problems.push(
        Problem::at(text.span, "`sha256` must be a digest of 64 hexadecimal digits")
            .help("`sha256sum FILE` prints it"),
    );
    None
}

fn build(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Build> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`build`", &["command", "dir", "sources"], problems);
    let dir = keys.read("dir", problems, item::text);
    let sources = keys.read("sources", problems, item::texts).unwrap_or_default();
    let Some(command) = keys.get("command") else {
        problems.push(
            Problem::at(item.key_span.clone(), "`build` has no `command`")
                .help("add `command = \"…\"`, what makes the component's file"),
        );
        return None;
    };
    Some(Build { command: item::text(command, problems)?, dir, sources })
}

fn pool(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<(Spanned<String>, u32)> {
    let name = item::name(item, "a pool", problems);
    Some((name, item::count(item, problems)?))
}

fn graph(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Graph> {
    let name = item::name(item, "a graph", problems);
    let table = item::table(item, problems)?;
    let what = format!("graph `{}`", item.key);
    let keys = Keys::open(table, &what, &["description", "inputs", "nodes", "outputs"], problems);
    let inputs = keys.read("inputs", problems, |item, p| each(item, p, graph_input));
    Some(Graph {
        name,
        description: keys.read("description", problems, item::plain_text).unwrap_or_default(),
        inputs: inputs.unwrap_or_default(),
        body: body::read(&keys, true, problems),
    })
}

fn graph_input(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<GraphInput> {
    let name = item::name(item, "an input of a graph", problems);
    let table = item::table(item, problems)?;
    let what = format!("input `{}`", item.key);
    let keys = Keys::open(table, &what, &["description"], problems);
    let description = keys.read("description", problems, item::plain_text).unwrap_or_default();
    Some(GraphInput { name, description })
}
