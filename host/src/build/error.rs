//! What is wrong with a job that was built in code.

use std::fmt;

use dynhost_graph::manifest::{ManifestError, Problem, Span};

/// A job that cannot be used, with all that is wrong with it: the mistakes of a manifest, each with the field of the
/// job, such as `nodes.size.inputs.file`, in place of a line.
///
/// ```
/// let job = dynhost::JobBuilder::new("wrong");
/// job.node("no name").op("files", "size");
/// let error = job.manifest().unwrap_err().to_string();
/// assert!(error.starts_with("nodes.\"no name\": `no name` is no name for a node"), "{error}");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
pub struct JobError {
    error: ManifestError,
    /// Where each line of the text begins, and what it says.
    places: Vec<(usize, String)>,
}

impl JobError {
    pub(super) fn new(error: ManifestError, places: Vec<(usize, String)>) -> Self {
        Self { error, places }
    }

    /// The mistakes, with places in the [text](super::JobBuilder::text) of the job.
    #[must_use]
    pub fn manifest(&self) -> &ManifestError {
        &self.error
    }

    /// All problems; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.error.problems()
    }

    /// The field of the job that a place in its text is about, such as `nodes.size.inputs.file`.
    #[must_use]
    pub fn field(&self, span: &Span) -> &str {
        let at = self.places.partition_point(|(begin, _)| *begin <= span.start);
        at.checked_sub(1).map_or("job", |at| &self.places[at].1)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems().iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            if let Some(span) = &problem.span {
                write!(f, "{}: ", self.field(span))?;
            }
            f.write_str(&problem.message)?;
            for (span, label) in &problem.related {
                write!(f, "\n  {}: {label}", self.field(span))?;
            }
            if let Some(help) = &problem.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}
