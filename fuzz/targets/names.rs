//! Mapping keys, step keys and selectors, and the folders of grants.

#![no_main]

use std::fmt::Debug;
use std::path::{Component, Path};
use std::str::FromStr;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use dynhost_graph::definition::OpDefinition;
use dynhost_graph::job::Job;
use dynhost_graph::manifest::Manifest;
use dynhost_graph::name::{KeyPath, MappingKey, STEP_KEYS, StepKey, check_name};
use dynhost_graph::params::{Given, GivenParams};
use dynhost_graph::plan::{ComponentInfo, Folders, plan};
use dynhost_graph::select::{Selection, Selector};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Names<'a> {
    node: &'a str,
    keys: Vec<&'a str>,
    step: &'a str,
    pattern: &'a str,
    selectors: Vec<&'a str>,
    folder: &'a str,
    param: &'a str,
}

fuzz_target!(|names: Names<'_>| {
    step_keys(&names);
    selectors(&names);
    folders(&names);
});

fn step_keys(names: &Names<'_>) {
    if let Some(step) = round_trip::<StepKey>(names.step) {
        assert!(step.keys.keys().iter().all(|key| MappingKey::new(key.as_str()).is_ok()));
    }
    let keys: Vec<MappingKey> =
        names.keys.iter().filter_map(|key| MappingKey::new(key).ok()).take(STEP_KEYS).collect();
    let node_is_path = names.node.split('/').all(|part| check_name(part).is_ok());
    let step = StepKey { node: names.node.into(), keys: keys.iter().cloned().collect() };
    assert_eq!(step.keys.keys(), keys);
    assert!(step.begins_with(&keys[..keys.len() / 2]));
    let text = step.to_string();
    if !node_is_path {
        // What stands in brackets would be read as keys.
        assert!(names.node.contains('[') || text.parse::<StepKey>().is_err(), "{text:?}");
        return;
    }
    assert_eq!(text.parse::<StepKey>().as_ref(), Ok(&step));
    let stored = serde_json::to_string(&step).expect("a step key is a string");
    assert_eq!(serde_json::from_str::<StepKey>(&stored).ok().as_ref(), Some(&step));
    // What names a step selects it.
    let selector: Selector = text.parse().expect("a step key is a selector");
    assert!(selector.names(&step), "{text:?} does not select itself");
    for around in [format!("+{text}"), format!("{text}+"), names.node.to_owned()] {
        let selector: Selector = around.parse().expect("a step key is a selector");
        assert!(selector.names(&step), "{around:?} does not select {text:?}");
    }
}

/// A text that can be read is printed as it was.
fn round_trip<T: FromStr + ToString>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    assert_eq!(read.to_string(), text);
    Some(read)
}

fn selectors(names: &Names<'_>) {
    let parsed: Vec<Selector> =
        names.selectors.iter().filter_map(|text| text.parse().ok()).collect();
    for selector in &parsed {
        let again: Selector = selector.to_string().parse().expect("what was read is read again");
        assert_eq!(&again, selector);
    }
    let known: Vec<StepKey> = JOB.nodes.iter().flat_map(|node| steps(&node.name, names)).collect();
    for selector in &parsed {
        match Selection::new(std::slice::from_ref(selector), &JOB, &known) {
            Ok(selection) => {
                let meant = known.iter().filter(|step| selector.names(step));
                assert!(meant.clone().next().is_some(), "{selector} selects nothing");
                meant.for_each(|step| assert!(selection.selects(step), "{selector}: {step}"));
            }
            Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
        }
    }
    let pattern = names.pattern;
    if let Ok(selector) = format!("size[{pattern}]").parse::<Selector>()
        && !pattern.contains(['[', ']'])
    {
        for key in names.keys.iter().filter_map(|key| MappingKey::new(key).ok()) {
            let step = StepKey { node: "size".into(), keys: KeyPath::root().join(key.clone()) };
            assert_eq!(
                selector.names(&step),
                is_like(pattern, key.as_str()),
                "{pattern:?} {key:?}"
            );
        }
    }
}

fn steps(node: &str, names: &Names<'_>) -> Vec<StepKey> {
    let keys = names.keys.iter().filter_map(|key| MappingKey::new(key).ok());
    let below = keys.map(|key| StepKey { node: node.into(), keys: KeyPath::root().join(key) });
    below.collect()
}

/// What a pattern with stars means, without any cleverness.
fn is_like(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Whether the pattern so far is like the first so many characters.
    let mut like: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for part in pattern.chars() {
        if part == '*' {
            for at in 1..like.len() {
                like[at] |= like[at - 1];
            }
        } else {
            for at in (1..like.len()).rev() {
                like[at] = like[at - 1] && text[at - 1] == part;
            }
            like[0] = false;
        }
    }
    like[text.len()]
}

const MANIFEST: &str = r#"
[job]
name = "names"
[components]
files = "files.wasm"
[nodes.list]
op = "files/list"
[nodes.size]
op = "files/size"
inputs.file = { map = "list" }
[nodes.clean]
graph = "clean"
[graphs.clean.nodes.trim]
op = "files/list"
[graphs.clean.nodes.size]
op = "files/size"
inputs.file = { map = "trim" }
[graphs.clean.outputs]
sizes = { collect = "size" }
[outputs]
sizes = { collect = "size" }
"#;

fn components() -> std::collections::BTreeMap<String, ComponentInfo> {
    let text = r#"[
        { "name": "list", "description": "", "inputs": [], "config_schema": null, "outputs": [
            { "name": "files", "description": "", "required": true, "dynamic": true }] },
        { "name": "size", "description": "", "config_schema": null,
          "inputs": [{ "name": "file", "description": "", "required": true, "collected": false }],
          "outputs": [{ "name": "size", "description": "", "required": true, "dynamic": false }] }
    ]"#;
    let ops: Vec<OpDefinition> = serde_json::from_str(text).expect("good definitions");
    let ops = ops.into_iter().map(Into::into).collect();
    let imports = vec!["wasi:filesystem/types@0.2.0".to_owned()];
    [("files".to_owned(), ComponentInfo { digest: String::new(), ops, imports })].into()
}

fn roots() -> Folders {
    Folders { manifest: "/jobs".into(), working: "/home/work".into() }
}

static JOB: LazyLock<Job> = LazyLock::new(|| {
    let manifest = Manifest::parse(Path::new("job.toml"), MANIFEST).expect("a good manifest");
    plan(&manifest, &components(), &GivenParams::new(), &roots()).expect("a good job")
});

/// A folder of a grant is absolute, says nothing twice, and stays below the folder that it starts
/// from unless it was written otherwise.
fn folders(names: &Names<'_>) {
    let host = serde_json::Value::from(names.folder).to_string();
    let grant = format!("grants.fs = [{{ host = {host}, guest = \"/in\", access = \"read\" }}]");
    let text = MANIFEST.replace("[nodes.size]", &format!("{grant}\n[nodes.size]"));
    let text = format!("{text}\n[params.p]\ntype = \"string\"\n");
    let Ok(manifest) = Manifest::parse(Path::new("job.toml"), &text) else { return };
    let given = [("p".to_owned(), Given::Json(names.param.into()))].into();
    let Ok(job) = plan(&manifest, &components(), &given, &roots()) else { return };
    for folder in job.nodes.iter().flat_map(|node| &node.grants.fs) {
        assert!(folder.host.is_absolute(), "{}", folder.host.display());
        let written = names.folder.replace("{params.p}", names.param);
        let climbs = Path::new(&written).components().any(|part| part == Component::ParentDir);
        if !climbs && !Path::new(&written).is_absolute() {
            let within = ["/jobs", "/home/work"].iter().any(|root| folder.host.starts_with(root));
            assert!(within, "{written:?} became {}", folder.host.display());
        }
    }
}
