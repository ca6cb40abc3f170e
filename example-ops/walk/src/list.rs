//! Listing one folder with the standard library.

use crate::{Entry, Kind, Listing};
use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::Path;

/// What the folder `path` below `root` holds, or why it cannot be read.
pub(crate) fn list(root: &Path, path: &str) -> Result<Listing, String> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(root.join(path)).map_err(|error| error.to_string())? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                listing.broken_off = Some(error.to_string());
                break;
            }
        };
        match (entry.file_name().into_string(), kind(&entry)) {
            (Err(_), _) => listing.unnameable += 1,
            (Ok(name), Ok(kind)) => listing.entries.push(Entry { name, kind }),
            // It was there a moment ago: like a file that was never there.
            (Ok(_), Err(_)) => {}
        }
    }
    Ok(listing)
}

fn kind(entry: &DirEntry) -> io::Result<Kind> {
    let kind = |found: FileType| match found {
        found if found.is_file() => Kind::File,
        found if found.is_dir() => Kind::Folder,
        _ => Kind::Other,
    };
    entry.file_type().map(kind)
}
