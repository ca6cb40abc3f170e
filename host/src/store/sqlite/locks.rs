//! Which runs a process is at, and how another asks it to cancel one.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::connect::Identity;
use super::fault::{Fault, Finding, Result};
use crate::store::{StoreError, StoreErrorKind};

/// The file that says who is at a run. It is locked as long as they are.
#[derive(Debug)]
pub(super) struct Lock {
    /// Holds the lock.
    _file: File,
    path: PathBuf,
    cancel: PathBuf,
}

/// How long somebody who only looks whether a file is locked may keep it locked.
const LOOK: Duration = Duration::from_millis(200);

impl Lock {
    pub(super) fn take(folder: &Path, run: &str) -> Result<Self> {
        let path = lock_path(folder, run)?;
        std::fs::create_dir_all(folder).map_err(Fault::file(folder))?;
        let begun = Instant::now();
        loop {
            let opened = File::options().read(true).append(true).create(true).open(&path);
            let mut file = opened.map_err(Fault::file(&path))?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => {
                    let cancel = cancel_path(folder, run)?;
                    remove(&cancel).map_err(Fault::file(&cancel))?;
                    let pid = std::process::id();
                    let written = file.set_len(0).and_then(|()| write!(file, "{pid}"));
                    written.map_err(Fault::file(&path))?;
                    return Ok(Self { _file: file, path, cancel });
                }
                // It was removed by who held it before.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOOK => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(busy(run, &mut file, &path)),
                Err(TryLockError::Error(error)) => return Err(Fault::file(&path)(error)),
            }
        }
    }

    /// Whether somebody asked to cancel the run.
    pub(super) fn cancel_requested(&self) -> bool {
        self.cancel.exists()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays behind is not locked, and removed with the run.
        let _ = remove(&self.cancel);
        let _ = remove(&self.path);
    }
}

/// Whether a process is at a run.
pub(super) fn is_locked(folder: &Path, run: &str) -> bool {
    let Ok(path) = lock_path(folder, run) else { return false };
    let Ok(file) = File::open(path) else { return false };
    // Shared, so that two who look do not see one another.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Asks the process that is at a run to cancel it; false where none is.
pub(super) fn request_cancel(folder: &Path, run: &str) -> Result<bool> {
    if !is_locked(folder, run) {
        return Ok(false);
    }
    let path = cancel_path(folder, run)?;
    File::create(&path).map_err(Fault::file(&path))?;
    Ok(true)
}

/// Removes what is left of the lock of a run that is removed.
pub(super) fn forget(folder: &Path, run: &str) {
    for path in [lock_path(folder, run), cancel_path(folder, run)].into_iter().flatten() {
        // An empty file does no harm.
        let _ = remove(&path);
    }
}

fn lock_path(folder: &Path, run: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if run.is_empty() || run.len() > 200 || !run.chars().all(plain) {
        let what = format!("`{run}` is not the id of a run");
        return Err(StoreError::new(StoreErrorKind::Unknown, what).into());
    }
    Ok(folder.join(run))
}

fn cancel_path(folder: &Path, run: &str) -> Result<PathBuf> {
    Ok(lock_path(folder, run)?.with_extension("cancel"))
}

/// Whether a file that is open is still the one that a path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    open.is_some() && open == Identity::of(path).ok().map(Identity::parts)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn busy(run: &str, file: &mut File, path: &Path) -> Fault {
    let mut pid = String::new();
    let held = match file.read_to_string(&mut pid) {
        Ok(_) if !pid.is_empty() => format!("process {pid} holds it"),
        _ => "another process holds it".to_owned(),
    };
    let what = format!("lock the run `{run}`");
    StoreError::new(StoreErrorKind::Busy, what).at(path).because(Finding(held)).into()
}
