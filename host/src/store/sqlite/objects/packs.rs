//! Files of many objects each: what one transaction wrote, one object behind another.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use bytes::Bytes;

use super::sync_folder;
use crate::store::sqlite::fail_point;
use crate::store::sqlite::fault::{Fault, Result};

/// A folder of them, by their numbers: `7.pack`. A pack is written once, and never added to.
#[derive(Debug)]
pub(super) struct Packs {
    folder: PathBuf,
}

/// Where an object lies in a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pack: i64,
    /// The place of its first byte.
    pub(super) at: u64,
    pub(super) bytes: u64,
}

impl Place {
    /// Where the next object may begin.
    pub(super) fn end(self) -> u64 {
        self.at.saturating_add(self.bytes)
    }
}

impl Packs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn path(&self, pack: i64) -> PathBuf {
        self.folder.join(format!("{pack}.pack"))
    }

    /// Writes a pack, and answers when it will outlast the machine.
    pub(super) fn write(&self, pack: i64, objects: &[&Bytes]) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        fail_point::reached("pack.before_write");
        let path = self.path(pack);
        let written = (|| {
            let mut file = File::create_new(&path)?;
            objects.iter().try_for_each(|object| file.write_all(object))?;
            file.sync_data()
        })();
        if let Err(error) = written {
            // Or it is removed when the store is next pruned.
            let _ = std::fs::remove_file(&path);
            return Err(Fault::file(&path)(error));
        }
        fail_point::reached("pack.after_write");
        sync_folder(&self.folder)
    }

    /// Whether a pack reaches to the end of an object.
    pub(super) fn has(&self, place: Place) -> bool {
        let there = std::fs::metadata(self.path(place.pack));
        there.is_ok_and(|there| there.len() >= place.end())
    }

    /// The bytes of an object, as they lie there.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let file = File::open(self.path(place.pack))?;
        // A length that is damaged must not be asked of memory.
        if file.metadata()?.len() < place.end() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; usize::try_from(place.bytes).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, place.at)?;
        Ok(bytes)
    }

    /// Gives the room of an object back to the disk, where the file system can do that; else it is given back with
    /// the pack.
    pub(super) fn free(&self, place: Place) -> Result<()> {
        let path = self.path(place.pack);
        match File::options().write(true).open(&path) {
            Ok(file) => {
                make_hole(&file, place);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Fault::file(&path)(error)),
        }
    }

    /// Removes a pack, if it is there.
    pub(super) fn delete(&self, pack: i64) -> Result<()> {
        super::delete(&self.path(pack))
    }

    /// All packs, in no order, with their sizes.
    pub(super) fn list(&self, each: &mut dyn FnMut(i64, u64) -> Result<()>) -> Result<()> {
        let listed = std::fs::read_dir(&self.folder).map_err(Fault::file(&self.folder))?;
        for entry in listed {
            let entry = entry.map_err(Fault::file(&self.folder))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".pack"));
            if let Some(pack) = number.and_then(|number| number.parse().ok()) {
                each(pack, entry.metadata().map_or(0, |metadata| metadata.len()))?;
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn make_hole(file: &File, place: Place) {
    use rustix::fs::{FallocateFlags, fallocate};
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Some file systems cannot do it.
    let _ = fallocate(file, hole, place.at, place.bytes);
}

#[cfg(not(target_os = "linux"))]
fn make_hole(_: &File, _: Place) {}
