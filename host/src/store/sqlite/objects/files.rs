//! Objects that are files of their own, named by the digest of their bytes.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::{from_hex, hex, make_folder, sync_folder};
use crate::cache::Digest;
use crate::store::sqlite::fail_point;
use crate::store::sqlite::fault::{Fault, Result};

/// A folder of them: `ab/cdef…`, by the digits of the digest.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

/// How many objects are written at once: a disk takes many requests to wait for at a time.
const WRITERS: usize = 8;

/// How old a file must be that a writer left under a temporary name.
const LEFT: Duration = Duration::from_hours(1);

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = hex(digest);
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    /// Whether an object of this size is there.
    pub(super) fn has(&self, digest: &Digest, bytes: usize) -> bool {
        let there = std::fs::metadata(self.path(digest));
        there.is_ok_and(|there| there.len() == bytes as u64)
    }

    /// Writes an object; answers with the folder that has a new name in it.
    fn put_one(&self, digest: &Digest, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.folder);
        make_folder(folder)?;
        let temporary = temporary_name(folder);
        let written = write_file(&temporary, bytes);
        let placed = written.and_then(|()| {
            fail_point::reached("object.after_write");
            std::fs::rename(&temporary, &path)
        });
        if let Err(error) = placed {
            // Or it is removed when the store is next tidied.
            let _ = std::fs::remove_file(&temporary);
            return Err(Fault::file(&path)(error));
        }
        fail_point::reached("object.after_rename");
        Ok(folder.to_path_buf())
    }

    /// Writes objects, and answers when they will outlast the machine.
    pub(super) fn put(&self, objects: &[(&Digest, &Bytes)]) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        fail_point::reached("object.before_write");
        let share = objects.len().div_ceil(WRITERS).max(1);
        let written = std::thread::scope(|scope| {
            let mut parts = objects.chunks(share);
            let own = parts.next().unwrap_or_default();
            let others: Vec<_> = parts.map(|part| scope.spawn(|| self.put_part(part))).collect();
            let mut written = vec![self.put_part(own)];
            written.extend(others.into_iter().map(|other| {
                other.join().unwrap_or_else(|_| {
                    Err(Fault::file(&self.folder)(io::Error::other("a writer of objects panicked")))
                })
            }));
            written
        });
        let mut folders = Vec::new();
        for part in written {
            folders.extend(part?);
        }
        folders.sort_unstable();
        folders.dedup();
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    /// The bytes of an object, as they lie there.
    pub(super) fn read(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(digest))
    }

    /// Removes an object, if it is there.
    pub(super) fn delete(&self, digest: &Digest) -> Result<()> {
        super::delete(&self.path(digest))
    }

    /// All objects, in no order, with their sizes.
    pub(super) fn list(&self, each: &mut dyn FnMut(Digest, u64) -> Result<()>) -> Result<()> {
        self.each_folder(&mut |folder| {
            let begin = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            for entry in std::fs::read_dir(folder).map_err(Fault::file(folder))? {
                let entry = entry.map_err(Fault::file(folder))?;
                let name = entry.file_name();
                let digest = name.to_str().and_then(|end| from_hex(&format!("{begin}{end}")));
                if let Some(digest) = digest {
                    each(digest, entry.metadata().map_or(0, |metadata| metadata.len()))?;
                }
            }
            Ok(())
        })
    }

    /// Removes what writers left that ended before their time, longer ago than any may take.
    pub(super) fn tidy(&self) -> Result<()> {
        self.each_folder(&mut |folder| {
            for entry in std::fs::read_dir(folder).map_err(Fault::file(folder))? {
                let path = entry.map_err(Fault::file(folder))?.path();
                let temporary = path.extension().is_some_and(|extension| extension == TEMPORARY);
                if temporary && is_old(&path) {
                    std::fs::remove_file(&path).map_err(Fault::file(&path))?;
                }
            }
            Ok(())
        })
    }

    fn each_folder(&self, each: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
        let listed = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => listed.map_err(Fault::file(&self.folder))?,
        };
        for entry in listed {
            let path = entry.map_err(Fault::file(&self.folder))?.path();
            if path.is_dir() {
                each(&path)?;
            }
        }
        Ok(())
    }

    fn put_part(&self, objects: &[(&Digest, &Bytes)]) -> Result<Vec<PathBuf>> {
        objects.iter().map(|(digest, bytes)| self.put_one(digest, bytes)).collect()
    }
}

/// What the names of files end with that are being written.
const TEMPORARY: &str = "tmp";

fn temporary_name(folder: &Path) -> PathBuf {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{}-{number}.{TEMPORARY}", std::process::id()))
}

fn is_old(path: &Path) -> bool {
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFT))
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::tests::Folder;

    #[test]
    fn only_old_temporary_files_are_tidied_away() {
        let folder = Folder::new();
        let inside = folder.path().join("objects/ab");
        std::fs::create_dir_all(&inside).unwrap();
        let (old, new) = (inside.join("1-1.tmp"), inside.join("1-2.tmp"));
        std::fs::write(&old, b"x").unwrap();
        std::fs::write(&new, b"x").unwrap();
        let long_ago = SystemTime::now() - 2 * LEFT;
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        Files::new(folder.path().join("objects")).tidy().unwrap();
        assert!(!old.exists() && new.exists());
    }
}
