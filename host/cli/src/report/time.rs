//! Points in time, always in UTC: the history may be read elsewhere than where it was made.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Year, month, day of a number of days since 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// `2026-11-22 19:57:28`, from microseconds since 1970-01-01 UTC.
pub(crate) fn utc(at_us: u64) -> String {
    let seconds = at_us / 1_000_000;
    let (year, month, day) = date(seconds / DAY);
    format!("{year:04}-{month:02}-{day:02} {}", of_day(seconds))
}

/// `2026-11-22T19:57:28.123456Z`.
pub(crate) fn rfc3339(at_us: u64) -> String {
    let seconds = at_us / 1_000_000;
    let (year, month, day) = date(seconds / DAY);
    format!("{year:04}-{month:02}-{day:02}T{}.{:06}Z", of_day(seconds), at_us % 1_000_000)
}

/// `2026-11-22 19:57:28.123`.
pub(crate) fn precise(at_us: u64) -> String {
    format!("{}.{:03}", utc(at_us), at_us % 1_000_000 / 1000)
}

fn of_day(seconds: u64) -> String {
    let of_day = seconds % DAY;
    format!("{:02}:{:02}:{:02}", of_day / 3600, of_day % 3600 / 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (1_798_761_600, "2027-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1_000_000), text);
        }
        assert_eq!(rfc3339(1_500_042), "1970-01-01T00:00:01.500042Z");
        assert_eq!(precise(1_500_042), "1970-01-01 00:00:01.500");
    }
}
