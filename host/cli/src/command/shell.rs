//! Completions and manual pages, from the definitions of the command line.

use std::path::Path;

use clap_complete::Shell;

use crate::cli;
use crate::error::Error;
use crate::report::Console;

pub(super) fn completions(shell: Shell, console: Console) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::definitions(), "dynhost", &mut script);
    console.print_bytes(&script)?;
    Ok(0)
}

pub(super) fn man(folder: &Path) -> Result<u8, Error> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(cli::definitions(), folder));
    let failed = |error| {
        Error::failed(format!("manual pages cannot be written to `{}`: {error}", folder.display()))
    };
    written.map_err(failed)?;
    Ok(0)
}
