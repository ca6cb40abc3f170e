//! Why a command did not do what it was asked to, on its way to the exit code.

use dynhost::graph::manifest::{Manifest, ManifestError};
use dynhost::{ComponentError, HostError, PrepareError, RunError};

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line, or a file that it names, is not as it should be.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// The manifest is wrong.
    Manifest(ManifestError),
    /// Components cannot be loaded; with the manifest that names them, if one does.
    Components(Vec<ComponentError>, Option<Box<Manifest>>),
    /// Something outside failed: a file cannot be written, a command failed.
    Failed {
        /// What failed and why.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// The run could not be brought to its end.
    Run(RunError),
}

impl Error {
    /// A mistake in the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: None }
    }

    /// A failure outside.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), help: None }
    }

    /// The same error with what to do about it.
    pub(crate) fn with_help(mut self, text: impl Into<String>) -> Self {
        if let Self::Usage { help, .. } | Self::Failed { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// From what the library says of a manifest.
    pub(crate) fn prepare(error: PrepareError, manifest: Option<&Manifest>) -> Self {
        match error {
            PrepareError::Manifest(error) => Self::Manifest(error),
            PrepareError::Components(errors) => {
                Self::Components(errors, manifest.map(|manifest| Box::new(manifest.clone())))
            }
            other => {
                let why = std::error::Error::source(&other).map(ToString::to_string);
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                Self::usage(format!("{other}{why}"))
            }
        }
    }

    /// The kind, as it stands in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Manifest(_) => "manifest",
            Self::Components(..) => "component",
            Self::Failed { .. } => "failed",
            Self::Run(_) => "run",
        }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Manifest(_) => 2,
            Self::Components(..) => 3,
            Self::Run(RunError::Lost(_)) => crate::bug::EXIT_CODE,
            Self::Failed { .. } | Self::Run(_) => 1,
        }
    }
}

impl From<ComponentError> for Error {
    fn from(error: ComponentError) -> Self {
        Self::Components(vec![error], None)
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        Self::failed(chain(&error))
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
