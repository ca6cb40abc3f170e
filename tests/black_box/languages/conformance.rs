//! Whether the conformance ops of a language are what `docs/languages.md` says: `dynhost conform` tries that. Here they are
//! compared with those in Rust as well, byte by byte: JSON is compact, in UTF-8, with the escapes that are needed alone.

use std::path::Path;

use dynhost::graph::event::Event;
use dynhost::graph::scheduler::JobOutputValue;
use serde_json::{Value as Json, json};

use crate::command::Workshop;
use crate::job::{Job, Ran, component, host};

/// The ops whose results are compared.
const OPS: [&str; 11] =
    ["echo", "split", "words", "length", "join", "half", "fail", "tell", "take", "census", "count"];
/// What is awkward in JSON and among spaces: quotes, escapes, control characters (of which U+001F is a space elsewhere), a
/// space that is none here, code points of all widths, an empty line.
const TEXT: &str = "one two  three\n\"q\" \\ \u{8}\u{c}\t\u{1f}\u{7f}\n\nna\u{ef}ve\u{a0}\u{1F600} \u{65E5}\u{672C}\nlast";

/// Checks a conformance component: it has the ops for every rule and keeps it; `pure`: it imports the op interface alone.
pub(crate) fn conforms(component: &Path, pure: bool) {
    let workshop = Workshop::new();
    let path = component.to_str().expect("the path is UTF-8");
    let output = workshop.run(&["conform", "--no-measure", "-o", "json", path]);
    let said: Json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let rules = said["components"][0]["rules"].as_array().expect("there are rules");
    let broken: Vec<_> = rules.iter().filter(|rule| rule["result"] != "passed").collect();
    assert!(broken.is_empty() && output.status.success(), "{path}: {broken:#?}");
    assert_eq!(said["components"][0]["pure"], pure, "{path}");
    is_described(component);
}

/// Every op and every port says what it is.
fn is_described(component: &Path) {
    let loaded = host().load(component).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    for op in loaded.ops() {
        assert!(!op.description.is_empty(), "`{}` has no description", op.name);
        let inputs = op.inputs.iter().map(|input| (&input.name, &input.description));
        let outputs = op.outputs.iter().map(|output| (&output.name, &output.description));
        for (name, description) in inputs.chain(outputs) {
            assert!(!description.is_empty(), "`{name}` of `{}` has no description", op.name);
        }
    }
}

/// Checks that a job gives the same bytes when any one of its ops is replaced by its twin.
pub(crate) fn is_a_twin_of(component: &Path, other: &Path) {
    let run = |replaced: Option<&str>| {
        let alias = |op: &str| if replaced == Some(op) { "twin" } else { "other" };
        let components = [("twin", component), ("other", other)];
        let ran = Job::over(&components, &everything(alias)).param("text", json!(TEXT)).run();
        outputs(&ran.succeeded())
    };
    let expected = run(None);
    for op in OPS {
        assert_eq!(run(Some(op)), expected, "`{op}` replaced by that of {}", component.display());
    }
}

/// A job that uses every op; `alias` says whose.
fn everything(alias: impl Fn(&str) -> &'static str) -> String {
    let node = |name: &str, op: &str, wiring: &str| {
        format!("[nodes.{name}]\nop = \"{}/{op}\"\n{wiring}\n", alias(op))
    };
    "[params.text]\ntype = \"string\"\n".to_owned()
        + &node("split", "split", "inputs.text.param = \"text\"")
        + &node("words", "words", "inputs.text.map = \"split\"")
        + &node("tell", "tell", "inputs.value.map = \"words\"")
        + &node(
            "joined",
            "join",
            "inputs.texts.collect = \"words\"\nconfig.separator = \" \\\"|\\\" \"",
        )
        + &node("length", "length", "inputs.text.map = \"split\"")
        + &node("half", "half", "inputs.n.map = \"length\"")
        + &node("again", "join", "inputs.texts.collect = \"split\"")
        + &node("echo", "echo", "inputs.value.map = \"length\"")
        + &node(
            "retried",
            "fail",
            "inputs.value.map = \"split\"\nconfig = { kind = \"transient\", until = 1 }\nretry.max_attempts = 2",
        )
        + &node("taken", "take", "inputs.values.value = [1, -2]\ninputs.word.value = \"é\"")
        + &node("bare", "take", "inputs.values.value = []")
        + &node("census", "census", "inputs.values.collect = \"words\"")
        + &node("counted", "count", "inputs.value.map = \"split\"")
        + r#"
[outputs]
lines.collect = "split"
joined.collect = "joined"
lengths.collect = "length"
halves.collect = "half"
again.from = "again"
echoed.collect = "echo"
retried.collect = "retried"
counted.collect = "counted"
census.collect = "census"
taken.from = "taken"
bare.from = "bare"
"#
}

fn one(component: &Path, nodes: &str) -> Job {
    Job::over(&[("c", component)], nodes)
}

/// The outputs of a job and of its steps, each with its media type, as text.
fn outputs(ran: &Ran) -> Vec<String> {
    let mut all = Vec::new();
    for (name, output) in &ran.result.outputs {
        match output {
            JobOutputValue::Absent => all.push(format!("{name}: absent")),
            JobOutputValue::Single(value) => {
                all.push(format!("{name}: {} {}", value.media_type, text(&value.data)));
            }
            JobOutputValue::Many(list) => all.extend(list.elements.iter().map(|element| {
                let value = &element.value;
                format!("{name}[{}]: {} {}", element.key, value.media_type, text(&value.data))
            })),
        }
    }
    let mut told: Vec<_> = ran.events.iter().filter_map(told).collect();
    told.sort();
    all.extend(told);
    all
}

fn told(event: &Event) -> Option<String> {
    let Event::StepSucceeded { step, outputs, .. } = event else { return None };
    let values = outputs.iter().map(|(_, value)| text(&value.data));
    (&*step.node == "tell").then(|| format!("{step}: {}", values.collect::<String>()))
}

fn text(data: &[u8]) -> String {
    String::from_utf8(data.to_vec()).unwrap_or_else(|_| format!("{data:?}"))
}

/// What the comparison of languages stands on.
#[test]
fn rust_gives_the_right_bytes() {
    let component = &component("conformance");
    let job = one(component, &everything(|_| "c"));
    let ran = job.param("text", json!(TEXT)).run().succeeded();
    let lines: Vec<&str> = TEXT.split('\n').collect();
    let lengths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    let mut expected = Vec::new();
    let mut many = |name: &str, values: Vec<Json>| {
        let values = values.into_iter().enumerate().filter(|(_, value)| !value.is_null());
        expected.extend(values.map(|(n, value)| format!("{name}[line_{n}]: {}", json_text(value))));
    };
    many("lines", lines.iter().map(|&line| json!(line)).collect());
    many("joined", lines.iter().map(|line| json!(words(line).join(" \"|\" "))).collect());
    many("lengths", lengths.iter().map(|&length| json!(length)).collect());
    let half = |&length: &usize| length.is_multiple_of(2).then_some(length / 2);
    many("halves", lengths.iter().map(|length| json!(half(length))).collect());
    expected.push(format!("again: {}", json_text(lines.join(" "))));
    let mut many = |name: &str, values: Vec<Json>| {
        let values = values.into_iter().enumerate();
        expected.extend(values.map(|(n, value)| format!("{name}[line_{n}]: {}", json_text(value))));
    };
    many("echoed", lengths.iter().map(|&length| json!(length)).collect());
    many("retried", lines.iter().map(|_| json!(2)).collect());
    many("counted", lines.iter().map(|_| json!(1)).collect());
    // Members in the order of the type, which a JSON value here would not keep.
    for (n, line) in lines.iter().enumerate() {
        let keys: Vec<String> = (0..words(line).len()).map(|m| format!("\"{m}\"")).collect();
        let (length, keys) = (keys.len(), keys.join(","));
        expected.push(format!(
            "census[line_{n}]: application/json {{\"length\":{length},\"keys\":[{keys}],\"failed\":[]}}"
        ));
    }
    expected.push("taken: application/json {\"values\":[1,-2],\"word\":\"é\"}".to_owned());
    expected.push("bare: application/json {\"values\":[],\"word\":null}".to_owned());
    let mut told = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        for m in 0..words(line).len() {
            let step = format!("tell[line_{n}][{m}]");
            told.push(format!(
                "{step}: {{\"step\":\"{step}\",\"keys\":[\"line_{n}\",\"{m}\"],\"attempt\":1}}"
            ));
        }
    }
    told.sort();
    expected.extend(told);
    assert_eq!(outputs(&ran), expected);
    // No line, no element: the end comes at once.
    let nothing = one(component, &everything(|_| "c")).param("text", json!("")).run().succeeded();
    assert_eq!(nothing.output("again"), Some(json!("")));
    assert_eq!(nothing.output("lines"), Some(json!([])));
}

fn words(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().collect()
}

fn json_text(value: impl Into<Json>) -> String {
    format!("application/json {}", value.into())
}
