//! Why a step that succeeded was run instead of being taken from an earlier run.

use std::fmt::Write as _;
use std::time::Duration;

use dynhost::CHEAP;
use dynhost::cache::CacheKey;
use dynhost::graph::event::Lineage;
use dynhost::graph::name::StepKey;
use dynhost::graph::select::Selector;
use dynhost::store::history::{StepFilter, StepState};
use dynhost::store::sqlite::{Comparison, SqliteStore};
use serde::Serialize;

use super::NoCache;
use crate::error::Error;
use crate::report::{time, words};

/// Digits of a digest that tell it from another.
const DIGITS: usize = 12;

/// Why a step was run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Origin {
    /// In words.
    pub(super) why: Vec<String>,
    /// The earlier success that is most like it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closest: Option<Closest>,
    /// In what it differs from that one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) differences: Vec<Difference>,
}

#[derive(Debug, Serialize)]
pub(super) struct Closest {
    run: String,
    step: String,
    at: String,
}

/// One part in which two successes differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// `component`, `op`, `config`, `interface`, `step` or `input NAME`.
    what: String,
    earlier: Option<String>,
    now: Option<String>,
}

impl Difference {
    pub(super) fn to_text(&self) -> String {
        let shown = |value: &Option<String>| match value {
            Some(value) => words::short(value, DIGITS.max(60)),
            None => "none".to_owned(),
        };
        format!("{}: {} there, {} here", self.what, shown(&self.earlier), shown(&self.now))
    }
}

/// What is known of the step beside its success.
pub(super) struct Seen<'a> {
    pub(super) run: &'a str,
    pub(super) step: &'a str,
    pub(super) took: Duration,
    pub(super) parent: Option<&'a Lineage>,
    /// Why nothing of the node is reused.
    pub(super) no_cache: Option<NoCache>,
    /// Whether the cache was left alone before the step was due.
    pub(super) left_alone: bool,
}

/// Finds out why a step was run.
pub(super) fn of(store: &SqliteStore, seen: &Seen<'_>) -> Result<Origin, Error> {
    let mut origin = Origin::default();
    if let Some(parent) = seen.parent {
        if let Some(selector) = parent.steps.iter().find(|selector| names(selector, seen.step)) {
            let run = &parent.run;
            origin.why.push(format!("it was to be run again: `--steps {selector}`, of run {run}"));
            return Ok(origin);
        }
        origin.why.push(beside_parent(store, parent, seen.step)?);
    }
    if let Some(why) = seen.no_cache {
        origin.why.push(format!("it was not looked up in the cache: {}", why.long()));
        return Ok(origin);
    }
    if seen.left_alone {
        origin.why.push(
            "it was not looked up in the cache: looking up the steps of its node took more time than it saved".to_owned(),
        );
        return Ok(origin);
    }
    match store.compare(seen.run, seen.step)? {
        None => origin.why.push(not_kept(seen.took)),
        Some(Comparison { closest: None, .. }) => origin
            .why
            .push("the cache had no earlier success of this op to be compared with".to_owned()),
        Some(Comparison { key, closest: Some((other, by)) }) => {
            origin.differences = differences(&other, &key);
            let at = time::utc(by.at_us);
            let who = format!("`{}` of run {} ({at} UTC)", by.step, by.run);
            origin.why.push(if origin.differences.is_empty() {
                format!("the same was kept by {who}, but was not in the cache yet or was not asked for when the step was due")
            } else {
                format!("no earlier success in the cache was made of the same; the most similar is {who}")
            });
            origin.closest =
                Some(Closest { run: by.run, step: by.step, at: time::rfc3339(by.at_us) });
        }
    }
    Ok(origin)
}

fn beside_parent(store: &SqliteStore, parent: &Lineage, step: &str) -> Result<String, Error> {
    let filter = StepFilter { step: Some(step.to_owned()), limit: 1, ..StepFilter::default() };
    let page = match store.steps(&parent.run, &filter) {
        Ok(page) => page,
        Err(error) if error.kind() == dynhost::store::StoreErrorKind::Unknown => {
            return Ok(format!("run {}, which this one is a rerun of, was removed", parent.run));
        }
        Err(error) => return Err(error.into()),
    };
    let state = page.items.first().map(|step| step.status);
    let run = &parent.run;
    Ok(match state {
        Some(StepState::Succeeded | StepState::Cached) if parent.steps.is_empty() => {
            format!("it succeeded in run {run} too, but with other inputs")
        }
        Some(StepState::Succeeded | StepState::Cached) => format!(
            "it succeeded in run {run} too, but was to be run again (`--steps {}`) or had other inputs there",
            parent.steps.join(" ")
        ),
        Some(_) => format!("it had not succeeded in run {run}"),
        None => format!("run {run} had no such step"),
    })
}

/// Whether a selector names a step itself, not only what depends on it or what it depends on.
fn names(selector: &str, step: &str) -> bool {
    match (selector.parse::<Selector>(), step.parse::<StepKey>()) {
        (Ok(selector), Ok(step)) => selector.names(&step),
        _ => false,
    }
}

fn not_kept(took: Duration) -> String {
    let found = "nothing in the cache was made of the same";
    if took < CHEAP {
        let (took, cheap) = (took.as_micros(), CHEAP.as_micros());
        return format!(
            "{found}; it took {took} µs, and what takes less than {cheap} µs is not kept, since looking it up takes as long"
        );
    }
    format!(
        "{found}; what it gave was not kept either (others of its node take too little for that, or it is too large, or the cache was made smaller since), so there is nothing to compare"
    )
}

fn differences(earlier: &CacheKey, now: &CacheKey) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: String, earlier: Option<String>, now: Option<String>| {
        if earlier != now {
            found.push(Difference { what, earlier, now });
        }
    };
    let some = |text: &str| Some(text.to_owned());
    let digits = |text: &str| Some(text[..text.len().min(DIGITS)].to_owned());
    compare("component".to_owned(), digits(&earlier.component), digits(&now.component));
    compare("op".to_owned(), some(&earlier.op), some(&now.op));
    compare("interface".to_owned(), some(&earlier.interface), some(&now.interface));
    compare("config or grants".to_owned(), Some(hex(&earlier.config)), Some(hex(&now.config)));
    let input = |key: &CacheKey, name: &str| {
        key.inputs.iter().find(|(other, _)| other == name).map(|(_, digest)| hex(digest))
    };
    let names = now.inputs.iter().chain(&earlier.inputs).map(|(name, _)| name);
    let mut seen: Vec<&String> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
            compare(format!("input `{name}`"), input(earlier, name), input(now, name));
        }
    }
    compare("step, which the op asks for".to_owned(), earlier.step.clone(), now.step.clone());
    found
}

fn hex(digest: &[u8]) -> String {
    let mut text = String::with_capacity(DIGITS);
    for byte in digest.iter().take(DIGITS / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_each_part() {
        let key = |component: &str, text: u8| CacheKey {
            digest: [0; 32],
            component: component.to_owned(),
            op: "count".to_owned(),
            interface: "dynhost:op@0.1.0".into(),
            config: [1; 32],
            inputs: vec![("text".to_owned(), [text; 32])],
            step: None,
        };
        let found = differences(&key("aaaa", 1), &key("bbbb", 2));
        let found: Vec<String> = found.iter().map(Difference::to_text).collect();
        assert_eq!(
            found,
            [
                "component: aaaa there, bbbb here",
                "input `text`: 010101010101 there, 020202020202 here"
            ]
        );
        assert!(differences(&key("a", 1), &key("a", 1)).is_empty());
    }
}
