//! Compiled code on disk, between processes.
//!
//! Loading compiled code is as trusting as running it, so only files that this host wrote are
//! ever loaded: the folder and each file must belong to the user and be closed to writers other than
//! the user. A file is named by the digest of the component and by everything of the engine that the
//! code depends on, and ends with a checksum, because wasmtime does not notice a damaged instruction.
//! The cache only ever saves time: whatever goes wrong, the component is compiled.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of the SHA-256 at the end of a file.
const CHECKSUM: usize = 32;

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

impl CodeCache {
    /// Uses `folder`, making it where it is missing; `None` where it cannot be made private.
    pub(crate) fn open(folder: &Path) -> Option<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
        let metadata = fs::symlink_metadata(folder).ok()?;
        (metadata.is_dir() && is_private(&metadata)).then(|| Self { folder: folder.to_path_buf() })
    }

    fn file(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hash = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hash);
        env!("CARGO_PKG_VERSION").hash(&mut hash);
        self.folder.join(format!("{digest}-{:016x}.cwasm", hash.finish()))
    }

    /// The compiled code of the component with this digest, if it is here.
    pub(crate) fn read(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let file = self.file(engine, digest);
        let metadata = fs::symlink_metadata(&file).ok()?;
        if !metadata.is_file() || !is_private(&metadata) {
            return None;
        }
        let bytes = fs::read(&file).ok()?;
        let (code, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        if Sha256::digest(code).as_slice() != checksum {
            return None;
        }
        #[expect(
            unsafe_code,
            reason = "the file was written by `write` below: it lies in a folder that only this \
                      user can write to, it is whole, and wasmtime checks that it fits the engine"
        )]
        unsafe {
            Component::deserialize(engine, code).ok()
        }
    }

    /// Keeps compiled code for later. A reader never sees a part of it.
    pub(crate) fn write(&self, engine: &Engine, digest: &str, code: &Component) {
        let Ok(bytes) = code.serialize() else { return };
        let checksum = Sha256::digest(&bytes);
        let file = self.file(engine, digest);
        let partial = file.with_extension(format!("{}.partial", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut out| out.write_all(&bytes).and_then(|()| out.write_all(&checksum)))
            .and_then(|()| fs::rename(&partial, &file));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
    }
}

fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}
