//! What happened in a run. This is the format of the history: names and shapes here are
//! kept once published. All state of a run is a fold over its events.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::{MappingKey, StepKey};
use crate::value::Value;

/// The version of the event format, written at the head of every stored run.
pub const EVENT_VERSION: u32 = 1;

/// One thing that happened, in the past tense. The step events carry the step key, the attempt
/// counts from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run began. Always the first event.
    RunStarted {
        /// The version of the format: [`EVENT_VERSION`].
        version: u32,
        /// The run.
        run: String,
        /// The job's name.
        job: String,
        /// The parameters with their values.
        params: Vec<(String, serde_json::Value)>,
        /// The components: alias and SHA-256 of the file.
        components: Vec<(String, String)>,
        /// The manifest that the job was planned from; absent where it was made in code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Box<ManifestRecord>>,
        /// The nodes, each with a digest of its op's name, its configuration and its wiring.
        #[serde(default)]
        nodes: Vec<(String, String)>,
        /// How the run was asked for.
        #[serde(default)]
        settings: RunSettings,
        /// The run that this one goes on from (`semantics.md` rule 20).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<Lineage>>,
    },
    /// The run goes on after an interruption (`semantics.md` rule 19): what was under way is run
    /// again, and a request to cancel no longer holds.
    RunResumed {
        /// The components: alias and SHA-256 of the file.
        components: Vec<(String, String)>,
        /// The nodes, as in `run_started`.
        #[serde(default)]
        nodes: Vec<(String, String)>,
        /// The manifest, where it is another than before; the change was accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Box<ManifestRecord>>,
    },
    /// An attempt at a step began in a fresh instance.
    StepStarted {
        /// The step.
        step: StepKey,
        /// The attempt.
        attempt: u32,
    },
    /// A running step emitted an element of a dynamic output.
    OutputEmitted {
        /// The step that emitted.
        step: StepKey,
        /// Its attempt.
        attempt: u32,
        /// The output's name.
        output: Arc<str>,
        /// The mapping key of the element.
        key: MappingKey,
        /// The element.
        value: Value,
    },
    /// A step ended well. Its static outputs count from now on.
    StepSucceeded {
        /// The step.
        step: StepKey,
        /// The attempt that succeeded.
        attempt: u32,
        /// The static outputs that were given, by name.
        outputs: Vec<(Arc<str>, Value)>,
        /// How long the attempt took, in microseconds.
        took_us: u64,
        /// Where the outputs come from, if the step was not run (`semantics.md` rules 20 and 21).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reused: Option<Reused>,
    },
    /// An attempt failed.
    StepFailed {
        /// The step.
        step: StepKey,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// The delay before the next attempt, in milliseconds; absent: the step failed for good.
        retry_in_ms: Option<u64>,
        /// How long the attempt took, in microseconds.
        took_us: u64,
    },
    /// A step will not run.
    StepSkipped {
        /// The step.
        step: StepKey,
        /// Why.
        reason: SkipReason,
    },
    /// Clones no longer count: the last attempt of the step that yields them did not emit their
    /// element again, or emitted another (`semantics.md` rule 17). Those of them that are under way
    /// are interrupted.
    ClonesDropped {
        /// The nodes of the clones.
        nodes: Vec<Arc<str>>,
        /// The mapping keys that theirs begin with.
        keys: Vec<MappingKey>,
    },
    /// The op of a node is run without asking the cache from now on, in this run.
    CacheLeftAlone {
        /// The node.
        node: Arc<str>,
        /// Lookups so far.
        lookups: u64,
        /// Those of them that found an earlier success.
        hits: u64,
    },
    /// A running step was interrupted: the run is being cancelled, or the step no longer counts.
    StepCancelled {
        /// The step.
        step: StepKey,
        /// The attempt that was interrupted.
        attempt: u32,
    },
    /// An op wrote to its step's log.
    LogWritten {
        /// The step.
        step: StepKey,
        /// Its attempt.
        attempt: u32,
        /// How urgent it is.
        level: Level,
        /// The message.
        message: String,
        /// Further fields, by name.
        fields: Vec<(String, String)>,
    },
    /// An op said how far it is.
    ProgressMade {
        /// The step.
        step: StepKey,
        /// Its attempt.
        attempt: u32,
        /// Units done, of the op's own kind.
        done: u64,
        /// Units in all, where the op knows.
        total: Option<u64>,
    },
    /// The run is to end before its time.
    CancelRequested {
        /// Who or what asked for it.
        reason: CancelReason,
    },
    /// The run ended. Always the last event.
    RunFinished {
        /// How.
        status: RunStatus,
        /// The outputs of the job, in its order.
        #[serde(default)]
        outputs: Vec<(String, OutputValue)>,
    },
}

/// A manifest, as it was when a run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// The file, absolute.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The folder that paths which begin with a param are relative to, absolute.
    pub working: PathBuf,
}

/// How a run was asked for, beside its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Steps at once, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// The first failure cancels the run.
    #[serde(default)]
    pub fail_fast: bool,
    /// Whether earlier successes may be reused.
    #[serde(default)]
    pub cache: bool,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { max_concurrency: None, fail_fast: false, cache: true }
    }
}

/// The run that another goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The earlier run.
    pub run: String,
    /// The selectors of the steps to be run again; without any, those that had not succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
}

/// Where the outputs of a step come from that was not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reused {
    /// How they were found.
    pub from: ReusedFrom,
    /// The run in which they were made.
    pub run: String,
    /// The step that made them.
    pub step: StepKey,
}

/// How an earlier success was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReusedFrom {
    /// In the run that this one goes on from (`semantics.md` rule 20).
    Parent,
    /// In the cache (`semantics.md` rule 21).
    Cache,
}

/// An output of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputValue {
    /// It was skipped, or what it comes from failed.
    Absent,
    /// One value.
    Single(Value),
    /// The values of a collect or a list, with their mapping keys.
    Many(Vec<(MappingKey, Value)>),
}

/// An event and when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Every step that was due succeeded, or its failure was tolerated.
    Succeeded,
    /// At least one step failed for good.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// Why a run is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelReason {
    /// The caller asked for it.
    Requested,
    /// A step of a node with `on_failure = "abort"` failed.
    Aborted {
        /// The step.
        step: StepKey,
    },
}

/// Why a step does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// What an input refers to was not emitted, or was skipped itself (`semantics.md` rule 14).
    NotEmitted {
        /// The input.
        input: String,
    },
    /// Something that the step depends on failed or was not run because of a failure (rule 15).
    Upstream {
        /// The node that failed.
        node: Arc<str>,
    },
}

/// How urgent a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Details of the op's inner work.
    Trace,
    /// For finding mistakes.
    Debug,
    /// Worth knowing.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
}

/// Why an attempt at a step failed. A guest's failure is data; nothing here is an error of the
/// host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The op said so itself.
    Reported {
        /// The op's words.
        message: String,
        /// The op's data on it.
        detail: Option<Value>,
        /// Whether another attempt may succeed.
        retry: ReportedRetry,
    },
    /// The guest trapped.
    Trap {
        /// What the trap was, and where in the guest.
        message: String,
    },
    /// A limit on the attempt was exceeded.
    LimitExceeded {
        /// The limit.
        limit: LimitKind,
        /// Its value, in the unit of its kind.
        value: u64,
        /// What the guest did, where there is more to say.
        detail: String,
    },
    /// The attempt took longer than the node's timeout.
    TimedOut {
        /// The timeout, in milliseconds.
        after_ms: u64,
    },
    /// The op broke the contract of its interface.
    BadOutput {
        /// How.
        violation: Violation,
    },
    /// The host could not run the step: nothing that the op did.
    Host {
        /// What went wrong.
        message: String,
    },
}

/// What an op said of another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedRetry {
    /// The same inputs would fail again.
    Permanent,
    /// Another attempt may succeed.
    Transient,
    /// Another attempt may succeed after so many milliseconds.
    After(u64),
}

/// A bound on what an attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitKind {
    /// Bytes of guest memory, all memories of the instance together.
    Memory,
    /// Elements of guest tables, all tables together.
    TableElements,
    /// Units of fuel.
    Fuel,
    /// Bytes of the guest's stack.
    Stack,
    /// Bytes of one output's value.
    Output,
    /// Bytes that one call of the guest can make the host allocate.
    HostAllocation,
    /// Elements of one dynamic output.
    Clones,
    /// Bytes of log text.
    Log,
    /// Bytes of all outputs of the attempt together.
    OutputTotal,
    /// Resources that the guest holds open: files, folders, streams, sockets, handles.
    Resources,
    /// How deep arrays and objects of a JSON output are nested.
    JsonDepth,
}

impl LimitKind {
    /// What a node's `limits` may bound. The stack is the host's, and clones are bounded by `max_clones`.
    pub const SETTABLE: [Self; 9] = [
        Self::Memory,
        Self::TableElements,
        Self::Fuel,
        Self::Output,
        Self::OutputTotal,
        Self::HostAllocation,
        Self::Log,
        Self::Resources,
        Self::JsonDepth,
    ];

    /// The key under which a manifest bounds it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::TableElements => "table_elements",
            Self::Fuel => "fuel",
            Self::Stack => "stack",
            Self::Output => "output",
            Self::HostAllocation => "host_allocation",
            Self::Clones => "max_clones",
            Self::Log => "log",
            Self::OutputTotal => "output_total",
            Self::Resources => "resources",
            Self::JsonDepth => "json_depth",
        }
    }

    /// Whether its values are bytes.
    #[must_use]
    pub const fn is_bytes(self) -> bool {
        match self {
            Self::Memory
            | Self::Stack
            | Self::Output
            | Self::OutputTotal
            | Self::HostAllocation
            | Self::Log => true,
            Self::TableElements | Self::Fuel | Self::Clones | Self::Resources | Self::JsonDepth => {
                false
            }
        }
    }

    /// The limit in words, such as "memory limit".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Memory => "memory limit",
            Self::TableElements => "limit on table elements",
            Self::Fuel => "fuel limit",
            Self::Stack => "stack limit",
            Self::Output => "limit on the size of an output",
            Self::HostAllocation => "limit on what a call may make the host allocate",
            Self::Clones => "limit on clones",
            Self::Log => "limit on log text",
            Self::OutputTotal => "limit on the size of all outputs",
            Self::Resources => "limit on open resources",
            Self::JsonDepth => "limit on the nesting of JSON",
        }
    }

    /// A value of this kind with its unit, such as "64 MiB".
    #[must_use]
    pub fn with_unit(self, value: u64) -> String {
        match self {
            kind if kind.is_bytes() => bytes_in_words(value),
            Self::TableElements | Self::Clones => format!("{value} elements"),
            Self::Resources => format!("{value} resources"),
            Self::JsonDepth => format!("{value} levels"),
            _ => format!("{value} units"),
        }
    }
}

/// A number of bytes in the largest binary unit that divides it, or with one decimal.
#[must_use]
pub fn bytes_in_words(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let (whole, tenth) = (bytes / unit, bytes % unit * 10 / unit);
            return if tenth == 0 {
                format!("{whole} {name}")
            } else {
                format!("{whole}.{tenth} {name}")
            };
        }
    }
    format!("{bytes} bytes")
}

/// A duration with its largest unit, such as `30 s` or `1.5 s`.
#[must_use]
pub fn duration_in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_millis() {
        ..1_000 => format!("{} ms", duration.as_millis()),
        1_000..60_000 => format!("{} s", tenths(seconds)),
        60_000..3_600_000 => format!("{} min", tenths(seconds / 60.0)),
        _ => format!("{} h", tenths(seconds / 3600.0)),
    }
}

/// A duration as a person would set it, in the largest unit of which it is a whole number.
///
/// ```
/// use dynhost_graph::event::setting_in_words;
/// use std::time::Duration;
///
/// let words = [0, 1500, 90_000, 600_000].map(|ms| setting_in_words(Duration::from_millis(ms)));
/// assert_eq!(words, ["0 ms", "1500 ms", "90 s", "10 min"]);
/// ```
#[must_use]
pub fn setting_in_words(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, name) in [(3_600_000, "h"), (60_000, "min"), (1_000, "s")] {
        if ms >= unit && ms.is_multiple_of(unit) {
            return format!("{} {name}", ms / unit);
        }
    }
    format!("{ms} ms")
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// How an op broke the contract of its interface (op-interface, principle 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "violation", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Violation {
    /// An output that the definition does not have.
    #[error("it gave an output `{output}`, which its definition does not have")]
    UnknownOutput {
        /// The output's name.
        output: String,
    },
    /// A dynamic output without a mapping key.
    #[error("it gave an element of the dynamic output `{output}` without a mapping key")]
    MissingKey {
        /// The output's name.
        output: String,
    },
    /// A static output with a mapping key.
    #[error("it gave the output `{output}`, which is not dynamic, with the mapping key `{key}`")]
    UnexpectedKey {
        /// The output's name.
        output: String,
        /// The key.
        key: String,
    },
    /// A mapping key against `semantics.md` rule 7.
    #[error(
        "it gave the output `{output}` the mapping key {key:?}: {why}; 1 to 255 bytes of UTF-8 without control characters, `[` or `]` are allowed"
    )]
    InvalidKey {
        /// The output's name.
        output: String,
        /// The key, cut to 300 bytes.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A mapping key given twice (`semantics.md` rule 8).
    #[error("it gave the output `{output}` the mapping key `{key}` twice")]
    DuplicateKey {
        /// The output's name.
        output: String,
        /// The key.
        key: String,
    },
    /// A static output given twice.
    #[error("it gave the output `{output}`, which is not dynamic, twice")]
    DuplicateOutput {
        /// The output's name.
        output: String,
    },
    /// A required static output that was not given.
    #[error("it ended without its required output `{output}`")]
    MissingOutput {
        /// The output's name.
        output: String,
    },
    /// Bytes that are not JSON on an output with a JSON Schema.
    #[error("its output `{output}` is declared as JSON and is not: {why}")]
    MalformedJson {
        /// The output's name.
        output: String,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported { message, .. } => f.write_str(message),
            Self::Trap { message } => write!(f, "the guest trapped: {message}"),
            Self::LimitExceeded { limit, value, detail } => {
                write!(f, "the {} of {} was exceeded", limit.words(), limit.with_unit(*value))?;
                if detail.is_empty() { Ok(()) } else { write!(f, ": {detail}") }
            }
            Self::TimedOut { after_ms } => {
                let timeout = setting_in_words(Duration::from_millis(*after_ms));
                write!(f, "it did not end within its timeout of {timeout}")
            }
            Self::BadOutput { violation } => {
                write!(f, "the op broke its interface: {violation}")
            }
            Self::Host { message } => write!(f, "it could not be run: {message}"),
        }
    }
}

impl Failure {
    /// The name of the kind, as it stands in the history: `reported`, `trap`, ….
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reported { .. } => "reported",
            Self::Trap { .. } => "trap",
            Self::LimitExceeded { .. } => "limit_exceeded",
            Self::TimedOut { .. } => "timed_out",
            Self::BadOutput { .. } => "bad_output",
            Self::Host { .. } => "host",
        }
    }
}
