//! `dynhost validate`.

use std::path::PathBuf;

use clap::Args;
use dynhost::graph::event::bytes_in_words;
use dynhost::graph::grant::Access;
use dynhost::graph::manifest::{Manifest, NodeEntry};
use dynhost::{Checked, Component};
use serde_json::{Value as Json, json};

use super::guard::{LockedArgs, PolicyArgs};
use super::params::ParamArgs;
use super::read_manifest;
use crate::error::Error;
use crate::report::{Console, words};

/// Check a manifest and its components without running anything
///
/// Everything that can be known beforehand is checked, and all mistakes are reported at once.
/// Params need no values here; given ones are checked too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost validate job.toml
  dynhost validate job.toml --param dir=/no/such/folder
  dynhost validate job.toml -o json | jq '.error.problems[].message'")]
pub(crate) struct ValidateArgs {
    /// The manifest
    manifest: PathBuf,
    #[command(flatten)]
    params: ParamArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    locked: LockedArgs,
}

pub(super) fn execute(arguments: &ValidateArgs, console: Console) -> Result<u8, Error> {
    let mut manifest = read_manifest(&arguments.manifest)?;
    arguments.locked.pin(&mut manifest)?;
    let given = arguments.params.given()?;
    let checked = arguments
        .policy
        .host()?
        .check(&manifest, &given)
        .map_err(|error| Error::prepare(error, Some(&manifest)))?;
    if console.is_json() {
        console.print_json(&to_json(&manifest, &checked))?;
    } else {
        console.print(&to_text(&manifest, &checked))?;
    }
    Ok(0)
}

/// All nodes, those of graphs under their path.
fn nodes(manifest: &Manifest) -> Vec<(String, &NodeEntry)> {
    let job = manifest.body.nodes.iter().map(|node| (node.name.value.clone(), node));
    let graphs = manifest.graphs.iter().flat_map(|graph| {
        let path = |node: &NodeEntry| format!("{}/{}", graph.name.value, node.name.value);
        graph.body.nodes.iter().map(move |node| (path(node), node))
    });
    job.chain(graphs).collect()
}

/// What a node is granted, in words.
fn may(node: &NodeEntry) -> Vec<String> {
    let grants = &node.settings.grants;
    let folders = grants.folders.iter().map(|folder| {
        let (host, guest) = (&folder.host.value, &folder.guest.value);
        format!("{} {host}, as {guest}", folder.access)
    });
    folders.chain(grants.others.iter().map(|grant| grant.to_string())).collect()
}

/// What a node is granted: kind and words, and of a folder its parts.
fn grants(name: &str, node: &NodeEntry) -> Vec<Json> {
    let grants = &node.settings.grants;
    let folders = grants.folders.iter().map(|folder| {
        json!({
            "kind": "fs",
            "host": folder.host.value,
            "guest": folder.guest.value,
            "access": match folder.access {
                Access::Read => "read",
                Access::ReadWrite => "read_write",
            },
        })
    });
    let others = grants.others.iter().map(|grant| json!({ "kind": grant.kind() }));
    let with_words = |(mut grant, may): (Json, String)| {
        grant["node"] = name.into();
        grant["may"] = may.into();
        grant
    };
    folders.chain(others).zip(may(node)).map(with_words).collect()
}

fn to_text(manifest: &Manifest, checked: &Checked) -> String {
    let components = &checked.components;
    let nodes = nodes(manifest);
    let mut lines = vec![format!(
        "{} is fine: job `{}`, {}, {}",
        manifest.path.display(),
        manifest.name.value,
        words::count(nodes.len() as u64, "node"),
        words::count(components.len() as u64, "component"),
    )];
    for param in manifest.params.iter().filter(|param| param.default.is_none()) {
        lines.push(format!("  param `{}` has to be given", param.name.value));
    }
    if let Some(admission) = &checked.admission {
        let (steps, memory) = (admission.max_concurrency, bytes_in_words(admission.memory));
        lines.push(format!("  at most {steps} steps run at once here, and all guests have {memory} of memory together"));
    }
    for (alias, component) in components {
        let ops = words::count(component.ops().len() as u64, "op");
        let purity = if component.is_pure() { "pure" } else { "imports WASI" };
        lines.push(format!("  component `{alias}`: {ops}, {purity}"));
    }
    for (name, node) in &nodes {
        lines.extend(may(node).iter().map(|may| format!("  node `{name}` may {may}")));
    }
    lines.join("\n") + "\n"
}

fn to_json(manifest: &Manifest, checked: &Checked) -> Json {
    let components = &checked.components;
    let component = |(alias, component): (&String, &Component)| {
        let ops: Vec<&str> = component.ops().iter().map(|op| op.name.as_str()).collect();
        json!({
            "alias": alias,
            "sha256": component.digest(),
            "pure": component.is_pure(),
            "ops": ops,
        })
    };
    let grants = nodes(manifest).into_iter().flat_map(|(name, node)| grants(&name, node));
    let names: Vec<String> = nodes(manifest).into_iter().map(|(name, _)| name).collect();
    let required = manifest.params.iter().filter(|param| param.default.is_none());
    json!({
        "valid": true,
        "job": manifest.name.value,
        "nodes": names,
        "components": components.iter().map(component).collect::<Vec<_>>(),
        "grants": grants.collect::<Vec<_>>(),
        "max_concurrency": checked.admission.as_ref().map(|admission| admission.max_concurrency),
        "memory": checked.admission.as_ref().map(|admission| admission.memory),
        "required_params": required.map(|param| param.name.value.as_str()).collect::<Vec<_>>(),
    })
}
