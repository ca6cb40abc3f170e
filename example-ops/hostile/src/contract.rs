//! Ops that give outputs against their definition.

use crate::{Declares, configured, configured_number, definition, dynamic, result};
use dynhost_sdk::Blob;
use dynhost_sdk::raw::{Op, Output, emit};
use dynhost_sdk::serde_json::json;

pub(crate) const DUPLICATE_KEY: Op = Op {
    name: "duplicate_key",
    definition: || {
        let words =
            "Emits the mapping key `twice` a second time, and fails with the host's words for it.";
        definition("duplicate_key", words, Declares::Dynamic, None)
    },
    run: |_| {
        emit(dynamic(Some("once"), "0"))?;
        emit(dynamic(Some("twice"), "1"))?;
        emit(dynamic(Some("twice"), "2"))?;
        Ok(vec![])
    },
};

pub(crate) const BAD_KEY: Op = Op {
    name: "bad_key",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "key": { "type": "string", "description": "The mapping key; `[` where none is given." },
                "repeat": { "type": "integer", "minimum": 0, "description": "How often the key is repeated; 1 where nothing is said." },
            },
        });
        definition(
            "bad_key",
            "Emits one output under the mapping key of the configuration.",
            Declares::Dynamic,
            Some(&config),
        )
    },
    run: |_| {
        let key = configured("key")
            .and_then(|key| key.as_str().map(str::to_owned))
            .unwrap_or_else(|| "[".to_owned());
        let repeat = usize::try_from(configured_number("repeat", 1))?;
        emit(dynamic(Some(&key.repeat(repeat)), "0"))?;
        Ok(vec![])
    },
};

pub(crate) const MISSING_KEY: Op = Op {
    name: "missing_key",
    definition: || {
        definition(
            "missing_key",
            "Returns a dynamic output without a mapping key.",
            Declares::Dynamic,
            None,
        )
    },
    run: |_| Ok(vec![dynamic(None, "0")]),
};

pub(crate) const KEY_ON_STATIC: Op = Op {
    name: "key_on_static",
    definition: || {
        let words = "Returns a mapping key with an output that is not dynamic.";
        definition("key_on_static", words, Declares::Result, None)
    },
    run: |_| Ok(vec![Output { mapping_key: Some("key".to_owned()), ..result("0") }]),
};

pub(crate) const UNDECLARED_OUTPUT: Op = Op {
    name: "undeclared_output",
    definition: || {
        definition(
            "undeclared_output",
            "Returns an output that it does not declare.",
            Declares::Result,
            None,
        )
    },
    run: |_| Ok(vec![result("0"), Output { name: "surprise".to_owned(), ..result("1") }]),
};

pub(crate) const OUTPUT_TWICE: Op = Op {
    name: "output_twice",
    definition: || {
        let words = "Emits an output that is not dynamic, and returns it again.";
        definition("output_twice", words, Declares::Result, None)
    },
    run: |_| {
        emit(result("0"))?;
        Ok(vec![result("1")])
    },
};

pub(crate) const FORGET_OUTPUT: Op = Op {
    name: "forget_output",
    definition: || {
        definition("forget_output", "Ends without its required output.", Declares::Result, None)
    },
    run: |_| Ok(vec![]),
};

pub(crate) const MALFORMED_JSON: Op = Op {
    name: "malformed_json",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "What it returns; `{\"a\": ` where nothing is said." },
                "media_type": { "type": "string", "description": "What it says that is; `application/json` where nothing is said." },
            },
        });
        definition(
            "malformed_json",
            "Returns something else than JSON as JSON.",
            Declares::Result,
            Some(&config),
        )
    },
    run: |_| {
        let text = |field, default: &str| {
            configured(field)
                .and_then(|text| text.as_str().map(str::to_owned))
                .unwrap_or_else(|| default.to_owned())
        };
        let value = Blob::new(text("media_type", "application/json"), text("text", "{\"a\": "));
        Ok(vec![Output { value, ..result("") }])
    },
};

pub(crate) const NO_UTF8: Op = Op {
    name: "no_utf8",
    definition: || {
        definition("no_utf8", "Returns a JSON text that is not UTF-8.", Declares::Result, None)
    },
    run: |_| Ok(vec![Output { value: Blob::json(*b"\"\xff\""), ..result("") }]),
};

pub(crate) const SWALLOW: Op = Op {
    name: "swallow",
    definition: || {
        let words = "Emits a mapping key twice, ignores the error, and ends as if all were well.";
        definition("swallow", words, Declares::Both, None)
    },
    run: |_| {
        emit(dynamic(Some("key"), "0"))?;
        // The mistake that this op is about.
        let _ = emit(dynamic(Some("key"), "1"));
        emit(dynamic(Some("another"), "2"))?;
        Ok(vec![result("0")])
    },
};

#[cfg(test)]
mod tests {
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::testing;

    #[test]
    fn each_violation_fails_the_step() {
        let violations = [
            (
                "duplicate_key",
                "output `out`, mapping key `twice`: the mapping key `twice` was already given",
            ),
            (
                "bad_key",
                "output `out`, mapping key `[`: the mapping key is malformed: it contains '['",
            ),
            ("missing_key", "output `out`: a dynamic output needs a mapping key"),
            (
                "key_on_static",
                "output `result`, mapping key `key`: an output that is not dynamic takes no mapping key",
            ),
            ("undeclared_output", "output `surprise`: the op has no output of this name"),
            (
                "output_twice",
                "output `result`: the output was already given, and it is not dynamic",
            ),
            ("forget_output", "output `result` is required and was not given"),
            ("swallow", "output `out`, mapping key `key`: the mapping key `key` was already given"),
        ];
        for (op, message) in violations {
            assert_eq!(testing::step(OPS, op).run().failure().message(), message, "{op}");
        }
    }

    #[test]
    fn the_key_is_configured() {
        let key = |key: &str, repeat| {
            testing::step(OPS, "bad_key").config(&json!({"key": key, "repeat": repeat})).run()
        };
        assert!(key("fine", 1).result.is_ok());
        assert!(key("k", 255).result.is_ok());
        assert!(key("k", 256).result.is_err());
        assert!(key("", 1).result.is_err());
    }
}
