//! Numbers in, numbers out.

use dynhost_sdk::prelude::*;

/// Gives the number ten.
#[op]
pub(crate) fn emit_ten() -> i64 {
    10
}

/// Adds two numbers.
#[op]
pub(crate) fn add(x: i64, y: i64) -> Result<i64> {
    x.checked_add(y).ok_or_else(|| Failure::permanent(format!("{x} + {y} is too large")))
}

/// Multiplies a number by another that is ten in the simplest case.
#[op]
pub(crate) fn multiply_inputs(x: i64, ten: i64) -> Result<i64> {
    x.checked_mul(ten).ok_or_else(|| Failure::permanent(format!("{x} × {ten} is too large")))
}

/// Multiplies a number by two.
#[op]
pub(crate) fn multiply_by_two(x: i64) -> Result<i64> {
    multiply_inputs(x, 2)
}

/// Adds the numbers of all clones, pulling them one after the other.
#[op]
pub(crate) fn sum(numbers: Collected<i64>) -> Result<i64> {
    total(numbers)
}

/// Adds the numbers of a list that is taken whole.
#[op]
pub(crate) fn sum_list(numbers: Vec<i64>) -> Result<i64> {
    total(numbers)
}

fn total(numbers: impl IntoIterator<Item = i64>) -> Result<i64> {
    let mut total: i64 = 0;
    for number in numbers {
        total =
            total.checked_add(number).ok_or_else(|| Failure::permanent("the sum is too large"))?;
    }
    Ok(total)
}

/// What `statistics` finds out.
#[derive(Debug, PartialEq, Outputs)]
pub(crate) struct Statistics {
    /// How many numbers there are.
    count: u64,
    /// The smallest number; not given where there are none.
    smallest: Option<i64>,
    /// The largest number; not given where there are none.
    largest: Option<i64>,
    /// Each number again, under its position.
    each: Vec<DynamicOutput<i64>>,
}

/// Counts and compares the numbers of a list, and gives each of them again.
#[op(outputs)]
pub(crate) fn statistics(numbers: Vec<i64>) -> Statistics {
    Statistics {
        count: numbers.len() as u64,
        smallest: numbers.iter().copied().min(),
        largest: numbers.iter().copied().max(),
        each: numbers
            .into_iter()
            .enumerate()
            .map(|(n, x)| DynamicOutput::new(n.to_string(), x))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn numbers_are_added_and_multiplied() {
        assert_eq!(add(2, 3).unwrap(), 5);
        assert_eq!(multiply_inputs(4, emit_ten()).unwrap(), 40);
        assert_eq!(multiply_by_two(21).unwrap(), 42);
        assert_eq!(sum([1, 2, 3].into_iter().collect()).unwrap(), 6);
        assert!(add(i64::MAX, 1).is_err());
    }

    #[test]
    fn a_list_comes_whole_or_as_several_values() {
        let whole = testing::step(OPS, "sum_list").input("numbers", json!([1, 2, 3])).run();
        let several = testing::step(OPS, "sum_list").many("numbers", [1, 2, 3]).run();
        assert_eq!(whole.json("result"), json!(6));
        assert_eq!(several.json("result"), json!(6));
    }

    #[test]
    fn the_fields_of_a_struct_are_outputs() {
        let some = testing::step(OPS, "statistics").input("numbers", json!([3, 1])).run();
        assert_eq!(some.json("count"), json!(2));
        assert_eq!(some.json("smallest"), json!(1));
        assert_eq!(some.dynamic("each"), [("0", json!(3)), ("1", json!(1))]);
        let none = testing::step(OPS, "statistics").input("numbers", json!([])).run();
        assert_eq!(none.blob("largest"), None);
    }
}
