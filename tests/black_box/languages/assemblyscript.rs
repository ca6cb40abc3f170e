//! Ops in `AssemblyScript`: the conformance ops, what the SDK's README says, and ops that take no care.

use std::fs;
use std::process::Command;

use dynhost::graph::event::{Event, Failure, Level};
use serde_json::json;

use super::{language, sdk};
use crate::command::{Workshop, binary};
use crate::job::{Job, Ran};

#[test]
fn assemblyscript_conforms() {
    super::check("assemblyscript");
}

fn run(component: &str, nodes: &str) -> Option<Ran> {
    let built = language("assemblyscript").beside(component);
    built.map(|built| Job::over(&[("as", &built)], nodes).run())
}

#[test]
fn the_quickstart_runs() {
    let job = |most: u32| {
        let nodes = format!(
            r#"
[nodes.split]
op = "as/split"
inputs.text.value = "one\nfour\n\nthree"
[nodes.measure]
op = "as/measure"
inputs.line.map = "split"
[nodes.total]
op = "as/total"
inputs.lengths.collect = "measure"
config.most = {most}
[outputs]
total.from = "total"
"#
        );
        run("quickstart.wasm", &nodes)
    };
    let (Some(enough), Some(too_few)) = (job(12), job(11)) else { return };
    assert_eq!(enough.succeeded().output("total"), Some(json!(12)));
    assert_eq!(too_few.failures(), [("total".to_owned(), "the text is too long".to_owned())]);
}

/// What the README says to type, in a folder of its own.
#[test]
fn the_commands_of_the_readme_run() {
    if language("assemblyscript").beside("quickstart.wasm").is_none() {
        return;
    }
    let folder = sdk("assemblyscript");
    let readme = fs::read_to_string(folder.join("README.md")).expect("there is one");
    let block = |language: &str| {
        let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("there is a block");
        rest.split_once("```").expect("it ends").0.to_owned()
    };
    let workshop = Workshop::new();
    workshop.write("ops.ts", block("ts"));
    let script = block("sh")
        .replace("path/to/dynhost/sdk/assemblyscript", folder.to_str().expect("it is UTF-8"));
    let bin = binary().parent().expect("it is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(workshop.path());
    let ran = shell.env("PATH", format!("{bin}:{path}")).output().expect("sh can be run");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.ends_with("\nlength: 5\n"), "{said}");
}

/// What the library makes of ops that take no care, and the words for it.
#[test]
fn mistakes_fail_the_step_with_words() {
    let nodes = r#"
[nodes.type]
op = "as/wrong_type"
inputs.value.value = 5
[nodes.blobs]
op = "basics/blobs"
inputs = { count.value = 1, bytes.value = 1 }
[nodes.bytes]
op = "as/wrong_type"
inputs.value.map = "blobs"
[nodes.name]
op = "as/wrong_name"
[nodes.undeclared]
op = "as/undeclared"
[nodes.bounds]
op = "as/out_of_bounds"
"#;
    let Some(ran) = run("guest.wasm", nodes) else { return };
    let words = |step: &str| ran.failure(step).to_string();
    assert_eq!(words("type"), "input `value` is not a string but an integer");
    let bytes = ran.failures().into_iter().find(|(step, _)| step.starts_with("bytes["));
    let (_, bytes) = bytes.expect("it failed");
    assert_eq!(bytes, "input `value` is not a string but `application/octet-stream`");
    assert_eq!(
        words("name"),
        "the op asks for an input `no such input`, which its definition does not have"
    );
    assert!(matches!(ran.failure("undeclared"), Failure::BadOutput { .. }));
    assert!(matches!(ran.failure("bounds"), Failure::Trap { .. }), "{:?}", ran.failure("bounds"));
    let said = |event: &Event| matches!(event, Event::LogWritten { level: Level::Error, message, .. } if message == "Index out of range");
    assert!(ran.events.iter().any(said), "{:?}", ran.events);
}

/// Several values wired to one input, an optional input, and a config with a number.
#[test]
fn several_values_are_one_array() {
    let nodes = r#"
[nodes.nothing]
op = "as/sum"
[nodes.sum]
op = "as/sum"
inputs.values = [{ value = 0.5 }, { from = "nothing" }, { value = 2 }]
config.times = 1.5
[outputs]
nothing.from = "nothing"
sum.from = "sum"
"#;
    let Some(ran) = run("guest.wasm", nodes) else { return };
    let ran = ran.succeeded();
    assert_eq!(ran.output("nothing"), Some(json!(0.0)));
    assert_eq!(ran.output("sum"), Some(json!(3.75)));
}

/// Values that are no JSON are taken one by one, and are not made into an array.
#[test]
fn several_values_need_not_be_json() {
    let nodes = r#"
[nodes.bytes]
op = "as/bytes"
[nodes.several]
op = "as/media_types"
inputs.values = [{ from = "bytes" }, { value = 2 }]
[nodes.one]
op = "as/media_types"
inputs.values.from = "bytes"
[nodes.none]
op = "as/media_types"
[outputs]
several.from = "several"
one.from = "one"
none.from = "none"
"#;
    let Some(ran) = run("guest.wasm", nodes) else { return };
    let ran = ran.succeeded();
    assert_eq!(ran.output("several"), Some(json!(["image/png", "application/json"])));
    assert_eq!(ran.output("one"), Some(json!(["image/png"])));
    assert_eq!(ran.output("none"), Some(json!([])));
    let nodes = r#"
[nodes.bytes]
op = "as/bytes"
[nodes.array]
op = "as/wrong_type"
inputs.value = [{ value = 2 }, { from = "bytes" }]
"#;
    let Some(ran) = run("guest.wasm", nodes) else { return };
    assert_eq!(
        ran.failure("array").to_string(),
        "input `value` has several values, and one is `image/png`, not JSON: take them with `values`"
    );
}

/// Neither emitting nor pulling keeps what is past: 20 MB pass through 2 MiB.
#[test]
fn memory_does_not_grow_with_the_number_of_elements() {
    let nodes = r#"
[nodes.flood]
op = "as/flood"
inputs.n.value = 20000
limits.memory = "2MiB"
[nodes.drain]
op = "as/drain"
inputs.texts.collect = "flood"
limits.memory = "2MiB"
[nodes.few]
op = "as/flood"
inputs.n.value = 5
[nodes.odd]
op = "as/odd_fails"
inputs.value.map = "few"
tolerate.count = 2
[nodes.left]
op = "as/drain"
inputs.texts.collect = "odd"
[outputs]
drained.from = "drain"
left.from = "left"
"#;
    let Some(ran) = run("guest.wasm", nodes) else { return };
    let ran = ran.succeeded();
    let drained = json!({ "length": 20_000, "bytes": 20_000_000, "failed": [] });
    assert_eq!(ran.output("drained"), Some(drained));
    let left = json!({ "length": 3, "bytes": 3_000, "failed": ["1", "3"] });
    assert_eq!(ran.output("left"), Some(left));
}
