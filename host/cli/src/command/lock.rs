//! `dynhost lock`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use dynhost::lock::Lock;
use serde_json::json;

use super::read_manifest;
use crate::error::Error;
use crate::report::{Console, words};

/// Write down which components a job has, by digest
///
/// `dynhost.lock` beside the manifest then names the digest of every component file; `dynhost run --locked`
/// refuses any other. Manifests in one folder share the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost lock job.toml
  dynhost run job.toml --locked")]
pub(crate) struct LockArgs {
    /// The manifest
    manifest: PathBuf,
}

pub(super) fn execute(arguments: &LockArgs, console: Console) -> Result<u8, Error> {
    let manifest = read_manifest(&arguments.manifest)?;
    let changed = Lock::update(&manifest).map_err(|error| Error::lock(&error, &manifest.path))?;
    let path = Lock::path(&manifest.path);
    if console.is_json() {
        console.print_json(&json!({ "lock": path, "changed": changed }))?;
        return Ok(0);
    }
    let components = manifest.components.iter().filter(|component| Lock::covers(component));
    let components = words::count(components.count() as u64, "component");
    let mut text = format!("{}: {components}, {} changed\n", path.display(), changed.len());
    for component in &changed {
        let _ = writeln!(text, "  {component}");
    }
    console.print(&text)?;
    Ok(0)
}
