//! Every hostile guest ends as it should, and nothing else is touched.

use std::path::Path;

#[path = "../hostile/mod.rs"]
mod guests;

use guests::{CASES, host, lay_out, run};

#[test]
fn each_hostile_guest_ends_alone() {
    let host = host(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"));
    let mut wrong = Vec::new();
    for case in CASES {
        let folder = tempfile::tempdir().expect("a folder");
        lay_out(case, folder.path());
        let ended = run(case, &host, folder.path());
        eprintln!("{}: {:?}: {}", case.name, ended.took, ended.words);
        if !case.is_right(&ended) {
            wrong.push(format!("{}: {}", case.name, ended.words));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
