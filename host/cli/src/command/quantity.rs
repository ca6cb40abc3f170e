//! Sizes and ages on the command line: `2GiB`, `30d`.

use std::time::Duration;

const SIZES: [(&str, u64); 11] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
    ("", 1),
];

const AGES: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// `2GiB`, `500MB`, or a number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    read(text, &SIZES).ok_or_else(|| {
        "a size is a number and one of the units KiB, MiB, GiB, TiB, kB, MB, GB, TB, such as 2GiB"
            .to_owned()
    })
}

/// `30d`, `12h`, `2w`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    read(text, &AGES).map(Duration::from_secs).ok_or_else(|| {
        "an age is a number and one of the units s, m, h, d, w, such as 30d".to_owned()
    })
}

/// A number with its unit, in the smallest one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked against the range; bytes and seconds that a fraction is lost of do not matter"
)]
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    let number = number.trim_end();
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let plain = number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value = number.parse::<f64>().ok().filter(|_| plain && unit > 1)? * unit as f64;
    (value < u64::MAX as f64).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("2GiB", 2 << 30), ("1.5 KiB", 1536), ("500MB", 500_000_000), ("7", 7), ("0B", 0)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1B", "1.5", "2 gib", "1e3B", "99999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_have_units() {
        for (text, seconds) in [("30d", 2_592_000), ("90m", 5400), ("1.5h", 5400), ("0s", 0)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["30", "d", "1y", "-1d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
