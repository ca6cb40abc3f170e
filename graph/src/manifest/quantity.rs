//! Durations and sizes: `"200ms"`, `"64MiB"`.

use std::time::Duration;

use super::error::Problem;
use super::item::{Item, expected, kind, unsigned};
use toml::de::DeValue;

/// `"200ms"`, `"30s"`, `"1.5m"`, `"1h"`.
pub(crate) fn duration(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Duration> {
    let DeValue::String(text) = item.value else {
        let what = format!("a duration such as \"30s\", and is {}", kind(item.value));
        problems.push(
            Problem::at(item.span.clone(), format!("`{}` must be {what}", item.key))
                .help("write the number with its unit: `ms`, `s`, `m` or `h`"),
        );
        return None;
    };
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let duration = with_unit(text, &units).and_then(|s| Duration::try_from_secs_f64(s).ok());
    if duration.is_none() {
        problems.push(
            Problem::at(item.span.clone(), format!("`{text}` is not a duration"))
                .help("a number and one of the units `ms`, `s`, `m`, `h`, such as \"200ms\""),
        );
    }
    duration
}

/// `"64MiB"`, `"8MB"`, or a whole number of bytes.
pub(crate) fn size(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<u64> {
    let bytes = match item.value {
        DeValue::Integer(_) => unsigned(item.value),
        DeValue::String(text) => bytes(text),
        _ => {
            expected(item, "a size such as \"64MiB\", or a number of bytes", problems);
            return None;
        }
    };
    if bytes.is_none_or(|bytes| bytes == 0) {
        problems.push(
            Problem::at(item.span.clone(), format!("`{}` is not a size", item.key)).help(
                "a whole number from 1 and one of the units `B`, `KB`, `MB`, `GB`, `KiB`, \
                 `MiB`, `GiB`, such as \"64MiB\"",
            ),
        );
        return None;
    }
    bytes
}

fn bytes(text: &str) -> Option<u64> {
    let units: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1_000),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(*unit)
}

fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let number = number.trim_end();
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { number.parse::<f64>().ok().map(|n| n * unit) } else { None }
}
