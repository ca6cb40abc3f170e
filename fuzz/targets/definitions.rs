//! Ops as a guest may describe them, and values as it may give them: definitions are checked,
//! schemas compiled and compared, jobs planned with them.

#![no_main]

#[path = "../../graph/tests/plan/invariants.rs"]
mod invariants;
mod schemas;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arbitrary::Arbitrary;
use dynhost_graph::definition::{
    InputDefinition, OpDefinition, OutputDefinition, check_definitions,
};
use dynhost_graph::manifest::Manifest;
use dynhost_graph::params::{Given, GivenParams};
use dynhost_graph::plan::{ComponentInfo, Folders, check, plan};
use dynhost_graph::schema::{Shape, clash, mistakes};
use dynhost_graph::value::Value;
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;

use crate::schemas::{AnyValue, Schema, is_useful};

#[derive(Debug, Arbitrary)]
struct Guest<'a> {
    given: Schema,
    taken: Schema,
    config: Option<Schema>,
    value: AnyValue,
    names: [Option<&'a str>; 4],
    flags: [bool; 4],
    /// Which of [`FEEDS`].
    feed: u8,
    text: &'a str,
}

fuzz_target!(|guest: Guest<'_>| {
    compare(&guest.given.0, &guest.taken.0, &guest.value.0);
    if let Ok(json) = Value::json_text(guest.text.to_owned()).to_json() {
        compare(&guest.given.0, &json, &guest.value.0);
        compare(&json, &guest.taken.0, &json);
    }
    let ops = guest.ops();
    if check_definitions(&ops).is_ok() {
        job(&guest, ops);
    }
});

/// Values that both schemas allow are none that the comparison may deny.
fn compare(given: &Json, taken: &Json, value: &Json) {
    let fits = |schema| mistakes(schema, value).is_ok_and(|mistakes| mistakes.is_empty());
    let shape = Shape::Schema(Arc::new(given.clone()));
    let found = clash(&shape, taken);
    let fits_both = fits(given) && fits(taken);
    if fits_both && is_useful(value) {
        assert_eq!(found, None, "{given} and {taken} have {value} in common");
    }
    let list = Shape::ListOf(Arc::new(shape));
    if let Some(clash) = clash(&list, taken) {
        assert!(!clash.to_string().is_empty());
    }
    if fits(taken) {
        let exact = Shape::Value(Arc::new(value.clone()));
        assert_eq!(clash(&exact, taken), None, "{value} is what {taken} takes");
    }
    let items = Shape::Items(vec![Shape::Any, Shape::Value(Arc::new(value.clone()))]);
    let _ = clash(&items, taken);
}

impl Guest<'_> {
    fn ops(&self) -> Vec<OpDefinition> {
        let name = |place: usize, usual: &str| self.names[place].unwrap_or(usual).to_owned();
        let [dynamic, collected, required, _] = self.flags;
        let gives = OpDefinition {
            name: name(0, "gives"),
            description: self.text.to_owned(),
            inputs: Vec::new(),
            outputs: vec![OutputDefinition {
                name: name(1, "out"),
                description: String::new(),
                required,
                dynamic,
                schema: Some(self.given.0.clone()),
            }],
            config_schema: None,
        };
        let takes = OpDefinition {
            name: name(2, "takes"),
            description: String::new(),
            inputs: vec![InputDefinition {
                name: name(3, "in"),
                description: String::new(),
                required,
                collected,
                schema: Some(self.taken.0.clone()),
            }],
            outputs: Vec::new(),
            config_schema: self.config.as_ref().map(|schema| schema.0.clone()),
        };
        vec![gives, takes]
    }
}

const FEEDS: [&str; 7] = [
    "{ from = \"a\" }",
    "{ map = \"a\" }",
    "{ collect = \"a\" }",
    "{ param = \"p\" }",
    "[{ param = \"p\" }, { value = 1 }]",
    "{ map = \"a\" }\nbatch = { max_items = 2 }",
    "{ value = [1, \"x\", {}] }\nconfig = { a = { param = \"p\" } }",
];

/// Plans a job in which one op feeds the other, and the value is given from outside.
fn job(guest: &Guest<'_>, ops: Vec<OpDefinition>) {
    let input = ops[1].inputs[0].name.clone();
    let (yielder, reader) = (ops[0].name.clone(), ops[1].name.clone());
    let digest = String::new();
    let ops = ops.into_iter().map(Arc::new).collect();
    let info = ComponentInfo { digest, ops, imports: Vec::new() };
    let components: BTreeMap<_, _> = [("c".to_owned(), info)].into();
    let text = Given::Text(guest.text.to_owned());
    let value = if guest.flags[3] { text } else { Given::Json(guest.value.0.clone()) };
    let given: GivenParams = [("p".to_owned(), value)].into();
    let folders = Folders { manifest: "/jobs".into(), working: "/work".into() };
    let feed = FEEDS[usize::from(guest.feed) % FEEDS.len()];
    let text = format!(
        "[job]\nname = \"n\"\n[components]\nc = \"c.wasm\"\n[params.p]\n[nodes.a]\n\
         op = \"c/{yielder}\"\n[nodes.b]\nop = \"c/{reader}\"\ninputs.{input} = {feed}\n"
    );
    let manifest = Manifest::parse(Path::new("job.toml"), &text).expect("a good manifest");
    if let Err(error) = check(&manifest, &components, &GivenParams::new(), &folders) {
        invariants::check_report(&text, &error);
    }
    match plan(&manifest, &components, &given, &folders) {
        Ok(job) => invariants::check(&job),
        Err(error) => invariants::check_report(&text, &error),
    }
}
