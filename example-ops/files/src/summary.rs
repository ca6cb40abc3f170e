//! Adding up the sizes of all files.

use crate::{FileSize, Listing};
use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Its path below the folder.
    pub path: String,
    /// Why it could not be read.
    pub problem: String,
}

/// The files with one extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByExtension {
    /// How many there are.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Outputs)]
pub struct Summary {
    /// The size of all files in bytes.
    pub total: u64,
    /// How many files there are, those without a size not counted.
    pub files: u64,
    /// The files by extension, in lower case; those without one under the empty text.
    pub by_extension: BTreeMap<String, ByExtension>,
    /// The path of the largest file; not given where there is none.
    pub largest: Option<String>,
    /// Files without a size, and folders that could not be read.
    pub unreadable: Vec<Problem>,
    /// How many files and folders are left out because their name is not UTF-8.
    pub unnameable: u64,
}

/// Adds up the sizes of all files.
#[op(outputs)]
pub fn summarize_directory(
    /// The size of each file.
    sizes: Collected<FileSize>,
    /// What the listing could not list.
    listing: Option<Listing>,
) -> Summary {
    let listing = listing.unwrap_or_default();
    let mut summary = Summary {
        unreadable: listing.unreadable,
        unnameable: listing.unnameable,
        ..Summary::default()
    };
    let mut largest = 0;
    for FileSize { path, size, problem } in sizes {
        let Some(size) = size else {
            summary.unreadable.push(Problem { path, problem: problem.unwrap_or_default() });
            continue;
        };
        summary.files += 1;
        summary.total += size;
        let of_extension = summary.by_extension.entry(extension(&path)).or_default();
        of_extension.files += 1;
        of_extension.bytes += size;
        if summary.largest.is_none() || size > largest {
            largest = size;
            summary.largest = Some(path);
        }
    }
    summary
}

fn extension(path: &str) -> String {
    Path::new(path)
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(path: &str, size: u64) -> FileSize {
        FileSize { path: path.into(), size: Some(size), problem: None }
    }

    #[test]
    fn sizes_are_added_up_by_extension() {
        let gone =
            FileSize { path: "gone".into(), size: None, problem: Some("it is not there".into()) };
        let sizes = [size("a.txt", 1), size("b/c.TXT", 2), gone, size("none", 3)];
        let listing = Listing {
            files: 4,
            unreadable: vec![Problem { path: "secret".into(), problem: "not allowed".into() }],
            unnameable: 1,
        };
        let summary = summarize_directory(sizes.into_iter().collect(), Some(listing));
        assert_eq!((summary.total, summary.files, summary.unnameable), (6, 3, 1));
        assert_eq!(summary.by_extension["txt"], ByExtension { files: 2, bytes: 3 });
        assert_eq!(summary.by_extension[""], ByExtension { files: 1, bytes: 3 });
        assert_eq!(summary.largest.as_deref(), Some("none"));
        let unreadable: Vec<_> = summary.unreadable.iter().map(|problem| &*problem.path).collect();
        assert_eq!(unreadable, ["secret", "gone"]);
    }

    #[test]
    fn no_files_are_no_bytes() {
        assert_eq!(summarize_directory([].into_iter().collect(), None), Summary::default());
    }
}
