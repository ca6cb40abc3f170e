//! What is another than when a run began.

use std::fmt::Write as _;
use std::path::Path;

use dynhost::Change;
use serde_json::{Value as Json, json};
use similar::TextDiff;

use super::{dim, green, red, words};

/// Digits of a digest that tell it from another.
const DIGITS: usize = 12;
/// Lines of a difference that are shown.
const MOST: usize = 60;

/// For stderr; ends with a line break.
pub(crate) fn to_text(change: &Change) -> String {
    match change {
        Change::Manifest { recorded, now } => manifest(&now.path, &recorded.text, &now.text),
        Change::Component { alias, recorded, now } => {
            let (recorded, now) = (digest(recorded.as_deref()), digest(now.as_deref()));
            format!("component `{alias}`: {recorded} when the run began, {now} now\n\n")
        }
        _ => String::new(),
    }
}

/// One of the problems of the error's object.
pub(crate) fn to_json(change: &Change) -> Json {
    match change {
        Change::Manifest { recorded, now } => json!({
            "message": "the manifest is another",
            "file": now.path,
            "diff": unified(&recorded.text, &now.text),
        }),
        Change::Component { alias, recorded, now } => json!({
            "message": format!("component `{alias}` is another"),
            "component": alias,
            "recorded": recorded,
            "now": now,
        }),
        other => json!({ "message": format!("{other:?}") }),
    }
}

fn digest(digest: Option<&str>) -> String {
    match digest {
        Some(digest) => format!("sha256 {}…", &digest[..digest.len().min(DIGITS)]),
        None => "not there".to_owned(),
    }
}

fn unified(recorded: &str, now: &str) -> String {
    let diff = TextDiff::from_lines(recorded, now);
    diff.unified_diff().context_radius(2).missing_newline_hint(false).to_string()
}

fn manifest(path: &Path, recorded: &str, now: &str) -> String {
    let path = crate::command::state::from_here(path);
    let mut text = String::new();
    let _ = writeln!(text, "--- {} when the run began", path.display());
    let _ = writeln!(text, "+++ {} now", path.display());
    let unified = unified(recorded, now);
    for line in unified.lines().take(MOST) {
        let line = words::one_line(line);
        let shown = match line.as_bytes().first() {
            Some(b'+') => green(&line),
            Some(b'-') => red(&line),
            Some(b'@') => dim(&line),
            _ => line,
        };
        text.push_str(&shown);
        text.push('\n');
    }
    if let Some(more @ 1..) = unified.lines().count().checked_sub(MOST) {
        let _ = writeln!(text, "and {}", words::count(more as u64, "more line"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_shown_as_a_difference() {
        console::set_colors_enabled_stderr(false);
        let text = manifest(Path::new("job.toml"), "a\nb\nc\n", "a\nB\nc\n");
        assert_eq!(
            text,
            "--- job.toml when the run began\n+++ job.toml now\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\n"
        );
    }
}
