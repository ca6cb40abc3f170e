//! Ops that pull, emit and fail in ways in which an ordinary op does not.

use dynhost_sdk::raw::{
    self, Collected, InputDefinition, InputValue, Inputs, Op, OpDefinition, Output,
    OutputDefinition,
};
use dynhost_sdk::serde_json::{self, Value as Json, json};
use dynhost_sdk::{Blob, Failure};

/// The ops of this component.
pub const OPS: &[Op] = &[ATTEMPTS, BUSY, CHOOSY, DEEP, LATE, LOG, PAIR, PULL];

raw::export!(OPS);

/// Emits what the configuration says for each attempt, a list of `[key, value]` each, and fails all attempts but the
/// last.
const ATTEMPTS: Op = Op {
    name: "attempts",
    definition: || definition("attempts", &[], OUT),
    run: |_| {
        let config = config();
        let attempts = config["attempts"].as_array().ok_or_else(|| Failure::permanent("config"))?;
        let attempt = raw::attempt() as usize;
        let outputs = attempts.get(attempt - 1).and_then(Json::as_array);
        for output in outputs.into_iter().flatten() {
            let key = output[0].as_str().map(str::to_owned);
            let value = Blob::json(output[1].to_string());
            raw::emit(Output { name: "out".to_owned(), mapping_key: key, value })?;
        }
        if attempt < attempts.len() {
            return Err(Failure::transient(format!("attempt {attempt} is not the last")));
        }
        Ok(vec![])
    },
};

/// Says that it has begun, at such length that no buffer keeps it back, and computes for ever.
const BUSY: Op = Op {
    name: "busy",
    definition: || definition("busy", &[("value", false)], RESULT),
    run: |_| {
        raw::log(dynhost_sdk::step::Level::Info, &"begun ".repeat(2000), &[]);
        loop {
            std::hint::black_box(0);
        }
    },
};

/// Gives its value back, but fails with a transient failure in the clones and attempts that the configuration names:
/// `{"fail": {"key": attempts}}`.
const CHOOSY: Op = Op {
    name: "choosy",
    definition: || definition("choosy", &[("value", false)], RESULT),
    run: |inputs| {
        let key = raw::mapping_keys().pop().unwrap_or_default();
        if u64::from(raw::attempt()) <= config()["fail"][&key].as_u64().unwrap_or(0) {
            return Err(Failure::transient(format!("`{key}` is not wanted yet")));
        }
        match inputs.into_iter().next() {
            Some((_, InputValue::Single(value))) => Ok(vec![result(value)]),
            _ => Err(Failure::permanent("there is no value")),
        }
    },
};

/// Computes for a while, in which it is parked and polled again, then emits 3,000 numbers in a row.
const LATE: Op = Op {
    name: "late",
    definition: || definition("late", &[], OUT),
    run: |_| {
        for number in 0..200_000_000_u64 {
            std::hint::black_box(number);
        }
        for number in 0..3000 {
            let (name, key) = ("out".to_owned(), Some(number.to_string()));
            let value = Blob::json(number.to_string());
            raw::emit(Output { name, mapping_key: key, value })?;
        }
        Ok(vec![])
    },
};

/// Calls itself without end, in frames that lie on the host's stack only.
const DEEP: Op = Op {
    name: "deep",
    definition: || definition("deep", &[], RESULT),
    run: |_| Ok(vec![result(Blob::json(descend(0).to_string()))]),
};

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { descend(depth + 1).wrapping_mul(31) ^ depth }
}

/// Writes one message of as many bytes as the configuration says to its log.
const LOG: Op = Op {
    name: "log",
    definition: || definition("log", &[], RESULT),
    run: |_| {
        let bytes = config()["bytes"].as_u64().unwrap_or(1);
        let message = "x".repeat(usize::try_from(bytes)?);
        raw::log(dynhost_sdk::step::Level::Info, &message, &[("a", "b")]);
        raw::progress(1, Some(2));
        Ok(vec![result(Blob::json("0"))])
    },
};

/// Pulls all elements in batches that are as large as the host gives them, and says how many elements and bytes came in
/// each.
const PULL: Op = Op {
    name: "pull",
    definition: || definition("pull", &[("values", true)], RESULT),
    run: |inputs: Inputs| {
        let Some((_, InputValue::Collected(mut values))) = inputs.into_iter().next() else {
            return Err(Failure::permanent("there is nothing to pull"));
        };
        let len = values.len();
        let batches = pull(&mut values);
        Ok(vec![result(Blob::json(json!({ "len": len, "batches": batches }).to_string()))])
    },
};

fn pull(values: &mut Collected) -> Vec<[usize; 2]> {
    let mut batches = Vec::new();
    loop {
        let batch = values.next(u32::MAX);
        if batch.is_empty() {
            return batches;
        }
        let bytes = batch.iter().map(|element| element.value.data.len()).sum();
        batches.push([batch.len(), bytes]);
    }
}

/// Puts two JSON values into a list.
const PAIR: Op = Op {
    name: "pair",
    definition: || definition("pair", &[("left", false), ("right", false)], RESULT),
    run: |inputs| {
        let mut parts = Vec::new();
        for (_, input) in inputs {
            parts.push(match input {
                InputValue::Single(value) => String::from_utf8(value.data)?,
                InputValue::Many(values) => {
                    let texts = values.into_iter().map(|value| String::from_utf8(value.data));
                    format!("[{}]", texts.collect::<Result<Vec<_>, _>>()?.join(","))
                }
                _ => return Err(Failure::permanent("one side is absent")),
            });
        }
        Ok(vec![result(Blob::json(format!("[{}]", parts.join(","))))])
    },
};

/// An output and whether it is dynamic.
type Declared = (&'static str, bool);
const OUT: Declared = ("out", true);
const RESULT: Declared = ("result", false);

/// A definition with these inputs, collected or not.
fn definition(name: &str, inputs: &[(&str, bool)], output: Declared) -> OpDefinition {
    let inputs = inputs.iter().map(|(name, collected)| InputDefinition {
        name: (*name).to_owned(),
        description: String::new(),
        required: true,
        collected: *collected,
        schema: None,
    });
    OpDefinition {
        name: name.to_owned(),
        description: String::new(),
        inputs: inputs.collect(),
        outputs: vec![OutputDefinition {
            name: output.0.to_owned(),
            description: String::new(),
            required: true,
            dynamic: output.1,
            schema: None,
        }],
        config_schema: Some(json!({ "type": "object" }).to_string()),
    }
}

fn config() -> Json {
    serde_json::from_str(&raw::config()).unwrap_or_default()
}

fn result(value: Blob) -> Output {
    Output { name: "result".to_owned(), mapping_key: None, value }
}
