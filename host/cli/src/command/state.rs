//! Where runs and cache are kept.

use std::path::{Path, PathBuf};

use clap::Args;
use dynhost::store::sqlite::SqliteStore;

use crate::error::Error;
use crate::report::words;

pub(super) const NAME: &str = ".dynhost";
const VARIABLE: &str = "DYNHOST_STATE_DIR";

/// Where a run that is there is looked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct StateArgs {
    /// Where runs are kept; default: `.dynhost` here or in the nearest folder above
    #[arg(long, value_name = "DIR", env = VARIABLE, global = true)]
    state_dir: Option<PathBuf>,
}

/// Where a new run is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct NewStateArgs {
    /// Where runs and cache are kept; default: `.dynhost` beside the manifest
    #[arg(long, value_name = "DIR", env = VARIABLE)]
    state_dir: Option<PathBuf>,
    /// Write nothing: the run cannot be resumed, and nothing is taken from earlier ones
    #[arg(long)]
    ephemeral: bool,
}

/// A state folder.
#[derive(Debug, Clone)]
pub(crate) struct State {
    folder: PathBuf,
}

impl StateArgs {
    /// The folder, which is there.
    pub(crate) fn find(&self) -> Result<State, Error> {
        if let Some(folder) = &self.state_dir {
            if is_state(folder) {
                return Ok(State { folder: folder.clone() });
            }
            let shown = folder.display();
            let message = match std::fs::metadata(folder) {
                Ok(metadata) if metadata.is_dir() => format!("no runs are kept in `{shown}`"),
                Ok(_) => format!("`{shown}` is no state folder"),
                Err(_) => format!("there is no state folder `{shown}`"),
            };
            let named = std::env::var_os(VARIABLE).is_some_and(|value| *folder == value);
            let by = if named { format!(", which {VARIABLE} names") } else { String::new() };
            return Err(Error::usage(message + &by).with_help(
                "name the folder that `dynhost run` kept the run in, most often `.dynhost` beside the manifest",
            ));
        }
        let here = std::env::current_dir().unwrap_or_default();
        nearest(&here).map(|folder| State { folder }).ok_or_else(|| {
            let here = here.display();
            let message =
                format!("no runs are kept in `{here}` or a folder above it: there is no `{NAME}`");
            Error::usage(message).with_help(format!(
                "runs are kept beside their manifest: go there, or name the folder with `--state-dir DIR` or {VARIABLE}"
            ))
        })
    }
}

impl NewStateArgs {
    /// The folder for runs of a manifest; `None`: nothing is to be written.
    pub(crate) fn of(&self, manifest: &Path) -> Result<Option<State>, Error> {
        if self.ephemeral {
            let by_variable = self.state_dir.as_ref().is_some_and(|folder| {
                std::env::var_os(VARIABLE).is_some_and(|value| *folder == value)
            });
            if self.state_dir.is_some() && !by_variable {
                return Err(Error::usage(
                    "`--ephemeral` writes nothing, and `--state-dir` says where to write",
                )
                .with_help("leave out one of them"));
            }
            return Ok(None);
        }
        let beside = || manifest.parent().unwrap_or(Path::new("")).join(NAME);
        let folder = self.state_dir.clone().unwrap_or_else(beside);
        Ok(Some(State { folder }))
    }
}

/// Where runs of a manifest in this folder are kept.
pub(super) fn default_folder() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from(NAME), PathBuf::from)
}

/// The state folder in a folder or in the nearest one above it.
fn nearest(here: &Path) -> Option<PathBuf> {
    here.ancestors().map(|folder| folder.join(NAME)).find(|folder| is_state(folder))
}

/// Whether any run was ever kept in a folder.
fn is_state(folder: &Path) -> bool {
    folder.join("runs.db").exists()
}

impl State {
    /// Opens the folder for reading and writing, and makes it where it is not there.
    pub(crate) fn open(&self) -> Result<SqliteStore, Error> {
        let is_new = !self.folder.exists();
        let store = SqliteStore::open(&self.folder)?;
        if is_new && self.folder.file_name().is_some_and(|name| name == NAME) {
            // What runs leave behind is nothing for a repository; one that is kept there all the
            // same is no reason to stop.
            let _ = std::fs::write(self.folder.join(".gitignore"), "*\n");
        }
        Ok(store)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the folder for reading.
    pub(crate) fn read(&self) -> Result<SqliteStore, Error> {
        Ok(SqliteStore::open_read_only(&self.folder)?)
    }

    /// The flag with which later commands find the folder from here; empty where they need none.
    pub(crate) fn flag(&self) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let same = |folder: &Path| {
            let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            whole(folder) == whole(&self.folder)
        };
        let found = match std::env::var_os(VARIABLE) {
            Some(folder) => same(Path::new(&folder)),
            None => nearest(&here).is_some_and(|folder| same(&folder)),
        };
        if found {
            return String::new();
        }
        format!(" --state-dir {}", words::argument(&self.folder.display().to_string()))
    }
}

/// A path as it is shortest from here.
pub(crate) fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}
