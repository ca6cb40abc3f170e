//! `dynhost runs prune`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use dynhost::graph::event::bytes_in_words;
use dynhost::store::history::{Prune, Pruned};
use dynhost::store::sqlite::SqliteStore;
use serde_json::json;

use crate::command::quantity::{age, size};
use crate::error::Error;
use crate::report::{Console, words};

/// Remove runs and earlier successes, and the values that nothing uses any more
///
/// A run is removed where every bound that is given says so. A run that is under way never is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs prune --older-than 30d
  dynhost runs prune --job word-count --keep 10 --dry-run
  dynhost runs prune 01JD3Q8F 01JD3QB2
  dynhost runs prune --cache-older-than 7d --cache-size 500MB")]
pub(super) struct PruneArgs {
    /// These runs: an id, the beginning of one, or `last`
    run: Vec<String>,
    /// Runs in which nothing has happened for so long, such as 30d; interrupted ones too
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// All runs that have ended but the newest so many
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Of runs of this job only
    #[arg(long)]
    job: Option<String>,
    /// Earlier successes in the cache that were not used for so long
    #[arg(long, value_name = "AGE", value_parser = age)]
    cache_older_than: Option<Duration>,
    /// Those of the cache that were not used for longest, until no more than this is left
    #[arg(long, value_name = "SIZE", value_parser = size)]
    cache_size: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn execute(
    arguments: &PruneArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let bounded =
        arguments.older_than.is_some() || arguments.keep.is_some() || !arguments.run.is_empty();
    let cache = arguments.cache_older_than.is_some() || arguments.cache_size.is_some();
    if !bounded && (!cache || arguments.job.is_some()) {
        return Err(nothing_said(arguments.job.is_some()));
    }
    let runs = arguments.run.iter().map(|run| store.resolve(run));
    let pruned = store.prune(&Prune {
        runs: runs.collect::<Result<_, _>>()?,
        older_than: arguments.older_than,
        keep: arguments.keep,
        job: arguments.job.clone(),
        cache_older_than: arguments.cache_older_than,
        cache_bytes: arguments.cache_size,
        dry_run: arguments.dry_run,
    })?;
    if console.is_json() {
        let Pruned { runs, cache_entries, objects, object_bytes } = &pruned;
        return console.print_json(&json!({
            "dry_run": arguments.dry_run,
            "runs": runs,
            "cache_entries": cache_entries,
            "objects": objects,
            "object_bytes": object_bytes,
        }));
    }
    console.print(&text(&pruned, arguments.dry_run))
}

fn nothing_said(job: bool) -> Error {
    let message = if job {
        "`--job` says of which job runs are removed, but not which of them"
    } else {
        "nothing says what is to be removed"
    };
    Error::usage(message).with_help(
        "name runs, or give a bound: `--older-than 30d`, `--keep 20`, `--cache-older-than 7d` or `--cache-size 500MB`; `--dry-run` only tells",
    )
}

fn text(pruned: &Pruned, dry_run: bool) -> String {
    let removed = if dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    for run in &pruned.runs {
        let _ = writeln!(text, "{removed} run {run}");
    }
    let entries = match pruned.cache_entries {
        1 => "1 entry".to_owned(),
        n => format!("{} entries", words::number(n)),
    };
    let runs = words::count(pruned.runs.len() as u64, "run");
    let objects = words::count(pruned.objects, "value");
    let bytes = bytes_in_words(pruned.object_bytes);
    let _ = writeln!(text, "{removed} {runs}, {entries} of the cache, {objects} ({bytes})");
    text
}
