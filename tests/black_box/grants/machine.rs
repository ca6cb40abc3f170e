//! Variables, clocks and randomness.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dynhost::store::sqlite::SqliteStore;
use serde_json::{Value as Json, json};
use tempfile::tempdir;

use crate::job::{Job, is_start, run};

fn output(node: &str) -> Json {
    let ran = run(&format!("{node}\noutputs.out.from = \"one\"")).succeeded();
    ran.output("out").expect("the op succeeded")
}

#[test]
fn variables_are_given_by_name_or_with_a_value() {
    let seen = output(
        r#"nodes.one = { op = "machine/variables", grants.env = ["CARGO_PKG_NAME", { name = "MODE", value = "fast" }] }"#,
    );
    assert_eq!(seen, json!({ "CARGO_PKG_NAME": "dynhost-tests", "MODE": "fast" }));
    assert_eq!(output("nodes.one.op = \"machine/variables\""), json!({}));
}

#[test]
fn a_variable_that_the_host_has_not_is_an_error_before_the_run() {
    let job = Job::new(
        "[nodes.one]\nop = \"machine/variables\"\ngrants.env = [\"CARGO_PKG_NAME\", \"NO_SUCH_VARIABLE\"]",
    );
    let error = job.try_prepare().expect_err("it is refused").to_string();
    let expected = "test.toml:5:33: the host has no environment variable `NO_SUCH_VARIABLE`\n  help: set it, or give the value here: `{ name = \"NO_SUCH_VARIABLE\", value = \"…\" }`";
    assert_eq!(error, expected);
}

#[test]
fn the_virtual_clock_starts_where_it_is_told_and_sleeps_at_once() {
    let node = |grant: &str| format!("nodes.one = {{ op = \"machine/sleep_a_little\"{grant} }}");
    let at = |grant: &str| output(&node(grant));
    assert_eq!(at("")["now"], 946_684_800);
    assert_eq!(at(", grants.clock = \"fixed\""), at(""));
    let set = at(", grants.clock.fixed = \"2026-01-01T00:00:00Z\"");
    assert_eq!(set["now"], 1_767_225_600);
    assert_eq!(set["slept_ms"], 30);
}

#[test]
fn the_real_clock_waits() {
    let before = SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    let seen = output("nodes.one = { op = \"machine/sleep_a_little\", grants.clock = \"real\" }");
    let after = SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    assert!(after >= before + Duration::from_millis(30));
    assert!(seen["slept_ms"].as_u64() >= Some(30));
    let now = seen["now"].as_u64().expect("a number");
    assert!((before.as_secs()..=after.as_secs()).contains(&now), "{now}");
}

#[test]
fn randomness_follows_from_a_seed_or_from_nothing() {
    let random = |grant: &str| {
        let seen = output(&format!(
            "nodes.one = {{ op = \"machine/look\", inputs.value.value = 1{grant} }}"
        ));
        seen["random"].clone()
    };
    let seven = random(", grants.random.seed = 7");
    assert_eq!(seven, random(", grants.random = { seed = 7 }"));
    assert_ne!(seven, random(", grants.random.seed = 8"));
    assert_ne!(seven, random(""));
    assert_eq!(random(", grants.random = \"seeded\""), random(""));
    assert_ne!(random(", grants.random = \"real\""), random(", grants.random = \"real\""));
}

/// What is granted as a fixed value is a part of the key; what is not the same each time keeps a node
/// out of the cache unless it asks.
#[test]
fn fixed_grants_are_cached_by_their_value_and_real_ones_are_not() {
    let folder = tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
    let ran = |grant: &str| {
        let job = Job::new(&format!(
            "nodes.one = {{ op = \"machine/toil\", inputs.thousands.value = 20_000{grant} }}"
        ));
        let ran = job.store(&store).cache(&store).run().succeeded();
        store.flush();
        ran.steps(is_start).len()
    };
    for grant in [
        "",
        ", grants.clock.fixed = \"2026-01-01T00:00:00Z\"",
        ", grants.clock.fixed = \"2026-01-02T00:00:00Z\"",
        ", grants.random.seed = 7",
        ", grants.random.seed = 8",
        ", grants.env = [{ name = \"A\", value = \"1\" }]",
        ", grants.env = [{ name = \"A\", value = \"2\" }]",
        ", grants.env = [{ name = \"B\", value = \"1\" }]",
    ] {
        assert_eq!([ran(grant), ran(grant)], [1, 0], "{grant}");
    }
    for grant in [", grants.clock = \"real\"", ", grants.random = \"real\""] {
        assert_eq!([ran(grant), ran(grant)], [1, 1], "{grant}");
        let asked = format!("{grant}, cache = true");
        assert_eq!([ran(&asked), ran(&asked)], [1, 0], "{grant}");
    }
}
