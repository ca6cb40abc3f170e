//! Listing one folder with the interface of WASI itself.
//!
//! The standard library ends a listing at the first entry that it cannot read, and a name that is not UTF-8 is such an
//! entry: all files after it would be lost.

use crate::{Entry, Kind, Listing};
use std::path::Path;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, DirectoryEntry, ErrorCode, OpenFlags, PathFlags,
};

/// The most names of one folder that are skipped as not UTF-8, so that a host which never ends is not waited for.
const MOST_UNNAMEABLE: usize = 1 << 20;

/// What the folder `path` below the granted folder `root` holds, or why it cannot be read.
pub(crate) fn list(root: &Path, path: &str) -> Result<Listing, String> {
    let granted = get_directories().into_iter().find(|(_, guest)| Path::new(guest) == root);
    let (granted, _) = granted.ok_or("no folder is granted there")?;
    let folder = if path.is_empty() { granted } else { open(&granted, path).map_err(words)? };
    let stream = folder.read_directory().map_err(words)?;
    let mut listing = Listing::default();
    loop {
        match stream.read_directory_entry() {
            Ok(Some(entry)) => listing.entries.extend(named(&folder, entry)),
            Ok(None) => break,
            Err(ErrorCode::IllegalByteSequence) if listing.unnameable < MOST_UNNAMEABLE => {
                listing.unnameable += 1;
            }
            Err(error) => {
                listing.broken_off = Some(words(error));
                break;
            }
        }
    }
    Ok(listing)
}

fn open(granted: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    granted.open_at(PathFlags::empty(), path, OpenFlags::DIRECTORY, DescriptorFlags::READ)
}

/// The entry with what it stands for; nothing for one that is already gone.
fn named(folder: &Descriptor, entry: DirectoryEntry) -> Option<Entry> {
    let found = match entry.type_ {
        DescriptorType::Unknown => folder.stat_at(PathFlags::empty(), &entry.name).ok()?.type_,
        found => found,
    };
    let kind = match found {
        DescriptorType::RegularFile => Kind::File,
        DescriptorType::Directory => Kind::Folder,
        _ => Kind::Other,
    };
    Some(Entry { name: entry.name, kind })
}

fn words(error: ErrorCode) -> String {
    error.name().replace('-', " ")
}
