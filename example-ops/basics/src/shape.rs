//! Ops that shape a graph: dynamic outputs of several kinds, optional outputs, texts.

use dynhost_sdk::prelude::*;
use dynhost_sdk::serde_json::Value as Json;

/// Gives the numbers from 0 up to `n`, without `n`, each under itself as mapping key.
#[op(output(dynamic))]
pub(crate) fn numbers(n: u32, out: &mut Emitter<u32>) -> Result<()> {
    for x in 0..n {
        out.emit(x.to_string(), x)?;
    }
    Ok(())
}

/// As `numbers`, but gives nothing at all where `n` is 0.
#[op]
pub(crate) fn numbers_if_any(n: u32) -> Option<Vec<DynamicOutput<u32>>> {
    (n > 0).then(|| (0..n).map(|x| DynamicOutput::new(x.to_string(), x)).collect())
}

/// Gives each element of a list under its position as mapping key.
#[op]
pub(crate) fn each(values: Vec<Json>) -> Vec<DynamicOutput<Json>> {
    values
        .into_iter()
        .enumerate()
        .map(|(n, value)| DynamicOutput::new(n.to_string(), value))
        .collect()
}

/// Gives `rows` lists, each of the numbers from 0 up to `columns`; an `each` after it makes a nested map.
#[op(output(dynamic))]
pub(crate) fn rows(rows: u32, columns: u32, out: &mut Emitter<Vec<u32>>) -> Result<()> {
    for row in 0..rows {
        out.emit(format!("row_{row}"), (0..columns).collect())?;
    }
    Ok(())
}

/// Gives the numbers from 0 up to `n` through two dynamic outputs, and how many there are through an ordinary one.
#[op(output(dynamic), output(dynamic), output(name = "count"))]
pub(crate) fn scatter(n: u32, evens: &mut Emitter<u32>, odds: &mut Emitter<u32>) -> Result<u32> {
    for x in 0..n {
        let out = if x % 2 == 0 { &mut *evens } else { &mut *odds };
        out.emit(x.to_string(), x)?;
    }
    Ok(n)
}

/// Gives the value back as it is.
#[op]
pub(crate) fn echo(value: Json) -> Json {
    value
}

/// Gives the number back if it is even, and nothing otherwise.
#[op]
pub(crate) fn even(x: i64) -> Option<i64> {
    (x % 2 == 0).then_some(x)
}

/// Gives the value through one of two optional outputs: `yes` or `no`.
#[op]
pub(crate) fn branch(
    value: Json,
    /// Which of the two.
    yes_or_no: bool,
    yes: &mut Output<Json>,
    no: &mut Output<Json>,
) -> Result<()> {
    if yes_or_no { yes.give(value) } else { no.give(value) }
}

/// Puts the texts of all clones one after the other, separated by a space.
#[op]
pub(crate) fn concat(texts: Collected<String>) -> String {
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn two_dynamic_outputs_may_use_the_same_form_of_key() {
        let outcome = testing::step(OPS, "scatter").input("n", 3).run();
        assert_eq!(outcome.dynamic("evens"), [("0", json!(0)), ("2", json!(2))]);
        assert_eq!(outcome.dynamic("odds"), [("1", json!(1))]);
        assert_eq!(outcome.json("count"), json!(3));
    }

    #[test]
    fn what_is_optional_may_be_missing() {
        let outcome =
            testing::step(OPS, "branch").input("value", json!("v")).input("yes_or_no", false).run();
        assert_eq!(outcome.blob("yes"), None);
        assert_eq!(outcome.json("no"), json!("v"));
        assert_eq!(even(3), None);
        assert_eq!(numbers_if_any(0), None);
        let definition = testing::definition(OPS, "numbers_if_any");
        assert!(!definition.outputs[0].required && definition.outputs[0].dynamic);
    }

    #[test]
    fn texts_are_put_together_in_order() {
        let outcome =
            testing::step(OPS, "concat").collected("texts", [("b", "x"), ("a", "y")]).run();
        assert_eq!(outcome.json("result"), json!("x y"));
    }

    #[test]
    fn an_element_of_the_wrong_type_fails_the_step() {
        let outcome = testing::step(OPS, "concat")
            .collected("texts", [("a", json!("x")), ("b", json!(7))])
            .run();
        let message = outcome.failure().message();
        assert!(
            message.starts_with("input `texts`: element `b`: invalid type: integer `7`"),
            "{message}"
        );
    }

    #[test]
    fn rows_hold_columns() {
        let outcome = testing::step(OPS, "rows").input("rows", 1).input("columns", 2).run();
        assert_eq!(outcome.dynamic("out"), [("row_0", json!([0, 1]))]);
        assert_eq!(each(vec![json!(1)]), [DynamicOutput::new("0", json!(1))]);
        assert_eq!(echo(json!({"a": null})), json!({"a": null}));
    }

    #[test]
    fn numbers_are_their_own_keys() {
        let mut out = Emitter::recording();
        numbers(2, &mut out).unwrap();
        assert_eq!(out.into_recorded(), [DynamicOutput::new("0", 0), DynamicOutput::new("1", 1)]);
    }
}
