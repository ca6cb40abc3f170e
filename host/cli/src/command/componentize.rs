//! `dynhost componentize`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dynhost::component::{Preview1, Recipe, World, componentize};
use dynhost::graph::event::bytes_in_words;
use serde_json::json;

use crate::error::Error;
use crate::report::Console;

/// Make a component of a core module
///
/// A module says which world it implements in a `component-type` section, which the binding generators put there. One that
/// exports the op interface needs none, and for any other world `--wit` and `--world` name it. A module made for WASI preview
/// 1 (by wasi-libc, or Go) gets an answer to its calls inside the component: the clock counts its own readings, randomness
/// is a fixed sequence, what is printed goes to the step's log, and there are no files, so that its ops stay pure. `dynhost`
/// loads core modules as well, with this answer; this command is for seeing what comes of them, and for the other choices.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost componentize op.wasm --out op.component.wasm
  dynhost componentize op.wasm --out op.component.wasm --wasi real
  dynhost componentize op.wasm --out op.component.wasm --wit wit/ --world component")]
pub(crate) struct ComponentizeArgs {
    /// The core module, a .wasm file, or a .wat file in the text format
    module: PathBuf,
    /// Where the component is written
    // Not `-o` as well, which is the form of what goes to stdout in every command.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What answers calls of WASI preview 1
    #[arg(long, value_enum, value_name = "WHAT", default_value = "stub")]
    wasi: Wasi,
    /// The WIT file or folder that holds the module's world, if the module does not say it
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// The name of the world, if there are several
    #[arg(long, value_name = "NAME", requires = "wit")]
    world: Option<String>,
}

/// What answers calls of WASI preview 1.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wasi {
    /// A stub inside the component: its ops stay pure
    Stub,
    /// The host, with what a manifest grants
    Real,
    /// Nothing: a module that makes such calls is refused
    None,
}

pub(super) fn execute(arguments: &ComponentizeArgs, console: Console) -> Result<u8, Error> {
    let recipe = Recipe {
        preview1: match arguments.wasi {
            Wasi::Stub => Preview1::Stub,
            Wasi::Real => Preview1::Real,
            Wasi::None => Preview1::Nothing,
        },
        world: arguments
            .wit
            .as_ref()
            .map(|wit| World { wit: wit.clone(), name: arguments.world.clone() }),
    };
    let component = componentize(&arguments.module, &recipe)?;
    let out = arguments.out.display();
    std::fs::write(&arguments.out, &component)
        .map_err(|error| Error::failed(format!("`{out}` cannot be written: {error}")))?;
    let size = component.len() as u64;
    if console.is_json() {
        console.print_json(&json!({ "component": arguments.out, "size": size }))?;
    } else {
        console.say(&format!("`{out}` is a component of {}", bytes_in_words(size)));
    }
    Ok(0)
}
