//! Bad manifests: `tests/bad/<mistake>.toml`, one mistake each, with the whole report beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dynhost_graph::manifest::Manifest;
use dynhost_graph::params::GivenParams;
use dynhost_graph::plan::plan;

use crate::ops::{components, folders};

/// `semantics.md` rules 4 and 6, and the forms of the manifest.
#[test]
fn each_mistake_is_reported_where_it_is_with_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let files: BTreeMap<String, PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (mistake, path) in files {
        let text = std::fs::read_to_string(path).unwrap();
        let report = report(&format!("{mistake}.toml"), &text);
        settings.bind(|| insta::assert_snapshot!(mistake.clone(), report));
    }
}

fn report(name: &str, text: &str) -> String {
    let manifest = match Manifest::parse(Path::new(name), text) {
        Ok(manifest) => manifest,
        Err(error) => return error.to_string(),
    };
    match plan(&manifest, &components(), &GivenParams::new(), &folders()) {
        Ok(_) => panic!("{name} is accepted"),
        Err(error) => error.to_string(),
    }
}
