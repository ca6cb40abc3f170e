//! Why events, values or entries cannot be kept or read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why events, values or entries cannot be kept or read.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    /// What was tried, such as "keep events".
    what: String,
    path: Option<PathBuf>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What is the matter with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It was written by a later version of dynhost.
    Newer {
        /// The version of its schema.
        found: u32,
        /// The latest version that this program knows.
        known: u32,
    },
    /// Another process keeps it locked.
    Locked,
    /// What is in it is not what was written.
    Damaged,
    /// It cannot be written to.
    ReadOnly,
    /// There is no room left.
    Full,
    /// It is not there, or no longer.
    Missing,
    /// There is no such run, step or output in it.
    Unknown,
    /// Another process is at this run.
    Busy,
    /// Anything else.
    Other,
}

impl StoreError {
    /// An error of this kind while `what` was tried, such as "keep events".
    #[must_use]
    pub fn new(kind: StoreErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), path: None, source: None }
    }

    /// The same error with the file or folder that it is about.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_path_buf());
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(cause));
        self
    }

    /// The store was dropped with the events.
    pub(crate) fn gone() -> Self {
        Self::new(StoreErrorKind::Missing, "keep events, since it was closed")
    }

    /// What is the matter.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What can be done about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self.kind {
            StoreErrorKind::Newer { .. } => {
                "use the version of dynhost that wrote it or a later one, or name another state folder"
            }
            StoreErrorKind::Locked => {
                "a program holds it open for writing; end that program, or name another state folder"
            }
            StoreErrorKind::Damaged => {
                "restore the state folder from a backup, or name another one"
            }
            StoreErrorKind::ReadOnly => {
                "allow writing there, name another state folder, or keep nothing with `--ephemeral`"
            }
            StoreErrorKind::Full => {
                "make room on that disk, then `dynhost resume` goes on with the run"
            }
            StoreErrorKind::Missing => {
                "nothing of a store that was taken away can be resumed; runs need the state folder to stay where it is"
            }
            StoreErrorKind::Busy => "wait for that process to end, or end it",
            StoreErrorKind::Unknown | StoreErrorKind::Other => return None,
        })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            StoreErrorKind::Newer { found, known } => {
                return write!(
                    f,
                    "the run store{} has version {found} of the schema, and this program knows versions up to {known}",
                    Place(self.path.as_deref())
                );
            }
            StoreErrorKind::Unknown => return f.write_str(&self.what),
            StoreErrorKind::Locked => ": it is locked by another process",
            StoreErrorKind::Damaged => ": it is damaged",
            StoreErrorKind::ReadOnly => ": it is read-only",
            StoreErrorKind::Full => ": there is no room left",
            StoreErrorKind::Missing => ": it is not there",
            StoreErrorKind::Busy => ": another process is at this run",
            StoreErrorKind::Other => "",
        };
        write!(f, "the run store{} cannot {}{why}", Place(self.path.as_deref()), self.what)
    }
}

/// Where the store is, as a part of a sentence.
struct Place<'a>(Option<&'a Path>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, " `{}`", path.display()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}
