//! `dynhost.lock`: which files the components of the manifests beside it were, by digest.
//!
//! A digest in a manifest pins one component; the lock pins all of them without a hand on the manifest. It is written by
//! whoever has looked at the components, and enforced where a job must run exactly those.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dynhost_graph::manifest::{Component, Manifest, Spanned};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::component::{NATIVE, hex};

/// The file's name; it stands beside the manifests that it is for.
pub const LOCK_FILE: &str = "dynhost.lock";

/// The form that this version writes and reads.
const VERSION: u32 = 1;

/// The digests of component files, by their path as manifests write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// SHA-256 in hexadecimal.
    components: BTreeMap<String, String>,
}

/// Why a lock cannot be made, read or kept to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// A file cannot be read or written.
    #[error("`{}` cannot be {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// There is no lock.
    #[error("there is no `{}`", .0.display())]
    Missing(PathBuf),
    /// The lock is not one that this version can read.
    #[error("`{}` is not a lock of this version of dynhost: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// A component of the manifest is not in the lock.
    #[error("component `{alias}` (`{path}`) is not in `{LOCK_FILE}`")]
    NotLocked {
        /// The name that the manifest gives it.
        alias: String,
        /// Its path in the manifest.
        path: String,
    },
    /// The manifest pins another file than the lock.
    #[error("component `{alias}` is pinned to another file in the manifest than in `{LOCK_FILE}`")]
    OtherPin {
        /// The name that the manifest gives it.
        alias: String,
    },
}

impl Lock {
    /// The lock beside a manifest.
    #[must_use]
    pub fn path(manifest: &Path) -> PathBuf {
        manifest.with_file_name(LOCK_FILE)
    }

    /// Whether a lock speaks of this component: native ops are no file, but a part of the program that runs the job.
    #[must_use]
    pub fn covers(component: &Component) -> bool {
        !component.path.value.starts_with(NATIVE)
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is malformed.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = std::fs::read_to_string(path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                return LockError::Missing(path.to_path_buf());
            }
            LockError::File { path: path.to_path_buf(), what: "read", source }
        })?;
        let malformed = |why: String| LockError::Malformed { path: path.to_path_buf(), why };
        let lock: Self = toml::from_str(&text)
            .map_err(|error| malformed(error.message().replace('\n', "; ")))?;
        if lock.version != VERSION {
            return Err(malformed(format!("its version is {}, not {VERSION}", lock.version)));
        }
        Ok(lock)
    }

    /// Locks the components of a manifest to the files that are there now. What the lock beside it says of other
    /// manifests' components stays. Gives the paths whose digest is new or another one.
    ///
    /// # Errors
    /// A component cannot be read, or the lock cannot be read or written; it is then as it was.
    pub fn update(manifest: &Manifest) -> Result<Vec<String>, LockError> {
        let path = Self::path(&manifest.path);
        let mut lock = match Self::read(&path) {
            Ok(lock) => lock,
            Err(LockError::Missing(_)) => Self { version: VERSION, components: BTreeMap::new() },
            Err(error) => return Err(error),
        };
        let mut changed = Vec::new();
        for component in manifest.components.iter().filter(|it| Self::covers(it)) {
            let file = manifest.path.with_file_name(&component.path.value);
            let bytes = std::fs::read(&file).map_err(|source| LockError::File {
                path: file,
                what: "read",
                source,
            })?;
            let digest = hex(&Sha256::digest(&bytes));
            let name = component.path.value.clone();
            if lock.components.insert(name.clone(), digest.clone()) != Some(digest) {
                changed.push(name);
            }
        }
        lock.write(&path).map_err(|source| LockError::File { path, what: "written", source })?;
        Ok(changed)
    }

    /// Writes the whole file, or nothing.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let body = toml::to_string(self).map_err(std::io::Error::other)?;
        let head = "# Written by `dynhost lock`; `dynhost run --locked` runs no other components than these.\n";
        let beside = path.with_extension(format!("lock.{}", std::process::id()));
        std::fs::write(&beside, format!("{head}{body}"))?;
        std::fs::rename(&beside, path)
    }

    /// Pins every component of a manifest to the file that it was locked to; loading it then refuses any other. Native ops
    /// stay as they are.
    ///
    /// # Errors
    /// A component is not locked, or the manifest itself pins another file.
    pub fn pin(&self, manifest: &mut Manifest) -> Result<(), LockError> {
        for component in manifest.components.iter_mut().filter(|it| Self::covers(it)) {
            let (alias, path) = (&component.alias.value, &component.path);
            let Some(digest) = self.components.get(&path.value) else {
                let (alias, path) = (alias.clone(), path.value.clone());
                return Err(LockError::NotLocked { alias, path });
            };
            match &component.sha256 {
                Some(pinned) if pinned.value != *digest => {
                    return Err(LockError::OtherPin { alias: alias.clone() });
                }
                Some(_) => {}
                None => {
                    component.sha256 = Some(Spanned::new(digest.clone(), path.span.clone()));
                }
            }
        }
        Ok(())
    }
}
