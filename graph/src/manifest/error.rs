//! What is wrong with a manifest: every problem with its place, sorted.
//!
//! This module knows nothing of terminals: whoever shows a problem decides how.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in a manifest, in bytes of its text.
pub type Span = Range<usize>;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong and why, on one line.
    pub message: String,
    /// Where; `None` for what comes from outside the manifest, such as a param.
    pub span: Option<Span>,
    /// What stands there, in a few words; may be empty.
    pub label: String,
    /// Other places that have to do with it, each with what stands there.
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    #[must_use]
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::outside(message) }
    }

    /// A problem that has no place in the manifest.
    #[must_use]
    pub fn outside(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: None,
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }

    /// Says in a few words what stands at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds another place that has to do with it.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A manifest that cannot be used, with all that is wrong with it.
///
/// Displayed as plain text, one problem after the other: `path:line:column: message`, then
/// related places and help, indented.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ManifestError {
    path: PathBuf,
    text: Arc<str>,
    problems: Vec<Problem>,
}

impl ManifestError {
    /// Sorts the problems by place, those without one last, and drops repetitions.
    #[must_use]
    pub fn new(path: &Path, text: Arc<str>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| {
            let span = problem.span.as_ref();
            span.map_or((usize::MAX, usize::MAX), |span| (span.start, span.end))
        });
        let mut kept: Vec<Problem> = Vec::with_capacity(problems.len());
        for problem in problems {
            let same =
                |other: &&Problem| other.span == problem.span && other.message == problem.message;
            let same_place = kept.iter().rev().take_while(|other| other.span == problem.span);
            if !same_place.into_iter().any(|other| same(&other)) {
                kept.push(problem);
            }
        }
        Self { path: path.to_owned(), text, problems: kept }
    }

    /// The manifest's path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The manifest's text, which the spans of the problems point into.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// All problems, sorted by place; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The line and column of a byte of the text, both from 1; columns count characters.
    #[must_use]
    pub fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            match &problem.span {
                Some(span) => {
                    let (line, column) = self.position(span.start);
                    write!(f, "{path}:{line}:{column}: {}", problem.message)?;
                }
                None => write!(f, "{path}: {}", problem.message)?,
            }
            for (span, label) in &problem.related {
                let (line, column) = self.position(span.start);
                write!(f, "\n  {path}:{line}:{column}: {label}")?;
            }
            if let Some(help) = &problem.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}
