//! What manifests and policies may say of a capability.

use dynhost::graph::manifest::Manifest;
use dynhost::graph::operator::OperatorPolicy;
use dynhost::graph::params::GivenParams;
use dynhost::{Host, HostError, RunError, RunOptions};
use serde_json::{Value, json};

use super::{NORTH, Shop, builder, host_with, job};
use crate::job::{Job, block_on, component};

fn refusal(host: &Host, node: &str) -> String {
    job(host, node).try_prepare().expect_err("it is refused").to_string()
}

#[test]
fn mistakes_in_a_grant_have_their_place() {
    let host = host_with(&Shop::default());
    let cases = [
        (
            "grants.orders = { shops = [\"north\", 7] }",
            "invalid type: integer `7`, expected a string",
        ),
        (
            "grants.orders = { shops = [], open = true }",
            "unknown field `open`, expected `shops` or `closed`",
        ),
        ("grants.orders = { closed = true }", "missing field `shops`"),
    ];
    for (grant, why) in cases {
        let node = format!("op = \"orders/idle\", inputs.value.value = 1, {grant}");
        let words = refusal(&host, &node);
        let (place, words) = words.split_once(": ").expect("a place");
        assert_eq!(words, format!("`grants.orders` of node `one`: {why}"));
        let column: usize =
            place.rsplit(':').next().and_then(|n| n.parse().ok()).expect("a column");
        let text = format!("nodes.one = {{ {node} }}");
        let pointed = &text[column - 1..];
        let expected = ["7]", "open =", "{ closed"];
        assert!(expected.iter().any(|start| pointed.starts_with(start)), "{place}: {pointed}");
    }
}

#[test]
fn a_grant_that_nobody_can_use_is_refused() {
    let host = host_with(&Shop::default());
    let words = refusal(&host, "op = \"orders/idle\", inputs.value.value = 1, grants.order = {}");
    assert!(
        words.ends_with("unknown key `order` in `grants`\n  help: did you mean `orders`?"),
        "{words}"
    );
    let words = refusal(&host, "op = \"orders/idle\", inputs.value.value = 1, grants.quantum = {}");
    let all = "the keys are `fs`, `network`, `env`, `secrets`, `clock`, `random`, `orders`";
    assert!(
        words.ends_with(&format!("unknown key `quantum` in `grants`\n  help: {all}")),
        "{words}"
    );
    let words = refusal(&host, &format!("op = \"basics/emit_ten\", {NORTH}"));
    let expected = "node `one` is granted the capability `orders`, and its component imports none of its interfaces\n  help: the op cannot use it: take `grants.orders` away";
    assert!(words.ends_with(expected), "{words}");
    // A host without capabilities has the keys that it always had.
    let plain = builder().build().expect("a host");
    let words = refusal(&plain, &format!("op = \"basics/emit_ten\", {NORTH}"));
    let all = "the keys are `fs`, `network`, `env`, `secrets`, `clock`, `random`";
    assert!(
        words.ends_with(&format!("unknown key `orders` in `grants`\n  help: {all}")),
        "{words}"
    );
}

/// What can be known without the params is checked without them.
#[test]
fn grants_are_checked_where_a_param_is_missing() {
    let host = host_with(&Shop::default());
    let text = format!(
        "job.name = \"test\"\nparams.n.type = \"integer\"\ncomponents.orders = {:?}\n[nodes.one]\nop = \"orders/idle\"\ninputs.value.param = \"n\"\ngrants.orders.shop = []\n",
        component("orders")
    );
    let manifest = Manifest::parse("test.toml".as_ref(), &text).expect("it is well formed");
    let error = host.check(&manifest, &GivenParams::new()).expect_err("it is refused").to_string();
    let words = "`grants.orders` of node `one`: unknown field `shop`, expected `shops` or `closed`";
    assert_eq!(error, format!("test.toml:7:15: {words}"));
}

/// `{ param = "p" }` in a grant stands for its value, before the capability and the operator look at it.
#[test]
fn params_stand_in_grants() {
    let nodes = r#"
params.shops.type = "array"
params.closed = { type = "boolean", default = false }
nodes.one = { op = "orders/total", inputs.id.value = "north-1", grants.orders = { closed = { param = "closed" }, shops = { param = "shops" } } }
outputs.out.from = "one"
"#;
    let host = host_with(&Shop::default());
    let job = |shops: Value| Job::new(nodes).host(&host).param("shops", shops);
    assert_eq!(job(json!(["north"])).run().succeeded().output("out"), Some(json!(1)));
    let ran = job(json!(["south"])).run();
    assert_eq!(ran.failure("one").to_string(), "shop `north` is not granted");
    let refused = |job: Job| job.try_prepare().expect_err("it is refused").to_string();
    let words = refused(job(json!(["north", 7])));
    let column = 1 + nodes
        .lines()
        .nth(3)
        .and_then(|line| line.find("{ param = \"shops\""))
        .expect("it is there");
    assert!(words.contains(&format!(":{column}: `grants.orders` of node `one`: ")), "{words}");
    assert!(words.ends_with("invalid type: integer `7`, expected a string"), "{words}");
    let words = refused(job(json!([null])));
    assert!(
        words.contains("param `shops` is `[null]`, and a grant takes what TOML can say"),
        "{words}"
    );
    let unknown = nodes.replace("\"shops\" } }", "\"shop\" } }");
    let words = refused(Job::new(&unknown).host(&host).param("shops", json!([])));
    assert!(words.contains("there is no param `shop`") && words.contains("`shops`"), "{words}");

    let policy = with_policy("grants.orders = { shops = [\"south\"] }").expect("a host");
    let words = refused(job(json!(["north"])).host(&policy));
    assert!(words.contains("it has no shop `north`"), "{words}");

    // Without the value, what hangs on it is not looked at, and the rest is.
    let check = |text: &str| {
        let text =
            format!("job.name = \"test\"\ncomponents.orders = {:?}\n{text}", component("orders"));
        let manifest = Manifest::parse("test.toml".as_ref(), &text).expect("it is well formed");
        host.check(&manifest, &GivenParams::new()).map(|checked| checked.admission)
    };
    assert_eq!(check(nodes).expect("it may be right"), None);
    let words = check(&unknown).expect_err("there is no such param").to_string();
    assert!(words.contains("there is no param `shop`"), "{words}");
}

fn with_policy(text: &str) -> Result<Host, HostError> {
    let policy = OperatorPolicy::parse("policy.toml".as_ref(), text).expect("it is well formed");
    builder().policy(policy).capability(Shop::default()).build()
}

#[test]
fn the_operator_has_the_last_word_on_capabilities() {
    let node = |shops: &str| {
        format!(
            "op = \"orders/idle\", inputs.value.value = 1, grants.orders = {{ shops = [{shops}] }}"
        )
    };
    let refused = |policy: &str, shops: &str| {
        let host = with_policy(policy).expect("a host");
        match job(&host, &node(shops)).try_prepare() {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    };
    let rule = "grants.orders = { shops = [\"north\", \"south\"] }";
    assert_eq!(refused(rule, "\"north\""), None);
    assert_eq!(refused("limits.memory = \"1GiB\"", "\"north\""), None);
    let words = refused(rule, "\"east\"").expect("it is refused");
    let expected = "the manifest grants node `one` to use `orders` with { shops = [\"east\"] }, and the operator's policy does not: it has no shop `east`\n  help: have `grants.orders` of `policy.toml` changed by the operator";
    assert!(words.ends_with(expected), "{words}");
    let words = refused("grants.env = []", "\"north\"").expect("it is refused");
    let expected = "and the operator's policy does not\n  help: have it added to `grants.orders` of `policy.toml` by the operator";
    assert!(words.ends_with(expected), "{words}");
}

/// A job that was prepared by another host passes no manifest, and is held to the policy all the same.
#[test]
fn a_prepared_job_is_held_to_the_policy_of_the_host_that_runs_it() {
    let prepared = job(
        &host_with(&Shop::default()),
        &format!("op = \"orders/idle\", inputs.value.value = 1, {NORTH}"),
    )
    .prepare();
    let host = with_policy("grants.orders = { shops = [\"south\"] }").expect("a host");
    let run = block_on(async { host.start(&prepared, RunOptions::default()).finished().await });
    assert!(
        matches!(&run, Err(RunError::Refused(why)) if why.contains("no shop `north`")),
        "{run:?}"
    );
}

#[test]
fn mistakes_of_the_policy_have_their_place() {
    let cases = [
        (
            "[grants.orders]\nshops = 1",
            "policy.toml:2:9: `grants.orders`: invalid type: integer `1`, expected a sequence",
        ),
        (
            "[grants]\norder = {}",
            "policy.toml:2:1: unknown key `order` in `grants`\n  help: did you mean `orders`?",
        ),
    ];
    for (policy, expected) in cases {
        let error = with_policy(policy).expect_err("it is refused");
        assert_eq!(error.to_string(), expected);
    }
}

/// Nodes of one component may be granted different things, in one run.
#[test]
fn each_node_has_its_own_grant() {
    let ran = Job::new(
        r#"
nodes.north = { op = "orders/total", inputs.id.value = "north-1", grants.orders.shops = ["north"] }
nodes.south = { op = "orders/total", inputs.id.value = "south-2", grants.orders.shops = ["south"] }
nodes.none = { op = "orders/total", inputs.id.value = "north-3" }
"#,
    )
    .host(&host_with(&Shop::default()))
    .run();
    assert_eq!((ran.counts().succeeded, ran.counts().failed), (2, 1));
}
