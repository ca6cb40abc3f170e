//! What `SQLite` and files say of a failure, in the words of the store.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::store::{StoreError, StoreErrorKind};

/// Why something in here did not work, before it is known what it was for.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    File(PathBuf, io::Error),
    /// What cannot be done, since what is there is not what was written; and how that shows.
    Damaged(String, String),
    Store(StoreError),
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How damage shows, as the cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Finding(pub(super) String);

impl Fault {
    /// A failure at a file or folder.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::File(path, error)
    }

    /// The failure of an attempt to do `what` with the store whose database is at `path`.
    pub(super) fn during(self, what: &str, path: &Path) -> StoreError {
        match self {
            Self::Sql(error) => {
                StoreError::new(sql_kind(&error, path), what).at(path).because(error)
            }
            Self::File(file, error) => {
                StoreError::new(file_kind(&error), what).at(&file).because(error)
            }
            Self::Damaged(what, finding) => {
                StoreError::new(StoreErrorKind::Damaged, what).at(path).because(Finding(finding))
            }
            Self::Store(error) => error,
        }
    }
}

fn sql_kind(error: &rusqlite::Error, path: &Path) -> StoreErrorKind {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return match error {
            // A column that does not hold what was put there.
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..) => StoreErrorKind::Damaged,
            _ => StoreErrorKind::Other,
        };
    };
    match failure.extended_code {
        ffi::SQLITE_READONLY_DBMOVED => return StoreErrorKind::Missing,
        // The index of the write-ahead log cannot grow.
        ffi::SQLITE_IOERR_SHMSIZE => return StoreErrorKind::Full,
        ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS => {
            return StoreErrorKind::Damaged;
        }
        _ => {}
    }
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Locked,
        ErrorCode::DiskFull => StoreErrorKind::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Damaged,
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure if !path.exists() => {
            StoreErrorKind::Missing
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            StoreErrorKind::ReadOnly
        }
        // Two rows for the same event.
        ErrorCode::ConstraintViolation => StoreErrorKind::Busy,
        _ => StoreErrorKind::Other,
    }
}

fn file_kind(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => StoreErrorKind::Missing,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreErrorKind::ReadOnly
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Other,
    }
}
