//! The steps that failed: what, where, why, and what to do about it.

use std::fmt::Write as _;

use dynhost::StepFailure;
use dynhost::graph::event::{Failure, LimitKind, ReportedRetry};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::name::StepKey;

use super::{cyan, dim, outputs, past, red, words};

/// Failures that are named one by one.
const MOST: usize = 10;

/// What the failed steps are looked up in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Where the nodes come from, if not from code.
    pub(crate) manifest: Option<&'a Manifest>,
}

impl Places<'_> {
    /// Where the manifest has the node of a step, as `file:line`.
    fn place(self, step: &StepKey) -> Option<String> {
        let manifest = self.manifest?;
        let (node, _) = past::find_node(manifest, &step.node)?;
        let (line, _) = manifest.error(Vec::new()).position(node.name.span.start);
        Some(format!("{}:{line}", manifest.path.display()))
    }

    /// Where the manifest bounds what a node's steps use, as `file:line`; `None`: nowhere, and it is the default.
    fn bound(self, node: &str, kind: LimitKind) -> Option<String> {
        let manifest = self.manifest?;
        let (node, _) = past::find_node(manifest, node)?;
        let of_node = node.settings.policy.limits.get(kind);
        let bound = of_node.or_else(|| manifest.defaults.limits.get(kind))?;
        let (line, _) = manifest.error(Vec::new()).position(bound.span.start);
        Some(format!("{}:{line}", manifest.path.display()))
    }
}

/// The first failures, each on a few lines, and how many more there are.
pub(crate) fn report(failures: &[StepFailure], places: Places<'_>) -> String {
    let mut text = String::new();
    for failure in failures.iter().take(MOST) {
        text.push_str(&one(failure, places));
    }
    if let Some(more @ 1..) = failures.len().checked_sub(MOST) {
        let more = words::count(more as u64, "more failed step");
        let _ = writeln!(text, "and {more}; `-o json` names them all");
    }
    text
}

fn one(failed: &StepFailure, places: Places<'_>) -> String {
    let attempts = match failed.attempts {
        0 | 1 => String::new(),
        n => format!(" after {n} attempts"),
    };
    let place = places.place(&failed.step).map(|place| dim(&format!(" ({place})")));
    let place = place.unwrap_or_default();
    let mut text = format!("{} step `{}` failed{attempts}{place}\n", red("error:"), failed.step);
    let why = words::lines(&failed.failure.to_string());
    text.push_str(&words::indented(&why, 2));
    text.push('\n');
    if let Failure::Reported { detail: Some(detail), .. } = &failed.failure {
        let detail = words::short(&words::one_line(&outputs::to_line(detail)), 1000);
        let _ = writeln!(text, "  detail: {detail}");
    }
    if let Some(help) = help(failed, places) {
        let _ = writeln!(text, "  {} {help}", cyan("help:"));
    }
    text
}

/// What to do about a failure.
fn help(failed: &StepFailure, places: Places<'_>) -> Option<String> {
    let name = &failed.step.node;
    let setting = |key: &str, example: &str| match places.manifest {
        Some(_) => format!("`{key}` of node `{name}`, such as `{key} = {example}`"),
        None => format!("`{key}` in the manifest, such as `{key} = {example}`"),
    };
    match &failed.failure {
        Failure::Reported { retry, .. }
            if *retry != ReportedRetry::Permanent
                && failed.attempts == 1
                && places.manifest.is_some() =>
        {
            Some(format!(
                "the op says that another attempt may succeed; allow it with {}",
                setting("retry", "{ max_attempts = 3, delay = \"1s\" }")
            ))
        }
        Failure::Trap { .. } => Some(
            "a trap is a bug in the op; `dynhost call` runs it alone with inputs of your choice"
                .to_owned(),
        ),
        Failure::TimedOut { .. } => {
            Some(format!("if the op needs longer, raise {}", setting("timeout", "\"1h\"")))
        }
        Failure::BadOutput { .. } => {
            Some("this is a bug in the op; `dynhost inspect` shows what it declares".to_owned())
        }
        Failure::LimitExceeded { limit, value, .. } => {
            let help = limit_help(*limit, *value, &setting)?;
            let place = places.bound(name, *limit).map(|place| format!(" ({place})"));
            Some(help + &place.unwrap_or_default())
        }
        _ => None,
    }
}

fn limit_help(
    limit: LimitKind,
    value: u64,
    setting: &dyn Fn(&str, &str) -> String,
) -> Option<String> {
    let twice = value.saturating_mul(2).max(1);
    let bytes = format!("\"{}\"", limit.with_unit(mebibytes(twice)).replace(' ', ""));
    let raise = |key: &str, example: &str| {
        Some(format!("if the op needs more, raise {}", setting(key, example)))
    };
    match limit {
        LimitKind::Clones => raise("max_clones", &twice.to_string()),
        LimitKind::Stack => {
            Some("the op calls itself too deeply; this is most often a bug in it".to_owned())
        }
        LimitKind::HostAllocation => Some(format!(
            "let the op emit or read less at once, or raise {}",
            setting("limits.host_allocation", &bytes)
        )),
        kind => {
            let example = if kind.is_bytes() { bytes } else { twice.to_string() };
            raise(&format!("limits.{}", kind.key()), &example)
        }
    }
}

/// A size that can be written in a manifest with a whole number of mebibytes.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20) << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helps(failure: Failure) -> Option<String> {
        let step: StepKey = "size[a_txt]".parse().unwrap();
        let failed = StepFailure { step, attempts: 1, failure };
        help(&failed, Places { manifest: None })
    }

    #[test]
    fn a_limit_names_its_key() {
        let exceeded = |limit, value| {
            helps(Failure::LimitExceeded { limit, value, detail: String::new() }).unwrap()
        };
        assert!(exceeded(LimitKind::Memory, 64 << 20).contains("`limits.memory = \"128MiB\"`"));
        assert!(exceeded(LimitKind::Output, 10).contains("`limits.output = \"1MiB\"`"));
        assert!(exceeded(LimitKind::Fuel, 500).contains("`limits.fuel = 1000`"));
        assert!(exceeded(LimitKind::Clones, 8).contains("`max_clones = 16`"));
    }

    #[test]
    fn a_timeout_names_its_key() {
        assert!(helps(Failure::TimedOut { after_ms: 5 }).unwrap().contains("`timeout`"));
    }

    #[test]
    fn what_the_op_said_needs_no_help() {
        let failure = Failure::Reported {
            message: "no".to_owned(),
            detail: None,
            retry: ReportedRetry::Permanent,
        };
        assert_eq!(helps(failure), None);
    }
}
