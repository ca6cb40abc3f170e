//! `dynhost runs output`.

use clap::Args;
use dynhost::graph::scheduler::JobOutputValue;
use dynhost::store::history::RunState;

use crate::command::ending;
use crate::command::state::State;
use crate::error::Error;
use crate::report::outputs::{self, Outputs, Save};
use crate::report::past::{self, Past};
use crate::report::{Console, summary, words};

/// Print the outputs of a run that has ended
///
/// As `dynhost run` did; with a name, the value alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs output last
  dynhost runs output last total
  dynhost runs output last --save sheet=sheet.png
  dynhost runs output last -o json | jq .total")]
pub(super) struct OutputArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The output; default: all
    name: Option<String>,
    /// Write an output to a file as it is; `-` is stdout. A list of values that are not JSON becomes a
    /// folder with a file for each
    #[arg(long, value_name = "NAME=FILE")]
    save: Vec<Save>,
}

pub(super) fn execute(
    arguments: &OutputArgs,
    state: &State,
    console: Console,
) -> Result<(), Error> {
    let store = state.read()?;
    let run = super::resolve(&store, &arguments.run)?;
    let status = store.run(&run)?.status;
    if matches!(status, RunState::Running | RunState::Interrupted) {
        let message = format!("run `{run}` has no outputs yet: it is {}", summary::state(status));
        let help = match status {
            RunState::Running => "wait for its end".to_owned(),
            _ => format!("`dynhost resume {run}{}` goes on with it", state.flag()),
        };
        return Err(Error::failed(message).with_help(help));
    }
    let mut all = past::outputs(&Past::read(&store, &run)?.outputs);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    outputs::check_saves(&arguments.save, &names, console.is_json())?;
    if let Some(wanted) = &arguments.name {
        if !names.contains(&wanted.as_str()) {
            let message = format!("run `{run}` has no output `{wanted}`");
            let names = words::listed(names);
            return Err(Error::usage(message).with_help(format!("outputs: {names}")));
        }
        all.retain(|(name, _)| name == wanted || arguments.save.iter().any(|one| one.is(name)));
    }
    let present = ending::say_absent(all, console);
    let Some(wanted) = &arguments.name else {
        if console.is_json() {
            present.save(&arguments.save, console)?;
            return console.print_json(&present.to_object(false));
        }
        return ending::print(&present, &arguments.save, console);
    };
    let to_stdout = present.save(&arguments.save, console)?;
    let value = present.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    match value {
        Some(value) if !to_stdout => print_one(wanted, value, console),
        _ => Ok(()),
    }
}

/// Prints one value without its name.
fn print_one(name: &str, value: &JobOutputValue, console: Console) -> Result<(), Error> {
    let one = Outputs(vec![(name.to_owned(), value.clone())]);
    if console.is_json() {
        let object = serde_json::to_value(one.to_object(false)).unwrap_or_default();
        return console.print_json(&object[name]);
    }
    let text = one.to_text();
    // What stands on lines of its own stays as it is.
    let text = text.strip_prefix(name).and_then(|text| text.strip_prefix(':')).unwrap_or(&text);
    console.print(text.trim_start_matches([' ', '\n']))?;
    ending::say_how_to_save(&one, &[], console);
    Ok(())
}
