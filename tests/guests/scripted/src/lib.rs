//! Ops that do what files say, so that a test changes what they do between two attempts or runs. The
//! files stand in a folder that is granted as `/script`.

use std::fs;
use std::hint::black_box;
use std::io::Write;

use dynhost_sdk::prelude::*;
use dynhost_sdk::schemars::JsonSchema;
use dynhost_sdk::serde::Deserialize;
use dynhost_sdk::step;

const FOLDER: &str = "/script";

/// Counts for a while. How long depends on the machine.
fn work(thousands: u64) {
    black_box((0..thousands * 1000).fold(0_u64, |count, _| black_box(count) + 1));
}

fn script(name: &str) -> Option<String> {
    fs::read_to_string(format!("{FOLDER}/{name}")).ok()
}

/// Notes in the file `ran` that this step was executed.
fn note() -> Result<()> {
    let line = format!("{}\n", step::step_key());
    let file = fs::OpenOptions::new().append(true).create(true).open(format!("{FOLDER}/ran"));
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| Failure::permanent(format!("`ran` cannot be written: {error}")))
}

/// Emits an element for each line of a file: `key=value`, or `key` for both. `!fail` and `!transient`
/// end it with a failure, `!work N` makes it count to N thousand.
#[op]
fn lines(name: String, out: &mut Emitter<String>) -> Result<()> {
    note()?;
    for line in script(&name).unwrap_or_default().lines() {
        let (key, value) = line.split_once('=').unwrap_or((line, line));
        match line.split_once(' ') {
            Some(("!work", thousands)) => work(thousands.parse().unwrap_or(0)),
            _ if line == "!fail" => return Err(Failure::permanent("the script says so")),
            _ if line == "!transient" => return Err(Failure::transient("the script says so")),
            _ => out.emit(key, value.to_owned())?,
        }
    }
    Ok(())
}

/// As `lines`, but gives nothing at all where there is no such file.
#[op]
fn lines_if_any(name: String) -> Result<Option<Vec<DynamicOutput<String>>>> {
    note()?;
    let lines = script(&name);
    Ok(lines.map(|text| text.lines().map(|key| DynamicOutput::new(key, key.to_owned())).collect()))
}

/// Does what the file that is called like the value says: `fail`, `transient`, `skip`, `work N`, or
/// anything else, which it gives. Without such a file it gives the value.
#[op]
fn obey(value: String) -> Result<Option<String>> {
    note()?;
    let Some(text) = script(&value) else { return Ok(Some(value)) };
    match text.trim().split_once(' ').unwrap_or((text.trim(), "")) {
        ("fail", _) => Err(Failure::permanent("the script says so")),
        ("transient", _) => Err(Failure::transient("the script says so")),
        ("skip", _) => Ok(None),
        ("work", thousands) => {
            work(thousands.parse().unwrap_or(0));
            Ok(Some(value))
        }
        (text, _) => Ok(Some(text.to_owned())),
    }
}

/// As `obey`, but only skips where it is told to.
#[op]
fn obey_name(value: String) -> Result<Option<String>> {
    note()?;
    let skips = script(&value).is_some_and(|text| text.trim() == "skip");
    Ok((!skips).then_some(value))
}

/// Gives all texts as one list.
#[op]
fn gather(texts: Collected<String>) -> Result<Vec<String>> {
    note()?;
    Ok(texts.collect())
}

/// How much an op does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Pace {
    /// How far it counts each time.
    thousands: u64,
}

/// Emits the numbers from 0 up to `n`, counting to `work` thousand before each.
#[op]
fn slow_numbers(n: u32, #[config] pace: Pace, out: &mut Emitter<u32>) -> Result<()> {
    for x in 0..n {
        work(pace.thousands);
        out.emit(format!("k{x}"), x)?;
    }
    Ok(())
}

/// Works, then fails its first attempt at every fifth number, gives nothing for every seventh, and
/// otherwise one more.
#[op]
fn slow_next(x: u32, #[config] pace: Pace) -> Result<Option<u32>> {
    work(pace.thousands);
    if x.is_multiple_of(5) && step::attempt() == 1 {
        return Err(Failure::transient("the first attempt at every fifth number fails"));
    }
    Ok((!x.is_multiple_of(7)).then_some(x + 1))
}

/// Adds numbers, working for each.
#[op]
fn slow_sum(numbers: Collected<u32>, #[config] pace: Pace) -> u32 {
    numbers.inspect(|_| work(pace.thousands)).sum()
}

/// Works, then gives the mapping keys of the step.
#[op]
fn slow_keys(value: String, #[config] pace: Pace) -> String {
    work(pace.thousands);
    format!("{value} of {}", step::mapping_keys().join("/"))
}

/// Works, then gives the id of the run.
#[op]
fn slow_run(value: String, #[config] pace: Pace) -> String {
    work(pace.thousands);
    format!("{value} of {}", step::run_id())
}

export_ops!(
    lines,
    lines_if_any,
    obey,
    obey_name,
    gather,
    slow_numbers,
    slow_next,
    slow_sum,
    slow_keys,
    slow_run
);
