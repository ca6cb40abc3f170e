//! Ops that fail, with words or without, and one that would notice if it were not alone.

use crate::{Declares, configured, configured_number, definition, result};
use dynhost_sdk::Failure;
use dynhost_sdk::raw::{Op, attempt};
use dynhost_sdk::serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) const PANIC: Op = Op {
    name: "panic",
    definition: || definition("panic", "Panics.", Declares::Result, None),
    run: |_| panic!("this op panics"),
};

/// Panics when it is dropped.
struct Loaded;

impl Drop for Loaded {
    fn drop(&mut self) {
        panic!("this op panics while it gives back what it held");
    }
}

pub(crate) const PANIC_IN_DROP: Op = Op {
    name: "panic_in_drop",
    definition: || {
        let words = "Panics when it is done, while it gives back what it held.";
        definition("panic_in_drop", words, Declares::Result, None)
    },
    run: |_| {
        let _held = Loaded;
        Ok(vec![result("0")])
    },
};

pub(crate) const TRAP: Op = Op {
    name: "trap",
    definition: || {
        definition("trap", "Executes the instruction `unreachable`.", Declares::Result, None)
    },
    run: |_| {
        #[cfg(target_family = "wasm")]
        core::arch::wasm32::unreachable();
        #[cfg(not(target_family = "wasm"))]
        panic!("unreachable");
    },
};

pub(crate) const FAIL: Op = Op {
    name: "fail",
    definition: || {
        let config = json!({
            "type": "object",
            "properties": {
                "kind": { "enum": ["permanent", "transient", "retry_after"], "description": "`permanent` where nothing is said." },
                "until": { "type": "integer", "minimum": 0, "description": "The last attempt that fails; all fail where nothing is said." },
                "delay_ms": { "type": "integer", "minimum": 0, "description": "How long `retry_after` asks to wait; 100 where nothing is said." },
                "message": { "type": "string", "description": "The words of the failure." },
            },
        });
        let words = "Fails as configured, up to and including the attempt `until`; then gives the number of the attempt.";
        definition("fail", words, Declares::Result, Some(&config))
    },
    run: |_| {
        let attempt = attempt();
        if u64::from(attempt) > configured_number("until", u64::MAX) {
            return Ok(vec![result(&attempt.to_string())]);
        }
        let message = configured("message")
            .and_then(|message| message.as_str().map(str::to_owned))
            .unwrap_or_else(|| format!("attempt {attempt} was asked to fail"));
        let kind = configured("kind");
        let failure = match kind.as_ref().and_then(|kind| kind.as_str()) {
            None | Some("permanent") => Failure::permanent(message),
            Some("transient") => Failure::transient(message),
            Some("retry_after") => Failure::retry_after(
                message,
                Duration::from_millis(configured_number("delay_ms", 100)),
            ),
            Some(other) => Failure::permanent(format!(
                "config: kind: `{other}` is none of permanent, transient, retry_after"
            )),
        };
        Err(failure.with_detail(json!({ "attempt": attempt })))
    },
};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) const COUNTER: Op = Op {
    name: "counter",
    definition: || {
        let words =
            "Gives how often it ran in this instance before: 0, unless instances are shared.";
        definition("counter", words, Declares::Result, None)
    },
    run: |_| Ok(vec![result(&COUNT.fetch_add(1, Ordering::Relaxed).to_string())]),
};

#[cfg(test)]
mod tests {
    use crate::OPS;
    use dynhost_sdk::serde_json::json;
    use dynhost_sdk::{Retry, testing};
    use std::time::Duration;

    #[test]
    fn it_fails_until_the_configured_attempt() {
        let fail = |kind: &str, attempt| {
            let config = json!({"kind": kind, "until": 2, "delay_ms": 5, "message": "no"});
            testing::step(OPS, "fail").config(&config).attempt(attempt).run()
        };
        assert_eq!(fail("permanent", 1).failure().retry(), Retry::Never);
        assert_eq!(fail("transient", 2).failure().retry(), Retry::Allowed);
        assert_eq!(
            fail("retry_after", 2).failure().retry(),
            Retry::After(Duration::from_millis(5))
        );
        assert_eq!(fail("transient", 3).json("result"), json!(3));
        assert_eq!(fail("transient", 1).failure().message(), "no");
    }

    #[test]
    fn without_a_configuration_it_always_fails() {
        let outcome = testing::step(OPS, "fail").attempt(9).run();
        assert_eq!(outcome.failure().message(), "attempt 9 was asked to fail");
    }

    #[test]
    fn the_counter_notices_that_it_is_not_alone() {
        assert_eq!(testing::step(OPS, "counter").run().json("result"), json!(0));
        assert_eq!(testing::step(OPS, "counter").run().json("result"), json!(1));
    }

    #[test]
    #[should_panic(expected = "this op panics")]
    fn it_panics() {
        let _ = testing::step(OPS, "panic").run();
    }
}
