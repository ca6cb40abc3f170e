//! The granted folders of one attempt.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Component;

use dynhost_graph::grant::{Access, FolderGrant, PathPart};
use dynhost_graph::name::StepKey;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Where the files that this process has open stand as paths.
const OPEN_FILES: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// Folders on the way are passed through; that takes no right to list them.
const PASS: OFlags = if cfg!(target_os = "linux") { OFlags::PATH } else { OFlags::RDONLY };

/// Lets the guest see a folder.
///
/// # Errors
/// In words: the folder cannot be opened, or the step's mapping key cannot be the name of one.
pub(super) fn preopen(
    builder: &mut WasiCtxBuilder,
    grant: &FolderGrant,
    step: &StepKey,
) -> Result<(), String> {
    let perms = match grant.access {
        Access::Read => FsPerms::ReadOnly,
        Access::ReadWrite => FsPerms::ReadWrite,
    };
    let names = names(grant, step)?;
    let shown = || names.iter().fold(grant.host.clone(), |path, name| path.join(name));
    let failed =
        |why: &str| format!("the granted folder `{}` cannot be opened: {why}", shown().display());
    // Held until the guest's own handle is there.
    let folder = open(grant, &names).map_err(|error| match error {
        Errno::NOENT => failed("it does not exist"),
        Errno::LOOP | Errno::NOTDIR => {
            failed("it is not a folder, or there is a symbolic link on the way to it")
        }
        other => failed(&io::Error::from(other).to_string()),
    })?;
    let path = format!("{OPEN_FILES}/{}", folder.as_raw_fd());
    builder.preopened_dir(path, &grant.guest, perms).map_err(|error| failed(&error.to_string()))?;
    Ok(())
}

/// Opens a folder name by name, so that none of them can be a symbolic link, even one that
/// somebody else, such as a guest that may write around it, puts there at this moment.
fn open(grant: &FolderGrant, names: &[String]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = openat(CWD, "/", flags | PASS, Mode::empty())?;
    let parts = grant.host.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    for name in parts.chain(names.iter().map(OsStr::new)) {
        folder = openat(&folder, name, flags | PASS | OFlags::NOFOLLOW, Mode::empty())?;
    }
    openat(&folder, ".", flags | OFlags::RDONLY, Mode::empty())
}

/// The names of the folders below the fixed one, each a single one.
fn names(grant: &FolderGrant, step: &StepKey) -> Result<Vec<String>, String> {
    let keys = step.keys.keys();
    let name = |part: &PathPart| match part {
        PathPart::Name(name) => Ok(name.clone()),
        PathPart::Key(level) => {
            let key = keys.get(*level as usize).map_or("", |key| key.as_str());
            if is_one_name(key) {
                return Ok(key.to_owned());
            }
            Err(format!(
                "the mapping key `{key}` cannot be the name of a folder, which `grants.fs` of node \
                 `{}` makes of it",
                step.node
            ))
        }
    };
    grant.below.iter().map(name).collect()
}

/// Whether a text names something in a folder, on any system, and nothing else.
fn is_one_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_name_or_none() {
        for good in ["a", "readme_md", "a b", "...", "..a", "ü", "-", "~", "C:"] {
            assert!(is_one_name(good), "{good}");
        }
        for bad in ["", ".", "..", "/", "a/b", "../a", "/etc", "a\\b", "..\\a", "a\0b"] {
            assert!(!is_one_name(bad), "{bad:?}");
        }
    }
}
