//! Ops for what an ordinary op does not do: they give what they are told to, against their definition as well.

use dynhost_sdk::raw::{
    self, InputDefinition, InputValue, Op, OpDefinition, Output, OutputDefinition,
};
use dynhost_sdk::serde::Deserialize;
use dynhost_sdk::serde_json::{self, json};
use dynhost_sdk::{Blob, Failure, JSON};

#[derive(Deserialize)]
#[serde(crate = "dynhost_sdk::serde")]
struct Outputs {
    outputs: Vec<Given>,
}

#[derive(Deserialize)]
#[serde(crate = "dynhost_sdk::serde")]
struct Given {
    name: String,
    key: Option<String>,
    media_type: Option<String>,
    bytes: Option<Vec<u8>>,
}

/// Emits the outputs of the configuration, one after the other.
pub(crate) const EMIT: Op = Op {
    name: "emit",
    definition: || {
        let byte = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
        let output = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "description": "the output" },
                "key": { "type": "string", "description": "the mapping key; none where nothing is said" },
                "media_type": { "type": "string", "default": JSON },
                "bytes": { "type": "array", "items": byte, "default": [48] },
            },
        });
        let outputs = json!({ "type": "array", "items": output });
        let outputs = json!({
            "type": "object", "properties": { "outputs": outputs }, "required": ["outputs"],
        });
        OpDefinition {
            name: "emit".to_owned(),
            description: "Emits what it is told to.".to_owned(),
            inputs: vec![],
            outputs: vec![
                output_definition("item", "an element", true),
                output_definition("result", "a value that must be given", false),
                OutputDefinition {
                    required: false,
                    schema: Some(json!({ "type": "string" }).to_string()),
                    ..output_definition("text", "a text that may be given", false)
                },
            ],
            config_schema: Some(outputs.to_string()),
        }
    },
    run: |_| {
        let Outputs { outputs } = serde_json::from_str(&raw::config())?;
        for Given { name, key, media_type, bytes } in outputs {
            let media_type = media_type.unwrap_or_else(|| JSON.to_owned());
            let value = Blob::new(media_type, bytes.unwrap_or_else(|| b"0".to_vec()));
            raw::emit(Output { name, mapping_key: key, value })?;
        }
        Ok(vec![])
    },
};

/// Emits a mapping key twice, and ends as if the host had not refused it.
pub(crate) const SWALLOW: Op = Op {
    name: "swallow",
    definition: || OpDefinition {
        name: "swallow".to_owned(),
        description: "Emits a mapping key twice, and ignores the answer.".to_owned(),
        inputs: vec![],
        outputs: vec![output_definition("item", "an element", true)],
        config_schema: None,
    },
    run: |_| {
        let item = || Output {
            name: "item".to_owned(),
            mapping_key: Some("key".to_owned()),
            value: Blob::json("0"),
        };
        raw::emit(item())?;
        // The mistake that this op is about.
        let _ = raw::emit(item());
        Ok(vec![])
    },
};

#[derive(Deserialize)]
#[serde(crate = "dynhost_sdk::serde")]
struct Batches {
    max: Vec<u32>,
}

/// Asks for as many elements at a time as the configuration says.
pub(crate) const PULL: Op = Op {
    name: "pull",
    definition: || OpDefinition {
        name: "pull".to_owned(),
        description: "Pulls batches of elements, and tells the mapping keys of each.".to_owned(),
        inputs: vec![InputDefinition {
            name: "values".to_owned(),
            description: "anything".to_owned(),
            required: true,
            collected: true,
            schema: None,
        }],
        outputs: vec![OutputDefinition {
            schema: Some(json!({ "type": "array" }).to_string()),
            ..output_definition("result", "the mapping keys of each batch", false)
        }],
        config_schema: Some(
            json!({
                "type": "object",
                "properties": { "max": { "type": "array", "items": { "type": "integer" } } },
                "required": ["max"],
            })
            .to_string(),
        ),
    },
    run: |inputs| {
        let Some((_, InputValue::Collected(mut values))) = inputs.into_iter().next() else {
            return Err(Failure::permanent("there is nothing to pull"));
        };
        let Batches { max } = serde_json::from_str(&raw::config())?;
        let batch = |max| values.next(max).into_iter().map(|it| it.mapping_key).collect();
        let batches: Vec<Vec<String>> = max.into_iter().map(batch).collect();
        let value = Blob::json(json!(batches).to_string());
        Ok(vec![Output { name: "result".to_owned(), mapping_key: None, value }])
    },
};

/// A required output without a schema.
fn output_definition(name: &str, description: &str, dynamic: bool) -> OutputDefinition {
    OutputDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        required: true,
        dynamic,
        schema: None,
    }
}
