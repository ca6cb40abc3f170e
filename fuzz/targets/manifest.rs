//! The text of a manifest, and params given from outside behind a NUL: parsed, planned against the
//! ops of the planner's tests, begun or reported.

#![no_main]

#[path = "../../graph/tests/plan/invariants.rs"]
mod invariants;
#[allow(dead_code, reason = "shared with the tests of the planner, which use more of it")]
#[path = "../../graph/tests/plan/ops.rs"]
mod ops;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dynhost_graph::job::Job;
use dynhost_graph::manifest::{Manifest, ManifestError, Problem};
use dynhost_graph::params::{Given, GivenParams};
use dynhost_graph::plan::{check, plan};
use dynhost_graph::scheduler::{Bounds, Scheduler};
use libfuzzer_sys::fuzz_target;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

fuzz_target!(|input: &str| {
    let (text, params) = input.split_once('\0').unwrap_or((input, ""));
    let given: GivenParams = params
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), Given::Text(value.to_owned())))
        .collect();
    let manifest = match Manifest::parse(Path::new("job.toml"), text) {
        Ok(manifest) => manifest,
        Err(error) => return report(text, &error),
    };
    let components = ops::components();
    let checked = check(&manifest, &components, &given, &ops::folders());
    match plan(&manifest, &components, &given, &ops::folders()) {
        Ok(job) => {
            assert!(checked.is_ok(), "planned, and refused by the check");
            good(text, job);
        }
        Err(error) => report(text, &error),
    }
    // Components that cannot be loaded are absent.
    if let Err(error) = plan(&manifest, &BTreeMap::new(), &given, &ops::folders()) {
        report(text, &error);
    }
});

fn good(text: &str, job: Job) {
    invariants::check(&job);
    for node in &job.nodes {
        assert!(text.get(node.span.clone()).is_some(), "the place of `{}`", node.name);
        for folder in &node.grants.fs {
            assert!(text.get(folder.span.clone()).is_some());
            assert!(folder.host.is_absolute());
        }
    }
    let mut actions = Vec::new();
    Scheduler::new(Arc::new(job), Bounds::default()).start(&mut actions);
    assert!(!actions.is_empty(), "a run that begins does something or ends");
}

/// Checks the report, and draws it as the command does.
fn report(text: &str, error: &ManifestError) {
    invariants::check_report(text, error);
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_wrap_lines(false)
        .with_links(false)
        .with_context_lines(1);
    for problem in error.problems() {
        let mut drawn = String::new();
        handler.render_report(&mut drawn, &Drawing { problem, text }).expect("it can be drawn");
    }
}

#[derive(Debug)]
struct Drawing<'a> {
    problem: &'a Problem,
    text: &'a str,
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Drawing<'_> {}

impl Diagnostic for Drawing<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let main = self.problem.span.iter().map(|span| {
            LabeledSpan::new_primary_with_span(Some(self.problem.label.clone()), span.clone())
        });
        let related = self.problem.related.iter();
        let related = related
            .map(|(span, label)| LabeledSpan::new_with_span(Some(label.clone()), span.clone()));
        Some(Box::new(main.chain(related)))
    }
}
