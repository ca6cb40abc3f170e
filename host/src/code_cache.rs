//! Compiled code on disk, between processes.
//!
//! Loading compiled code is as trusting as running it, so only files that this host wrote are
//! ever loaded: the folder and each file must belong to the user, or to root, and be closed to other
//! writers. A file is named by the digest of the component, whether it counts fuel, and the version that wrote it;
//! wasmtime refuses code of another engine or processor. It ends with a checksum, because wasmtime does not notice a damaged
//! instruction. The cache only ever saves time where the host can compile: whatever goes wrong, the component is compiled.

use std::fs;
#[cfg(feature = "compile")]
use std::io::Write;
#[cfg(feature = "compile")]
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::EngineSettings;
use crate::trace;

/// Bytes of the SHA-256 at the end of a file.
const CHECKSUM: usize = 32;

/// Why what is not private is not used.
const FOREIGN: &str = "it belongs to another user, or others may write to it";

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

impl CodeCache {
    /// Uses `folder`, making it where it is missing; `None` where it cannot be made private.
    pub(crate) fn open(folder: &Path) -> Option<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let why = match made.and_then(|()| fs::symlink_metadata(folder)) {
            Ok(metadata) if !metadata.is_dir() => "it is no folder".to_owned(),
            Ok(metadata) if !is_private(&metadata) => FOREIGN.to_owned(),
            Ok(_) => return Some(Self { folder: folder.to_path_buf() }),
            Err(error) => error.to_string(),
        };
        trace::code_not_used(folder, &why);
        None
    }

    /// Where the code of the component with this digest is, or would be.
    pub(crate) fn file(&self, settings: EngineSettings, digest: &str) -> PathBuf {
        let counts = if settings.fuel { "-fuel" } else { "" };
        let (version, machine) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        self.folder.join(format!("{digest}{counts}-{version}-{machine}.cwasm"))
    }

    /// The compiled code of the component with this digest, if it is here.
    pub(crate) fn read(
        &self,
        (engine, settings): (&Engine, EngineSettings),
        digest: &str,
    ) -> Option<Component> {
        let file = self.file(settings, digest);
        let metadata = fs::symlink_metadata(&file).ok()?;
        let bytes = read_whole(&file, &metadata);
        let bytes = bytes.inspect_err(|why| trace::code_not_used(&file, why)).ok()?;
        let code = &bytes[..bytes.len() - CHECKSUM];
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
    #[cfg(feature = "compile")]
    pub(crate) fn write(&self, settings: EngineSettings, digest: &str, code: &Component) {
        let Ok(bytes) = code.serialize() else { return };
        let checksum = Sha256::digest(&bytes);
        let file = self.file(settings, digest);
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

/// Reads a file that nobody else could have written, and that is as it was written; or says why it does not.
fn read_whole(file: &Path, metadata: &fs::Metadata) -> Result<Vec<u8>, String> {
    if !metadata.is_file() {
        return Err("it is no file of its own".to_owned());
    }
    if !is_private(metadata) {
        return Err(FOREIGN.to_owned());
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let parts = bytes.len().checked_sub(CHECKSUM).map(|code| bytes.split_at(code));
    match parts {
        Some((code, checksum)) if Sha256::digest(code).as_slice() == checksum => Ok(bytes),
        _ => Err("it is damaged".to_owned()),
    }
}

fn is_private(metadata: &fs::Metadata) -> bool {
    let trusted = [rustix::process::geteuid().as_raw(), 0];
    trusted.contains(&metadata.uid()) && metadata.mode() & 0o022 == 0
}
