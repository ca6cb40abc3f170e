//! The ops that every SDK offers in a component of this name; what they do is said in
//! `docs/languages.md`.

mod contract;
mod limits;

use std::time::Duration;

use dynhost_sdk::port::Declared;
use dynhost_sdk::prelude::*;
use dynhost_sdk::schemars::JsonSchema;
use dynhost_sdk::serde::{Deserialize, Serialize};
use dynhost_sdk::serde_json::Value as Json;
use dynhost_sdk::{Blob, raw, step};

/// Gives the value back as it is.
#[op(output(description = "the value"))]
fn echo(
    /// Anything
    value: Blob,
) -> Blob {
    value
}

/// Emits each line of a text.
#[op(output(name = "line", description = "a line, without its end"))]
fn split(
    /// The text
    text: String,
    line: &mut Emitter<String>,
) -> Result<()> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    for (n, text) in lines.into_iter().enumerate() {
        line.emit(format!("line_{n}"), text.to_owned())?;
    }
    Ok(())
}

/// Gives the words of a text as one list.
#[op(output(name = "word", description = "a word"))]
fn words(
    /// The text
    text: String,
) -> Vec<DynamicOutput<String>> {
    let words = text.split_ascii_whitespace().enumerate();
    words.map(|(n, word)| DynamicOutput::new(n.to_string(), word.to_owned())).collect()
}

/// Counts the code points of a text.
#[op(output(description = "how many there are"))]
fn length(
    /// The text
    text: String,
) -> u64 {
    text.chars().count() as u64
}

/// How texts are joined.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde", default)]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Joint {
    /// What stands between two texts
    separator: String,
}

impl Default for Joint {
    fn default() -> Self {
        Self { separator: " ".to_owned() }
    }
}

/// Joins texts.
#[op(output(description = "one text"))]
fn join(
    /// The texts
    texts: Collected<String>,
    #[config] joint: Joint,
) -> String {
    let separator = joint.separator;
    let mut joined = String::new();
    for (n, text) in texts.enumerate() {
        if n > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text);
    }
    joined
}

/// Halves an even number, and gives nothing for an odd one.
#[op(output(name = "half", description = "the half of an even number"))]
fn half(
    /// A number
    n: i64,
) -> Option<i64> {
    (n % 2 == 0).then_some(n / 2)
}

/// Which attempts fail, and how.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde", default)]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Mishap {
    /// How
    kind: Kind,
    /// The last attempt that fails; all do without it
    until: Option<u32>,
    /// How many milliseconds are asked for before the next attempt
    delay_ms: u64,
    /// What programs are told of the failure
    detail: Option<Json>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde", rename_all = "snake_case")]
#[schemars(crate = "dynhost_sdk::schemars")]
enum Kind {
    #[default]
    Permanent,
    Transient,
    RetryAfter,
}

/// Fails as it is asked to.
#[op(output(description = "the attempt that succeeded"))]
fn fail(
    /// Anything
    value: Blob,
    #[config] mishap: Mishap,
) -> Result<u32> {
    drop(value);
    let attempt = step::attempt();
    if mishap.until.is_some_and(|until| attempt > until) {
        return Ok(attempt);
    }
    let message = format!("attempt {attempt} was asked to fail");
    let failure = match mishap.kind {
        Kind::Permanent => Failure::permanent(message),
        Kind::Transient => Failure::transient(message),
        Kind::RetryAfter => Failure::retry_after(message, Duration::from_millis(mishap.delay_ms)),
    };
    Err(match mishap.detail {
        Some(detail) => failure.with_detail(detail),
        None => failure,
    })
}

/// Where a step stands in its run.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Place {
    /// The step key
    step: String,
    /// The mapping keys, outermost first
    keys: Vec<String>,
    /// The attempt
    attempt: u32,
}

/// Talks, and tells where it stands.
#[op(output(description = "where the step stands"))]
fn tell(
    /// Anything
    value: Blob,
) -> Place {
    drop(value);
    for (level, name) in [
        (step::Level::Trace, "trace"),
        (step::Level::Debug, "debug"),
        (step::Level::Info, "info"),
        (step::Level::Warn, "warn"),
        (step::Level::Error, "error"),
    ] {
        step::log(level, &format!("{name} message"), &[("language", "rust")]);
    }
    step::progress(1, Some(2));
    Place { step: step::step_key(), keys: step::mapping_keys(), attempt: step::attempt() }
}

/// What a step took.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Taken {
    /// The numbers
    values: Vec<i64>,
    /// The word, if there is one
    word: Option<String>,
}

/// Gives what it takes.
#[op(output(description = "what was taken"))]
fn take(
    /// Numbers
    values: Vec<i64>,
    /// A word that may be missing
    word: Option<String>,
) -> Taken {
    Taken { values, word }
}

/// What there is in a collected input.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Census {
    /// How many elements there are
    length: u64,
    /// Their mapping keys
    keys: Vec<String>,
    /// The mapping keys of clones that failed
    failed: Vec<String>,
}

/// Counts elements, and tells their mapping keys.
#[op(output(description = "what there is"))]
fn census(
    /// Anything
    values: Collected<Blob>,
) -> Census {
    let (length, failed) = (values.len(), values.failed_keys());
    Census { length, failed, keys: values.with_keys().map(|(key, _)| key).collect() }
}

/// The ops of this component.
pub const OPS: &[raw::Op] = &[
    echo::OP,
    split::OP,
    words::OP,
    length::OP,
    join::OP,
    half::OP,
    fail::OP,
    tell::OP,
    take::OP,
    census::OP,
    contract::EMIT,
    contract::SWALLOW,
    contract::PULL,
    limits::count::OP,
    limits::trap::OP,
    limits::spin::OP,
    limits::grow::OP,
];

raw::export!(OPS);
