//! What a step knows of itself: its place in the run, its configuration, the keys of what it collects.

use dynhost_sdk::prelude::*;
use dynhost_sdk::serde_json::Value as Json;
use schemars::JsonSchema;
use serde::Serialize;

/// Where a step stands in its run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Place {
    run_id: String,
    step_key: String,
    mapping_keys: Vec<String>,
    attempt: u32,
}

/// Says where the step stands in its run. The value only makes it possible to map over something.
#[op]
pub(crate) fn context(value: Option<Json>, context: Context) -> Place {
    drop(value);
    let Context { run_id, step_key, mapping_keys, attempt } = context;
    Place { run_id, step_key, mapping_keys, attempt }
}

/// Gives the mapping keys of the step, outermost first, joined by `/`. The value only makes it possible to map.
#[op]
pub(crate) fn key(value: Option<Json>) -> String {
    drop(value);
    step::mapping_keys().join("/")
}

/// Gives the mapping keys of all collected values.
#[op]
pub(crate) fn keys(values: Collected<Json>) -> Vec<String> {
    values.with_keys().map(|(key, _)| key).collect()
}

/// Gives the mapping keys of the clones that failed, where the job tolerates failures.
#[op]
pub(crate) fn failed_keys(values: Collected<Json>) -> Vec<String> {
    values.failed_keys()
}

/// Gives the configuration of the node.
#[op]
pub(crate) fn configured(#[config] config: Json) -> Json {
    config
}

#[cfg(test)]
mod tests {
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn a_step_knows_its_place() {
        let outcome = testing::step(OPS, "context").mapping_keys(["a", "b"]).attempt(2).run();
        let place = json!({"run_id": "test", "step_key": "context[a][b]", "mapping_keys": ["a", "b"], "attempt": 2});
        assert_eq!(outcome.json("result"), place);
        let outcome = testing::step(OPS, "key").mapping_keys(["a", "b"]).run();
        assert_eq!(outcome.json("result"), json!("a/b"));
    }

    #[test]
    fn keys_come_with_collected_values() {
        let outcome = testing::step(OPS, "keys").collected("values", [("x", 1), ("y", 2)]).run();
        assert_eq!(outcome.json("result"), json!(["x", "y"]));
        let none = testing::step(OPS, "failed_keys").collected("values", [("x", 1)]).run();
        assert_eq!(none.json("result"), json!([]));
    }

    #[test]
    fn the_configuration_arrives() {
        let outcome = testing::step(OPS, "configured").config(&json!({"unit": "KiB"})).run();
        assert_eq!(outcome.json("result"), json!({"unit": "KiB"}));
        assert_eq!(testing::step(OPS, "configured").run().json("result"), json!(null));
    }
}
