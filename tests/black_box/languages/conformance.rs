//! What the conformance ops of every language do. The rules for who writes them in another language:
//!
//! - `echo(value: any) -> result`: the value as it is, any media type, no schemas.
//! - `split(text: string) -> dynamic line: string`: emits while it runs. Lines end with `\n`; what follows the last one
//!   is a line only if it is not empty. Keys `line_0`, `line_1`, ….
//! - `words(text: string) -> dynamic word: string`: what ASCII white space (space, `\t`, `\n`, `\x0c`, `\r`) separates,
//!   returned as a list. Keys `0`, `1`, ….
//! - `length(text: string) -> result: integer`: Unicode code points.
//! - `join(texts: collected string) -> result: string`: pulled, joined by config `separator` (string, a space by
//!   default).
//! - `half(n: integer) -> optional half: integer`: given only if n is even.
//! - `fail(value: any) -> result: integer`: config `kind` (`permanent` by default, `transient`, `retry_after`), `until`
//!   (integer: attempts up to it fail; all by default), `delay_ms` (integer, 0 by default). The message is `attempt N
//!   was asked to fail`; afterwards gives the number of the attempt. Without schema for `value`.
//! - `tell(value: any) -> result: object`: logs `trace message`, `debug message`, … at each level in this order, each with one
//!   field `language`, makes progress 1 of 2, and gives `{"step":…,"keys":[…],"attempt":…}`.
//!
//! JSON is compact, in UTF-8, with the escapes that are needed alone. `join` and `fail` have config schemas
//! (of type `object`), the others have none. Every op and every port has a description.

use std::path::Path;

use dynhost::graph::definition::OpDefinition;
use dynhost::graph::event::{Event, Failure, Level, LimitKind, ReportedRetry, RunStatus};
use dynhost::graph::scheduler::JobOutputValue;
use serde_json::{Value as Json, json};

use crate::job::{Job, Ran, Watched, block_on, host, is_emit, is_start, is_success, node};

const OPS: [&str; 8] = ["echo", "split", "words", "length", "join", "half", "fail", "tell"];
/// What is awkward in JSON and among spaces: quotes, escapes, control characters (of which U+001F is a space elsewhere), a
/// space that is none here, code points of all widths, an empty line.
const TEXT: &str = "one two  three\n\"q\" \\ \u{8}\u{c}\t\u{1f}\u{7f}\n\nna\u{ef}ve\u{a0}\u{1F600} \u{65E5}\u{672C}\nlast";
/// More lines than any op is ahead of its clones.
const MANY_LINES: usize = 10_000;

/// Checks a conformance component: `language` is what its op `tell` says, `pure` whether it imports the op interface alone.
pub(crate) fn conforms(component: &Path, language: &str, pure: bool) {
    describes_itself(component, pure);
    gives_the_right_bytes(component);
    passes_any_bytes(component);
    talks(component, language);
    fails_as_asked(component);
    emits_while_it_runs(component);
    can_be_stopped(component);
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
        + r#"
[outputs]
lines.collect = "split"
joined.collect = "joined"
lengths.collect = "length"
halves.collect = "half"
again.from = "again"
echoed.collect = "echo"
retried.collect = "retried"
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

/// Definitions: names, what is required, collected or dynamic, and the types in the schemas.
fn describes_itself(component: &Path, pure: bool) {
    let loaded = host().load(component).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    assert_eq!(loaded.is_pure(), pure, "{:?}", loaded.imports());
    let kind = |schema: &Option<Json>| {
        schema.as_ref().map_or("any".to_owned(), |schema| {
            schema["type"].as_str().unwrap_or("without a type").to_owned()
        })
    };
    let line = |op: &OpDefinition| {
        let mut parts = vec![op.name.clone()];
        parts.extend(op.inputs.iter().map(|input| {
            let optional = if input.required { "" } else { "optional " };
            let collected = if input.collected { "collected " } else { "" };
            format!("{optional}{collected}{}:{}", input.name, kind(&input.schema))
        }));
        parts.push("->".to_owned());
        parts.extend(op.outputs.iter().map(|output| {
            let optional = if output.required { "" } else { "optional " };
            let dynamic = if output.dynamic { "dynamic " } else { "" };
            format!("{optional}{dynamic}{}:{}", output.name, kind(&output.schema))
        }));
        if op.config_schema.is_some() {
            parts.push(format!("config:{}", kind(&op.config_schema)));
        }
        parts.join(" ")
    };
    let mut lines: Vec<_> = loaded.ops().iter().map(|op| line(op)).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "echo value:any -> result:any",
            "fail value:any -> result:integer config:object",
            "half n:integer -> optional half:integer",
            "join collected texts:string -> result:string config:object",
            "length text:string -> result:integer",
            "split text:string -> dynamic line:string",
            "tell value:any -> result:object",
            "words text:string -> dynamic word:string",
        ]
    );
    for op in loaded.ops() {
        assert!(!op.description.is_empty(), "`{}` has no description", op.name);
        let inputs = op.inputs.iter().map(|input| (&input.name, &input.description));
        let outputs = op.outputs.iter().map(|output| (&output.name, &output.description));
        for (name, description) in inputs.chain(outputs) {
            assert!(!description.is_empty(), "`{name}` of `{}` has no description", op.name);
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().collect()
}

fn json_text(value: impl Into<Json>) -> String {
    format!("application/json {}", value.into())
}

fn gives_the_right_bytes(component: &Path) {
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

/// Media types and bytes that are no text go through `echo` untouched.
fn passes_any_bytes(component: &Path) {
    let ran = one(
        component,
        r#"
[nodes.blobs]
op = "basics/blobs"
inputs = { count.value = 2, bytes.value = 100000 }
[nodes.shifted]
op = "basics/payload"
inputs.data.map = "blobs"
[nodes.value]
op = "c/echo"
inputs.value.value = { "a b" = [1.5, "\u00e9", {}], b = false }
[nodes.bytes]
op = "c/echo"
inputs.value.map = "shifted"
[outputs]
value.from = "value"
bytes.collect = "bytes"
"#,
    );
    let outputs = outputs(&ran.run().succeeded());
    let bytes = format!("application/octet-stream {}", "y".repeat(100_000));
    assert_eq!(outputs.len(), 3);
    assert_eq!(outputs[0], "value: application/json {\"a b\":[1.5,\"\u{e9}\",{}],\"b\":false}");
    assert!(outputs[1..].iter().all(|output| output.ends_with(&bytes)));
}

fn talks(component: &Path, language: &str) {
    let nodes =
        "[nodes.tell]\nop = \"c/tell\"\ninputs.value.value = 1\noutputs.told.from = \"tell\"";
    let nodes = nodes.replace("outputs.told", "[outputs]\ntold");
    let ran = one(component, &nodes).run().succeeded();
    assert_eq!(
        outputs(&ran)[0],
        "told: application/json {\"step\":\"tell\",\"keys\":[],\"attempt\":1}"
    );
    let logs = ran.events.iter().filter_map(|event| match event {
        Event::LogWritten { level, message, fields, .. } => {
            Some((*level, message.clone(), fields.clone()))
        }
        _ => None,
    });
    let logs: Vec<_> = logs.collect();
    let field = [("language".to_owned(), language.to_owned())];
    let expected = [
        (Level::Trace, "trace message"),
        (Level::Debug, "debug message"),
        (Level::Info, "info message"),
        (Level::Warn, "warn message"),
        (Level::Error, "error message"),
    ]
    .map(|(level, message)| (level, message.to_owned(), field.to_vec()));
    assert_eq!(logs, expected);
    let progress =
        |event: &Event| matches!(event, Event::ProgressMade { done: 1, total: Some(2), .. });
    assert_eq!(ran.events.iter().filter(|event| progress(event)).count(), 1);
}

/// The failures of the attempts at the op `fail`, with its result if there is one.
fn failures(component: &Path, settings: &str) -> (Vec<Failure>, Option<Json>) {
    let ran = one(
        component,
        &format!(
            "[nodes.bad]\nop = \"c/fail\"\ninputs.value.value = 1\n{settings}\n[outputs]\nresult.from = \"bad\""
        ),
    )
    .run();
    let failed = ran.events.iter().filter_map(|event| match event {
        Event::StepFailed { failure, .. } => Some(failure.clone()),
        _ => None,
    });
    (failed.collect(), ran.output("result"))
}

fn fails_as_asked(component: &Path) {
    let reported = |attempt: u32, retry| Failure::Reported {
        message: format!("attempt {attempt} was asked to fail"),
        detail: None,
        retry,
    };
    let (failed, result) = failures(component, "retry = { max_attempts = 3 }");
    assert_eq!((failed, result), (vec![reported(1, ReportedRetry::Permanent)], None));
    let settings = "config.kind = \"transient\"\nretry = { max_attempts = 2, delay = \"1ms\" }";
    let (failed, result) = failures(component, settings);
    let transient = [1, 2].map(|attempt| reported(attempt, ReportedRetry::Transient));
    assert_eq!((failed, result), (transient.to_vec(), None));
    let settings = "config = { kind = \"retry_after\", until = 1, delay_ms = 5 }\nretry = { max_attempts = 2 }";
    let (failed, result) = failures(component, settings);
    assert_eq!((failed, result), (vec![reported(1, ReportedRetry::After(5))], Some(json!(2))));
    let (failed, _) = failures(component, "limits.memory = 65536");
    let exceeded = |failure: &Failure| {
        matches!(failure, Failure::LimitExceeded { limit: LimitKind::Memory, value: 65536, .. })
    };
    assert!(failed.len() == 1 && exceeded(&failed[0]), "{failed:?}");
}

/// A job whose op emits many lines, which are counted and joined.
fn many_lines(component: &Path) -> (Job, String) {
    let lines: Vec<String> = (0..MANY_LINES).map(|n| format!("line {n}")).collect();
    let job = one(
        component,
        r#"
[params.text]
type = "string"
[nodes.split]
op = "c/split"
inputs.text.param = "text"
[nodes.trivial]
op = "basics/trivial"
inputs.data.map = "split"
[nodes.join]
op = "c/join"
inputs.texts.collect = "split"
config.separator = ","
[outputs]
joined.from = "join"
"#,
    );
    (job.param("text", json!(lines.join("\n") + "\n")), lines.join(","))
}

/// Clones start while the op still emits, and a collected input of many elements is pulled whole.
fn emits_while_it_runs(component: &Path) {
    let (job, joined) = many_lines(component);
    let ran = job.run().succeeded();
    let clone_starts = ran.place(|event| is_start(event) && node(event) == "trivial");
    let split_ends = ran.place(|event| is_success(event) && node(event) == "split");
    assert!(clone_starts < split_ends, "{clone_starts} {split_ends}");
    assert_eq!(ran.output("joined"), Some(json!(joined)));
}

fn can_be_stopped(component: &Path) {
    let (job, _) = many_lines(component);
    let ran = block_on(async {
        let mut watched = Watched::new(job.start());
        watched.until(10, is_emit).await;
        watched.run.cancel();
        watched.ended().await
    });
    assert_eq!(ran.status(), RunStatus::Cancelled);
    assert!(!ran.steps(is_success).contains(&"split".to_owned()));
}
