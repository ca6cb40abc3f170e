//! What a guest sees of the machine: nothing that is not granted (op-interface, principle 1).

use std::fs;
use std::path::Path;

use dynhost::graph::event::{Event, Failure};
use serde_json::json;
use tempfile::tempdir;

use crate::job::{Job, Ran, component, host, run};

/// Without grants, clocks, sleeps, randomness, files, environment and network are virtual, and two runs give the same.
#[test]
fn without_grants_the_machine_is_virtual() {
    let look = |value: u32| {
        run(&format!("nodes.look = {{ op = \"machine/look\", inputs.value.value = {value} }}\noutputs.seen.from = \"look\""))
            .succeeded()
    };
    let ran = look(1);
    let seen = ran.output("seen").expect("the op succeeded");
    let expected = json!({
        "days": 10_957, // 2000-01-01
        "slept_seconds": 3600,
        "random": seen["random"],
        "environment": 0,
        "arguments": 0,
        "root": null,
        "here": null,
        "connected": false,
        "passwd": false,
    });
    assert_eq!(seen, expected);
    assert_eq!(look(1).output("seen"), Some(expected));
    // Randomness is made of what the step is given.
    assert_ne!(look(2).output("seen").expect("the op succeeded")["random"], seen["random"]);
}

/// Also where it is stopped: what it printed may say why.
#[test]
fn what_was_printed_before_the_timeout_is_in_the_log() {
    let ran = run(
        "nodes.print = { op = \"machine/print_for_ever\", timeout = \"300ms\", limits.log = \"100KiB\" }",
    );
    assert_eq!(ran.failure("print"), &Failure::TimedOut { after_ms: 300 });
    let messages: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    let (last, printed) = messages.split_last().expect("something was printed");
    assert!(last.starts_with("the step's log is full at its limit of 100 KiB"), "{last}");
    assert_eq!(printed.len(), (100 << 10) / (1000 + 64));
    assert!(printed.iter().all(|line| **line == "x".repeat(1000)));
    let ends = ran.place(|event| matches!(event, Event::StepFailed { .. }));
    let says = ran.place(|event| matches!(event, Event::LogWritten { .. }));
    assert!(says < ends);
}

/// What a guest prints is in its step's log.
#[test]
fn what_is_printed_goes_to_the_log() {
    let ran = run("nodes.look = { op = \"machine/look\", inputs.value.value = 7 }").succeeded();
    let messages: Vec<_> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::LogWritten { message, level, .. } => {
                Some((format!("{level:?}"), message.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        messages,
        [
            ("Info".to_owned(), "printed with 7"),
            // The op tries to connect, too.
            (
                "Warn".to_owned(),
                "refused: TCP connections are not granted; an entry that grants them to node `look`: grants.network = [{ host = \"…\", port = N, scheme = \"tcp\" }]"
            ),
            ("Warn".to_owned(), "printed without an end of line")
        ]
    );
}

/// A wasip2 component that is granted nothing finds no folder.
#[test]
fn without_a_grant_there_are_no_files() {
    let ran =
        run("nodes.list.op = \"files/files_in_directory\"\nnodes.list.config.recursive = true");
    let words = ran.failure("list").to_string();
    assert!(words.starts_with("`/data` cannot be read: "), "{words}");
    assert!(words.ends_with("; grant the op a folder at this path"), "{words}");
    let machine = host().load(&component("machine")).expect("it can be loaded");
    assert!(!machine.is_pure());
}

/// Does one deed to one path, below a folder that is granted as `/data`.
fn touch(folder: &Path, access: &str, deed: &str, path: &str) -> Ran {
    run(&format!(
        r#"
[nodes.touch]
op = "machine/touch"
config = {{ deed = "{deed}", path = "{path}" }}
grants.fs = [{{ host = {:?}, guest = "/data", access = "{access}" }}]
[outputs]
text.from = "touch"
"#,
        folder.to_str().expect("the path is UTF-8")
    ))
}

fn refused(ran: &Ran) -> &str {
    match ran.failure("touch") {
        Failure::Reported { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

/// A folder that is granted for reading can be read, and nothing in it changed.
#[test]
fn a_folder_granted_for_reading_cannot_be_changed() {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "text").expect("a file");
    let read = touch(folder.path(), "read", "read", "/data/a.txt").succeeded();
    assert_eq!(read.output("text"), Some(json!("text")));
    for (deed, path) in [
        ("write", "/data/a.txt"),
        ("write", "/data/new.txt"),
        ("remove", "/data/a.txt"),
        ("rename", "/data/a.txt"),
        ("link", "/data/a.txt"),
        ("folder", "/data/new"),
    ] {
        let ran = touch(folder.path(), "read", deed, path);
        assert!(
            ["PermissionDenied", "ReadOnlyFilesystem"].contains(&refused(&ran)),
            "{deed}: {}",
            refused(&ran)
        );
    }
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).expect("it is there"), "text");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
}

/// A folder that is granted for writing can be changed.
#[test]
fn a_folder_granted_for_writing_can_be_changed() {
    let folder = tempdir().expect("a folder");
    touch(folder.path(), "read_write", "write", "/data/new.txt").succeeded();
    touch(folder.path(), "read_write", "folder", "/data/deep").succeeded();
    let text = fs::read_to_string(folder.path().join("new.txt")).expect("it is there");
    assert_eq!(text, "written by a guest");
    assert!(folder.path().join("deep").is_dir());
    touch(folder.path(), "read_write", "remove", "/data/new.txt").succeeded();
    assert!(!folder.path().join("new.txt").exists());
}

/// No path leads out of a granted folder, neither `..` nor a symbolic link.
#[test]
fn a_granted_folder_cannot_be_left() {
    let outside = tempdir().expect("a folder");
    let folder = outside.path().join("granted");
    fs::create_dir(&folder).expect("a folder");
    fs::write(outside.path().join("secret.txt"), "secret").expect("a file");
    std::os::unix::fs::symlink("../secret.txt", folder.join("relative")).expect("a link");
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), folder.join("absolute"))
        .expect("a link");
    std::os::unix::fs::symlink("..", folder.join("up")).expect("a link");
    for access in ["read", "read_write"] {
        for path in [
            "/data/../secret.txt",
            "/data/x/../../secret.txt",
            "/data/relative",
            "/data/absolute",
            "/data/up/secret.txt",
            "/etc/passwd",
            "../secret.txt",
        ] {
            for deed in ["read", "write"] {
                let ran = touch(&folder, access, deed, path);
                assert_eq!(ran.status().to_string(), "failed", "{deed} {path}");
            }
        }
    }
    let text = fs::read_to_string(outside.path().join("secret.txt")).expect("it is there");
    assert_eq!(text, "secret");
}

/// `semantics.md` rule 6: a granted folder must be there before anything runs.
#[test]
fn a_grant_on_a_missing_folder_is_refused() {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "").expect("a file");
    for (path, why) in [("missing", "does not exist"), ("file", "is not a folder")] {
        let host = folder.path().join(path);
        let job = Job::new(&format!(
            "[nodes.list]\nop = \"files/files_in_directory\"\nconfig.recursive = true\ngrants.fs = [{{ host = {host:?}, guest = \"/data\", access = \"read\" }}]\n"
        ));
        let error = job.try_prepare().expect_err("the grant is refused").to_string();
        let expected =
            format!("test.toml:6:23: the granted folder `{}` {why}\n  help: ", host.display());
        assert!(error.starts_with(&expected), "{error}");
    }
}
