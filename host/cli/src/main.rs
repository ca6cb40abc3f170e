//! The command `dynhost`: the library in words for people.
//!
//! Only this crate writes to a terminal and chooses exit codes. It uses nothing that another
//! embedder of the library cannot use. Results go to stdout, everything for the eye to stderr.

mod bug;
mod cli;
mod command;
mod error;
mod language;
mod report;
mod signals;
mod toolchain;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::report::Console;

/// A step's small allocations come from one thread and go back on another, which the system's
/// allocator takes its time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bug::watch();
    let code = match std::panic::catch_unwind(start) {
        Ok(code) if !bug::seen() => code,
        _ => bug::EXIT_CODE,
    };
    ExitCode::from(code)
}

fn start() -> u8 {
    let arguments: Vec<_> = std::env::args_os().collect();
    cli::settle_color(&arguments);
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let console = Console::new(cli.output);
            match command::execute(cli.command, console) {
                Ok(code) => code,
                Err(error) => console.failed(&error),
            }
        }
        Err(error) => cli::not_understood(&error, &arguments),
    }
}
