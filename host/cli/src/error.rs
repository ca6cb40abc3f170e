//! Why a command did not do what it was asked to, on its way to the exit code.

use std::path::Path;

use dynhost::graph::manifest::{Manifest, ManifestError};
use dynhost::lock::LockError;
use dynhost::store::{StoreError, StoreErrorKind};
use dynhost::{Change, ComponentError, HostError, PrepareError, RunError};

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
    /// The history of runs cannot be kept or read.
    Store(StoreError),
    /// What a run was begun with has changed.
    Changed(Vec<Change>),
    /// The run could not be brought to its end.
    Run {
        /// Why.
        error: RunError,
        /// What to do.
        help: Option<String>,
    },
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

    /// What is wrong with the lock beside a manifest.
    pub(crate) fn lock(error: &LockError, manifest: &Path) -> Self {
        let manifest = manifest.display();
        let help = match error {
            LockError::Missing(_) => format!("`dynhost lock {manifest}` writes it"),
            LockError::NotLocked { .. } => {
                format!("look at the component, then `dynhost lock {manifest}`")
            }
            LockError::OtherPin { .. } => {
                "take `sha256` away, or lock the file that it names".to_owned()
            }
            LockError::Malformed { .. } => {
                format!("delete it, then `dynhost lock {manifest}` writes it anew")
            }
            _ => "build the components first (`dynhost build`), and see that the file may be read and written".to_owned(),
        };
        Self::usage(chain(error)).with_help(help)
    }

    /// Why nothing can be sent to a collector.
    #[cfg(feature = "otel")]
    pub(crate) fn telemetry(error: &dynhost::TelemetryError) -> Self {
        Self::usage(chain(error)).with_help(
            "set `OTEL_EXPORTER_OTLP_ENDPOINT` to a collector at `http://…` and `OTEL_EXPORTER_OTLP_PROTOCOL` to `http/protobuf`; \
             `OTEL_SDK_DISABLED=true` sends nothing",
        )
    }

    /// The kind, as it stands in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Manifest(_) => "manifest",
            Self::Components(..) => "component",
            Self::Failed { .. } => "failed",
            Self::Store(_) => "store",
            Self::Changed(_) => "changed",
            Self::Run { .. } => "run",
        }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Manifest(_) | Self::Changed(_) => 2,
            // It was named wrongly.
            Self::Store(error) if error.kind() == StoreErrorKind::Unknown => 2,
            Self::Components(..) => 3,
            Self::Run { error: RunError::Lost(_), .. } => crate::bug::EXIT_CODE,
            Self::Failed { .. } | Self::Store(_) | Self::Run { .. } => 1,
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
        match error {
            RunError::Store(error) => Self::Store(error),
            RunError::Changed(changes) => Self::Changed(changes),
            RunError::Select(error) => {
                let help = error.help();
                Self::usage(error.to_string()).with_help(help)
            }
            RunError::Ended { ref run, .. } => {
                let help = format!(
                    "`dynhost rerun {run} --from-failure` or `--steps SELECTOR` runs a part of it again, in a new run"
                );
                Self::usage(error.to_string()).with_help(help)
            }
            error => Self::Run { error, help: None },
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Policy(error) => Self::Manifest(error),
            error @ HostError::AddressSpace { .. } => Self::failed(chain(&error)).with_help(
                "raise the bound (`ulimit -v unlimited`, or `LimitAS=infinity` of a service); what guests really use is \
                 bounded by `limits.memory`",
            ),
            error => Self::failed(chain(&error)),
        }
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
