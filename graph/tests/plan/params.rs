//! Params: what is given from outside, against what is declared.

use dynhost_graph::params::{Given, GivenParams};
use dynhost_graph::plan::{check, plan};
use serde_json::json;

use crate::ops::{components, folders, manifest};

const PARAMS: &str = r#"
[params.count]
type = "integer"
[params.name]
type = "string"
default = "x"
[params.tags]
schema = { type = "array", items = { type = "string" } }
default = []
[nodes.emit]
op = "numbers/emit"
inputs.count.param = "count"
"#;

fn given(values: &[(&str, &str)]) -> GivenParams {
    let given = |(name, text): &(&str, &str)| ((*name).to_owned(), Given::Text((*text).to_owned()));
    values.iter().map(given).collect()
}

fn planned(values: &[(&str, &str)]) -> Result<Vec<serde_json::Value>, String> {
    plan(&manifest(PARAMS), &components(), &given(values), &folders())
        .map(|job| job.params.into_iter().map(|(_, value)| value).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn text_is_json_or_a_plain_string_where_the_schema_takes_one() {
    let tags = r#"["a"]"#;
    assert_eq!(
        planned(&[("count", "3"), ("name", "two words"), ("tags", tags)]).unwrap(),
        [json!(3), json!("two words"), json!(["a"])]
    );
    assert_eq!(planned(&[("count", "3"), ("name", "42")]).unwrap()[1], json!("42"));
    assert_eq!(planned(&[("count", "3"), ("name", "\"quoted\"")]).unwrap()[1], json!("quoted"));
}

#[test]
fn what_is_missing_unknown_or_does_not_fit_is_said() {
    assert_eq!(
        planned(&[]).unwrap_err(),
        "job.toml:10:9: param `count` has no value\n  help: give it with `--param count=…`"
    );
    assert_eq!(
        planned(&[("count", "3"), ("nam", "y")]).unwrap_err(),
        "job.toml: the job has no param `nam`\n  help: did you mean `name`?"
    );
    assert_eq!(
        planned(&[("count", "many")]).unwrap_err(),
        "job.toml:10:9: the value given for param `count` does not fit its schema: \
         \"many\" is not of type \"integer\""
    );
}

#[test]
fn a_check_asks_for_no_values() {
    let manifest = manifest(PARAMS);
    check(&manifest, &components(), &GivenParams::new(), &folders()).unwrap();
}

#[test]
fn values_from_a_file_are_taken_as_they_are() {
    let mut values = given(&[("count", "3")]);
    values.insert("name".into(), Given::Json(json!(42)));
    let error = plan(&manifest(PARAMS), &components(), &values, &folders()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "job.toml:12:9: the value given for param `name` does not fit its schema: \
         42 is not of type \"string\""
    );
}
