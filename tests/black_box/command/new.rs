//! `dynhost new` and `dynhost doctor`: what they refuse, and what they say of a machine that lacks all tools.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use super::{Workshop, assert_snapshot, binary, root};

/// What is in a folder, by name.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| name(entry.expect("it is there"))).collect();
    names.sort();
    names
}

#[test]
fn what_new_refuses() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("full")).expect("a folder");
    workshop.write("full/mine.txt", "mine").write("taken", "");
    let before = entries(workshop.path());
    let sessions = [
        "new job full",
        "new op taken",
        "new op Word_Count",
        "new op jobs/mine",
        "new op match",
        "new op size --lang cobol",
        "new op size --sdk nowhere",
        "-o json new op full",
    ];
    let text: Vec<_> = sessions.iter().map(|line| workshop.session(line)).collect();
    assert_snapshot("snapshots", "what_new_refuses", &text.join("\n"));
    assert_eq!(entries(workshop.path()), before);
    assert_eq!(entries(&workshop.path().join("full")), ["mine.txt"]);
}

/// Where the disk takes only small files, some are written before one fails: none is left.
#[test]
fn nothing_is_half_written() {
    let workshop = Workshop::new();
    let folder = workshop.path().join("full");
    fs::create_dir(&folder).expect("a folder");
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" new op half";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(binary()).current_dir(&folder);
    let made = command.output().expect("sh can be started");
    let words = String::from_utf8_lossy(&made.stderr);
    assert_eq!(made.status.code(), Some(1), "{words}");
    assert!(words.contains("`half` cannot be made in"), "{words}");
    assert_eq!(entries(&folder), Vec::<String>::new());
}

/// An empty folder is taken, a project with the SDK of a checkout holds none of its own.
#[test]
fn projects_take_empty_folders_and_checkouts() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("empty")).expect("a folder");
    let checkout = root().to_str().expect("the path is UTF-8");
    let made = workshop.run(&["new", "op", "empty", "--sdk", checkout, "-o", "json"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Json = serde_json::from_slice(&made.stdout).expect("it is JSON");
    let files = made["files"].as_array().expect("it is a list");
    for file in files {
        let file = file.as_str().expect("it is text");
        assert!(workshop.path().join("empty").join(file).is_file(), "{file}");
        assert!(!file.starts_with("sdk/"), "{file}");
    }
    let cargo = fs::read_to_string(workshop.path().join("empty/Cargo.toml")).expect("it is there");
    assert!(cargo.contains(&format!("path = \"{checkout}/sdk/rust\"")), "{cargo}");
}

/// A machine without any tool.
fn bare(arguments: &[&str]) -> (Option<i32>, String) {
    let workshop = Workshop::new();
    let nowhere = workshop.path().join("nowhere");
    let mut command = workshop.dynhost(arguments);
    command.env("PATH", &nowhere).env("DYNHOST_TOOLS", &nowhere);
    for variable in ["CC", "CXX", "PYTHON", "DYNHOST_CLANG", "DYNHOST_GO"] {
        command.env_remove(variable);
    }
    let output = command.output().expect("the binary can be started");
    (output.status.code(), String::from_utf8(output.stdout).expect("it is UTF-8"))
}

#[test]
fn a_machine_without_tools_is_told_what_to_install() {
    let (code, text) = bare(&["doctor", "--lang", "rust,c,cpp,js,ts,python,go,as"]);
    assert_eq!(code, Some(1));
    assert_snapshot("snapshots", "doctor_without_tools", &text);
    // It is not wrong to lack what nobody asks for.
    let (code, text) = bare(&["doctor", "-o", "json"]);
    assert_eq!(code, Some(0));
    let found: Json = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(found["host"]["runs_ops"], true);
    let languages = found["languages"].as_array().expect("it is a list");
    assert!(languages.len() >= 8 && languages.iter().all(|one| one["builds"] == false), "{text}");
    assert_eq!(languages[0]["tools"][0]["state"], "missing");
}

/// These tests were built by it.
#[test]
fn rust_can_be_built_here() {
    let output = Workshop::new().run(&["doctor", "--lang", "rust", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let found: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let tools = found["languages"][0]["tools"].as_array().expect("it is a list");
    assert!(tools.iter().all(|tool| tool["state"] == "found" && tool["path"].is_string()));
    assert!(tools[0]["version"].as_str().is_some_and(|version| version.starts_with("1.")));
}

/// A build command that misses a tool fails with the words of the doctor.
#[test]
fn a_build_says_which_tool_it_missed() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("bin")).expect("a folder");
    std::os::unix::fs::symlink("/bin/sh", workshop.path().join("bin/sh")).expect("a link");
    let job = "[job]\nname = \"j\"\n[components]\nc = { path = \"c.wasm\", build = { command = \"npm run build\" } }\n\
               [nodes.n]\nop = \"c\"\n";
    workshop.write("job.toml", job);
    for arguments in [&["build", "job.toml"] as &[&str], &["run", "--build", "job.toml"]] {
        let mut command = workshop.dynhost(arguments);
        let output = command.env("PATH", workshop.path().join("bin")).output();
        let output = output.expect("the binary can be started");
        assert_eq!(output.status.code(), Some(1));
        let words = String::from_utf8_lossy(&output.stderr);
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("help: `npm` is missing: install Node.js 20 or newer"), "{words}");
    }
}
