//! Errors as reports with the place in the source, and as JSON.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use dynhost::ComponentError;
use dynhost::graph::manifest::{Manifest, ManifestError, Problem};
use dynhost::store::{StoreError, StoreErrorKind};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use serde_json::{Value as Json, json};

use super::changes;
use super::words::count;
use crate::error::{Error, chain};

/// A width that fits most terminals, for stderr that is none.
const WIDTH: usize = 100;

type Source = Arc<NamedSource<Arc<str>>>;

/// One thing that is wrong, with its place.
#[derive(Debug)]
struct Diagnosis {
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Option<Source>,
    cause: Option<Cause>,
}

/// A cause, without the types of the errors that it is made of.
#[derive(Debug)]
struct Cause {
    message: String,
    cause: Option<Box<Cause>>,
}

impl Cause {
    fn of(error: &dyn std::error::Error) -> Option<Self> {
        error
            .source()
            .map(|cause| Self { message: cause.to_string(), cause: Self::of(cause).map(Box::new) })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnosis {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl Diagnostic for Diagnosis {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as _)
    }
}

impl Diagnosis {
    fn plain(message: impl Into<String>, help: Option<String>) -> Self {
        Self { message: message.into(), help, labels: Vec::new(), source: None, cause: None }
    }

    fn problem(problem: &Problem, source: &Source) -> Self {
        let mut labels = Vec::new();
        if let Some(span) = &problem.span {
            let label = (!problem.label.is_empty()).then(|| problem.label.clone());
            labels.push(LabeledSpan::new_primary_with_span(label, span.clone()));
        }
        for (span, label) in &problem.related {
            labels.push(LabeledSpan::new_with_span(Some(label.clone()), span.clone()));
        }
        let source = (!labels.is_empty()).then(|| Arc::clone(source));
        Self { labels, source, ..Self::plain(problem.message.clone(), problem.help.clone()) }
    }

    fn component(error: &ComponentError, manifest: Option<&Manifest>) -> Self {
        let mut diagnosis = Self::plain(error.to_string(), help(error, manifest));
        diagnosis.cause = Cause::of(error);
        if let Some((manifest, span)) = named_at(error, manifest) {
            diagnosis.labels.push(LabeledSpan::new_primary_with_span(None, span));
            diagnosis.source = Some(source(&manifest.path, &manifest.text));
        }
        diagnosis
    }
}

fn source(path: &Path, text: &Arc<str>) -> Source {
    Arc::new(NamedSource::new(path.display().to_string(), Arc::clone(text)))
}

/// What to do about a component; without a manifest there is none to look into.
fn help(error: &ComponentError, manifest: Option<&Manifest>) -> Option<String> {
    match error {
        ComponentError::Read { .. } if manifest.is_none() => None,
        _ => error.help(),
    }
}

/// Where the manifest names the component that cannot be loaded.
fn named_at<'m>(
    error: &ComponentError,
    manifest: Option<&'m Manifest>,
) -> Option<(&'m Manifest, std::ops::Range<usize>)> {
    let manifest = manifest?;
    let folder = manifest.path.parent().unwrap_or(Path::new(""));
    let is_it = |path: &str| folder.join(path) == error.path();
    let component = manifest.components.iter().find(|one| is_it(&one.path.value))?;
    let pinned =
        component.sha256.as_ref().filter(|_| matches!(error, ComponentError::Digest { .. }));
    Some((manifest, pinned.map_or(&component.path, |pinned| pinned).span.clone()))
}

fn diagnoses(error: &Error) -> Vec<Diagnosis> {
    match error {
        Error::Usage { message, help } | Error::Failed { message, help } => {
            vec![Diagnosis::plain(message.clone(), help.clone())]
        }
        Error::Manifest(error) => {
            let source = source(error.path(), error.text());
            error.problems().iter().map(|one| Diagnosis::problem(one, &source)).collect()
        }
        Error::Components(errors, manifest) => {
            let manifest = manifest.as_deref();
            errors.iter().map(|error| Diagnosis::component(error, manifest)).collect()
        }
        Error::Store(error) => {
            let mut diagnosis = Diagnosis::plain(error.to_string(), store_help(error));
            diagnosis.cause = Cause::of(error);
            vec![diagnosis]
        }
        Error::Changed(_) => vec![Diagnosis::plain(CHANGED, Some(ACCEPT.to_owned()))],
        Error::Run { error, help } => {
            let mut diagnosis = Diagnosis::plain(error.to_string(), help.clone());
            diagnosis.cause = Cause::of(error);
            vec![diagnosis]
        }
    }
}

const CHANGED: &str = "what the run was begun with has changed since";
const ACCEPT: &str = "put back what it was, or go on with what there is now: `--accept-changes`; steps that ended are not run again";

fn store_help(error: &StoreError) -> Option<String> {
    match error.kind() {
        StoreErrorKind::Unknown => Some("`dynhost runs list` names the runs".to_owned()),
        StoreErrorKind::Busy => Some(
            "wait for that process to end, or cancel the run: `dynhost runs cancel RUN`".to_owned(),
        ),
        _ => error.help().map(ToOwned::to_owned),
    }
}

/// The whole report, for stderr.
pub(crate) fn render(error: &Error) -> String {
    let term = console::Term::stderr();
    let theme = if console::colors_enabled_stderr() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let width = if term.is_term() { usize::from(term.size().1).max(40) } else { WIDTH };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_wrap_lines(term.is_term())
        .with_links(false)
        .with_context_lines(1);
    let mut text = String::new();
    if let Error::Changed(changes) = error {
        text.extend(changes.iter().map(changes::to_text));
    }
    let diagnoses = diagnoses(error);
    for diagnosis in &diagnoses {
        let mut one = String::new();
        if handler.render_report(&mut one, diagnosis).is_err() {
            one = format!("{}\n", diagnosis.message);
        }
        text.push_str(one.trim_start_matches('\n'));
        text.push('\n');
    }
    if let (Error::Manifest(error), true) = (error, diagnoses.len() > 1) {
        let mistakes = count(diagnoses.len() as u64, "mistake");
        let _ = writeln!(text, "{mistakes} in {}", error.path().display());
    }
    text
}

/// The object for stdout.
pub(crate) fn to_json(error: &Error) -> Json {
    let problems = match error {
        Error::Manifest(error) => manifest_problems(error),
        Error::Components(errors, manifest) => errors
            .iter()
            .map(|error| component_problem(error, manifest.as_deref()))
            .collect::<Vec<_>>(),
        Error::Changed(changes) => changes.iter().map(changes::to_json).collect(),
        _ => Vec::new(),
    };
    let (message, help) = match error {
        Error::Usage { message, help } | Error::Failed { message, help } => {
            (message.clone(), help.clone())
        }
        Error::Manifest(error) => {
            let mistakes = count(error.problems().len() as u64, "mistake");
            (format!("the manifest `{}` has {mistakes}", error.path().display()), None)
        }
        Error::Components(errors, _) => {
            let count = count(errors.len() as u64, "component");
            (format!("{count} cannot be loaded"), None)
        }
        Error::Store(error) => (chain(error), store_help(error)),
        Error::Changed(_) => (CHANGED.to_owned(), Some(ACCEPT.to_owned())),
        Error::Run { error, help } => (chain(error), help.clone()),
    };
    let mut object = json!({ "kind": error.kind(), "message": message, "problems": problems });
    if let Some(help) = help {
        object["help"] = help.into();
    }
    json!({ "error": object })
}

fn manifest_problems(error: &ManifestError) -> Vec<Json> {
    let problem = |problem: &Problem| {
        let position = problem.span.as_ref().map(|span| error.position(span.start));
        json!({
            "message": problem.message,
            "file": error.path().display().to_string(),
            "line": position.map(|(line, _)| line),
            "column": position.map(|(_, column)| column),
            "help": problem.help,
        })
    };
    error.problems().iter().map(problem).collect()
}

fn component_problem(error: &ComponentError, manifest: Option<&Manifest>) -> Json {
    let position = named_at(error, manifest)
        .map(|(manifest, span)| (manifest, manifest.error(Vec::new()).position(span.start)));
    json!({
        "message": chain(error),
        "component": error.path().display().to_string(),
        "file": position.map(|(manifest, _)| manifest.path.display().to_string()),
        "line": position.map(|(_, (line, _))| line),
        "column": position.map(|(_, (_, column))| column),
        "help": help(error, manifest),
    })
}
