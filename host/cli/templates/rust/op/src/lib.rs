//! The op `{{op}}`.

use dynhost_sdk::prelude::*;

/// Counts the words of a text.
#[op]
fn {{op}}(text: String) -> usize {
    text.split_whitespace().count()
}

export_ops!({{op}});

#[cfg(test)]
mod tests {
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    use super::*;

    /// An op is a function.
    #[test]
    fn words_are_counted() {
        assert_eq!({{op}}("to be\n or  not".to_owned()), 4);
        assert_eq!({{op}}(" ".to_owned()), 0);
    }

    /// As a host runs it: by name, with JSON.
    #[test]
    fn a_step_gives_the_number() {
        let outcome = testing::step(OPS, "{{op}}").input("text", "to be").run();
        assert_eq!(outcome.json("result"), json!(2));
    }
}
