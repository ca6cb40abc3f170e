//! Why a request is not answered with what it asked for.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dynhost::store::{StoreError, StoreErrorKind};
use dynhost::{ComponentError, PrepareError, RunError};
use serde_json::json;

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// What was sent is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The tenant has too much under way, or the service is stopping.
    #[error("{0}")]
    Later(&'static str),
    /// The service failed.
    #[error("{0}")]
    Failed(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Later(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

impl From<PrepareError> for Refusal {
    fn from(error: PrepareError) -> Self {
        let words = match &error {
            PrepareError::Manifest(error) => {
                let problems = error.problems().iter();
                problems.map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
            }
            PrepareError::Components(errors) => {
                errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("; ")
            }
            error => chain(error),
        };
        Self::Wrong(words)
    }
}

impl From<ComponentError> for Refusal {
    fn from(error: ComponentError) -> Self {
        Self::Wrong(chain(&error))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unknown => Self::Missing("such run".to_owned()),
            _ => Self::Failed(chain(&error)),
        }
    }
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
