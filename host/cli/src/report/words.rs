//! Numbers, times and foreign text, fit for a line on a terminal.

use std::time::Duration;

/// A number with commas: `12,345`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and a noun: `1 step`, `2 steps`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(n), if n == 1 { "" } else { "s" })
}

/// A duration: `85 ms`, `3.2 s`, `4 min 5 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() == 0 => "less than 1 ms".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Text of a guest or a file on one line, with control characters made visible: it must not be able to
/// move the cursor or to pass for a line of ours.
pub(crate) fn one_line(text: &str) -> String {
    clean(text, |c| c == '\t')
}

/// As [`one_line`], but lines stay lines.
pub(crate) fn lines(text: &str) -> String {
    clean(text, |c| c == '\t' || c == '\n')
}

fn clean(text: &str, allowed: impl Fn(char) -> bool) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        if c.is_control() && !allowed(c) {
            cleaned.extend(c.escape_default());
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

/// Whether text can be shown as it is, lines included.
pub(crate) fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t' && c != '\n')
}

/// At most `most` characters of a text, with an ellipsis where it is longer.
pub(crate) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Names in backticks: `` `a`, `b` and `c` ``.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A text as one argument of a shell.
pub(crate) fn argument(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Each line of a text behind so many blanks.
pub(crate) fn indented(text: &str, blanks: usize) -> String {
    let blanks = " ".repeat(blanks);
    let lines = text.lines().map(|line| format!("{blanks}{line}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), text);
        }
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(2, "step"), "2 steps");
    }

    #[test]
    fn durations_have_the_unit_that_matters() {
        for (ms, text) in
            [(85, "85 ms"), (3_249, "3.2 s"), (245_000, "4 min 5 s"), (7_260_000, "2 h 1 min")]
        {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\x1b[31mb\nc\n"), "a\\u{1b}[31mb\\nc");
        assert_eq!(lines("a\nb\r"), "a\nb");
        assert!(!is_clean("\x1b"));
        assert_eq!(short("abcdef", 3), "abc…");
    }

    #[test]
    fn arguments_stay_whole_in_a_shell() {
        assert_eq!(argument("a/b.toml"), "a/b.toml");
        assert_eq!(argument("it's here"), r"'it'\''s here'");
        assert_eq!(argument(""), "''");
    }

    #[test]
    fn names_are_listed() {
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
