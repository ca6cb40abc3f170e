//! A run that is kept while it is under way.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dynhost::cache::Cache;
use dynhost::graph::event::{RunStatus, bytes_in_words};
use dynhost::store::StoreErrorKind;
use dynhost::store::history::Prune;
use dynhost::store::sqlite::{RunLock, SqliteStore};
use dynhost::{RunError, RunOptions};

use super::quantity::{age, size};
use super::state::State;
use crate::error::Error;
use crate::report::{Console, cyan, dim};

/// How much of the cache stays after a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct CacheArgs {
    /// Keep at most so much of earlier successes; what was not used for longest goes first
    #[arg(long, value_name = "SIZE", env = "DYNHOST_CACHE_SIZE", value_parser = size)]
    #[arg(default_value = "2GiB", help_heading = "Cache")]
    cache_size: u64,
    /// Forget earlier successes that were not used for so long
    #[arg(long, value_name = "AGE", env = "DYNHOST_CACHE_AGE", value_parser = age)]
    #[arg(default_value = "30d", help_heading = "Cache")]
    cache_age: Duration,
}

/// The state folder of a run, and the lock on the run.
pub(crate) struct Kept {
    state: State,
    store: SqliteStore,
    lock: RunLock,
    run: String,
    /// Whether earlier successes are reused.
    cache: bool,
}

impl Kept {
    /// Takes a run for this process.
    pub(crate) fn new(
        state: State,
        store: SqliteStore,
        run: &str,
        cache: bool,
    ) -> Result<Self, Error> {
        let lock = store.lock(run)?;
        Ok(Self { state, store, lock, run: run.to_owned(), cache })
    }

    pub(crate) fn lock(&self) -> &RunLock {
        &self.lock
    }

    pub(crate) fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// Says in the options of the run where it is kept.
    pub(crate) fn settle(&self, options: &mut RunOptions) {
        let cache = || Arc::new(self.store.clone()) as Arc<dyn Cache>;
        options.id = Some(self.run.clone());
        options.store = Arc::new(self.store.clone());
        options.cache = self.cache.then(cache);
    }

    /// Says how to go on with a run that did not succeed.
    pub(crate) fn say_how_to_go_on(&self, status: RunStatus, console: Console) {
        let (run, flag) = (&self.run, self.state.flag());
        let how = match status {
            RunStatus::Succeeded => return,
            RunStatus::Failed => {
                format!(
                    "`dynhost rerun {run} --from-failure{flag}` runs again what did not succeed"
                )
            }
            _ => format!("`dynhost resume {run}{flag}` goes on with it"),
        };
        console.say(&format!("{} {how}", cyan("help:")));
    }

    /// The error of a run that broke off, with how to go on.
    pub(crate) fn broke_off(&self, error: RunError) -> Error {
        let (run, flag) = (&self.run, self.state.flag());
        let go_on = format!("`dynhost resume {run}{flag}` goes on with the run");
        let help = match &error {
            RunError::Store(error) => match error.kind() {
                StoreErrorKind::Full => {
                    format!("make room on that disk; then {go_on}")
                }
                // There is nothing to go on with, or somebody else does.
                StoreErrorKind::Missing | StoreErrorKind::Busy | StoreErrorKind::Unknown => {
                    return Error::Store(error.clone());
                }
                _ => match error.help() {
                    Some(help) => format!("{help}; then {go_on}"),
                    None => go_on,
                },
            },
            RunError::Lost(_) => go_on,
            _ => return error.into(),
        };
        Error::Run { error, help: Some(help) }
    }

    /// Makes the cache as small as it is to be. That it cannot be is no failure of the run.
    pub(crate) fn trim(&self, arguments: &CacheArgs, console: Console) {
        if !self.cache {
            return;
        }
        self.store.flush();
        let what = Prune {
            cache_older_than: Some(arguments.cache_age),
            cache_bytes: Some(arguments.cache_size),
            ..Prune::default()
        };
        match self.store.prune(&what) {
            Ok(pruned) if pruned.cache_entries > 0 => {
                let entries = crate::report::words::number(pruned.cache_entries);
                let bytes = bytes_in_words(pruned.object_bytes);
                let line = format!("removed from the cache: {entries} earlier successes, {bytes}");
                console.say(&dim(&line));
            }
            Ok(_) => {}
            Err(error) => {
                let why = crate::error::chain(&error);
                console.say(&format!("the cache is as large as it was: {why}"));
            }
        }
    }
}
