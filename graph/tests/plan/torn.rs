//! Manifests with lines torn out or doubled.

use std::path::Path;

use dynhost_graph::manifest::Manifest;
use dynhost_graph::params::GivenParams;
use dynhost_graph::plan::plan;
use proptest::prelude::*;

use crate::invariants::{check, check_report};
use crate::ops::{components, folders};

/// Whole manifests: those with mistakes, and good ones.
fn texts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_toml = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "toml");
    let bad = paths.into_iter().filter(is_toml).map(|path| std::fs::read_to_string(path).unwrap());
    let head = "[job]\nname = \"x\"\n[components]\nnumbers = \"n\"\nfiles = \"f\"\n";
    let good = [crate::job::SIZES, crate::graphs::CLEAN, crate::graphs::ALL_KINDS];
    bad.chain(good.map(|text| format!("{head}{text}"))).collect()
}

proptest! {
    /// Whatever is torn out of a manifest, or doubled in it, gives a job or a report whose places
    /// lie in the text.
    #[test]
    fn every_text_gives_a_job_or_a_report(
        which in any::<prop::sample::Index>(),
        line in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        length in 0..30_usize,
        double in any::<bool>(),
    ) {
        let texts = texts();
        let text = &texts[which.index(texts.len())];
        let mut lines: Vec<&str> = text.lines().collect();
        let at = line.index(lines.len());
        if double { lines.insert(at, lines[at]) } else { lines.remove(at); }
        let mut text: Vec<char> = lines.join("\n").chars().collect();
        let cut = cut.index(text.len());
        text.drain(cut..(cut + length).min(text.len()));
        let text: String = text.into_iter().collect();
        let planned = Manifest::parse(Path::new("torn.toml"), &text)
            .and_then(|manifest| plan(&manifest, &components(), &GivenParams::new(), &folders()));
        match planned {
            Ok(job) => check(&job),
            Err(error) => check_report(&text, &error),
        }
    }
}
