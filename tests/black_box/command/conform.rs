//! `dynhost conform`: what it says of components that keep the rules, that break them, and that are none.

use std::fs;

use serde_json::Value as Json;

use super::Workshop;
use crate::job::component;

/// What the command says of components, and how it ended.
fn conform(workshop: &Workshop, components: &[&str]) -> (Json, Option<i32>) {
    let arguments = [&["conform", "--no-measure", "-o", "json"], components].concat();
    let output = workshop.run(&arguments);
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (said, output.status.code())
}

/// The rules of a component that came out so, in order.
fn rules<'a>(component: &'a Json, result: &str) -> Vec<&'a str> {
    let rules = component["rules"].as_array().expect("there are rules").iter();
    rules.filter(|it| it["result"] == result).filter_map(|it| it["rule"].as_str()).collect()
}

/// The names of all rules that are jobs over the conformance ops.
fn jobs(component: &Json) -> Vec<&str> {
    let rules = component["rules"].as_array().expect("there are rules").iter();
    rules.filter_map(|it| it["rule"].as_str()).skip_while(|rule| *rule != "emit").collect()
}

#[test]
fn every_rule_can_be_broken() {
    let workshop = Workshop::new();
    let crooked = component("crooked");
    let (said, code) = conform(&workshop, &[crooked.to_str().expect("it is UTF-8")]);
    let one = &said["components"][0];
    assert_eq!(rules(one, "failed"), [vec!["schemas"], jobs(one)].concat(), "{one:#}");
    assert_eq!(rules(one, "not_exercised"), [""; 0]);
    assert_eq!(code, Some(1));
    let length = &one["rules"].as_array().expect("there are rules").iter();
    let length = length.clone().find(|rule| rule["rule"] == "output-static").expect("it is there");
    assert_eq!(length["expected"], "{\"outputs\":{\"length\":3}}");
    assert_eq!(length["seen"], "{\"failures\":{},\"outputs\":{\"length\":\"crooked\"}}");
}

/// A component that does everything wrong, with some of its bytes changed wherever they stand.
fn changed(workshop: &Workshop, name: &str, from: &[u8], to: &[u8]) {
    let bytes = fs::read(component("crooked")).expect("it was built");
    let mut changed = bytes.clone();
    for (at, window) in bytes.windows(from.len()).enumerate() {
        if window == from {
            changed[at..at + from.len()].copy_from_slice(to);
        }
    }
    assert_ne!(changed, bytes);
    workshop.write(name, changed);
}

#[test]
fn a_component_that_cannot_be_loaded_breaks_one_rule() {
    let workshop = Workshop::new();
    changed(&workshop, "no_json.wasm", br#"{"type":5}"#, br#"{"type":5 "#);
    changed(&workshop, "no_name.wasm", b"optional word:", b"optional wo.d:");
    let shapeless = "(component (instance $i) (export \"dynhost:op/op@0.1.0\" (instance $i)))";
    workshop.write("shapeless.wasm", super::wat(shapeless));
    for (file, broken) in [
        ("ops/text.wasm", "loads"),
        ("ops/other.wasm", "loads"),
        ("ops/imports.wasm", "imports"),
        ("shapeless.wasm", "interface"),
        ("no_json.wasm", "schemas"),
        ("no_name.wasm", "definitions"),
    ] {
        let (said, code) = conform(&workshop, &[file]);
        let one = &said["components"][0];
        assert_eq!(rules(one, "failed"), [broken], "{file}: {one:#}");
        assert!(jobs(one).iter().all(|job| rules(one, "not_exercised").contains(job)), "{file}");
        assert_eq!(code, Some(3), "{file}");
    }
}

/// The interface has lower-case names alone, whatever else a host takes.
#[test]
fn a_name_in_capitals_breaks_a_rule() {
    let workshop = Workshop::new();
    changed(&workshop, "capitals.wasm", b"optional word:", b"optional Word:");
    let (said, code) = conform(&workshop, &["capitals.wasm"]);
    let one = &said["components"][0];
    assert_eq!(rules(one, "failed")[..2], ["schemas", "definitions"], "{one:#}");
    assert_eq!(code, Some(1));
}

/// Ops that have the name of a conformance op and another form are none.
#[test]
fn ops_of_another_form_are_left_alone() {
    let workshop = Workshop::new();
    let (said, code) = conform(&workshop, &["ops/hostile.wasm", "ops/files.wasm"]);
    assert_eq!(code, Some(0), "{said:#}");
    for one in said["components"].as_array().expect("there are two") {
        assert_eq!(rules(one, "not_exercised"), jobs(one));
    }
    let text = said.to_string();
    assert!(text.contains("it has no op `split`") && text.contains("its op `trap` is `"), "{text}");
}

#[test]
fn people_read_tables() {
    let workshop = Workshop::new();
    fs::copy(component("conformance"), workshop.path().join("good.wasm")).expect("a file");
    fs::copy(component("crooked"), workshop.path().join("bad.wasm")).expect("a file");
    let sessions = [
        "conform --no-measure good.wasm ops/text.wasm",
        "conform --no-measure --format markdown Rust=good.wasm Crooked=bad.wasm Text=ops/text.wasm",
    ];
    let text: Vec<_> = sessions.iter().map(|line| workshop.session(line)).collect();
    let (text, size) = (text.join("\n"), "| **size** |");
    let lines = text.lines().map(|line| if line.starts_with(size) { size } else { line });
    super::assert_snapshot("snapshots", "conform", &lines.collect::<Vec<_>>().join("\n"));
}

/// Each number is there, and the one of a clone only where there are ops for it.
#[test]
fn prices_are_measured() {
    let workshop = Workshop::new();
    fs::copy(component("conformance"), workshop.path().join("good.wasm")).expect("a file");
    let output = workshop.run(&["conform", "-o", "json", "good.wasm", "ops/basics.wasm"]);
    let said: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let [good, basics] = [0, 1].map(|at| &said["components"][at]);
    let size = fs::metadata(component("conformance")).expect("it is there").len();
    assert_eq!((&good["size"], &good["pure"]), (&size.into(), &true.into()));
    for number in ["compile_us", "start_us", "clone_us"] {
        assert!(good[number].as_f64().is_some_and(|it| it > 0.0), "{number}: {good:#}");
    }
    assert!(basics["start_us"].is_u64() && basics["clone_us"].is_null(), "{basics:#}");
}
