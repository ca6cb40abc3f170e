//! What holds for every job, and for every report.

use dynhost_graph::job::{Collect, Job, Node, Origin, ScopeId, Source};
use dynhost_graph::manifest::ManifestError;

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
    // A scope stands behind all that it is made of: one round from the inner one outwards.
    let mut reached = vec![false; inner.index() + 1];
    reached[inner.index()] = true;
    for at in (0..reached.len()).rev() {
        if !reached[at] {
            continue;
        }
        let scope = &job.scopes[at];
        let parts = match &scope.origin {
            Origin::Zip { parts, .. } => parts.as_slice(),
            Origin::Cross { of } => std::slice::from_ref(of),
            Origin::Root | Origin::FanOut(_) | Origin::Batch { .. } => &[],
        };
        for next in parts.iter().chain(&scope.parent) {
            reached[next.index()] = true;
        }
    }
    reached.get(outer.index()).is_some_and(|reached| *reached)
}

/// A report says something, and its places lie in the text.
pub(crate) fn check_report(text: &str, error: &ManifestError) {
    assert!(!error.problems().is_empty());
    for problem in error.problems() {
        let spans = problem.related.iter().map(|(span, _)| span).chain(&problem.span);
        for span in spans {
            assert!(text.get(span.clone()).is_some(), "{error}");
        }
    }
    assert!(!error.to_string().is_empty());
}
