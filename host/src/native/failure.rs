//! Why a native op failed.

use std::fmt::Display;
use std::time::Duration;

use dynhost_graph::event::{Failure, ReportedRetry};
use dynhost_graph::value::Value;

/// Why a native op failed, and whether another attempt may succeed. Any error becomes a permanent failure through `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct OpFailure {
    message: String,
    detail: Option<Value>,
    retry: ReportedRetry,
}

impl OpFailure {
    /// The same inputs would fail again: it is never retried.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, retry: ReportedRetry::Permanent }
    }

    /// Another attempt may succeed: it is retried as the node says.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { retry: ReportedRetry::Transient, ..Self::permanent(message) }
    }

    /// As [`OpFailure::transient`], but not before this time has passed.
    #[must_use]
    pub fn retry_after(message: impl Into<String>, delay: Duration) -> Self {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self { retry: ReportedRetry::After(ms), ..Self::permanent(message) }
    }

    /// Adds data for programs.
    #[must_use]
    pub fn with_detail(mut self, detail: &serde_json::Value) -> Self {
        self.detail = Some(Value::json(detail));
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    pub(crate) fn into_failure(self) -> Failure {
        let Self { message, detail, retry } = self;
        Failure::Reported { message, detail, retry }
    }
}

impl<E: std::error::Error> From<E> for OpFailure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::permanent(message)
    }
}
