//! Bad input: one mistake per file in `bad_input`, whose first line is the command; each ends with one clear error, and
//! with nothing half done.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Workshop, assert_snapshot};

fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("black_box/bad_input");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            (name.to_owned(), fs::read_to_string(&path).expect("it can be read"))
        })
        .collect();
    cases.sort();
    cases
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into())
        .collect()
}

/// `semantics.md` rules 6 to 8 and 15, and everything else that can be wrong with a manifest, its components, its
/// params and its ops.
#[test]
fn each_bad_input_ends_with_one_clear_error() {
    let cases = cases();
    assert!(cases.len() > 30);
    for (name, text) in cases {
        let command = text.lines().next().and_then(|line| line.strip_prefix("# $ dynhost "));
        let command = command.unwrap_or_else(|| panic!("{name} does not say its command"));
        let workshop = Workshop::new();
        workshop.write(&format!("{name}.toml"), &text);
        let before = files(workshop.path());
        let session = workshop.session(command);
        let mut after = files(workshop.path());
        if session.contains("(run ") {
            assert!(after.remove(".dynhost"), "{name} ran, and was not kept");
        }
        assert_eq!(after, before, "{name} leaves something behind");
        assert!(!session.ends_with("exit code 0\n"), "{session}");
        assert_snapshot("bad_input", &name, &session);
    }
}

#[test]
fn what_is_wrong_before_there_is_a_manifest() {
    let workshop = Workshop::new();
    workshop.write("latin.toml", b"[job]\nname = \"\xfc\"\n");
    let sessions = [
        "run missing.toml",
        "run ops",
        "run latin.toml",
        "run",
        "frobnicate",
        "run a.toml --param nothing",
        "inspect ops/text.wasm",
        "inspect ops/empty.wasm",
        "inspect ops/missing.wasm",
        "call ops/basics.wasm nothing",
        "call ops/basics.wasm add --input x=1",
        "call ops/basics.wasm add --input x=1 --input y=two",
        "-o json run missing.toml",
    ];
    let text: Vec<_> = sessions.iter().map(|line| workshop.session(line)).collect();
    assert_snapshot("snapshots", "without_a_manifest", &text.join("\n"));
}
