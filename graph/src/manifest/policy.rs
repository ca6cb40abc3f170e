//! What a node says of how its steps run: configuration, bounds, retries, grants.

use toml::de::DeValue;

use super::error::Problem;
use super::grants::grants;
use super::item::{self, Item, Keys};
use super::quantity::{duration, size};
use super::{Settings, Spanned};
use crate::job::{
    Backoff, BatchBounds, Dispatch, Limits, OnFailure, Policy, Retry, RetryOn, Tolerance,
};

/// Keys of a node that uses an op.
pub(super) const SETTING_KEYS: [&str; 13] = [
    "config",
    "grants",
    "max_concurrency",
    "pool",
    "timeout",
    "limits",
    "retry",
    "on_failure",
    "tolerate",
    "dispatch",
    "batch",
    "max_clones",
    "cache",
];

/// Reads all of them.
pub(super) fn settings(keys: &Keys<'_>, problems: &mut Vec<Problem>) -> Settings {
    let dispatch = [("eager", Dispatch::Eager), ("after_success", Dispatch::AfterSuccess)];
    Settings {
        config: keys.read("config", problems, |item, problems| {
            item::table(item, problems)?;
            Some(Spanned::new(item::json(item, problems)?, item.span.clone()))
        }),
        policy: Policy {
            max_concurrency: keys.read("max_concurrency", problems, item::count),
            pool: None,
            timeout: keys.read("timeout", problems, duration),
            limits: keys.read("limits", problems, limits).unwrap_or_default(),
            retry: keys.read("retry", problems, retry).unwrap_or_default(),
            on_failure: on_failure(keys, problems),
            dispatch: keys
                .read("dispatch", problems, |item, p| item::choice(item, &dispatch, p))
                .map_or(Dispatch::default(), |dispatch| dispatch.value),
            max_clones: keys.read("max_clones", problems, item::count),
            cache: keys.read("cache", problems, item::flag),
        },
        pool: keys.read("pool", problems, item::text),
        batch: keys.read("batch", problems, batch),
        grants: keys.read("grants", problems, grants).unwrap_or_default(),
    }
}

fn limits(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Limits> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`limits`", &["memory", "fuel", "output"], problems);
    Some(Limits {
        memory: keys.read("memory", problems, size),
        fuel: keys.read("fuel", problems, item::count),
        output: keys.read("output", problems, size),
    })
}

fn retry(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Retry> {
    let allowed = ["max_attempts", "delay", "backoff", "max_delay", "jitter", "on"];
    let backoff = [
        ("constant", Backoff::Constant),
        ("linear", Backoff::Linear),
        ("exponential", Backoff::Exponential),
    ];
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`retry`", &allowed, problems);
    if keys.get("max_attempts").is_none() {
        problems.push(
            Problem::at(item.key_span.clone(), "`retry` has no `max_attempts`")
                .help("add `max_attempts = N`, the first attempt included"),
        );
    }
    Some(Retry {
        max_attempts: keys.read("max_attempts", problems, item::count).unwrap_or(1),
        delay: keys.read("delay", problems, duration).unwrap_or_default(),
        backoff: keys
            .read("backoff", problems, |item, p| item::choice(item, &backoff, p))
            .map_or(Backoff::Constant, |backoff| backoff.value),
        max_delay: keys.read("max_delay", problems, duration),
        jitter: keys.read("jitter", problems, item::flag).unwrap_or_default(),
        on: keys.read("on", problems, retry_on),
    })
}

fn retry_on(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Vec<RetryOn>> {
    let words = [
        ("transient", RetryOn::Transient),
        ("trap", RetryOn::Trap),
        ("timeout", RetryOn::Timeout),
        ("limit", RetryOn::Limit),
    ];
    let elements = item::array(item, problems)?;
    let mut kinds = Vec::new();
    for element in &elements {
        if let Some(kind) = item::choice(element, &words, problems)
            && !kinds.contains(&kind.value)
        {
            kinds.push(kind.value);
        }
    }
    Some(kinds)
}

/// `on_failure` and `tolerate` together: a bound alone means to tolerate.
fn on_failure(keys: &Keys<'_>, problems: &mut Vec<Problem>) -> OnFailure {
    let words = [("finish", "finish"), ("abort", "abort"), ("tolerate", "tolerate")];
    let word = keys.read("on_failure", problems, |item, p| item::choice(item, &words, p));
    let bound = keys.read("tolerate", problems, tolerance);
    match (word, keys.get("tolerate")) {
        (Some(word), None) if word.value == "tolerate" => {
            problems.push(
                Problem::at(word.span, "`on_failure = \"tolerate\"` without a bound")
                    .help("add `tolerate = { count = N }` or `tolerate = { ratio = 0.1 }`"),
            );
            OnFailure::Finish
        }
        (Some(word), Some(tolerate)) if word.value == "abort" => {
            problems.push(
                Problem::at(
                    word.span,
                    "`abort` at the first failure and `tolerate` exclude each other",
                )
                .related(tolerate.key_span.clone(), "`tolerate` is here")
                .help("keep one of them"),
            );
            OnFailure::Abort
        }
        (Some(word), None) if word.value == "abort" => OnFailure::Abort,
        _ => bound.map_or(OnFailure::Finish, OnFailure::Tolerate),
    }
}

fn tolerance(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Tolerance> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`tolerate`", &["count", "ratio"], problems);
    match (keys.get("count"), keys.get("ratio")) {
        (Some(count), None) => {
            let bound = item::unsigned(count.value).map(Tolerance::Count);
            if bound.is_none() {
                item::expected(count, "a whole number", problems);
            }
            bound
        }
        (None, Some(ratio)) => ratio_of(ratio, problems),
        _ => {
            problems.push(
                Problem::at(
                    item.span.clone(),
                    "`tolerate` must have exactly one of `count` and `ratio`",
                )
                .help("such as `tolerate = { count = 5 }` or `tolerate = { ratio = 0.1 }`"),
            );
            None
        }
    }
}

fn ratio_of(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Tolerance> {
    let ratio: Option<f64> = match item.value {
        DeValue::Float(n) => n.as_str().parse().ok(),
        DeValue::Integer(n) => n.as_str().parse().ok(),
        _ => None,
    };
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
    if ratio.is_none() {
        problems.push(
            Problem::at(item.span.clone(), "`ratio` must be a number from 0 to 1")
                .help("0.1 tolerates that a tenth of the steps fail"),
        );
    }
    ratio.map(Tolerance::Ratio)
}

fn batch(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Spanned<BatchBounds>> {
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`batch`", &["max_items", "max_bytes"], problems);
    if keys.get("max_items").is_none() && keys.get("max_bytes").is_none() {
        problems.push(
            Problem::at(item.span.clone(), "`batch` must have `max_items`, `max_bytes` or both")
                .help("such as `batch = { max_items = 100, max_bytes = \"1MiB\" }`"),
        );
        return None;
    }
    let bounds = BatchBounds {
        max_items: keys.read("max_items", problems, item::count),
        max_bytes: keys.read("max_bytes", problems, size),
    };
    Some(Spanned::new(bounds, item.span.clone()))
}
