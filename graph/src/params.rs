//! Run parameters: values given from outside, checked against what the manifest declares.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::manifest::nearest::suggestion;
use crate::manifest::{Manifest, Param, Problem};
use crate::schema;

/// A value given from outside for one param.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// Text of a command line: JSON, or a plain string where that is what the schema takes.
    Text(String),
    /// A JSON value, from a file.
    Json(Json),
}

/// Values given from outside, by the name of the param.
pub type GivenParams = BTreeMap<String, Given>;

/// A param with what is known of its value.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundParam {
    /// JSON Schema of the value; `None`: any JSON value.
    pub schema: Option<Arc<Json>>,
    /// The value given, or the default; `None` where there is neither.
    pub value: Option<Arc<Json>>,
}

/// Checks the values given and joins them with the defaults. One entry per param of the
/// manifest, by name; a value that is wrong is put aside with a problem.
#[must_use]
pub fn bind(
    manifest: &Manifest,
    given: &GivenParams,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, BoundParam> {
    let names = || manifest.params.iter().map(|param| param.name.value.as_str());
    for name in given.keys() {
        if !names().any(|known| known == name) {
            let mut problem = Problem::outside(format!("the job has no param `{name}`"));
            problem.help = suggestion(name, names());
            problems.push(problem);
        }
    }
    let bound = manifest.params.iter().map(|param| {
        let default = default(param, problems);
        let value = match given.get(&param.name.value) {
            Some(given) => value(param, given, problems),
            None => default,
        };
        let schema = param.schema.clone();
        (param.name.value.clone(), BoundParam { schema, value: value.map(Arc::new) })
    });
    bound.collect()
}

/// The params that have neither a value nor a default, as problems.
#[must_use]
pub fn missing(manifest: &Manifest, given: &GivenParams) -> Vec<Problem> {
    let lacks = |param: &&Param| param.default.is_none() && !given.contains_key(&param.name.value);
    let problem = |param: &Param| {
        let name = &param.name;
        Problem::at(name.span.clone(), format!("param `{}` has no value", name.value))
            .label("has no `default`")
            .help(format!("give it with `--param {}=…`", name.value))
    };
    manifest.params.iter().filter(lacks).map(problem).collect()
}

fn default(param: &Param, problems: &mut Vec<Problem>) -> Option<Json> {
    let default = param.default.as_ref()?;
    let mistakes = mistakes(param, &default.value);
    if mistakes.is_empty() {
        return Some(default.value.clone());
    }
    problems.push(
        Problem::at(
            default.span.clone(),
            format!(
                "the default of param `{}` does not fit its schema: {}",
                param.name.value,
                mistakes.join("; ")
            ),
        )
        .label("does not fit"),
    );
    None
}

fn value(param: &Param, given: &Given, problems: &mut Vec<Problem>) -> Option<Json> {
    let mut candidates = Vec::with_capacity(2);
    match given {
        Given::Json(value) => candidates.push(value.clone()),
        Given::Text(text) => {
            candidates.extend(serde_json::from_str::<Json>(text).ok());
            candidates.push(Json::String(text.clone()));
        }
    }
    if let Some(good) = candidates.iter().find(|value| mistakes(param, value).is_empty()) {
        return Some(good.clone());
    }
    let why = mistakes(param, &candidates[0]).join("; ");
    let name = &param.name;
    problems.push(
        Problem::at(
            name.span.clone(),
            format!("the value given for param `{}` does not fit its schema: {why}", name.value),
        )
        .label("declared here"),
    );
    None
}

fn mistakes(param: &Param, value: &Json) -> Vec<String> {
    let Some(schema) = &param.schema else { return Vec::new() };
    schema::mistakes(schema, value).unwrap_or_else(|error| vec![error])
}
