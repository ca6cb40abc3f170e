//! Values that are too large to stand in an event, by the digest of their bytes.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::fail_point;
use super::fault::{Fault, Result};
use crate::cache::Digest;
use crate::store::LargeValues;

/// Keeps bytes by their digest. What is put under a digest never changes.
pub(super) trait Objects: Send + Sync + std::fmt::Debug {
    /// Keeps objects, and answers when they will outlast the machine. Those that are there already
    /// cost no more than a look.
    fn put(&self, objects: &[(Digest, Bytes)]) -> Result<()>;

    /// The bytes of an object, checked against its digest.
    fn get(&self, digest: &Digest) -> Result<Bytes>;

    /// Removes an object, if it is there.
    fn delete(&self, digest: &Digest) -> Result<()>;

    /// All objects, in no order, with their sizes.
    fn list(&self, each: &mut dyn FnMut(Digest, u64)) -> Result<()>;

    /// Removes what writers left that ended before their time, longer ago than any may take.
    fn tidy(&self) -> Result<()>;
}

/// The digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    blake3::hash(bytes).into()
}

/// A digest as hexadecimal digits.
pub(super) fn hex(digest: &Digest) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// The digest that hexadecimal digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Digest> {
    blake3::Hash::from_hex(text).ok().map(Into::into)
}

/// Objects as files of a folder: `ab/cdef…`, by the digits of the digest.
#[derive(Debug)]
pub(super) struct FolderObjects {
    folder: PathBuf,
    /// Where those are that have been read.
    large_values: Arc<LargeValues>,
}

/// How many objects are written at once: a disk takes many requests to wait for at a time.
const WRITERS: usize = 8;

/// How old a file must be that a writer left under a temporary name.
const LEFT: Duration = Duration::from_hours(1);

impl FolderObjects {
    pub(super) fn new(folder: PathBuf, large_values: Arc<LargeValues>) -> Self {
        Self { folder, large_values }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = hex(digest);
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    /// Writes an object unless it is there; answers with the folder that has a new name in it.
    fn put_one(&self, digest: &Digest, bytes: &[u8]) -> Result<Option<PathBuf>> {
        let path = self.path(digest);
        let there = std::fs::metadata(&path);
        if there.is_ok_and(|there| there.len() == bytes.len() as u64) {
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(&self.folder);
        make_folder(folder, &self.folder)?;
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
        Ok(Some(folder.to_path_buf()))
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
}

impl Objects for FolderObjects {
    fn put(&self, objects: &[(Digest, Bytes)]) -> Result<()> {
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

    fn get(&self, digest: &Digest) -> Result<Bytes> {
        let path = self.path(digest);
        let damaged = |finding: &str| {
            let what = format!("read the object `{}`", path.display());
            Err(Fault::Damaged(what, finding.to_owned()))
        };
        match std::fs::read(&path) {
            Ok(bytes) if blake3::hash(&bytes) == *digest => {
                Ok(self.large_values.keep(bytes.into()))
            }
            Ok(_) => damaged("its bytes are not those that it is named after"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                damaged("there is no such file")
            }
            Err(error) => Err(Fault::file(&path)(error)),
        }
    }

    fn delete(&self, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(Fault::file(&path)),
        }
    }

    fn list(&self, each: &mut dyn FnMut(Digest, u64)) -> Result<()> {
        self.each_folder(&mut |folder| {
            let begin = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            for entry in std::fs::read_dir(folder).map_err(Fault::file(folder))? {
                let entry = entry.map_err(Fault::file(folder))?;
                let name = entry.file_name();
                let digest = name.to_str().and_then(|end| from_hex(&format!("{begin}{end}")));
                if let Some(digest) = digest {
                    each(digest, entry.metadata().map_or(0, |metadata| metadata.len()));
                }
            }
            Ok(())
        })
    }

    fn tidy(&self) -> Result<()> {
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
}

impl FolderObjects {
    fn put_part(&self, objects: &[(Digest, Bytes)]) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for (digest, bytes) in objects {
            folders.extend(self.put_one(digest, bytes)?);
        }
        Ok(folders)
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

/// Makes a folder inside another that is there, to last.
fn make_folder(folder: &Path, inside: &Path) -> Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => sync_folder(inside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Fault::file(folder)(error)),
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Makes the names in a folder last.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Fault::file(folder))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Folder;
    use super::*;

    fn some(folder: &Folder) -> FolderObjects {
        let objects = folder.path().join("objects");
        std::fs::create_dir_all(&objects).unwrap();
        let large_values = Arc::new(LargeValues::new(objects.clone()));
        FolderObjects::new(objects, large_values)
    }

    #[test]
    fn the_same_bytes_are_kept_once() {
        let folder = Folder::new();
        let objects = some(&folder);
        let one = Bytes::from_static(b"one");
        let key = digest(&one);
        objects.put(&[(key, one.clone())]).unwrap();
        let path = objects.path(&key);
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        objects.put(&[(key, one.clone()), (digest(b"two"), Bytes::from_static(b"two"))]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(objects.get(&key).unwrap(), one);
        let mut all = Vec::new();
        objects.list(&mut |digest, size| all.push((digest, size))).unwrap();
        assert_eq!(all.len(), 2);
        objects.delete(&key).unwrap();
        objects.delete(&key).unwrap();
        assert!(objects.get(&key).is_err());
    }

    #[test]
    fn what_is_damaged_or_missing_is_named() {
        let folder = Folder::new();
        let objects = some(&folder);
        let key = digest(b"three");
        objects.put(&[(key, Bytes::from_static(b"three"))]).unwrap();
        std::fs::write(objects.path(&key), b"thrEe").unwrap();
        let error = objects.get(&key).unwrap_err().during("read", folder.path());
        assert_eq!(error.kind(), crate::store::StoreErrorKind::Damaged);
        assert!(error.to_string().contains(&hex(&key)[2..]), "{error}");
    }

    #[test]
    fn only_old_temporary_files_are_tidied_away() {
        let folder = Folder::new();
        let objects = some(&folder);
        let inside = folder.path().join("objects/ab");
        std::fs::create_dir(&inside).unwrap();
        let (old, new) = (inside.join("1-1.tmp"), inside.join("1-2.tmp"));
        std::fs::write(&old, b"x").unwrap();
        std::fs::write(&new, b"x").unwrap();
        let long_ago = SystemTime::now() - 2 * LEFT;
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        objects.tidy().unwrap();
        assert!(!old.exists() && new.exists());
    }
}
