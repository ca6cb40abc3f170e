//! The cache of compiled code: it saves time, and is never trusted further than the user.
//!
//! Whether code came from the cache shows in the file: code that was compiled is written, as a new file.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use dynhost::{ComponentError, Host};
use tempfile::{TempDir, tempdir};

use crate::command::binary;
use crate::job::component;

/// A cache folder with the code of one component in it.
struct Cache {
    _parent: TempDir,
    folder: PathBuf,
}

impl Cache {
    fn new() -> Self {
        let parent = tempdir().expect("a folder");
        let cache = Self { folder: parent.path().join("deep/code"), _parent: parent };
        cache.load();
        cache
    }

    /// Loads a component in a host of its own.
    fn load(&self) {
        let host = Host::builder()
            .workers(1.try_into().expect("not zero"))
            .code_cache(&self.folder)
            .build()
            .expect("a host can be built");
        let loaded = host.load(&component("pieces")).expect("it can be loaded");
        assert_eq!(loaded.ops().len(), 3);
    }

    /// The only file in the cache.
    fn file(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(&self.folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    /// Whether loading again makes a new file.
    fn is_written_again(&self) -> bool {
        // A file that is held open keeps its number.
        let before = fs::File::open(self.file()).expect("it can be read");
        self.load();
        before.metadata().expect("it is open").ino() != inode(&self.file())
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("it is there").ino()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o777
}

/// Whether the tests may give files to somebody else.
fn is_root() -> bool {
    tempdir().is_ok_and(|folder| fs::metadata(folder.path()).is_ok_and(|it| it.uid() == 0))
}

#[test]
fn code_is_read_the_second_time() {
    let cache = Cache::new();
    assert!(!cache.is_written_again());
    assert_eq!((mode(&cache.folder), mode(&cache.file())), (0o700, 0o600));
}

#[test]
fn a_file_that_others_may_write_is_not_read() {
    for writable in [0o620, 0o602, 0o666] {
        let cache = Cache::new();
        set_mode(&cache.file(), writable);
        assert!(cache.is_written_again(), "{writable:o}");
        assert!(!cache.is_written_again());
    }
}

#[test]
fn a_file_of_another_user_is_not_read() {
    if !is_root() {
        return;
    }
    let cache = Cache::new();
    chown(cache.file(), Some(65534), None).expect("root may");
    assert!(cache.is_written_again());
}

#[test]
fn a_symbolic_link_is_not_read() {
    let cache = Cache::new();
    let elsewhere = cache.folder.parent().expect("it is deep").join("code.cwasm");
    let file = cache.file();
    fs::rename(&file, &elsewhere).expect("it is ours");
    symlink(&elsewhere, &file).expect("the place is free");
    cache.load();
    assert!(fs::symlink_metadata(&file).expect("it is there").is_file());
}

#[test]
fn damaged_code_is_compiled_again() {
    let whole = {
        let cache = Cache::new();
        fs::read(cache.file()).expect("it is there")
    };
    let half = &whole[..whole.len() / 2];
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x55;
    for damaged in [&b""[..], b"text", half, &flipped, &vec![0; whole.len()]] {
        let cache = Cache::new();
        fs::write(cache.file(), damaged).expect("it is ours");
        assert!(cache.is_written_again());
        assert!(!cache.is_written_again());
    }
}

/// Nothing is read from, or written to, a folder that is not the user's own.
#[test]
fn a_folder_that_others_may_write_is_not_used() {
    for writable in [0o720, 0o777] {
        let cache = Cache::new();
        let file = cache.file();
        let before = inode(&file);
        fs::write(&file, "not looked at").expect("it is ours");
        set_mode(&cache.folder, writable);
        cache.load();
        assert_eq!(inode(&file), before);
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "not looked at");
    }
}

#[test]
fn a_folder_of_another_user_is_not_used() {
    if !is_root() {
        return;
    }
    let cache = Cache::new();
    chown(&cache.folder, Some(65534), None).expect("root may");
    fs::remove_file(cache.file()).expect("it is there");
    cache.load();
    assert_eq!(fs::read_dir(&cache.folder).expect("it is there").count(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_done_without() {
    let parent = tempdir().expect("a folder");
    let folder = parent.path().join("file");
    fs::write(&folder, "").expect("a file");
    for folder in [folder.clone(), folder.join("below")] {
        let host = Host::builder().code_cache(folder).build().expect("a host can be built");
        host.load(&component("pieces")).expect("it can be loaded");
    }
}

/// What is left of a process that was killed while it wrote is not read, and not in the way.
#[test]
fn many_hosts_write_the_same_code() {
    let cache = Cache::new();
    fs::remove_file(cache.file()).expect("it is there");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cache.load());
        }
    });
    assert!(!cache.is_written_again());
}

#[test]
fn precompiled_code_is_all_that_another_host_needs() {
    let folder = tempdir().expect("a folder");
    let cache = folder.path().join("code");
    let mut precompile = Command::new(binary());
    precompile.arg("precompile").arg(component("pieces")).arg("--into").arg(&cache);
    let printed = precompile.output().expect("the binary can be started");
    assert!(printed.status.success(), "{printed:?}");
    let printed = String::from_utf8(printed.stdout).expect("paths are UTF-8");
    let mut files: Vec<_> = printed.lines().map(PathBuf::from).collect();
    assert!(files.len() == 2 && files[1].to_string_lossy().contains("-fuel-"), "{printed}");
    files.sort();
    let inodes = || files.iter().map(|file| inode(file)).collect::<Vec<_>>();
    let before = inodes();
    let host = Host::builder().code_cache(&cache).build().expect("a host can be built");
    assert_eq!(host.precompile(&component("pieces")).expect("it is there").len(), 2);
    assert_eq!(inodes(), before, "nothing was compiled again");
}

#[test]
fn what_cannot_be_kept_is_not_precompiled() {
    let folder = tempdir().expect("a folder");
    set_mode(folder.path(), 0o777);
    let host = Host::builder().code_cache(folder.path()).build().expect("a host can be built");
    let error = host.precompile(&component("pieces")).expect_err("others may write there");
    assert!(matches!(error, ComponentError::NotKept { .. }), "{error:?}");
    assert!(error.help().expect("it can be helped").contains("nobody else can write"));
}
