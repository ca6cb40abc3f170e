//! What can become of a state folder: no room, no permission, taken away, damaged, newer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{Workshop, binary};

const JOB: &str = r#"
[job]
name = "small"
[components]
basics = "ops/basics.wasm"
scripted = "ops/scripted.wasm"
[nodes]
numbers = { op = "basics/numbers", inputs.n.value = 200 }
double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
sum = { op = "basics/sum", inputs.numbers.collect = "double" }
blobs = { op = "basics/blobs", inputs.count.value = 2, inputs.bytes.value = 300000 }
larger = { op = "basics/payload", inputs.data.map = "blobs" }
[outputs]
sum.from = "sum"
larger.collect = "larger"
"#;

fn workshop() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("job.toml", JOB);
    workshop
}

/// Runs a shell script where file systems can be mounted without touching those of the machine.
fn in_own_mounts(workshop: &Workshop, script: &str) -> String {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec", script])
        .current_dir(workshop.path())
        .env("DYNHOST", binary())
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .env("COLUMNS", "100")
        .env_remove("RUST_BACKTRACE");
    let output = command.output().expect("unshare (util-linux) can be started");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("it is UTF-8");
    assert!(output.status.success(), "{script}\n{text}");
    text
}

/// Does what the words of a failure are to do: say what, where and what to do.
fn assert_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// No room: the run stops and says so; with room it goes on.
#[test]
fn a_full_disk() {
    let workshop = workshop();
    let text = in_own_mounts(
        &workshop,
        r#"
mkdir .dynhost
mount -t tmpfs -o size=6m tmpfs .dynhost
dd if=/dev/zero of=.dynhost/ballast bs=1k count=5600 status=none
set +e
"$DYNHOST" run job.toml --progress none 2>&1; echo "exit $?"
rm .dynhost/ballast
"$DYNHOST" resume last --progress none 2>&1 || "$DYNHOST" run job.toml --progress none 2>&1
echo "exit $?"
"#,
    );
    assert_words(
        &text,
        &["there is no room left", ".dynhost", "exit 1\n", "sum: 39800", "exit 0\n"],
    );
}

/// Nothing can be written: that is said before anything runs, and what is there can be read.
#[test]
fn a_read_only_folder() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    let text = in_own_mounts(
        &workshop,
        r#"
mount --bind .dynhost .dynhost
mount -o remount,ro,bind .dynhost
set +e
"$DYNHOST" run job.toml 2>&1; echo "exit $?"
"$DYNHOST" runs list 2>&1; echo "exit $?"
"$DYNHOST" runs show last --steps --node sum 2>&1; echo "exit $?"
"$DYNHOST" run job.toml --ephemeral --progress none 2>&1; echo "exit $?"
"#,
    );
    assert_words(&text, &["read-only", "--ephemeral", "exit 1\n", "small", "succeeded"]);
    assert_eq!(text.matches("exit 0\n").count(), 3, "{text}");
}

/// A store that is deleted under a running run is noticed.
#[test]
fn a_store_that_is_taken_away() {
    let workshop = workshop();
    workshop.write(
        "slow.toml",
        r#"
[job]
name = "slow"
[components]
scripted = "ops/scripted.wasm"
[nodes]
slow = { op = "scripted/slow_numbers", inputs.n.value = 100000, config.thousands = 2000 }
[outputs]
all.collect = "slow"
"#,
    );
    let mut command = workshop.dynhost(&["run", "slow.toml", "--progress", "none"]);
    command.stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the binary can be started");
    let state = workshop.path().join(".dynhost");
    let begun = Instant::now();
    while !state.join("runs.db").exists() || fs::read_dir(state.join("locks")).is_err() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the store was never made");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::remove_dir_all(&state).or_else(|_| fs::remove_dir_all(&state)).expect("it can be removed");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_words(&text, &["it is not there", ".dynhost"]);
}

/// Flips a bit of each byte in a file that follows such bytes: where a page of the database was split, it may have a dead
/// copy of them.
fn flip(path: &Path, after: &[u8]) {
    let mut bytes = fs::read(path).expect("the file can be read");
    let found = bytes.windows(after.len()).enumerate().filter(|(_, window)| *window == after);
    let found: Vec<usize> = found.map(|(at, _)| at + after.len()).collect();
    assert!(!found.is_empty(), "it is in the file");
    for at in found {
        bytes[at] ^= 1;
    }
    fs::write(path, bytes).expect("the file can be written");
}

/// A byte of an event that is not what was written.
#[test]
fn a_flipped_byte_in_the_database() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    flip(&workshop.path().join(".dynhost/runs.db"), br#""event":"step_succeeded","step":"dou"#);
    for arguments in [
        &["runs", "events", "last"][..],
        &["runs", "show", "last", "--replay"],
        &["rerun", "last", "--from-failure"],
    ] {
        let output = workshop.run(arguments);
        let text = String::from_utf8(output.stderr).expect("it is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert_words(&text, &["damaged", "runs.db"]);
    }
    // What does not hang on that event can still be read.
    assert!(workshop.run(&["runs", "list"]).status.success());
}

/// A database that is none.
#[test]
fn a_database_that_is_none() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    let path = workshop.path().join(".dynhost/runs.db");
    let mut bytes = fs::read(&path).expect("the file can be read");
    bytes[..100].fill(b'x');
    fs::write(&path, bytes).expect("the file can be written");
    for arguments in [&["run", "job.toml"][..], &["runs", "list"], &["resume", "last"]] {
        let output = workshop.run(arguments);
        let text = String::from_utf8(output.stderr).expect("it is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert_words(&text, &["damaged", "runs.db"]);
    }
}

/// A byte of each large value, of which a pack may have several: none of them is shorter than what is skipped.
#[test]
fn a_flipped_byte_in_an_object() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    let objects = objects(&workshop.path().join(".dynhost/objects"));
    assert!(!objects.is_empty());
    for object in &objects {
        let mut bytes = fs::read(object).expect("an object");
        bytes.iter_mut().step_by(8 << 10).for_each(|byte| *byte ^= 1);
        fs::write(object, bytes).expect("an object");
    }
    let output = workshop.run(&["runs", "output", "last"]);
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_words(&text, &["damaged", "objects"]);
    // An object that is gone.
    for object in &objects {
        fs::remove_file(object).expect("an object");
    }
    let output = workshop.run(&["runs", "output", "last"]);
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_words(&text, &["objects"]);
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(objects(&path)) } else { found.push(path) }
    }
    found
}

/// A database of a later version is left as it is.
#[test]
fn a_newer_database() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    let path = workshop.path().join(".dynhost/runs.db");
    let mut bytes = fs::read(&path).expect("the file can be read");
    // The user version of an SQLite file (its file format, section 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, &bytes).expect("the file can be written");
    for arguments in [&["run", "job.toml"][..], &["runs", "list"]] {
        let output = workshop.run(arguments);
        let text = String::from_utf8(output.stderr).expect("it is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert_words(&text, &["version 99", "a later one"]);
    }
    assert_eq!(fs::read(&path).expect("the file can be read")[60..64], [0, 0, 0, 99]);
}

/// Another program that holds the database for longer than anybody waits; what can be read is.
#[test]
fn a_locked_database() {
    let workshop = workshop();
    assert!(workshop.run(&["run", "job.toml"]).status.success());
    let path = workshop.path().join(".dynhost/runs.db");
    let other = rusqlite::Connection::open(path).expect("it can be opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    assert!(workshop.run(&["runs", "show", "last"]).status.success());
    let output = workshop.run(&["run", "job.toml", "--progress", "none"]);
    let text = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_words(&text, &["locked by another process", "runs.db", "end that program"]);
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert!(workshop.run(&["run", "job.toml"]).status.success());
}
