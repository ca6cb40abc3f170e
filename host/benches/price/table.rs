//! A measured case as a line: for a terminal, as JSON, and in the README.

use std::fmt;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cases::{Case, Place};
use crate::{Measured, Took};

/// The README has the table between these.
const BEGIN: &str = "<!-- price: written by `cargo bench --bench price -- --readme` -->\n";
const END: &str = "<!-- /price -->\n";

/// What is said of a case.
pub(crate) struct Line {
    case: Case,
    /// On two workers: how many times the clones per second of one worker, of the floor and of dynhost.
    speedup: Option<(f64, f64)>,
    floor: f64,
    dynhost: f64,
    ratio: f64,
    spread: (f64, f64),
    cpu_ratio: f64,
    peak: Option<u64>,
}

/// What is said of the cases of one line, which took turns.
pub(crate) fn lines(measured: &[Measured]) -> Vec<Line> {
    let one = measured.iter().find(|measured| measured.case.place == Place::One);
    measured.iter().map(|measured| Line::new(measured, one)).collect()
}

impl Line {
    fn new(measured: &Measured, one: Option<&Measured>) -> Self {
        let case = measured.case;
        let speedup = one.filter(|_| case.place == Place::Two).map(|one| {
            let speedup = |one: &[Took], two: &[Took]| {
                median(&sorted(one.iter().zip(two).map(|(one, two)| one.wall / two.wall)))
            };
            (speedup(&one.floor, &measured.floor), speedup(&one.dynhost, &measured.dynhost))
        });
        let ratios = |of: fn(&Took) -> f64| {
            let pairs = measured.dynhost.iter().zip(&measured.floor);
            sorted(pairs.map(|(ours, floor)| of(ours) / of(floor)))
        };
        let wall = ratios(|took| took.wall);
        Self {
            case,
            speedup,
            floor: median(&sorted(measured.floor.iter().map(|took| took.wall))),
            dynhost: median(&sorted(measured.dynhost.iter().map(|took| took.wall))),
            ratio: median(&wall),
            spread: (wall[0], wall[wall.len() - 1]),
            cpu_ratio: median(&ratios(|took| took.cpu)),
            peak: measured.peak,
        }
    }

    pub(crate) fn name(&self) -> String {
        self.case.name()
    }

    /// Whether every round was worse than this.
    pub(crate) fn is_above(&self, bound: f64) -> bool {
        self.spread.0 > bound
    }

    pub(crate) fn to_json(&self) -> Json {
        json!({
            "case": self.name(),
            "floor_us": rounded(self.floor),
            "dynhost_us": rounded(self.dynhost),
            "us_per_clone": rounded(self.dynhost),
            "ratio": rounded(self.ratio),
            "spread": [rounded(self.spread.0), rounded(self.spread.1)],
            "cpu_ratio": rounded(self.cpu_ratio),
            "clones": self.case.shaped.clones(),
            "workers": self.case.place.workers(),
            "speedup": self.speedup.map(|(_, ours)| rounded(ours)),
            "floor_speedup": self.speedup.map(|(floor, _)| rounded(floor)),
            "peak_rss_bytes": self.peak,
        })
    }

    fn ratio_to_markdown(&self) -> String {
        format!("**{:.2}** ({:.2}–{:.2})", self.ratio, self.spread.0, self.spread.1)
    }
}

/// A row of the table: the same case, in all places.
fn to_markdown(lines: &[Line]) -> String {
    let at = |place| lines.iter().find(|line| line.case.place == place);
    let ratio = |place| at(place).map_or_else(String::new, Line::ratio_to_markdown);
    let two = at(Place::Two);
    let number =
        |of: fn(&Line) -> f64| two.map_or_else(String::new, |line| format!("{:.2}", of(line)));
    let peak = two.and_then(|line| line.peak);
    let speedup = two.and_then(|line| line.speedup);
    let shaped = lines[0].case.shaped;
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        shaped.name,
        shaped.words,
        shaped.clones(),
        number(|line| line.floor),
        number(|line| line.dynhost),
        ratio(Place::Two),
        ratio(Place::One),
        ratio(Place::Sqlite),
        speedup.map_or_else(String::new, |(floor, ours)| format!("{ours:.2} ({floor:.2})")),
        peak.map_or_else(String::new, |bytes| (bytes >> 20).to_string()),
    )
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<25} floor {:>9.2} µs  dynhost {:>9.2} µs  ratio {:.2} ({:.2}–{:.2})  CPU {:.2}  peak {} MiB",
            self.name(),
            self.floor,
            self.dynhost,
            self.ratio,
            self.spread.0,
            self.spread.1,
            self.cpu_ratio,
            self.peak.unwrap_or_default() >> 20,
        )
    }
}

/// Writes the table into the README.
pub(crate) fn write(lines: &[Line]) -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the README has no place for the table")?;
    let (_, after) = rest.split_once(END).ok_or("the README has no end of the table")?;
    let head = "\n| case | | clones | floor, µs | dynhost, µs | ratio (spread) | on one worker | on SQLite | two workers beside one (the floor) | peak, MiB |\n\
                |---|---|---|---|---|---|---|---|---|---|\n";
    let same = |one: &Line, other: &Line| one.case.shaped.name == other.case.shaped.name;
    let table: String = lines.chunk_by(same).map(to_markdown).collect();
    let machine = machine();
    std::fs::write(path, format!("{before}{BEGIN}{head}{table}\n{machine}\n{END}{after}"))?;
    Ok(())
}

/// Where and when it was measured, as the machine says it.
fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().ok();
        let output = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        output.unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let lock = include_str!("../../../Cargo.lock");
    let wasmtime = lock.split("name = \"wasmtime\"\nversion = \"").nth(1);
    let wasmtime = wasmtime.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    format!(
        "Wall time per clone on two workers, {cores} cores ({model}), {}, wasmtime {wasmtime}, {}.",
        said("rustc", &["--version"]),
        said("date", &["+%Y-%m-%d"])
    )
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
