//! Why a run of an op ended without its outputs.

use crate::{Blob, Encode};
use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

/// What an op returns, with [`Failure`] where nothing else is said.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a run of an op ended without its outputs: words for people, a detail for programs, and whether to try again.
///
/// Any [`Error`] becomes a permanent failure through `?`; [`OrFail`] says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    retry: Retry,
    message: String,
    detail: Option<Blob>,
}

/// Whether another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same inputs would fail again.
    Never,
    /// Another attempt may succeed: the node's retry policy says when.
    Allowed,
    /// Another attempt may succeed, but not before this time has passed.
    After(Duration),
}

impl Failure {
    /// A failure that the same inputs would meet again: it is never retried.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { retry: Retry::Never, message: message.into(), detail: None }
    }

    /// A failure that another attempt may not meet: it is retried under the node's retry policy.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { retry: Retry::Allowed, message: message.into(), detail: None }
    }

    /// As [`Failure::transient`], but not retried before `delay` has passed (whole milliseconds).
    pub fn retry_after(message: impl Into<String>, delay: Duration) -> Self {
        Self { retry: Retry::After(delay), message: message.into(), detail: None }
    }

    /// Adds a value for programs. A value that cannot be encoded is left out.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Encode) -> Self {
        self.detail = detail.encode().ok();
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Whether another attempt may succeed.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// What went wrong, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What went wrong, for programs.
    #[must_use]
    pub fn detail(&self) -> Option<&Blob> {
        self.detail.as_ref()
    }

    /// The parts: whether to retry, the message, the detail.
    #[must_use]
    pub fn into_parts(self) -> (Retry, String, Option<Blob>) {
        (self.retry, self.message, self.detail)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// `Failure` itself is no `Error`: that would overlap with the reflexive `From`.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::permanent(with_sources(&error))
    }
}

/// The words of an error and of its sources, joined by colons.
fn with_sources(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !message.ends_with(&words) {
            message.push_str(": ");
            message.push_str(&words);
        }
        source = error.source();
    }
    message
}

/// Says what was being done, and whether to try again, where a result is turned into a [`Failure`].
///
/// ```
/// use dynhost_sdk::prelude::*;
///
/// fn port(text: &str) -> Result<u16> {
///     text.parse::<u16>().or_permanent("reading the port")
/// }
/// assert_eq!(port("x").unwrap_err().message(), "reading the port: invalid digit found in string");
/// ```
pub trait OrFail<T> {
    /// The error as a failure that is never retried.
    ///
    /// # Errors
    /// A permanent failure when `self` is an error.
    fn or_permanent(self, doing: impl Display) -> Result<T>;

    /// The error as a failure that may be retried.
    ///
    /// # Errors
    /// A transient failure when `self` is an error.
    fn or_transient(self, doing: impl Display) -> Result<T>;
}

impl<T, E: Display> OrFail<T> for Result<T, E> {
    fn or_permanent(self, doing: impl Display) -> Result<T> {
        self.map_err(|error| Failure::permanent(format!("{doing}: {error}")))
    }

    fn or_transient(self, doing: impl Display) -> Result<T> {
        self.map_err(|error| Failure::transient(format!("{doing}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_a_permanent_failure() {
        fn op() -> Result<u8> {
            Ok("300".parse::<u8>()?)
        }
        let failure = op().unwrap_err();
        assert_eq!(failure.retry(), Retry::Never);
        assert_eq!(failure.message(), "number too large to fit in target type");
    }

    #[test]
    fn context_and_detail_are_kept() {
        let failure = Failure::transient("busy").context("asking").with_detail(7_u8);
        let (retry, message, detail) = failure.into_parts();
        assert_eq!(retry, Retry::Allowed);
        assert_eq!(message, "asking: busy");
        assert_eq!(detail, Some(Blob::json("7")));
    }
}
