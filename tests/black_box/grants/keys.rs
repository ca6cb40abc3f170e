//! Mapping keys in the paths of folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use dynhost::store::sqlite::SqliteStore;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::job::{Job, Ran, is_start, run};

/// A folder with `in/NAME/text` for each name.
fn folders(names: &[&str]) -> TempDir {
    let folder = tempdir().expect("a folder");
    fs::create_dir(folder.path().join("in")).expect("a folder");
    for name in names {
        let inside = folder.path().join("in").join(name);
        fs::create_dir(&inside).expect("a folder");
        fs::write(inside.join("text"), format!("text of {name}")).expect("a file");
    }
    folder
}

/// A node that yields these keys, and one that does a deed in the folder of each.
fn nodes(keys: &[&str], host: &Path, deed: &str) -> String {
    let host = host.display();
    format!(
        r#"
[nodes.keys]
op = "machine/keys"
inputs.keys.value = {keys:?}

[nodes.touch]
op = "machine/touch"
inputs.element.map = "keys"
config = {deed}
grants.fs = [{{ host = '{host}', guest = "/in", access = "read_write" }}]
tolerate.count = 100

[outputs]
texts.collect = "touch"
"#
    )
}

const READ: &str = r#"{ deed = "read", path = "/in/text" }"#;

fn read(keys: &[&str], host: &Path) -> Ran {
    run(&nodes(keys, host, READ))
}

#[test]
fn each_clone_sees_the_folder_of_its_key() {
    let folder = folders(&["a", "b c", "...", "ü"]);
    let ran = read(&["a", "b c", "...", "ü"], &folder.path().join("in/{key}")).succeeded();
    let texts = json!(["text of a", "text of b c", "text of ...", "text of ü"]);
    assert_eq!(ran.output("texts"), Some(texts.clone()));
    let ran = read(&["a"], &folder.path().join("in/{keys[0]}")).succeeded();
    assert_eq!(ran.output("texts"), Some(json!(["text of a"])));
}

/// What stands behind the key is inside the key's folder.
#[test]
fn a_path_goes_on_behind_a_key() {
    let folder = folders(&["a"]);
    let deep = folder.path().join("in/a/deep/er");
    fs::create_dir_all(&deep).expect("a folder");
    fs::write(deep.join("text"), "deep").expect("a file");
    let ran = read(&["a"], &folder.path().join("in/{key}/deep/er")).succeeded();
    assert_eq!(ran.output("texts"), Some(json!(["deep"])));
}

#[test]
fn no_key_leads_out_of_the_folder() {
    let folder = folders(&["a"]);
    fs::write(folder.path().join("text"), "outside").expect("a file");
    let keys = ["..", ".", "../in/a", "/", "/etc", "a/../..", "a/", "a\\..", "C:\\x", "..\\a"];
    let ran = read(&keys, &folder.path().join("in/{key}"));
    assert_eq!(ran.output("texts"), Some(json!([])));
    let failures = ran.failures();
    assert_eq!(failures.len(), keys.len(), "{failures:?}");
    for (step, words) in failures {
        let key = step.trim_start_matches("touch[").trim_end_matches(']');
        let expected = format!(
            "it could not be run: the mapping key `{key}` cannot be the name of a folder, which `grants.fs` of node `touch` makes of it"
        );
        assert_eq!(words, expected);
    }
}

#[test]
fn a_folder_that_is_missing_or_a_link_fails_its_step_alone() {
    let folder = folders(&["a", "z"]);
    let inside = folder.path().join("in");
    fs::write(inside.join("file"), "").expect("a file");
    symlink("a", inside.join("link")).expect("a link");
    symlink("/etc", inside.join("etc")).expect("a link");
    symlink("..", inside.join("up")).expect("a link");
    let ran = read(&["a", "none", "file", "link", "etc", "up", "z"], &inside.join("{key}"));
    assert_eq!(ran.output("texts"), Some(json!(["text of a", "text of z"])));
    let shown = |key: &str| inside.join(key).display().to_string();
    let failed = |key: &str, why: &str| {
        let path = shown(key);
        (
            format!("touch[{key}]"),
            format!("it could not be run: the granted folder `{path}` cannot be opened: {why}"),
        )
    };
    let no_folder = "it is not a folder, or there is a symbolic link on the way to it";
    let expected = [
        failed("etc", no_folder),
        failed("file", no_folder),
        failed("link", no_folder),
        failed("none", "it does not exist"),
        failed("up", no_folder),
    ];
    assert_eq!(ran.failures(), expected);
}

/// A clone that may write around the folders cannot lead another one out.
#[test]
fn a_link_that_another_clone_made_is_not_followed() {
    let folder = folders(&["a"]);
    fs::write(folder.path().join("text"), "outside").expect("a file");
    let inside = folder.path().join("in");
    let shown = inside.display();
    let link = |name: &str, target: &str| {
        format!(
            r#"
[nodes.{name}]
op = "machine/touch"
config = {{ deed = "symlink", path = "/in/{name}", target = "{target}" }}
grants.fs = [{{ host = '{shown}', guest = "/in", access = "read_write" }}]
"#
        )
    };
    run(&(link("up", "..") + &link("here", "a"))).succeeded();
    assert!(inside.join("up").is_symlink() && inside.join("here").is_symlink());
    let ran = read(&["up", "here", "a"], &inside.join("{key}"));
    assert_eq!(ran.output("texts"), Some(json!(["text of a"])));
    assert_eq!(ran.failures().len(), 2, "{:?}", ran.failures());
    // Nor does one on the way behind the key.
    symlink("../..", inside.join("a/deep")).expect("a link");
    let ran = read(&["a"], &inside.join("{key}/deep"));
    assert_eq!(ran.failures().len(), 1, "{:?}", ran.failures());
}

/// Two clones with the same inputs see different folders, and so do not share a success.
#[test]
fn what_was_read_below_a_key_is_cached_for_that_key() {
    let folder = folders(&["a", "b"]);
    let state = tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(state.path()).expect("a store"));
    let host = folder.path().join("in/{key}");
    let slow_read = r#"{ deed = "read", path = "/in/text", thousands = 20_000 }"#;
    let text = nodes(&["a", "b"], &host, slow_read).replace("tolerate.count = 100", "cache = true");
    for executed in [2, 0] {
        let ran = Job::new(&text).store(&store).cache(&store).run().succeeded();
        assert_eq!(ran.output("texts"), Some(json!(["text of a", "text of b"])));
        let touched = ran.steps(is_start).into_iter().filter(|step| step.starts_with("touch"));
        assert_eq!(touched.count(), executed);
        store.flush();
    }
}
