//! Ops that take more than their share of time, memory, stack, log or outputs.

use crate::{Declares, configured_number, definition, dynamic, result};
use dynhost_sdk::raw::{Op, Output, emit, log};
use dynhost_sdk::serde_json::json;
use dynhost_sdk::step::Level;
use dynhost_sdk::{Blob, Failure};
use std::hint::black_box;

const MIB: u32 = 1 << 20;

pub(crate) const LOOP: Op = Op {
    name: "loop",
    definition: || definition("loop", "Never ends.", Declares::Result, None),
    run: |_| {
        loop {
            black_box(0);
        }
    },
};

pub(crate) const ALLOCATE: Op = Op {
    name: "allocate",
    definition: || {
        definition(
            "allocate",
            "Takes more and more memory, and writes to all of it.",
            Declares::Result,
            None,
        )
    },
    run: |_| {
        let mut all: Vec<Vec<u8>> = Vec::new();
        loop {
            all.push(vec![1; MIB as usize]);
            black_box(&all);
        }
    },
};

pub(crate) const RECURSE: Op = Op {
    name: "recurse",
    definition: || definition("recurse", "Calls itself without end.", Declares::Result, None),
    run: |_| Ok(vec![result(&recurse(0).to_string())]),
};

#[expect(unconditional_recursion, reason = "this is what the op is about")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 4]);
    recurse(depth + 1) + black_box(frame[3])
}

pub(crate) const FLOOD_OUTPUTS: Op = Op {
    name: "flood_outputs",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "count": { "type": "integer", "minimum": 0, "description": "How many; 100,000 where nothing is said." },
                "size": { "type": "integer", "minimum": 0, "description": "The bytes of text in each; 10 where nothing is said." },
            },
        });
        definition(
            "flood_outputs",
            "Emits many outputs as fast as it can.",
            Declares::Dynamic,
            Some(&config),
        )
    },
    run: |_| {
        let count = configured_number("count", 100_000);
        let text = format!("\"{}\"", "x".repeat(usize::try_from(configured_number("size", 10))?));
        for n in 0..count {
            emit(dynamic(Some(&n.to_string()), &text))?;
        }
        Ok(vec![])
    },
};

pub(crate) const FLOOD_LOG: Op = Op {
    name: "flood_log",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "count": { "type": "integer", "minimum": 0, "description": "How many messages; 100,000 where nothing is said." },
                "size": { "type": "integer", "minimum": 0, "description": "The bytes of each; 100 where nothing is said." },
            },
        });
        definition("flood_log", "Writes many messages to its log.", Declares::Result, Some(&config))
    },
    run: |_| {
        let message = "x".repeat(usize::try_from(configured_number("size", 100))?);
        for _ in 0..configured_number("count", 100_000) {
            log(Level::Info, &message, &[("op", "flood_log")]);
        }
        Ok(vec![result("0")])
    },
};

pub(crate) const LARGE_VALUE: Op = Op {
    name: "large_value",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "bytes": { "type": "integer", "minimum": 2, "description": "How many; 64 MiB where nothing is said." },
                "emit": { "type": "boolean", "description": "Whether it is emitted and not returned." },
            },
        });
        definition("large_value", "Gives one large JSON text.", Declares::Result, Some(&config))
    },
    run: |_| {
        let bytes = usize::try_from(configured_number("bytes", 64 * u64::from(MIB)))?;
        let inner = bytes
            .checked_sub(2)
            .ok_or_else(|| Failure::permanent("config: bytes: a JSON text has 2 at least"))?;
        let mut data = vec![b'x'; inner + 2];
        data[0] = b'"';
        data[inner + 1] = b'"';
        let output = Output { value: Blob::json(data), ..result("") };
        if crate::configured("emit") == Some(true.into()) {
            emit(output)?;
            return Ok(vec![]);
        }
        Ok(vec![output])
    },
};

pub(crate) const NESTED: Op = Op {
    name: "nested",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "depth": { "type": "integer", "minimum": 1, "description": "How many arrays; 100,000 where nothing is said." },
                "text": { "type": "integer", "minimum": 0, "description": "Brackets in the text inside all of them." },
            },
        });
        definition("nested", "Gives arrays inside of arrays.", Declares::Result, Some(&config))
    },
    run: |_| {
        let depth = usize::try_from(configured_number("depth", 100_000))?;
        let text = "[".repeat(usize::try_from(configured_number("text", 0))?);
        Ok(vec![result(&format!("{}\"\\\"{text}\"{}", "[".repeat(depth), "]".repeat(depth)))])
    },
};

#[cfg(test)]
mod tests {
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn a_flood_is_as_large_as_configured() {
        let outcome =
            testing::step(OPS, "flood_outputs").config(&json!({"count": 3, "size": 2})).run();
        assert_eq!(
            outcome.dynamic("out"),
            [("0", json!("xx")), ("1", json!("xx")), ("2", json!("xx"))]
        );
        let outcome = testing::step(OPS, "flood_log").config(&json!({"count": 3, "size": 2})).run();
        assert_eq!(outcome.logs.len(), 3);
    }

    #[test]
    fn a_large_value_has_the_configured_size() {
        for emit in [true, false] {
            let outcome = testing::step(OPS, "large_value")
                .config(&json!({"bytes": 1000, "emit": emit}))
                .run();
            assert_eq!(outcome.blob("result").unwrap().data.len(), 1000);
            assert!(outcome.json("result").is_string());
        }
    }
}
