//! The published JSON Schema and the reference for users agree with what is read.

use std::path::{Path, PathBuf};

use dynhost_graph::manifest::Manifest;
use serde_json::{Value as Json, json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string(docs().join("manifest.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn mistakes(schema: &jsonschema::Validator, text: &str) -> Vec<String> {
    let document: Json = toml::from_str(text).unwrap();
    schema.iter_errors(&document).map(|error| error.to_string()).collect()
}

/// The TOML of the reference, completed to whole manifests.
fn examples() -> Vec<String> {
    let text = std::fs::read_to_string(docs().join("manifest.md")).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let whole = |block: &str| {
        let mut whole = block.to_owned();
        if !block.contains("[job]") {
            whole += "[job]\nname = \"example\"\n";
        }
        if !block.contains("[nodes.") {
            whole += "[nodes.one]\nop = \"stats/one\"\n";
        }
        whole
    };
    blocks.map(whole).collect()
}

#[test]
fn the_examples_of_the_reference_are_manifests() {
    let schema = schema();
    let examples = examples();
    assert!(examples.len() >= 5);
    for example in examples {
        Manifest::parse(Path::new("manifest.md"), &example).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(mistakes(&schema, &example), [] as [String; 0], "{example}");
    }
}

#[test]
fn good_manifests_fit_the_schema() {
    let schema = schema();
    let texts =
        [crate::job::SIZES, crate::graphs::CLEAN, crate::graphs::ALL_KINDS, crate::job::GRANTS];
    for text in texts {
        let head = "[job]\nname = \"test\"\n";
        let nodes = if text.contains("\n[nodes.") { "" } else { "[nodes.a]\nop = \"solo\"\n" };
        let whole = format!("{head}{text}{nodes}");
        Manifest::parse(Path::new("good.toml"), &whole).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(mistakes(&schema, &whole), [] as [String; 0]);
    }
}

/// Every key that is read stands in the schema, and no other: what the text alone shows to be
/// wrong does not fit the schema either.
#[test]
fn manifests_that_cannot_be_read_do_not_fit_the_schema() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut refused = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let Ok(document) = toml::from_str::<Json>(&text) else { continue };
        if !is_toml || Manifest::parse(&path, &text).is_ok() {
            continue;
        }
        refused += 1;
        assert!(!schema.is_valid(&document), "{} fits the schema", path.display());
    }
    assert!(refused > 15, "{refused} manifests");
}

#[test]
fn a_schema_without_the_job_is_refused() {
    assert!(!schema().is_valid(&json!({ "nodes": {} })));
}
