//! The README keeps its word: its commands run, its manifests are sound, its error is what one sees.

use std::fs;
use std::path::Path;
use std::process::Command;

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::GivenParams;

use super::{Workshop, binary, root};
use crate::job::host;

/// The fenced blocks of a file in these languages.
fn blocks(file: &str, languages: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).expect("the file is there");
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(language)) => {
                block =
                    Some(if languages.contains(&language) { String::new() } else { "skip".into() });
            }
            (Some(_), Some(_)) => blocks.extend(block.take().filter(|text| text != "skip")),
            (Some(text), None) if text != "skip" => text.extend([line, "\n"]),
            _ => {}
        }
    }
    blocks
}

/// Every command line of the README, with the binary under test in the place of the one that it
/// builds.
#[test]
fn the_commands_run() {
    let mut ran = 0;
    let state = tempfile::tempdir().expect("a folder");
    for line in blocks("README.md", &["sh", "console"]).iter().flat_map(|block| block.lines()) {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        if line == "./run-tests" {
            assert!(root().join("run-tests").is_file());
            continue;
        }
        let Some(arguments) = line
            .strip_prefix("cargo run --release -p dynhost-cli -- ")
            .or_else(|| line.strip_prefix("dynhost "))
        else {
            panic!("`{line}` is a command that this test does not know");
        };
        // The folder of the example need not be on every machine.
        let there = Path::new("/usr/share/doc").is_dir();
        let folder = if there { "/usr/share/doc" } else { "docs" };
        let arguments = arguments.replace("/usr/share/doc", folder);
        let output = Command::new(binary())
            .args(arguments.split_whitespace())
            .current_dir(root())
            .env("DYNHOST_STATE_DIR", state.path())
            .output()
            .expect("the binary can be started");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("it is UTF-8");
        if arguments.contains("directory-size") {
            assert!(printed.starts_with("total: "), "{printed}");
        }
        ran += 1;
    }
    assert!(ran > 0);
}

/// Every manifest of the README can be run as it stands, in the root of the repository.
#[test]
fn the_manifests_are_sound() {
    let manifests = blocks("README.md", &["toml"]);
    assert!(!manifests.is_empty());
    for text in manifests {
        let path = root().join("README.toml");
        let manifest = Manifest::parse(&path, &text).unwrap_or_else(|error| panic!("{error}"));
        host().prepare(&manifest, &GivenParams::new()).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The mistake that the README shows looks as it says.
#[test]
fn the_error_is_what_one_sees() {
    let shown = blocks("README.md", &["text"]);
    let shown = shown.iter().find(|block| block.contains('×')).expect("an error is shown");
    let manifest = blocks("README.md", &["toml"]).swap_remove(0);
    let workshop = Workshop::new();
    std::os::unix::fs::symlink(root().join("example-ops"), workshop.path().join("example-ops"))
        .expect("a link");
    workshop.write("pieces.toml", manifest.replace("inputs.results =", "inputs.result ="));
    let output = workshop.run(&["validate", "pieces.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (words, shown) = (lines(&String::from_utf8_lossy(&output.stderr)), lines(shown));
    assert!(words.windows(shown.len()).any(|part| part == shown), "{words:#?}\n{shown:#?}");
}
