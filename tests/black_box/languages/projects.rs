//! What `dynhost new` makes builds, runs and passes its own tests, by the commands that `dynhost new` names.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::language;
use crate::command::{Workshop, binary};

/// The user's caches of the tools that projects are built with, by the variables that name them. The tests' own folder
/// takes the place of the cache folder, so that compiled code is not left behind.
const CACHES: [(&str, &str); 4] = [
    ("DYNHOST_TOOLS", "dynhost/tools"),
    ("GOCACHE", "go-build"),
    ("PIP_CACHE_DIR", "pip"),
    ("ZIG_GLOBAL_CACHE_DIR", "zig"),
];

fn user_cache() -> PathBuf {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    set.unwrap_or_else(|| std::env::home_dir().expect("there is a home").join(".cache"))
}

/// The folder for projects in a language, always the same one: what tools leave in `target` is there the next time.
fn folder(lang: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(lang);
    fs::create_dir_all(folder.join("target")).expect("a folder");
    folder
}

/// Makes a project and does what `dynhost new` says is next; gives all that was printed.
fn begin(kind: &str, lang: &str) -> String {
    let (workshop, folder) = (Workshop::new(), folder(lang));
    let name = format!("my-{kind}");
    let project = folder.join(&name);
    if project.exists() {
        fs::remove_dir_all(&project).expect("it can be removed");
    }
    let mut new = workshop.dynhost(&["new", kind, &name, "--lang", lang, "-o", "json"]);
    let made = new.current_dir(&folder).output().expect("the binary can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Json = serde_json::from_slice(&made.stdout).expect("it is JSON");
    std::os::unix::fs::symlink(folder.join("target"), project.join("target")).expect("a link");

    let next = made["next"].as_array().expect("it is a list").iter();
    let next: Vec<&str> = next.map(|line| line.as_str().expect("it is text")).collect();
    let mut script = std::process::Command::new("sh");
    script.args(["-euc", &next.join("\n")]).current_dir(&folder);
    let binaries = binary().parent().expect("it is in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([binaries].into_iter().chain(std::env::split_paths(&path)));
    script.env("PATH", path.expect("folders of a path"));
    script.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    for (variable, below) in CACHES {
        if std::env::var_os(variable).is_none() {
            script.env(variable, user_cache().join(below));
        }
    }
    // Where the project's manifest and its README say that things are.
    for variable in ["CARGO_TARGET_DIR", "DYNHOST_STATE_DIR"] {
        script.env_remove(variable);
    }
    let ran = script.output().expect("sh can be started");
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{kind} in {lang}: {}\n{said}", next.join("\n"));
    said.into_owned()
}

/// Both projects of a language; `tests` is what its test tool says when the tests of the op, and of the job, have run.
fn check(lang: &str, sdk: &str, tests: [&str; 2]) {
    if sdk != "rust"
        && let Err(skipped) = language(sdk).component()
    {
        println!("{skipped}");
        return;
    }
    // One after the other: they share what tools leave in `target`.
    let op = begin("op", lang);
    assert!(op.contains("words: 6\n") && op.contains("result: 4\n"), "{op}");
    assert!(op.contains(tests[0]), "{op}");
    let job = begin("job", lang);
    assert!(job.contains("words: 9\nwords_per_line: [4, 2, 3]\n"), "{job}");
    assert!(job.contains(tests[1]), "{job}");
}

#[test]
fn projects_in_rust() {
    check("rust", "rust", ["2 passed", "3 passed"]);
}

#[test]
fn projects_in_c() {
    check("c", "c", ["all tests passed"; 2]);
}

#[test]
fn projects_in_cpp() {
    check("cpp", "c", ["all tests passed"; 2]);
}

#[test]
fn projects_in_javascript() {
    check("js", "js", ["# pass 2"; 2]);
}

#[test]
fn projects_in_typescript() {
    check("ts", "js", ["# pass 2"; 2]);
}

#[test]
fn projects_in_python() {
    check("python", "python", ["Ran 2 tests"; 2]);
}

#[test]
fn projects_in_go() {
    check("go", "go", ["ok  \tmy-op", "ok  \tmy-job"]);
}

#[test]
fn projects_in_assemblyscript() {
    check("as", "assemblyscript", ["# pass 2"; 2]);
}
