//! One page of HTML about all stations.

use std::collections::HashMap;
use std::fmt::Write;

use dynhost_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// The width of a drawing, in its own units.
const WIDTH: i64 = 400;
const HEADINGS: [&str; 9] = [
    "Station",
    "Days",
    "Missing",
    "Mean",
    "Lowest",
    "Highest",
    "In 30 days",
    "Months",
    "10 to 90 %",
];

/// What the temperatures of a station amount to.
#[derive(Deserialize, JsonSchema)]
pub struct Summary {
    station: String,
    measured: u64,
    missing: u64,
    mean: i64,
    p10: i64,
    p50: i64,
    p90: i64,
    lowest: Extreme,
    highest: Extreme,
    months: Vec<Month>,
}

#[derive(Deserialize, JsonSchema)]
struct Extreme {
    day: String,
    degrees: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Month {
    month: String,
    mean: i64,
}

/// A line that was left out.
#[derive(Deserialize, JsonSchema)]
pub struct Rejected {
    line: u64,
    text: String,
    why: String,
}

/// How the page is made.
#[derive(Deserialize, JsonSchema)]
pub struct Options {
    title: String,
}

/// What temperatures all drawings span.
struct Scale {
    lowest: i64,
    highest: i64,
}

impl Scale {
    fn at(&self, degrees: i64) -> i64 {
        (degrees - self.lowest) * WIDTH / (self.highest - self.lowest).max(1)
    }
}

/// Writes a page of HTML about all stations.
#[op(output(name = "page", description = "The page, `text/html`."))]
pub fn page(
    /// What the temperatures of each station amount to
    summaries: Collected<Summary>,
    /// Thousandths of a degree in 30 days
    trends: Collected<i64>,
    /// The lines of each file that were left out
    rejected: Collected<Vec<Rejected>>,
    #[config] options: Options,
) -> Result<Blob> {
    let stations: Vec<(String, Summary)> = summaries.with_keys().collect();
    let trends: HashMap<String, i64> = trends.with_keys().collect();
    let all = stations.iter().map(|(_, summary)| summary);
    let scale = Scale {
        lowest: all.clone().map(|summary| summary.lowest.degrees).min().unwrap_or(0),
        highest: all.map(|summary| summary.highest.degrees).max().unwrap_or(0),
    };
    let title = escaped(&options.title);
    let mut out = String::from("<!doctype html>\n");
    writeln!(out, "<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>")?;
    writeln!(out, "<h1>{title}</h1>\n<table>")?;
    let headings = HEADINGS.map(|heading| format!("<th>{heading}</th>"));
    writeln!(out, "<tr>{}</tr>", headings.concat())?;
    for (key, summary) in &stations {
        writeln!(out, "{}", row(summary, trends.get(key), &scale))?;
    }
    out.push_str("</table>\n");
    out.push_str(&left_out(rejected)?);
    out.push_str("</html>\n");
    Ok(Blob::new("text/html", out))
}

fn row(summary: &Summary, trend: Option<&i64>, scale: &Scale) -> String {
    let extreme = |Extreme { day, degrees }: &Extreme| format!("{} ({day})", decimal(*degrees, 2));
    let months = summary.months.iter();
    let months = months.map(|Month { month, mean }| format!("{month}: {}", decimal(*mean, 2)));
    let cells = [
        escaped(&summary.station),
        summary.measured.to_string(),
        summary.missing.to_string(),
        decimal(summary.mean, 2),
        extreme(&summary.lowest),
        extreme(&summary.highest),
        trend.map_or_else(String::new, |trend| decimal(*trend, 3)),
        months.collect::<Vec<_>>().join("<br>"),
        drawing(summary, scale),
    ];
    format!("<tr>{}</tr>", cells.map(|cell| format!("<td>{cell}</td>")).concat())
}

/// From the lowest to the highest, a box from 10 to 90 percent, and the median.
fn drawing(summary: &Summary, scale: &Scale) -> String {
    let at = |degrees| scale.at(degrees);
    let (low, high) = (at(summary.lowest.degrees), at(summary.highest.degrees));
    let (left, middle, right) = (at(summary.p10), at(summary.p50), at(summary.p90));
    let width = right - left;
    format!(
        "<svg width=\"{WIDTH}\" height=\"20\"><path d=\"M{low} 10H{high}M{middle} 0V20\" stroke=\"black\"/>\
         <rect x=\"{left}\" y=\"4\" width=\"{width}\" height=\"12\" fill=\"steelblue\" fill-opacity=\".6\"/></svg>"
    )
}

fn left_out(rejected: Collected<Vec<Rejected>>) -> Result<String> {
    let failed = rejected.failed_keys();
    let mut items = String::new();
    for (file, lines) in rejected.with_keys() {
        let file = escaped(&file);
        for Rejected { line, text, why } in lines {
            let (why, text) = (escaped(&why), escaped(&text));
            writeln!(items, "<li>{file}, line {line}: {why}: <code>{text}</code></li>")?;
        }
    }
    for file in failed {
        writeln!(items, "<li>{}: all of it</li>", escaped(&file))?;
    }
    Ok(if items.is_empty() { items } else { format!("<h2>Left out</h2>\n<ul>\n{items}</ul>\n") })
}

/// A whole number of hundredths or thousandths.
fn decimal(value: i64, places: usize) -> String {
    let digits = format!("{:0width$}", value.abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    format!("{}{whole}.{part}", if value < 0 { "\u{2212}" } else { "" })
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
