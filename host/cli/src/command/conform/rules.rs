//! The rules that are jobs over the conformance ops: read, planned and judged.

use std::collections::BTreeMap;
use std::path::Path;

use dynhost::graph::definition::OpDefinition;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::graph::plan::{self, Folders};
use dynhost::{Component, PreparedJob};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{Verdict, Words};

/// The rules as they are written down, with words for what stands in them.
const TEXT: &str = include_str!("rules.toml");
/// What components are called in the jobs.
const ALIAS: &str = "c";

/// The rules and the ops that they need.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// The form of each conformance op.
    ops: BTreeMap<String, String>,
    #[serde(rename = "rule")]
    pub(super) all: Vec<Rule>,
}

/// A job, and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    name: String,
    says: String,
    cites: String,
    pub(super) needs: Vec<String>,
    nodes: String,
    expect: String,
    or: Option<String>,
    lines: Option<u32>,
    pub(super) cancel: Option<String>,
}

impl Rules {
    /// # Panics
    /// The rules are malformed, which a test would have found.
    pub(super) fn read() -> Self {
        toml::from_str(TEXT).expect("the rules are well formed")
    }

    /// Which of these ops a component does not have; nothing where it has them all.
    pub(super) fn lacks(&self, component: &Component, needs: &[impl AsRef<str>]) -> Option<String> {
        needs.iter().map(AsRef::as_ref).find_map(|name| {
            let wanted = self.ops.get(name).map(String::as_str).unwrap_or_default();
            match component.ops().iter().find(|op| op.name == name) {
                None => Some(format!("it has no op `{name}`")),
                Some(op) if form(op) != wanted => {
                    Some(format!("its op `{name}` is `{}`, not `{wanted}`", form(op)))
                }
                Some(_) => None,
            }
        })
    }
}

/// What an op takes and gives, on one line.
fn form(op: &OpDefinition) -> String {
    let mut parts = Vec::new();
    for input in &op.inputs {
        let optional = if input.required { "" } else { "optional " };
        let collected = if input.collected { "collected " } else { "" };
        parts.push(format!("{optional}{collected}{}:{}", input.name, kind(input.schema.as_ref())));
    }
    parts.push("->".to_owned());
    for output in &op.outputs {
        let optional = if output.required { "" } else { "optional " };
        let dynamic = if output.dynamic { "dynamic " } else { "" };
        parts.push(format!("{optional}{dynamic}{}:{}", output.name, kind(output.schema.as_ref())));
    }
    if op.config_schema.is_some() {
        parts.push(format!("config:{}", kind(op.config_schema.as_ref())));
    }
    parts.join(" ")
}

/// The type in a schema; that of what is there, where null is allowed as well.
fn kind(schema: Option<&Json>) -> &str {
    let Some(schema) = schema else { return "any" };
    match &schema["type"] {
        Json::String(name) => name,
        Json::Array(names) => {
            names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ => "json",
    }
}

impl Rule {
    pub(super) fn words(&self) -> Words {
        Words { name: self.name.clone(), says: self.says.clone(), cites: self.cites.clone() }
    }

    /// The rule's job over a component that is loaded already.
    pub(super) fn prepare(&self, component: &Component) -> Result<PreparedJob, String> {
        prepare(component, &self.nodes, self.lines)
    }

    pub(super) fn verdict(&self, seen: &Json) -> Verdict {
        let expected: Json = serde_json::from_str(&self.expect).expect("it is JSON");
        let other = self.or.as_deref().map(|text| serde_json::from_str(text).expect("it is JSON"));
        if fits(&expected, seen) || other.as_ref().is_some_and(|other| fits(other, seen)) {
            return Verdict::Passed { seen: pick(&expected, seen).to_string() };
        }
        let mut shown = pick(&expected, seen);
        if let Some(failures) = seen.get("failures")
            && let Json::Object(members) = &mut shown
        {
            // What went wrong where nothing should have.
            members.entry("failures").or_insert_with(|| failures.clone());
        }
        let or = other.map(|other| format!(", or {other}")).unwrap_or_default();
        Verdict::Failed { expected: format!("{expected}{or}"), seen: shown.to_string() }
    }
}

/// A job over one component; with a param `text` of so many lines, if it asks for them.
pub(super) fn prepare(
    component: &Component,
    nodes: &str,
    lines: Option<u32>,
) -> Result<PreparedJob, String> {
    let text = format!("job.name = \"conform\"\ncomponents.{ALIAS} = \"\"\n{nodes}");
    let manifest = Manifest::parse(Path::new("rule.toml"), &text);
    let manifest = manifest.map_err(|error| problems(&error))?;
    let mut given = GivenParams::new();
    if let Some(lines) = lines {
        let text = (0..lines).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        given.insert("text".to_owned(), Given::Json(text.into()));
    }
    let infos = BTreeMap::from([(ALIAS.to_owned(), component.info())]);
    let folders = Folders { manifest: "/".into(), working: "/".into() };
    let job = plan::plan(&manifest, &infos, &given, &folders).map_err(|error| problems(&error))?;
    PreparedJob::new(job, vec![component.clone()]).map_err(|error| error.to_string())
}

fn problems(error: &dynhost::graph::manifest::ManifestError) -> String {
    let problems = error.problems().iter().map(|problem| problem.message.as_str());
    problems.collect::<Vec<_>>().join("; ")
}

/// Whether everything that is expected is there; `null` stands for nothing.
fn fits(expected: &Json, seen: &Json) -> bool {
    match (expected, seen) {
        (Json::Object(expected), Json::Object(seen)) => expected
            .iter()
            .all(|(name, expected)| fits(expected, seen.get(name).unwrap_or(&Json::Null))),
        (Json::Array(expected), Json::Array(seen)) => {
            expected.len() == seen.len() && expected.iter().zip(seen).all(|(e, s)| fits(e, s))
        }
        (expected, seen) => expected == seen,
    }
}

/// The part of what was seen that something is expected of.
fn pick(expected: &Json, seen: &Json) -> Json {
    match (expected, seen) {
        (Json::Object(expected), Json::Object(seen)) => {
            let members = expected.iter().map(|(name, expected)| {
                (name.clone(), pick(expected, seen.get(name).unwrap_or(&Json::Null)))
            });
            Json::Object(members.collect::<Map<_, _>>())
        }
        _ => seen.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_well_formed() {
        let rules = Rules::read();
        let mut names = BTreeSet::new();
        for rule in &rules.all {
            assert!(names.insert(&rule.name), "{} twice", rule.name);
            for expected in std::iter::once(&rule.expect).chain(&rule.or) {
                let expected: Json = serde_json::from_str(expected).expect(&rule.name);
                assert!(expected.is_object() && !fits(&expected, &json!({})), "{}", rule.name);
            }
            for need in &rule.needs {
                assert!(rules.ops.contains_key(need), "{} needs {need}", rule.name);
                assert!(rule.nodes.contains(&format!("\"c/{need}\"")), "{}: {need}", rule.name);
            }
        }
        let needed = |op: &String| rules.all.iter().any(|rule| rule.needs.contains(op));
        assert!(rules.ops.keys().all(needed), "an op that no rule needs");
    }

    #[test]
    fn what_is_expected_is_a_part_of_what_is_seen() {
        let seen = json!({ "a": [1, { "b": 2, "c": 3 }], "d": null, "e": 4 });
        for fitting in [json!({}), json!({ "a": [1, { "b": 2 }] }), json!({ "d": null, "f": null })]
        {
            assert!(fits(&fitting, &seen), "{fitting}");
        }
        for other in
            [json!({ "a": [1] }), json!({ "e": 5 }), json!({ "f": 1 }), json!({ "e": null })]
        {
            assert!(!fits(&other, &seen), "{other}");
        }
        assert_eq!(pick(&json!({ "e": 5, "f": 1 }), &seen), json!({ "e": 4, "f": null }));
    }
}
