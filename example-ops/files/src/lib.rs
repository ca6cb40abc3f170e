//! The sizes of the files in a folder: `files_in_directory` → map → `process_file` → collect → `summarize_directory`.
//!
//! The folder is granted to the ops at `/data`. `total` and `files` are what
//! `find DIR -type f -printf '%s\n'` adds up to and counts.

mod summary;

pub use summary::{ByExtension, Problem, Summary, summarize_directory};

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use walk::{Found, GRANTED, walk};

/// What to list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Whether the folders in the folder are walked too; they are where nothing is said.
    #[serde(default = "yes")]
    pub recursive: bool,
}

fn yes() -> bool {
    true
}

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path below the folder.
    pub path: String,
}

/// What a listing found, and what it could not list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// How many files it gave.
    pub files: u64,
    /// Folders that could not be read, or not to their end.
    pub unreadable: Vec<Problem>,
    /// How many names are not UTF-8, so that an op cannot name the file or folder.
    pub unnameable: u64,
}

/// The size of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSize {
    /// Its path below the folder.
    pub path: String,
    /// Its size in bytes; none where it could not be found out.
    pub size: Option<u64>,
    /// Why there is no size.
    pub problem: Option<String>,
}

/// Lists the regular files of the granted folder, one dynamic output for each. Symbolic links are not followed.
#[op(
    output(dynamic),
    output(name = "listing", description = "What was found, and what could not be listed.")
)]
pub fn files_in_directory(
    #[config] options: Options,
    /// The files, in the order of their names. The mapping key is the path, or made from it where it cannot be a key.
    files: &mut Emitter<File>,
) -> Result<Listing> {
    list(Path::new(GRANTED), &options, files)
}

fn list(root: &Path, options: &Options, files: &mut Emitter<File>) -> Result<Listing> {
    let mut listing = Listing::default();
    for found in walk(root, options.recursive) {
        match found {
            Found::File(path) => {
                listing.files += 1;
                step::progress(listing.files, None);
                files.emit(mapping_key(&path), File { path })?;
            }
            Found::Unreadable(path, problem) if path == "." && listing == Listing::default() => {
                let remedy = "grant the op a folder at this path";
                return Err(Failure::permanent(format!(
                    "`{}` cannot be read: {problem}; {remedy}",
                    root.display()
                )));
            }
            Found::Unreadable(path, problem) => {
                step::warn(format!("`{path}` cannot be read: {problem}"));
                listing.unreadable.push(Problem { path, problem });
            }
            Found::Unnameable(path) => {
                step::warn(format!("a name in `{path}` is not UTF-8 and is left out"));
                listing.unnameable += 1;
            }
        }
    }
    Ok(listing)
}

/// Finds out the size of one file. A file that is gone or cannot be looked at is a result like any other.
#[op]
pub fn process_file(file: File) -> FileSize {
    measure(Path::new(GRANTED), file)
}

fn measure(root: &Path, file: File) -> FileSize {
    let (size, problem) = match fs::symlink_metadata(root.join(&file.path)) {
        Ok(metadata) if metadata.is_file() => (Some(metadata.len()), None),
        Ok(_) => (None, Some("it is no longer a regular file".to_owned())),
        Err(error) => (None, Some(error.to_string())),
    };
    FileSize { path: file.path, size, problem }
}

export_ops!(files_in_directory, process_file, summarize_directory);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};

    fn listed(root: &Path) -> (Listing, Vec<DynamicOutput<File>>) {
        let mut files = Emitter::recording();
        let listing = list(root, &Options { recursive: true }, &mut files).unwrap();
        (listing, files.into_recorded())
    }

    #[test]
    fn names_that_cannot_be_keys_get_keys_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let long = "l".repeat(255);
        for name in ["plain.txt", "a b", "ü", "x[1]", "x]1[", "x\n1]", &long] {
            write(root.path().join(name), name).unwrap();
        }
        create_dir(root.path().join("deep")).unwrap();
        write(root.path().join("deep").join(&long), "").unwrap();
        let (listing, files) = listed(root.path());
        assert_eq!(listing, Listing { files: 8, ..Listing::default() });
        assert!(
            files
                .iter()
                .any(|file| file.mapping_key == "plain.txt" && file.value.path == "plain.txt")
        );
        let total: u64 =
            files.into_iter().filter_map(|file| measure(root.path(), file.value).size).sum();
        assert_eq!(total, 9 + 3 + 2 + 4 + 4 + 4 + 255);
    }

    #[test]
    fn an_empty_folder_has_no_files() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(listed(root.path()), (Listing::default(), vec![]));
    }

    #[test]
    fn without_a_folder_there_is_a_failure_with_a_remedy() {
        let mut files = Emitter::recording();
        let failure = list(Path::new("/no/such/folder"), &Options { recursive: true }, &mut files)
            .unwrap_err();
        let message = failure.message();
        assert!(message.starts_with("`/no/such/folder` cannot be read: "), "{message}");
        assert!(message.ends_with("; grant the op a folder at this path"), "{message}");
    }

    #[test]
    fn a_file_that_is_gone_is_a_result() {
        let root = tempfile::tempdir().unwrap();
        let gone = measure(root.path(), File { path: "gone".into() });
        assert_eq!((gone.size, gone.problem.is_some()), (None, true));
        create_dir(root.path().join("folder")).unwrap();
        let folder = measure(root.path(), File { path: "folder".into() });
        assert_eq!(folder.problem.as_deref(), Some("it is no longer a regular file"));
    }
}
