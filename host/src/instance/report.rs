//! What is said of an attempt at a step while it runs, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{Failure, Level};
use dynhost_graph::name::MappingKey;
use dynhost_graph::value::Value;

use super::Attempt;

/// The kinds of report. Each attempt gives `Started`, then any number of others, then `Ended`
/// once; one that is interrupted before it began gives `Ended` alone.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReportKind {
    /// The attempt began.
    Started,
    /// The guest emitted an element of a dynamic output.
    Emitted {
        /// The position of the output in the op's definition.
        output: u32,
        /// The mapping key.
        key: MappingKey,
        /// The element.
        value: Value,
    },
    /// The guest waits in `emit`, and holds no place. It has seen so many elements granted.
    Suspended {
        /// Elements granted in this attempt, in all.
        granted: u64,
    },
    /// The guest wrote to its log.
    Logged {
        /// How urgent it is.
        level: Level,
        /// The message.
        message: String,
        /// Further fields.
        fields: Vec<(String, String)>,
    },
    /// The guest said how far it is.
    Progressed {
        /// Units done.
        done: u64,
        /// Units in all.
        total: Option<u64>,
    },
    /// The attempt ended. Always the last report of an attempt.
    Ended {
        /// How.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
        /// What was run, where it took so long that what it gave may be worth keeping.
        attempt: Option<Arc<Attempt>>,
        /// What it used.
        used: Used,
    },
}

/// How an attempt ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Well, with these static outputs, by position in the op's definition.
    Succeeded(Vec<(u32, Value)>),
    /// It failed.
    Failed(Failure),
    /// It was interrupted.
    Cancelled,
}

impl Outcome {
    /// In one word: `succeeded`, `failed` or `cancelled`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What an attempt used, as far as that is known: nothing is of one that was interrupted or ran out of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Used {
    /// Bytes of guest memory at the peak.
    pub memory: Option<u64>,
    /// Units of fuel, where it was counted.
    pub fuel: Option<u64>,
    /// Bytes of all outputs together.
    pub output: u64,
}
