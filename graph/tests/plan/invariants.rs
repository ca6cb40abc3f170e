//! What holds for every job, and for every text.

use std::path::Path;

use dynhost_graph::job::{Collect, Job, Node, Origin, ScopeId, Source};
use dynhost_graph::manifest::Manifest;
use dynhost_graph::params::GivenParams;
use dynhost_graph::plan::plan;
use proptest::prelude::*;

use crate::ops::{components, folders};

/// Everything stands behind what it depends on, and each source is one that its reader reaches.
pub(crate) fn check(job: &Job) {
    for (at, scope) in (0..).zip(&job.scopes).skip(1) {
        let parent = scope.parent.expect("only the root has none");
        assert!(parent.0 < at);
        assert_eq!(scope.depth, job.scope(parent).depth + 1);
        match &scope.origin {
            Origin::Root => panic!("one root"),
            Origin::FanOut(output) | Origin::Batch { of: output, .. } => {
                let node = job.node(output.node);
                assert_eq!(node.scope, parent);
                assert!(node.op.outputs[output.output as usize].dynamic);
            }
            Origin::Zip { parts, .. } => {
                assert!(parts.iter().all(|part| job.scope(*part).parent == Some(parent)));
            }
            Origin::Cross { of } => assert!(of.0 < at),
        }
    }
    for (at, Collect { scope, of }) in (0..).zip(&job.collects) {
        match of {
            Source::Output(output) => assert_eq!(job.node(output.node).scope, *scope),
            Source::Element(element) => assert_eq!(element, scope),
            Source::Collect(inner) => {
                assert!(inner.0 < at);
                assert_eq!(job.scope(job.collect(*inner).scope).parent, Some(*scope));
            }
            other => panic!("a collect of {other:?}"),
        }
    }
    for (at, node) in (0..).zip(&job.nodes) {
        assert!(node.after.iter().all(|after| after.node.0 < at));
        assert_eq!(node.inputs.len(), node.op.inputs.len());
        node.inputs.iter().flatten().for_each(|source| check_source(job, node, at, source));
    }
}

fn check_source(job: &Job, node: &Node, at: u32, source: &Source) {
    match source {
        Source::Value(_) => {}
        Source::Output(output) => {
            assert!(output.node.0 < at);
            assert!(reaches(job, job.node(output.node).scope, node.scope));
        }
        Source::Element(scope) => {
            assert!(matches!(job.scope(*scope).origin, Origin::FanOut(_) | Origin::Batch { .. }));
            assert!(reaches(job, *scope, node.scope));
        }
        Source::Collect(id) => {
            let parent = job.scope(job.collect(*id).scope).parent.expect("a level");
            assert!(reaches(job, parent, node.scope));
        }
        Source::List(list) => {
            for one in list {
                assert!(!matches!(one, Source::List(_) | Source::Collect(_)));
                check_source(job, node, at, one);
            }
        }
    }
}

/// `semantics.md` rules 3 and 4.
fn reaches(job: &Job, outer: ScopeId, inner: ScopeId) -> bool {
    let scope = job.scope(inner);
    outer == inner
        || scope.parent.is_some_and(|parent| reaches(job, outer, parent))
        || match &scope.origin {
            Origin::Zip { parts, .. } => parts.iter().any(|part| reaches(job, outer, *part)),
            Origin::Cross { of } => reaches(job, outer, *of),
            Origin::Root | Origin::FanOut(_) | Origin::Batch { .. } => false,
        }
}

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
            Err(error) => {
                prop_assert!(!error.problems().is_empty());
                for problem in error.problems() {
                    let spans = problem.related.iter().map(|(span, _)| span).chain(&problem.span);
                    for span in spans {
                        prop_assert!(text.get(span.clone()).is_some(), "{error}");
                    }
                }
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
