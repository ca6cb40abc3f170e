//! `dynhost runs`: the history.

mod cancel;
mod events;
mod list;
mod logs;
mod output;
mod prune;
mod show;

use clap::{Args, Subcommand};
use dynhost::store::sqlite::SqliteStore;

use super::state::StateArgs;
use crate::error::Error;
use crate::report::Console;

/// The history: list runs, look into them, take their outputs, remove them
///
/// A run is named by its id, by the beginning of it, or by `last`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs list --status failed
  dynhost runs show last
  dynhost runs show last --steps --status failed
  dynhost runs output last total
  dynhost runs prune --older-than 30d")]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Events(events::EventsArgs),
    Logs(logs::LogsArgs),
    Output(output::OutputArgs),
    Cancel(cancel::CancelArgs),
    Prune(prune::PruneArgs),
}

pub(super) fn execute(arguments: &RunsArgs, console: Console) -> Result<u8, Error> {
    let state = arguments.state.find()?;
    let open = || state.open();
    let read = || state.read();
    match &arguments.verb {
        Verb::List(arguments) => list::execute(arguments, &read()?, console)?,
        Verb::Show(arguments) => show::execute(arguments, &read()?, console)?,
        Verb::Events(arguments) => events::execute(arguments, &read()?, console)?,
        Verb::Logs(arguments) => logs::execute(arguments, &read()?, console)?,
        Verb::Output(arguments) => output::execute(arguments, &state, console)?,
        Verb::Cancel(arguments) => cancel::execute(arguments, &open()?, console)?,
        Verb::Prune(arguments) => prune::execute(arguments, &open()?, console)?,
    }
    Ok(0)
}

/// Says how to see what a limit leaves out.
fn say_more(console: Console, what: &str) {
    console.say(&format!("{} {what}", crate::report::cyan("more:")));
}

fn resolve(store: &SqliteStore, run: &str) -> Result<String, Error> {
    Ok(store.resolve(run)?)
}
