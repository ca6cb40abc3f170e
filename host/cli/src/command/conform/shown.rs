//! What is known of components, for people, for programs and for pages.

use std::fmt::Write as _;
use std::time::Duration;

use dynhost::Component;
use dynhost::graph::event::bytes_in_words;
use serde_json::{Value as Json, json};

use super::{Conformity, Finding, Verdict};
use crate::report::table::{Column, pairs, table};
use crate::report::{dim, green, red, words};

/// Characters of what was expected and seen that are shown to people.
const SHOWN: usize = 600;

/// A table of the rules, then what was expected and seen where one failed, then what the component costs.
pub(super) fn to_text(one: &Conformity) -> String {
    let count = |wanted: fn(&Verdict) -> bool| {
        one.findings.iter().filter(|finding| wanted(&finding.verdict)).count()
    };
    let mut text = format!(
        "{}: {} passed, {} failed, {} not exercised\n\n",
        words::one_line(&one.subject.name),
        count(|verdict| matches!(verdict, Verdict::Passed { .. })),
        count(|verdict| matches!(verdict, Verdict::Failed { .. })),
        count(|verdict| matches!(verdict, Verdict::NotExercised { .. })),
    );
    // Of what cannot be loaded there is nothing else to say.
    let idle = |it: &&Finding| matches!(it.verdict, Verdict::NotExercised { .. });
    let shown_at_all = |it: &&Finding| one.loaded.is_ok() || !idle(it);
    let rows: Vec<[String; 3]> = one.findings.iter().filter(shown_at_all).map(row).collect();
    text += &table([Column::Left("RULE"), Column::Left("RESULT"), Column::Left("SAYS")], &rows);
    for finding in &one.findings {
        if let Verdict::Failed { expected, seen } = &finding.verdict {
            let _ = write!(text, "\n{} {}\n", red("failed:"), finding.rule.name);
            text += &pairs(&[("  expected", shown(expected)), ("  seen", shown(seen))]);
        }
    }
    if one.loaded.is_ok() {
        text.push('\n');
        text += &pairs(&facts(one));
    }
    text.push('\n');
    text
}

fn row(finding: &Finding) -> [String; 3] {
    let (result, says) = match &finding.verdict {
        Verdict::Passed { .. } => (green("passed"), finding.rule.says.clone()),
        Verdict::Failed { .. } => (red("failed"), finding.rule.says.clone()),
        Verdict::NotExercised { why } => (dim("not exercised"), dim(&words::one_line(why))),
    };
    [finding.rule.name.clone(), result, says]
}

fn shown(text: &str) -> String {
    let mut line = words::one_line(text);
    if let Some((at, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// Size and price, each with its name; `–` for what was not measured.
fn facts(one: &Conformity) -> Vec<(&'static str, String)> {
    let component = one.loaded.as_ref().ok();
    let unknown = || "–".to_owned();
    let size = |component: &Component| bytes_in_words(component.size());
    let pure = |component: &Component| if component.is_pure() { "yes" } else { "no" }.to_owned();
    let numbers = one.numbers;
    vec![
        ("size", component.map_or_else(unknown, size)),
        ("pure", component.map_or_else(unknown, pure)),
        ("compile", numbers.map_or_else(unknown, |numbers| time(numbers.compile))),
        ("start-up", numbers.map_or_else(unknown, |numbers| time(numbers.start))),
        ("clone", numbers.and_then(|numbers| numbers.clone).map_or_else(unknown, time)),
    ]
}

/// A time with two or three digits that count: `12 µs`, `3.4 ms`, `1.2 s`.
fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..10.0 => format!("{micros:.1} µs"),
        ..1e3 => format!("{micros:.0} µs"),
        ..1e4 => format!("{:.1} ms", micros / 1e3),
        ..1e6 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

/// One table: a column for each component, a row for each rule.
pub(super) fn to_markdown(all: &[Conformity]) -> String {
    let mut text = String::from("| |");
    for one in all {
        let _ = write!(text, " {} |", cell(&one.subject.name));
    }
    text.push_str(" |\n|---|");
    text += &"---|".repeat(all.len() + 1);
    text.push('\n');
    let facts: Vec<_> = all.iter().map(facts).collect();
    for (at, (name, _)) in facts.first().into_iter().flatten().enumerate() {
        let _ = write!(text, "| **{name}** |");
        for facts in &facts {
            let _ = write!(text, " {} |", facts[at].1);
        }
        text.push_str(" |\n");
    }
    for (at, finding) in all.first().iter().flat_map(|one| one.findings.iter().enumerate()) {
        let _ = write!(text, "| `{}` |", finding.rule.name);
        for one in all {
            let mark = match one.findings[at].verdict {
                Verdict::Passed { .. } => "✓",
                Verdict::Failed { .. } => "✗",
                Verdict::NotExercised { .. } => "–",
            };
            let _ = write!(text, " {mark} |");
        }
        let rule = &finding.rule;
        let _ = writeln!(text, " {} ({}) |", cell(&rule.says), cell(&rule.cites));
    }
    text
}

fn cell(text: &str) -> String {
    words::one_line(text).replace('|', "\\|")
}

/// One object.
pub(super) fn to_json(all: &[Conformity]) -> Json {
    json!({ "components": all.iter().map(one_to_json).collect::<Vec<_>>() })
}

fn one_to_json(one: &Conformity) -> Json {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let clone = |time: Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
    let component = one.loaded.as_ref().ok();
    json!({
        "name": one.subject.name,
        "file": one.subject.path,
        "loaded": component.is_some(),
        "size": component.map(Component::size),
        "pure": component.map(Component::is_pure),
        "compile_us": one.numbers.map(|numbers| us(numbers.compile)),
        "start_us": one.numbers.map(|numbers| us(numbers.start)),
        "clone_us": one.numbers.and_then(|numbers| numbers.clone).map(clone),
        "rules": one.findings.iter().map(finding_to_json).collect::<Vec<_>>(),
    })
}

fn finding_to_json(finding: &Finding) -> Json {
    let rule = &finding.rule;
    let mut object = json!({ "rule": rule.name, "says": rule.says, "cites": rule.cites });
    let (result, rest) = match &finding.verdict {
        Verdict::Passed { seen } => ("passed", json!({ "seen": seen })),
        Verdict::Failed { expected, seen } => {
            ("failed", json!({ "expected": expected, "seen": seen }))
        }
        Verdict::NotExercised { why } => ("not_exercised", json!({ "why": why })),
    };
    object["result"] = json!(result);
    if let (Json::Object(object), Json::Object(rest)) = (&mut object, rest) {
        object.extend(rest);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_count() {
        for (micros, text) in [
            (5.84, "5.8 µs"),
            (120.4, "120 µs"),
            (3_456.0, "3.5 ms"),
            (85_000.0, "85 ms"),
            (1_234_567.0, "1.2 s"),
        ] {
            assert_eq!(time(Duration::from_secs_f64(micros / 1e6)), text);
        }
    }
}
