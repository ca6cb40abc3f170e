//! `dynhost graph`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dynhost::graph::manifest::Manifest;

use super::{host, read_manifest};
use crate::error::Error;
use crate::report::Console;
use crate::report::drawing::{self, Ops, dot, mermaid, text};

/// Show the graph of a manifest
///
/// It is drawn as the manifest has it, whether or not its components are built; where one cannot be
/// loaded, a map over the outputs of clones is taken for one clone each, and this is said.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost graph job.toml
  dynhost graph job.toml --format mermaid > job.mmd
  dynhost graph job.toml --format dot | dot -Tsvg > job.svg")]
pub(crate) struct GraphArgs {
    /// The manifest
    manifest: PathBuf,
    /// How it is drawn; `-o json` is the same as `--format json`
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// A Mermaid flowchart
    Mermaid,
    /// The language of Graphviz
    Dot,
    /// Nodes with what feeds them
    Json,
}

pub(super) fn execute(arguments: &GraphArgs, console: Console) -> Result<u8, Error> {
    let manifest = read_manifest(&arguments.manifest)?;
    let drawing = drawing::draw(&manifest, &ops(&manifest, console)?);
    match arguments.format {
        Format::Json => console.print_json(&drawing)?,
        Format::Text if console.is_json() => console.print_json(&drawing)?,
        Format::Text => console.print(&text::render(&drawing))?,
        Format::Mermaid => console.print(&mermaid::render(&drawing))?,
        Format::Dot => console.print(&dot::render(&drawing))?,
    }
    Ok(0)
}

/// The ops of the components that can be loaded; says which cannot.
fn ops(manifest: &Manifest, console: Console) -> Result<Ops, Error> {
    let host = host()?;
    let base = manifest.path.parent().unwrap_or(Path::new(""));
    let mut ops = Ops::new();
    for component in &manifest.components {
        let alias = &component.alias.value;
        match host.load(&base.join(&component.path.value)) {
            Ok(loaded) => {
                ops.insert(alias.clone(), loaded.ops().to_vec());
            }
            Err(error) => console.say(&format!("drawn without component `{alias}`: {error}")),
        }
    }
    Ok(ops)
}
