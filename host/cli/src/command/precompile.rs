//! `dynhost precompile`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::builder;
use crate::error::Error;
use crate::report::Console;

/// Compile components for programs that cannot
///
/// A program that embeds dynhost without the feature `compile` has no compiler in it, and loads only what is in its code
/// cache. This command puts it there, with and without the counting of fuel. The program must be built with the same version
/// of dynhost, and run on a processor that has all that this one has; it refuses other code.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost precompile ops/*.wasm --into code")]
pub(crate) struct PrecompileArgs {
    /// The components
    #[arg(required = true)]
    components: Vec<PathBuf>,
    /// The folder of compiled code, which is made private to you
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
}

pub(super) fn execute(arguments: &PrecompileArgs, console: Console) -> Result<u8, Error> {
    let host = builder().code_cache(&arguments.into).build()?;
    let mut made = Vec::new();
    for component in &arguments.components {
        made.push((component, host.precompile(component)?));
    }
    if console.is_json() {
        let components = made.iter();
        let components: Vec<_> = components
            .map(|(component, files)| json!({ "component": component, "files": files }))
            .collect();
        console.print_json(&json!({ "components": components }))?;
        return Ok(0);
    }
    let mut text = String::new();
    for file in made.iter().flat_map(|(_, files)| files) {
        let _ = writeln!(text, "{}", file.display());
    }
    console.print(&text)?;
    Ok(0)
}
