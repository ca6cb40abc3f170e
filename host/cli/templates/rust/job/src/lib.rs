//! The ops of the job `{{name}}`.

use dynhost_sdk::prelude::*;

/// Splits a text into lines, one dynamic output for each.
#[op(output(dynamic))]
fn split(text: String, out: &mut Emitter<String>) -> Result<()> {
    for (n, line) in text.lines().enumerate() {
        // Clones start now; the op waits here while they are busy.
        out.emit(format!("line_{n}"), line.to_owned())?;
    }
    Ok(())
}

/// Counts the words of one line.
#[op]
fn measure(line: String) -> usize {
    line.split_whitespace().count()
}

/// Adds up what was measured, pulling one batch after the other.
#[op]
fn total(counts: Collected<usize>) -> usize {
    counts.sum()
}

export_ops!(split, measure, total);

#[cfg(test)]
mod tests {
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    use super::*;

    /// As a host runs it: by name, with JSON.
    #[test]
    fn a_text_is_split_into_lines() {
        let outcome = testing::step(OPS, "split").input("text", "to be\nor not").run();
        let lines = [("line_0", json!("to be")), ("line_1", json!("or not"))];
        assert_eq!(outcome.dynamic("out"), lines);
    }

    /// An op is a function.
    #[test]
    fn words_are_counted() {
        assert_eq!(measure("to  be".to_owned()), 2);
        assert_eq!(measure(String::new()), 0);
    }

    #[test]
    fn counts_are_added_up() {
        assert_eq!(total([2, 0, 3].into_iter().collect()), 5);
    }
}
