//! Large values: in memory as long as there are few, in a file beyond that.
//!
//! A value that waits for a collect may wait for as long as its run lasts, and there may be a million of them. So that
//! they do not add up in memory, what goes beyond [`HELD`] is written to files without names in the folder of the
//! store, and read from there through the page cache: memory that the kernel can take back.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memmap2::Mmap;

/// Bytes from which a value counts as large: below, what is known of a clone is of the same order.
const LARGE: usize = 4 << 10;
/// Bytes of large values that are held in memory.
const HELD: u64 = 64 << 20;
/// Bytes of a file; it goes away with the last value in it.
const FILE: u64 = 256 << 20;

/// The large values of all runs of a store. Values of less than 4 KiB stay in memory, and so do the first 64 MiB
/// of larger ones; what goes beyond is written to files that have no name and go away with the last value in them.
#[derive(Debug)]
pub struct LargeValues {
    folder: PathBuf,
    /// Bytes of large values in memory.
    held: Arc<AtomicU64>,
    file: Mutex<Option<Filling>>,
}

/// A file that has room left.
#[derive(Debug)]
struct Filling {
    file: File,
    map: Arc<Mmap>,
    used: u64,
}

impl LargeValues {
    /// None yet. Files are made in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, held: Arc::default(), file: Mutex::default() }
    }

    /// Takes the bytes of a value. Where they cannot be written, they stay in memory.
    #[must_use]
    pub fn keep(&self, data: Cow<'_, [u8]>) -> Bytes {
        let len = data.len() as u64;
        if data.len() < LARGE {
            return in_memory(data);
        }
        if self.held.fetch_add(len, Ordering::Relaxed) + len > HELD {
            // A full disk is said by the store, which needs it more.
            if let Ok(bytes) = self.write(&data) {
                self.held.fetch_sub(len, Ordering::Relaxed);
                return bytes;
            }
        }
        Bytes::from_owner(Held { data: in_memory(data), held: Arc::clone(&self.held) })
    }

    fn write(&self, data: &[u8]) -> io::Result<Bytes> {
        let len = data.len() as u64;
        let (file, map, at) = {
            let mut filling = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if filling.as_ref().is_none_or(|filling| filling.used + len > FILE) {
                *filling = Some(self.begin(len.max(FILE))?);
            }
            let Some(filling) = filling.as_mut() else {
                return Err(io::ErrorKind::NotFound.into());
            };
            let at = filling.used;
            filling.used += len;
            (filling.file.try_clone()?, Arc::clone(&filling.map), at)
        };
        file.write_all_at(data, at)?;
        let begin = usize::try_from(at).map_err(io::Error::other)?;
        Ok(Bytes::from_owner(Written { map, range: begin..begin + data.len() }))
    }

    /// A file of this size without anything in it.
    fn begin(&self, size: u64) -> io::Result<Filling> {
        let file = tempfile::tempfile_in(&self.folder)?;
        file.set_len(size)?;
        #[expect(unsafe_code, reason = "memory that is a file can change behind Rust's back")]
        // SAFETY: the file has no name, so that nobody else can change or shorten it; and what was handed out is never
        // written again.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Filling { file, map: Arc::new(map), used: 0 })
    }
}

/// The bytes of a value in memory.
pub(crate) fn in_memory(data: Cow<'_, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// A large value in memory.
struct Held {
    data: Bytes,
    held: Arc<AtomicU64>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.data.len() as u64, Ordering::Relaxed);
    }
}

/// A large value in a file.
struct Written {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn megabyte(number: u8) -> Vec<u8> {
        vec![number; 1 << 20]
    }

    fn held(values: &LargeValues) -> u64 {
        values.held.load(Ordering::Relaxed)
    }

    #[test]
    fn what_is_beyond_the_bound_is_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let values = LargeValues::new(folder.path().to_path_buf());
        let kept: Vec<Bytes> =
            (0..=255).chain(0..=200).map(|n| values.keep(megabyte(n).into())).collect();
        assert_eq!(held(&values), HELD);
        for (bytes, number) in kept.iter().zip((0..=255).chain(0..=200)) {
            assert_eq!(bytes, &megabyte(number));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no names");
        drop(kept);
        assert_eq!(held(&values), 0);
    }

    #[test]
    fn a_value_may_be_larger_than_a_file_and_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let values = LargeValues::new(folder.path().to_path_buf());
        let large = vec![7; 300 << 20];
        let kept = values.keep(Cow::Borrowed(&large));
        assert!(kept == large);
        assert_eq!(held(&values), 0);
        assert_eq!(values.keep(Cow::Borrowed(b"small")), "small");
    }

    #[test]
    fn without_files_all_is_in_memory() {
        let values = LargeValues::new("no/such/folder".into());
        let kept: Vec<Bytes> = (0..80).map(|n| values.keep(megabyte(n).into())).collect();
        assert!(kept.iter().zip(0..).all(|(bytes, number)| bytes == &megabyte(number)));
    }

    #[test]
    fn threads_do_not_write_over_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let values = LargeValues::new(folder.path().to_path_buf());
        let filled = vec![0; usize::try_from(HELD).unwrap()];
        let _full = values.keep(filled.into());
        std::thread::scope(|scope| {
            for number in 0..8_u8 {
                let values = &values;
                scope.spawn(move || {
                    let kept: Vec<Bytes> =
                        (0..50).map(|_| values.keep(vec![number; 100_000].into())).collect();
                    assert!(kept.iter().all(|bytes| bytes.iter().all(|byte| *byte == number)));
                });
            }
        });
    }
}
