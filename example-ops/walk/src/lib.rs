//! The regular files of a folder, in the order of their names, whatever is in the way.
//!
//! Symbolic links are neither followed nor listed. What cannot be listed is reported, never fatal: folders that cannot
//! be read, and names that are not UTF-8, which WASI has no way to express.

#[cfg_attr(all(target_os = "wasi", target_env = "p2"), path = "list_wasi.rs")]
mod list;

use list::list;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Where a job's grant puts the folder that an op reads.
pub const GRANTED: &str = "/data";

/// One thing that a walk comes across.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A regular file: its path below the folder, with `/` between names.
    File(String),
    /// A folder that could not be read, or not to its end: its path, `.` for the folder itself, and why.
    Unreadable(String, String),
    /// A name in this folder that is not UTF-8.
    Unnameable(String),
}

/// A walk through a folder: an iterator over what is found, files of a folder in the order of their names, each folder
/// in its place between them.
#[derive(Debug)]
pub struct Walk {
    root: PathBuf,
    recursive: bool,
    /// What is still to be looked at; folders are opened when it is their turn.
    ahead: VecDeque<Ahead>,
}

#[derive(Debug)]
enum Ahead {
    Folder(String),
    Found(Found),
}

/// What one folder holds, in any order.
#[derive(Debug, Default)]
struct Listing {
    entries: Vec<Entry>,
    /// How many names are not UTF-8.
    unnameable: usize,
    /// Why the folder could not be read to its end.
    broken_off: Option<String>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    kind: Kind,
}

/// What a name stands for, links not followed.
#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    Folder,
    Other,
}

/// Walks through the files of `root`, and through those of the folders in it where `recursive` says so.
#[must_use]
pub fn walk(root: impl Into<PathBuf>, recursive: bool) -> Walk {
    Walk { root: root.into(), recursive, ahead: [Ahead::Folder(String::new())].into() }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            match self.ahead.pop_front()? {
                Ahead::Found(found) => return Some(found),
                Ahead::Folder(path) => {
                    for ahead in self.open(&path).into_iter().rev() {
                        self.ahead.push_front(ahead);
                    }
                }
            }
        }
    }
}

impl Walk {
    fn open(&self, path: &str) -> Vec<Ahead> {
        let mut listing = match list(&self.root, path) {
            Ok(listing) => listing,
            Err(problem) => return vec![Ahead::Found(Found::Unreadable(shown(path), problem))],
        };
        listing.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let below = |name: String| if path.is_empty() { name } else { format!("{path}/{name}") };
        let mut ahead = Vec::new();
        for Entry { name, kind } in listing.entries {
            match kind {
                Kind::File => ahead.push(Ahead::Found(Found::File(below(name)))),
                Kind::Folder if self.recursive => ahead.push(Ahead::Folder(below(name))),
                Kind::Folder | Kind::Other => {}
            }
        }
        ahead.extend((0..listing.unnameable).map(|_| Ahead::Found(Found::Unnameable(shown(path)))));
        ahead.extend(
            listing.broken_off.map(|problem| Ahead::Found(Found::Unreadable(shown(path), problem))),
        );
        ahead
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

/// Whether a path ends in one of these extensions, upper or lower case; any does where none is named.
#[must_use]
pub fn has_extension(path: &str, extensions: &[impl AsRef<str>]) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    extensions.is_empty()
        || extension.is_some_and(|found| {
            extensions.iter().any(|wanted| found.eq_ignore_ascii_case(wanted.as_ref()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, create_dir_all, write};

    fn files(root: &Path, recursive: bool) -> Vec<String> {
        let file = |found| match found {
            Found::File(path) => path,
            other => panic!("{other:?}"),
        };
        walk(root, recursive).map(file).collect()
    }

    #[test]
    fn files_come_in_the_order_of_their_names() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        create_dir_all(root.join("b/d")).unwrap();
        create_dir(root.join("empty")).unwrap();
        for path in ["c", "a", "b/2", "b/1", "b/d/x", "[z] ü\n"] {
            write(root.join(path), "").unwrap();
        }
        assert_eq!(files(root, true), ["[z] ü\n", "a", "b/1", "b/2", "b/d/x", "c"]);
        assert_eq!(files(root, false), ["[z] ü\n", "a", "c"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root.join("file"), "").unwrap();
        std::fs::hard_link(root.join("file"), root.join("hard")).unwrap();
        symlink("file", root.join("soft")).unwrap();
        symlink(".", root.join("loop")).unwrap();
        assert_eq!(files(root, true), ["file", "hard"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_reported() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        write(root.path().join(OsStr::from_bytes(b"\xff")), "").unwrap();
        write(root.path().join("a"), "").unwrap();
        let found: Vec<_> = walk(root.path(), true).collect();
        assert_eq!(found, [Found::File("a".into()), Found::Unnameable(".".into())]);
    }

    #[test]
    fn a_missing_folder_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let found: Vec<_> = walk(root.path().join("none"), true).collect();
        assert!(matches!(&*found, [Found::Unreadable(path, _)] if path == "."), "{found:?}");
    }

    #[test]
    fn extensions_are_compared_without_case() {
        assert!(has_extension("a/b.TXT", &["md", "txt"]));
        assert!(!has_extension("txt", &["txt"]));
        assert!(has_extension("any", &[] as &[&str]));
    }
}
