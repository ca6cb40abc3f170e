//! How fast a series rises.

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// Hundredths of a degree per day to thousandths per 30 days.
const SCALE: i32 = 300;

/// The temperatures of a station.
#[derive(Deserialize, JsonSchema)]
pub struct Series {
    /// Hundredths of a degree, day by day
    days: Vec<Option<i32>>,
}

/// Tells how fast a series rises: the median of the slopes between any two days.
#[op(output(
    name = "trend",
    description = "Thousandths of a degree in 30 days; none for a single day"
))]
pub fn trend(
    /// Hundredths of a degree, day by day
    series: Series,
) -> Option<i32> {
    let measured = (0..).zip(series.days).filter_map(|(day, degrees)| Some((day, degrees?)));
    let measured: Vec<(i32, i32)> = measured.collect();
    let mut slopes = Vec::new();
    for (n, (day, degrees)) in measured.iter().enumerate() {
        let earlier = measured[..n].iter();
        slopes.extend(earlier.map(|(other, before)| (degrees - before) * SCALE / (day - other)));
    }
    slopes.sort_unstable();
    slopes.get(slopes.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_does_not_move_it() {
        let rising = |n: i32| Some(10 * n);
        let mut days: Vec<_> = (0..50).map(rising).collect();
        assert_eq!(trend(Series { days: days.clone() }), Some(3000));
        days[20] = Some(9000);
        days[30] = None;
        assert_eq!(trend(Series { days }), Some(3000));
        assert_eq!(trend(Series { days: vec![Some(1), None] }), None);
    }
}
