//! Where this call stands in the run, and talking to people.

use crate::host;
pub use crate::host::{attempt, log, mapping_keys, progress, run_id, step_key};

/// How urgent a log message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the op is doing, step by step.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What is good to know.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

/// Writes one message to the step's log, for people who look for a mistake.
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref(), &[]);
}

/// Writes one message to the step's log, for people who want to know.
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref(), &[]);
}

/// Writes one message to the step's log, about something that may be wrong.
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref(), &[]);
}

/// Writes one message to the step's log, about something that is wrong.
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref(), &[]);
}

/// Where a call stands in the run. An op that has a parameter of this type gets it; it is not an input.
///
/// ```
/// use dynhost_sdk::prelude::*;
///
/// #[op]
/// fn greet(name: String, context: Context) -> String {
///     format!("{name}, seen by {} in attempt {}", context.step_key, context.attempt)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The run that this step belongs to.
    pub run_id: String,
    /// The step, such as `size[readme_md]`.
    pub step_key: String,
    /// The mapping keys of this clone, outermost first; empty outside a map.
    pub mapping_keys: Vec<String>,
    /// 1 for the first attempt.
    pub attempt: u32,
}

impl Context {
    /// Where this call stands.
    #[must_use]
    pub fn current() -> Self {
        Self {
            run_id: run_id(),
            step_key: step_key(),
            mapping_keys: mapping_keys(),
            attempt: attempt(),
        }
    }
}
