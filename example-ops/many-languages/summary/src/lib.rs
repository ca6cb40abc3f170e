//! What a series of daily temperatures amounts to. Temperatures are whole hundredths of a degree, so that no rounding
//! depends on a language.

use chrono::{Days, NaiveDate};
use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The temperatures of a station.
#[derive(Deserialize, JsonSchema)]
pub struct Series {
    station: String,
    /// The first day, as 2025-01-31
    start: String,
    /// Hundredths of a degree, day by day
    days: Vec<Option<i32>>,
}

/// What they amount to.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    station: String,
    measured: usize,
    missing: usize,
    mean: i64,
    /// The temperature that so many percent of the days do not exceed
    p10: i32,
    p50: i32,
    p90: i32,
    lowest: Extreme,
    highest: Extreme,
    months: Vec<Month>,
}

/// The first day with the lowest or highest temperature.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Extreme {
    day: String,
    degrees: i32,
}

/// A month of which a day was measured.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Month {
    month: String,
    mean: i64,
}

/// Summarizes the temperatures of a station: mean, percentiles, extremes, and the mean of each month.
#[op(output(name = "summary", description = "All in hundredths of a degree"))]
pub fn summary(
    /// The temperatures of a station
    series: Series,
) -> Result<Summary> {
    let start: NaiveDate = series.start.parse().or_permanent("start")?;
    let measured: Vec<(NaiveDate, i32)> = (0..)
        .zip(&series.days)
        .filter_map(|(n, degrees)| Some((start.checked_add_days(Days::new(n))?, (*degrees)?)))
        .collect();
    let mut sorted: Vec<i32> = measured.iter().map(|(_, degrees)| *degrees).collect();
    sorted.sort_unstable();
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return Err(Failure::permanent("no day has a temperature"));
    };
    let first_with = |wanted: i32| {
        let day = measured.iter().find(|(_, degrees)| *degrees == wanted).map(|(day, _)| day);
        Extreme { day: day.map(ToString::to_string).unwrap_or_default(), degrees: wanted }
    };
    let month = |day: &NaiveDate| day.format("%Y-%m").to_string();
    let months = measured.chunk_by(|(a, _), (b, _)| month(a) == month(b));
    Ok(Summary {
        station: series.station,
        measured: measured.len(),
        missing: series.days.len() - measured.len(),
        mean: mean(sorted.iter().copied()),
        p10: percentile(&sorted, 10),
        p50: percentile(&sorted, 50),
        p90: percentile(&sorted, 90),
        lowest: first_with(low),
        highest: first_with(high),
        months: months
            .map(|days| Month {
                month: month(&days[0].0),
                mean: mean(days.iter().map(|(_, degrees)| *degrees)),
            })
            .collect(),
    })
}

/// To the nearest hundredth, a half upwards.
fn mean(values: impl ExactSizeIterator<Item = i32>) -> i64 {
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let sum: i64 = values.map(i64::from).sum();
    (2 * sum + count).div_euclid(2 * count)
}

/// By nearest rank.
fn percentile(sorted: &[i32], percent: usize) -> i32 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

export_ops!(summary);

#[cfg(test)]
mod tests {
    use super::*;

    fn series(start: &str, days: &[Option<i32>]) -> Series {
        Series { station: "A".to_owned(), start: start.to_owned(), days: days.to_vec() }
    }

    #[test]
    fn a_series_over_two_months() {
        let days = [Some(-100), None, Some(-101), Some(300), Some(300)];
        let found = summary(series("2024-02-28", &days)).unwrap();
        assert_eq!((found.measured, found.missing, found.mean), (4, 1, 100));
        assert_eq!((found.p10, found.p50, found.p90), (-101, -100, 300));
        assert_eq!(found.lowest, Extreme { day: "2024-03-01".to_owned(), degrees: -101 });
        assert_eq!(found.highest, Extreme { day: "2024-03-02".to_owned(), degrees: 300 });
        let months: Vec<_> = found.months.iter().map(|it| (it.month.as_str(), it.mean)).collect();
        assert_eq!(months, [("2024-02", -100), ("2024-03", 166)]);
    }

    #[test]
    fn halves_are_rounded_upwards() {
        assert_eq!(mean([-1, 0].into_iter()), 0);
        assert_eq!(mean([1, 2].into_iter()), 2);
        assert_eq!(mean([-2, -1].into_iter()), -1);
    }

    #[test]
    fn nothing_measured_is_a_failure() {
        assert!(summary(series("2024-01-01", &[None])).is_err());
        assert!(summary(series("yesterday", &[Some(1)])).is_err());
    }
}
