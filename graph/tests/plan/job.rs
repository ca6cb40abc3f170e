//! Ordinary jobs: order, references, settings.

use std::time::Duration;

use dynhost_graph::grant::Access;
use dynhost_graph::job::{Backoff, Dispatch, NodeId, OnFailure, PoolId, RetryOn, Tolerance};

use crate::ops::{planned, try_plan};
use crate::show::lines;

/// The manifest of the design, nearly word for word; `semantics.md` rules 1 and 2.
pub(crate) const SIZES: &str = r#"
[params.dir]
type = "string"
default = "."

[nodes.list]
op = "files/list"
inputs.dir = { param = "dir" }
grants.fs = [{ host = "{params.dir}/sub", guest = "/data", access = "read" },
             { host = "data/./x", guest = "/more", access = "read_write" }]

[nodes.scale]
op = "numbers/one"

[nodes.size]
op = "files/size"
inputs.file  = { map = "list" }
inputs.scale = { from = "scale" }
inputs.unit.value = "KiB"
max_concurrency = 4
timeout = "30s"
limits  = { memory = "64MiB", fuel = 2_000_000_000, output = "8MB" }
retry   = { max_attempts = 3, delay = "200ms", backoff = "exponential", max_delay = "10s", jitter = true, on = ["trap", "transient"] }
on_failure = "finish"
tolerate = { count = 5 }
pool = "gpu"
dispatch = "after_success"
max_clones = 1000
cache = false

[nodes.total]
op = "numbers/sum"
inputs.values = { collect = "size" }
after = ["scale"]

[pools]
cpu = 7
gpu = 2

[outputs]
total = { from = "total" }
"#;

#[test]
fn the_references_of_a_job_become_sources() {
    assert_eq!(
        lines(&planned(SIZES)),
        [
            r#"list []; dir = ".""#,
            "scale []",
            r#"size [list.files]; file = element of [list.files]; scale = scale.value; unit = "KiB""#,
            "total []; values = collect [list.files] of size.size; after scale",
            "-> total = total.total",
        ]
    );
}

#[test]
fn settings_reach_the_node() {
    let job = planned(SIZES);
    let size = &job.nodes[2];
    let policy = &size.policy;
    assert_eq!(policy.max_concurrency, Some(4));
    assert_eq!(policy.pool, Some(PoolId(1)));
    assert_eq!(policy.timeout, Some(Duration::from_secs(30)));
    assert_eq!(policy.limits.memory, Some(64 << 20));
    assert_eq!(policy.limits.fuel, Some(2_000_000_000));
    assert_eq!(policy.limits.output, Some(8_000_000));
    assert_eq!(policy.retry.max_attempts, 3);
    assert_eq!(policy.retry.delay, Duration::from_millis(200));
    assert_eq!(policy.retry.backoff, Backoff::Exponential);
    assert_eq!(policy.retry.max_delay, Some(Duration::from_secs(10)));
    assert!(policy.retry.jitter);
    assert_eq!(policy.retry.on, Some(vec![RetryOn::Trap, RetryOn::Transient]));
    assert_eq!(policy.on_failure, OnFailure::Tolerate(Tolerance::Count(5)));
    assert_eq!(policy.dispatch, Dispatch::AfterSuccess);
    assert_eq!(policy.max_clones, Some(1000));
    assert_eq!(policy.cache, Some(false));
    assert_eq!(&*size.config, "null");
    assert_eq!((job.pools[1].name.as_str(), job.pools[1].size), ("gpu", 2));
}

/// A path that begins with a param starts from the working folder, any other one from the
/// manifest's.
#[test]
fn grants_are_made_absolute() {
    let job = planned(SIZES);
    let [first, second] = job.nodes[0].grants.fs.as_slice() else { panic!("two grants") };
    assert_eq!(first.host.to_str(), Some("/home/work/sub"));
    assert_eq!((first.guest.as_str(), first.access), ("/data", Access::Read));
    assert_eq!(second.host.to_str(), Some("/jobs/data/x"));
    assert_eq!(second.access, Access::ReadWrite);
}

#[test]
fn nodes_stand_behind_what_they_depend_on_and_else_in_the_order_of_the_text() {
    let job = planned(
        r#"
[nodes.last]
op = "numbers/add"
inputs = { x.from = "b", y.from = "a" }
[nodes.b]
op = "numbers/one"
[nodes.c]
op = "numbers/one"
[nodes.a]
op = "numbers/one"
after = ["c"]
"#,
    );
    let names: Vec<&str> = job.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["b", "c", "a", "last"]);
    assert_eq!(job.nodes[2].after[0].node, NodeId(1));
}

#[test]
fn a_list_takes_literals_params_and_ordinary_outputs() {
    let job = planned(
        r#"
[nodes.one]
op = "numbers/one"
[nodes.total]
op = "numbers/sum"
inputs.values = [{ from = "one" }, { value = 2 }, { from = "one.value" }]
[nodes.array]
op = "numbers/whole"
inputs.values = [{ from = "one" }, { value = 2 }]
[nodes.literal]
op = "numbers/sum"
inputs.values.value = [1, 2]
[outputs]
all = [{ from = "total" }, { from = "array" }]
"#,
    );
    assert_eq!(
        lines(&job)[1..],
        [
            "total []; values = (one.value, 2, one.value)",
            "array []; values = (one.value, 2)",
            "literal []; values = (1, 2)",
            "-> all = (total.total, array.total)",
        ]
    );
}

#[test]
fn collects_of_one_kind_stand_once_in_the_job() {
    let job = planned(
        r#"
[nodes.emit]
op = "numbers/emit"
[nodes.first]
op = "numbers/sum"
inputs.values.collect = "emit"
[nodes.second]
op = "numbers/whole"
inputs.values.collect = "emit.numbers"
"#,
    );
    assert_eq!(job.collects.len(), 1);
    assert_eq!(
        lines(&job)[2],
        "second []; values = collect [emit.numbers] of element of [emit.numbers]"
    );
}

#[test]
fn config_takes_params_and_stands_as_json_text() {
    let job = planned(
        r#"
[params.factor]
type = "integer"
default = 3
[nodes.scaled]
op = "records/scaled"
config = { factor = { param = "factor" } }
inputs.x.value = 1
[nodes.relaxed]
op = "records/relaxed"
inputs.x.value = 1
"#,
    );
    assert_eq!(&*job.nodes[0].config, r#"{"factor":3}"#);
    assert_eq!(&*job.nodes[1].config, "{}");
}

/// `semantics.md` rule 6 speaks of dynamic outputs that are used; at the top of a job one may
/// stay unused.
#[test]
fn dynamic_outputs_of_the_job_itself_may_stay_unused() {
    planned("[nodes.emit]\nop = \"numbers/emit\"");
    let job = planned(
        r#"
[nodes.several]
op = "numbers/several"
[nodes.double]
op = "numbers/double"
inputs.x.map = "several.left"
[outputs]
plain.from = "several.plain"
"#,
    );
    assert_eq!(job.scopes.len(), 2);
}

/// `semantics.md` rule 6: everything at once, each with its place.
#[test]
fn all_mistakes_of_a_manifest_are_reported_together() {
    let error = try_plan(
        r#"
[nodes.total]
op = "numbers/summ"
inputs.values.collect = "emitt"
[nodes.emit]
op = "number/emit"
pool = "gpu"
[nodes.one]
op = "numbers/one"
inputs.x.value = 1
[outputs]
total.from = "totl"
"#,
    )
    .unwrap_err();
    let messages: Vec<&str> = error.problems().iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "component `numbers` has no op `summ`",
            "there is no node `emitt`",
            "there is no component `number`",
            "op `one` has no input `x`",
            "there is no node `totl`",
        ]
    );
}

/// An empty array is a value: it becomes a list of no elements.
#[test]
fn an_empty_literal_is_an_empty_list() {
    let job = planned("[nodes.sum]\nop = \"numbers/sum\"\ninputs.values.value = []");
    assert_eq!(lines(&job), ["sum []; values = ()"]);
}

#[test]
fn durations_and_sizes_have_units() {
    let timeout = |text: &str| {
        let job = planned(&format!("[nodes.a]\nop = \"numbers/one\"\ntimeout = \"{text}\""));
        job.nodes[0].policy.timeout.unwrap()
    };
    let millis =
        [("200ms", 200), ("30s", 30_000), ("1.5s", 1_500), ("5m", 300_000), ("1h", 3_600_000)];
    for (text, millis) in millis {
        assert_eq!(timeout(text), Duration::from_millis(millis), "{text}");
    }
    let memory = |text: &str| {
        let job = planned(&format!("[nodes.a]\nop = \"numbers/one\"\nlimits.memory = {text}"));
        job.nodes[0].policy.limits.memory.unwrap()
    };
    let bytes = [
        ("65_536", 65_536),
        ("\"512KiB\"", 512 << 10),
        ("\"8MB\"", 8_000_000),
        ("\"2 GiB\"", 2 << 30),
    ];
    for (text, bytes) in bytes {
        assert_eq!(memory(text), bytes, "{text}");
    }
}

/// Grants of every kind, as they reach the node.
pub(crate) const GRANTS: &str = r#"
[params.sub]
default = "raw/x"

[nodes.list]
op = "files/list"
inputs.dir.value = "."
grants.fs = [{ host = "/{params.sub}", guest = "/data", access = "read" }]

[nodes.size]
op = "files/size"
inputs.file.map = "list"
inputs.scale.value = 1
inputs.unit.value = "B"
grants.fs = [{ host = "in/{key}/{params.sub}", guest = "/in", access = "read" },
             { host = "/out/{keys[0]}", guest = "/out", access = "read_write" }]

[nodes.ask]
op = "net/one"
grants.network = [
  { host = "API.example.org.", methods = ["POST", "GET"] },
  { host = "*.example.org", scheme = "http" },
  { host = "::1", port = 8443 },
  { host = "db.example.org", port = 5432, scheme = "tcp" },
  { host = "127.0.0.1", port = 53, scheme = "udp" },
]
grants.env = ["LANG", { name = "MODE", value = "fast" }]
grants.secrets = [
  { name = "KEY", env = "HOST_KEY", hosts = ["api.example.org"] },
  { name = "TOKEN", file = "token.txt", hosts = ["*.example.org", "::1"], scheme = "http" },
]
grants.clock = { fixed = "2026-01-01T00:00:00Z" }
grants.random = { seed = 7 }

[nodes.real]
op = "net/one"
grants.clock = "real"
grants.random = "real"

[nodes.same]
op = "net/one"
grants.clock = "fixed"
grants.random = "seeded"
"#;

#[test]
fn grants_have_kinds_and_words() {
    let job = planned(GRANTS);
    let words = |name: &str| -> Vec<String> {
        let node = job.nodes.iter().find(|node| &*node.name == name).unwrap();
        let grants = node.grants.iter();
        grants.map(|grant| format!("{}: {grant} ({})", grant.kind(), grant.is_pure())).collect()
    };
    assert_eq!(words("list"), ["fs: read /raw/x, as /data (false)"]);
    assert_eq!(
        words("size"),
        [
            "fs: read /jobs/in/{keys[0]}/raw/x, as /in (false)",
            "fs: read and write /out/{keys[0]}, as /out (false)",
        ]
    );
    assert_eq!(
        words("ask"),
        [
            "network: request https://api.example.org:443 (GET, POST) (false)",
            "network: request http://*.example.org:80 (any method) (false)",
            "network: request https://[::1]:8443 (any method) (false)",
            "network: connect to tcp://db.example.org:5432 (false)",
            "network: exchange datagrams with udp://127.0.0.1:53 (false)",
            "env: see the host's `LANG` (true)",
            r#"env: see `MODE` = "fast" in its environment (true)"#,
            "secrets: use the secret `KEY` (the host's `HOST_KEY`) over https with \
             api.example.org (false)",
            "secrets: use the secret `TOKEN` (the file /jobs/token.txt) over http and https with \
             *.example.org, ::1 (false)",
            "clock: see a clock that starts 1767225600 seconds after 1970-01-01 UTC (true)",
            "random: draw randomness with the seed 7 (true)",
        ]
    );
    assert_eq!(
        words("real"),
        ["clock: see the real time (false)", "random: draw real randomness (false)"]
    );
    assert_eq!(words("same"), [] as [&str; 0]);
}
