//! The example job whose ops are in Python, C, Rust and TypeScript: what it gives agrees with a computation of these tests, and
//! stays the same to the byte with any of its ops in another language.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use dynhost::RunOptions;
use dynhost::graph::event::{Event, RunStatus};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::graph::value::Value;
use serde_json::{Value as Json, json};

use super::language;
use crate::command::{Workshop, root};
use crate::job::{block_on, host, watch};

const DATA: &str = "example-ops/many-languages/data";
/// The nodes of the job; each has a component of its name.
const NODES: [&str; 5] = ["exports", "parse", "trend", "summary", "page"];

/// The manifest of a job, whose components are built; says so where the machine lacks the tools of a language.
pub(crate) fn manifest(name: &str) -> Option<PathBuf> {
    static BUILT: OnceLock<Result<(), &str>> = OnceLock::new();
    let path = |name: &str| root().join(format!("example-ops/jobs/{name}.toml"));
    let built = BUILT.get_or_init(|| {
        // The tools are installed by the scripts of the languages, once for all tests.
        for name in ["c", "js", "python"] {
            language(name).component()?;
        }
        for name in ["weather", "weather-twins"] {
            let path = path(name);
            let output = Workshop::new().run(&["build", path.to_str().expect("it is UTF-8")]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    });
    match built {
        Ok(()) => Some(path(name)),
        Err(skipped) => {
            println!("{skipped}");
            None
        }
    }
}

/// How a file of the example is written.
struct Export {
    file: &'static str,
    station: &'static str,
    delimiter: char,
    /// The columns of day and temperature.
    columns: (usize, usize),
    /// Where year, month and day are among the numbers of a date.
    date: [usize; 3],
    fahrenheit: bool,
}

#[rustfmt::skip]
const EXPORTS: [Export; 4] = [
    Export { file: "aldermoor.csv", station: "Aldermoor", delimiter: ',', columns: (0, 1), date: [0, 1, 2], fahrenheit: false },
    Export { file: "breitenfeld.csv", station: "Breitenfeld bei Öd", delimiter: ';', columns: (0, 2), date: [2, 1, 0], fahrenheit: false },
    Export { file: "cedar-flat.csv", station: "Cedar Flat", delimiter: '\t', columns: (0, 1), date: [2, 0, 1], fahrenheit: true },
    Export { file: "dalsnuten.csv", station: "Dalsnuten <612 m>", delimiter: ';', columns: (0, 1), date: [0, 1, 2], fahrenheit: false },
];

/// What is in a file: hundredths of a degree by month and day, and the numbers of the lines that are to be rejected.
struct Found {
    days: BTreeMap<(usize, usize), Option<i64>>,
    rejected: Vec<usize>,
}

/// The days before each month of 2025, the year of all files, as far as they go.
const BEFORE: [usize; 5] = [0, 31, 59, 90, 120];

/// Reads a file with what is known of it. No field with a delimiter in quotes stands before the temperature but in
/// Breitenfeld, where the remark does.
fn read(export: &Export) -> Found {
    let bytes = fs::read(root().join(DATA).join(export.file)).expect("the file is there");
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    };
    let text = text.trim_start_matches('\u{feff}').replace("\"Schnee; 12 cm\"", "Schnee");
    let mut found = Found { days: BTreeMap::new(), rejected: Vec::new() };
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (n, line) in lines.skip(1) {
        let Some((day, degrees)) = read_line(export, line) else {
            found.rejected.push(n + 1);
            continue;
        };
        if *found.days.entry(day).or_insert(degrees) != degrees {
            found.rejected.push(n + 1);
        }
    }
    found
}

fn read_line(export: &Export, line: &str) -> Option<((usize, usize), Option<i64>)> {
    let cells: Vec<&str> = line.split(export.delimiter).collect();
    let numbers: Vec<usize> =
        cells[export.columns.0].split(['-', '.', '/']).map_while(|n| n.parse().ok()).collect();
    let [2025, month, day] = export.date.map(|at| numbers.get(at).copied().unwrap_or(0)) else {
        return None;
    };
    if day > BEFORE[month] - BEFORE[month - 1] {
        return None;
    }
    let cell = cells[export.columns.1];
    if ["n/a", "-", "-9999"].contains(&cell) {
        return Some(((month, day), None));
    }
    let degrees: f64 = cell.replace(',', ".").replace('\u{2212}', "-").parse().ok()?;
    let degrees = if export.fahrenheit { (degrees - 32.0) / 1.8 } else { degrees };
    (degrees < 60.0).then_some(((month, day), Some(hundredths(degrees))))
}

#[expect(clippy::cast_possible_truncation, reason = "temperatures are small")]
fn hundredths(degrees: f64) -> i64 {
    (degrees * 100.0).round() as i64
}

/// A half upwards.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "they are small")]
fn mean(values: &[i64]) -> i64 {
    (values.iter().sum::<i64>() as f64 / values.len() as f64 + 0.5).floor() as i64
}

fn measured(found: &Found) -> Vec<((usize, usize), i64)> {
    found.days.iter().filter_map(|(&day, &degrees)| Some((day, degrees?))).collect()
}

fn summary(export: &Export, found: &Found) -> Json {
    let measured = measured(found);
    let day = |(month, day): (usize, usize)| format!("2025-{month:02}-{day:02}");
    let all: Vec<i64> = measured.iter().map(|(_, degrees)| *degrees).collect();
    // How many days do not exceed a temperature, counted afresh for each.
    let percentile = |percent: usize| {
        let enough =
            |limit: &i64| all.iter().filter(|it| *it <= limit).count() * 100 >= all.len() * percent;
        *all.iter().filter(|limit| enough(limit)).min().expect("the hottest day is one")
    };
    let lowest = measured.iter().min_by_key(|(day, degrees)| (*degrees, *day)).expect("a day");
    let highest = measured.iter().rev().max_by_key(|(_, degrees)| *degrees).expect("a day");
    let highest = measured.iter().find(|(_, degrees)| *degrees == highest.1).expect("a day");
    let months: Vec<Json> = (1..=4)
        .map(|month| {
            let its: Vec<i64> = measured
                .iter()
                .filter(|((m, _), _)| *m == month)
                .map(|(_, degrees)| *degrees)
                .collect();
            json!({ "month": format!("2025-{month:02}"), "mean": mean(&its) })
        })
        .collect();
    json!({
        "station": export.station, "measured": all.len(), "missing": 120 - all.len(), "mean": mean(&all),
        "p10": percentile(10), "p50": percentile(50), "p90": percentile(90),
        "lowest": { "day": day(lowest.0), "degrees": lowest.1 },
        "highest": { "day": day(highest.0), "degrees": highest.1 },
        "months": months,
    })
}

/// The slope that as many pairs of days exceed as fall short of, found without putting them in order.
fn trend(found: &Found) -> i64 {
    let number =
        |(month, day): (usize, usize)| i64::try_from(BEFORE[month - 1] + day).expect("small");
    let measured = measured(found);
    let mut often: BTreeMap<i64, usize> = BTreeMap::new();
    let mut pairs = 0;
    for (n, (later, after)) in measured.iter().enumerate() {
        for (earlier, before) in &measured[..n] {
            *often
                .entry((after - before) * 300 / (number(*later) - number(*earlier)))
                .or_default() += 1;
            pairs += 1;
        }
    }
    let mut below = 0;
    let half = |(_, count): &(&i64, &usize)| {
        below += **count;
        2 * below >= pairs
    };
    *often.iter().find(half).expect("the greatest is one").0
}

#[test]
fn the_job_of_many_languages_agrees_with_another_computation() {
    let Some(manifest) = manifest("weather") else { return };
    let manifest = manifest.to_str().expect("it is UTF-8");
    let workshop = Workshop::new();
    let dir = format!("dir={}", root().join(DATA).display());
    let output = workshop.run(&[
        "run",
        "--build",
        "-o",
        "json",
        manifest,
        "--param",
        &dir,
        "--save",
        "page=page.html",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let outputs = &result["outputs"];
    let page = fs::read_to_string(workshop.path().join("page.html")).expect("it was saved");

    let found: Vec<Found> = EXPORTS.iter().map(read).collect();
    let both = || EXPORTS.iter().zip(&found);
    let summaries: Vec<Json> = both().map(|(export, found)| summary(export, found)).collect();
    assert_eq!(outputs["summaries"], json!(summaries));
    assert_eq!(outputs["trends"], json!(found.iter().map(trend).collect::<Vec<_>>()));
    let rejected: Vec<Vec<usize>> = found.iter().map(|found| found.rejected.clone()).collect();
    let lines = |file: &Json| -> Json {
        file.as_array().expect("lines").iter().map(|it| it["line"].clone()).collect()
    };
    let given: Vec<Json> =
        outputs["rejected"].as_array().expect("files").iter().map(lines).collect();
    assert_eq!(json!(given), json!(rejected));
    assert_eq!(rejected.concat().len(), 6, "each kind of mistake is in the data");

    for ((export, _), summary) in both().zip(&summaries) {
        let station = export.station.replace('<', "&lt;").replace('>', "&gt;");
        let degrees = |value: &Json| {
            let value = value.as_i64().expect("a number");
            let sign = if value < 0 { "\u{2212}" } else { "" };
            format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
        };
        let cells = format!(
            "<tr><td>{station}</td><td>{}</td><td>{}</td><td>{}</td><td>{} (",
            summary["measured"],
            summary["missing"],
            degrees(&summary["mean"]),
            degrees(&summary["lowest"]["degrees"]),
        );
        assert!(page.contains(&cells), "{cells}\n{page}");
    }
    for (export, found) in both() {
        for line in &found.rejected {
            assert!(page.contains(&format!("<li>{}, line {line}: ", export.file)), "{page}");
        }
    }
    assert!(page.contains("<li>eastgate.csv: all of it</li>"), "{page}");
}

/// The text of a component in a manifest.
fn component<'m>(manifest: &'m str, name: &str) -> &'m str {
    let begin = manifest.find(&format!("[components.{name}]")).expect("it is in the manifest");
    manifest[begin..].split_once("\n\n").expect("something follows").0
}

/// Everything that the steps of a job gave, with media types and bytes, and what the job gave.
fn given(text: &str) -> Vec<String> {
    let path = root().join("example-ops/jobs/weather.toml");
    let manifest = Manifest::parse(&path, text).unwrap_or_else(|error| panic!("{error}"));
    let dir = root().join(DATA).to_str().expect("it is UTF-8").to_owned();
    let params = GivenParams::from([("dir".to_owned(), Given::Text(dir))]);
    let prepared = host().prepare(&manifest, &params).unwrap_or_else(|error| panic!("{error}"));
    let ran = block_on(async { watch(host().watch(&prepared, RunOptions::default())).await });
    assert_eq!(ran.status(), RunStatus::Succeeded, "{:?}", ran.failures());
    let shown = |value: &Value| format!("{} {}", value.media_type, value.data.escape_ascii());
    let mut all = Vec::new();
    for event in &ran.events {
        match event {
            Event::OutputEmitted { step, output, key, value, .. } => {
                all.push(format!("{step} {output}[{key}]: {}", shown(value)));
            }
            Event::StepSucceeded { step, outputs, .. } => {
                all.extend(
                    outputs.iter().map(|(name, value)| format!("{step} {name}: {}", shown(value))),
                );
            }
            Event::StepFailed { step, failure, .. } => all.push(format!("{step}: {failure}")),
            _ => {}
        }
    }
    all.sort();
    all
}

#[test]
fn every_op_of_the_job_can_be_replaced_by_its_twin() {
    let (Some(one), Some(other)) = (manifest("weather"), manifest("weather-twins")) else { return };
    let read = |path: PathBuf| fs::read_to_string(path).expect("the manifest is there");
    let (one, other) = (read(one), read(other));
    let nodes = |text: &str| text.split_once("\n[nodes.").expect("there are nodes").1.to_owned();
    assert_eq!(nodes(&one), nodes(&other), "the jobs differ in nothing but their components");

    let expected = given(&one);
    // 5 files, 2 outputs of `parse` for 4 of them and a failure, 4 trends, 4 summaries, a page.
    assert_eq!(expected.len(), 5 + 2 * 4 + 1 + 4 + 4 + 1, "{expected:#?}");
    for node in NODES {
        let (was, twin) = (component(&one, node), component(&other, node));
        assert_ne!(was, twin);
        assert_eq!(given(&one.replace(was, twin)), expected, "`{node}` replaced by its twin");
    }
    assert_eq!(given(&other), expected, "all replaced");
}
