//! `dynhost runs events`.

use std::ops::ControlFlow;

use clap::Args;
use dynhost::store::sqlite::SqliteStore;

use crate::error::Error;
use crate::report::Console;

/// Print everything that happened in a run, one JSON object per line
///
/// The format is the one of the history and of `dynhost run --events FILE`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs events last | jq -c 'select(.event == \"step_failed\")'
  dynhost runs events last --from 1000 --limit 100")]
pub(super) struct EventsArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Begin with the event at this place; the first is at 0
    #[arg(long, value_name = "N", default_value = "0")]
    from: u64,
    /// So many at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(super) fn execute(
    arguments: &EventsArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let run = super::resolve(store, &arguments.run)?;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut lines = console.lines();
    let mut written = Ok(true);
    if left > 0 {
        store.read_from(&run, arguments.from, &mut |recorded| {
            written = lines.json(&recorded);
            left -= 1;
            match written {
                Ok(true) if left > 0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
    }
    written?;
    lines.end()
}
