//! Ops that do what an op must not do, one misbehaviour each, to show that the host stands it.
//!
//! They use the raw layer of the SDK, because `#[op]` keeps to the rules. Every op takes an optional input `value`,
//! which it ignores, so that a job can map it.

mod contract;
mod failing;
mod greedy;

use dynhost_sdk::raw::{self, InputDefinition, Op, OpDefinition, OutputDefinition};
use dynhost_sdk::serde_json::Value as Json;
use dynhost_sdk::{Blob, serde_json};

/// The ops of this component.
pub const OPS: &[Op] = &[
    contract::BAD_KEY,
    contract::DUPLICATE_KEY,
    contract::FORGET_OUTPUT,
    contract::KEY_ON_STATIC,
    contract::MALFORMED_JSON,
    contract::MISSING_KEY,
    contract::NO_UTF8,
    contract::OUTPUT_TWICE,
    contract::SWALLOW,
    contract::UNDECLARED_OUTPUT,
    failing::COUNTER,
    failing::FAIL,
    failing::PANIC,
    failing::PANIC_IN_DROP,
    failing::TRAP,
    greedy::ALLOCATE,
    greedy::FLOOD_LOG,
    greedy::FLOOD_OUTPUTS,
    greedy::LARGE_VALUE,
    greedy::LOOP,
    greedy::NESTED,
    greedy::RECURSE,
];

raw::export!(OPS);

/// The name of the dynamic output, where an op has one.
const DYNAMIC: &str = "out";
/// The name of the ordinary output, where an op has one.
const RESULT: &str = "result";

/// Which outputs an op declares.
#[derive(Clone, Copy)]
enum Declares {
    /// The required output `result`.
    Result,
    /// The dynamic output `out`.
    Dynamic,
    /// Both.
    Both,
}

fn definition(
    name: &str,
    description: &str,
    outputs: Declares,
    config: Option<&Json>,
) -> OpDefinition {
    let output = |name: &str, dynamic| OutputDefinition {
        name: name.to_owned(),
        description: String::new(),
        required: true,
        dynamic,
        schema: Some("{}".to_owned()),
    };
    OpDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        inputs: vec![InputDefinition {
            name: "value".to_owned(),
            description: "Ignored.".to_owned(),
            required: false,
            collected: false,
            schema: None,
        }],
        outputs: match outputs {
            Declares::Result => vec![output(RESULT, false)],
            Declares::Dynamic => vec![output(DYNAMIC, true)],
            Declares::Both => vec![output(RESULT, false), output(DYNAMIC, true)],
        },
        config_schema: config.map(Json::to_string),
    }
}

/// The field of the configuration, where there is one.
fn configured(field: &str) -> Option<Json> {
    let config: Json = serde_json::from_str(&raw::config()).ok()?;
    config.get(field).cloned()
}

fn configured_number(field: &str, default: u64) -> u64 {
    configured(field).and_then(|value| value.as_u64()).unwrap_or(default)
}

fn dynamic(key: Option<&str>, text: &str) -> raw::Output {
    raw::Output {
        name: DYNAMIC.to_owned(),
        mapping_key: key.map(str::to_owned),
        value: Blob::json(text),
    }
}

fn result(text: &str) -> raw::Output {
    raw::Output { name: RESULT.to_owned(), mapping_key: None, value: Blob::json(text) }
}
