//! What bounds a step: the node, the defaults of its job, the operator above both, and the memory of the host for all
//! steps together.

use std::fs;

use dynhost::graph::definition::OpDefinition;
use dynhost::graph::event::{Event, Failure, LimitKind};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::operator::OperatorPolicy;
use dynhost::graph::params::GivenParams;
use dynhost::{Host, PrepareError, RunError, RunOptions, StepLimits};
use serde_json::json;

use crate::command::{Workshop, assert_snapshot};
use crate::job::{Job, block_on, run};

fn exceeded(nodes: &str, step: &str) -> (LimitKind, u64, String) {
    let ran = run(nodes);
    match ran.failure(step) {
        failure @ Failure::LimitExceeded { limit, value, .. } => {
            (*limit, *value, failure.to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// An attempt that meets a limit is followed by one with more, though the op has no authority.
#[test]
fn limits_grow_with_the_attempt() {
    let ran = run(r#"
[nodes.large]
op = "hostile/large_value"
config.bytes = 3000000
limits.output = ["1MiB", "2MiB", "8MiB"]
retry = { max_attempts = 4 }
[nodes.stuck]
op = "hostile/large_value"
config.bytes = 3000000
limits.output = ["1MiB", "2MiB"]
retry = { max_attempts = 4 }
"#);
    let limits = |node: &str| -> Vec<u64> {
        let failed = ran.events.iter().filter_map(|event| match event {
            Event::StepFailed { step, failure: Failure::LimitExceeded { value, .. }, .. } => {
                (*step.node == *node).then_some(*value >> 20)
            }
            _ => None,
        });
        failed.collect()
    };
    assert_eq!(limits("large"), [1, 2]);
    // The third attempt would be like the second, and is not made.
    assert_eq!(limits("stuck"), [1, 2]);
    assert_eq!(ran.counts().succeeded, 1);
}

#[test]
fn a_timeout_grows_with_the_attempt() {
    let ran = run(r#"
[nodes.loop]
op = "hostile/loop"
timeout = ["50ms", "150ms"]
retry = { max_attempts = 2, on = ["timeout"] }
"#);
    assert_eq!(ran.failure("loop"), &Failure::TimedOut { after_ms: 150 });
}

#[test]
fn all_outputs_together_are_bounded() {
    let (kind, value, words) = exceeded(
        r#"
[nodes.flood]
op = "hostile/flood_outputs"
config = { count = 100, size = 1000 }
limits.output_total = "10KiB"
[nodes.each]
op = "basics/concat"
inputs.texts.collect = "flood"
"#,
        "flood",
    );
    assert_eq!((kind, value), (LimitKind::OutputTotal, 10 << 10));
    assert_eq!(
        words,
        "the limit on the size of all outputs of 10 KiB was exceeded: output `out` would go beyond it"
    );
}

/// 100,000 brackets are refused by the limit; those in a text are none.
#[test]
fn the_nesting_of_json_is_bounded() {
    let nested = |depth: u32, limits: &str| {
        format!("[nodes.deep]\nop = \"hostile/nested\"\nconfig.depth = {depth}\n{limits}\n")
    };
    let (kind, value, words) = exceeded(&nested(100_000, ""), "deep");
    assert_eq!((kind, value), (LimitKind::JsonDepth, 128));
    assert!(words.contains("limit on the nesting of JSON of 128 levels"), "{words}");
    run(&nested(128, "")).succeeded();
    assert_eq!(exceeded(&nested(129, ""), "deep").0, LimitKind::JsonDepth);
    run(&nested(129, "limits.json_depth = 129")).succeeded();
    let text = r#"nodes.texts = { op = "hostile/nested", config = { depth = 2, text = 1000 }, limits.json_depth = 2 }"#;
    run(text).succeeded();
}

#[test]
fn a_job_has_defaults_for_its_nodes() {
    let ran = run(r#"
defaults.limits.output = "1MiB"
nodes.bad = { op = "hostile/large_value", config.bytes = 2000000 }
nodes.good = { op = "hostile/large_value", config.bytes = 2000000, limits.output = "4MiB" }
"#);
    assert_eq!((ran.counts().failed, ran.counts().succeeded), (1, 1));
    assert!(matches!(
        ran.failure("bad"),
        Failure::LimitExceeded { limit: LimitKind::Output, value: 1_048_576, .. }
    ));
}

fn policy(text: &str) -> OperatorPolicy {
    OperatorPolicy::parse("ops/policy.toml".as_ref(), text).expect("the policy is well formed")
}

fn host_with(policy: OperatorPolicy) -> Host {
    Host::builder().policy(policy).build().expect("a host can be built")
}

/// Where a manifest says nothing, the ceiling is the default; where it asks for more, it is refused; less is less.
#[test]
fn the_operator_has_the_last_word() {
    let host = host_with(policy("[limits]\noutput = \"1MiB\"\ntimeout = \"1s\""));
    let large = |settings: &str| {
        Job::new(&format!(
            "[nodes.large]\nop = \"hostile/large_value\"\nconfig.bytes = 2000000\n{settings}\n"
        ))
        .host(&host)
    };
    let ran = large("").run();
    assert!(matches!(
        ran.failure("large"),
        Failure::LimitExceeded { limit: LimitKind::Output, value: 1_048_576, .. }
    ));
    let refused = |settings: &str| match large(settings).try_prepare() {
        Err(PrepareError::Manifest(error)) => {
            error.problems().iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused("limits.output = [\"512KiB\", \"4MiB\"]\nretry = { max_attempts = 2 }"),
        ["node `large` asks for `limits.output` of 4 MiB, and the operator's policy allows 1 MiB"]
    );
    assert_eq!(
        refused("timeout = \"1m\""),
        ["node `large` asks for `timeout` of 1 min, and the operator's policy allows 1 s"]
    );
    let ran = large("limits.output = \"1KiB\"").run();
    assert!(matches!(ran.failure("large"), Failure::LimitExceeded { value: 1024, .. }));
}

/// A job that is made in code passes no manifest, and is refused all the same.
#[test]
fn a_job_made_in_code_is_held_to_the_policy() {
    let prepared =
        Job::new("nodes.one = { op = \"basics/emit_ten\", limits.memory = \"64MiB\" }").prepare();
    let host = host_with(policy("[limits]\nmemory = \"32MiB\""));
    let run = block_on(async { host.start(&prepared, RunOptions::default()).finished().await });
    assert!(matches!(&run, Err(RunError::Refused(why)) if why.contains("32 MiB")), "{run:?}");
}

/// The memory of all attempts together stays within what the host has: fewer run at once, and the run says why.
#[test]
fn memory_bounds_how_many_steps_run_at_once() {
    let limits = StepLimits { memory: 64 << 20, ..StepLimits::default() };
    let host = Host::builder().limits(limits).memory(256 << 20).build().expect("a host");
    let job = Job::new(
        r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 200 }
nodes.twice = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "twice" }
outputs.sum.from = "sum"
"#,
    )
    .host(&host);
    let options = RunOptions { max_concurrency: Some(100), ..RunOptions::default() };
    let admission = host.admission(&job.prepare(), &options);
    assert_eq!((admission.max_concurrency, admission.memory), (4, 256 << 20));
    assert_eq!(
        admission.lowered.as_deref(),
        Some(
            "4 steps run at once instead of 100: each may use 64 MiB of memory, and 256 MiB are \
             there for all of them; a smaller `limits.memory` lets more run"
        )
    );
    let ran = job.max_concurrency(100).run().succeeded();
    assert_eq!(ran.output("sum"), Some(json!(200 * 199)));
}

/// Yielding steps that are suspended at every level leave room for the clones that they wait for.
#[test]
fn suspended_steps_leave_memory_for_their_clones() {
    let limits = StepLimits { memory: 16 << 20, ..StepLimits::default() };
    // Exactly one step of each node finds room.
    let host = Host::builder().limits(limits).memory(48 << 20).build().expect("a host");
    let job = Job::new(
        r#"
nodes.outer = { op = "basics/repeat", inputs.count.value = 300, inputs.number.value = 300 }
nodes.inner = { op = "basics/numbers", inputs.n.map = "outer" }
nodes.twice = { op = "basics/multiply_by_two", inputs.x.map = "inner" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "twice" }
nodes.all = { op = "basics/sum", inputs.numbers.collect = "sum" }
outputs.all.from = "all"
"#,
    )
    .host(&host)
    .max_concurrency(8);
    let ran = job.run().succeeded();
    assert_eq!(ran.output("all"), Some(json!(300 * 300 * 299)));
}

/// What could find no memory is refused before anything runs.
#[test]
fn a_step_that_cannot_fit_is_refused() {
    let host = Host::builder().memory(1 << 30).build().expect("a host");
    let prepare = |nodes: &str| match Job::new(nodes).host(&host).try_prepare() {
        Ok(_) => String::new(),
        Err(PrepareError::Manifest(error)) => error.to_string(),
        Err(other) => panic!("{other}"),
    };
    let said = prepare("nodes.one = { op = \"basics/emit_ten\", limits.memory = \"2GiB\" }");
    assert!(
        said.contains("node `one` may use 2 GiB of memory, and there could be too little of it"),
        "{said}"
    );
    let chained = |memory: &str| {
        prepare(&format!(
            r#"
nodes.outer = {{ op = "basics/numbers", inputs.n.value = 3, limits.memory = "{memory}" }}
nodes.inner = {{ op = "basics/numbers", inputs.n.map = "outer", limits.memory = "{memory}" }}
nodes.twice = {{ op = "basics/multiply_by_two", inputs.x.map = "inner", limits.memory = "512MiB" }}
"#
        ))
    };
    assert_eq!(chained("256MiB"), "");
    let said = chained("300MiB");
    assert!(said.contains("node `outer`") && said.contains("node `inner`"), "{said}");
    assert!(said.contains("set `limits.memory` to 256 MiB at most"), "{said}");
}

/// The policy of the page, and it does what the page says.
#[test]
fn the_policy_of_the_docs_is_one() {
    let page = fs::read_to_string(crate::command::root().join("docs/sandbox.md")).expect("a page");
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let policy = policy(text.expect("a policy"));
    assert_eq!(policy.limits[&LimitKind::Memory], 256 << 20);
    assert_eq!((policy.max_concurrency, policy.memory_total), (Some(16), Some(4 << 30)));
    let grants = policy.grants.expect("it speaks of grants");
    assert_eq!((grants.fs.len(), grants.network.len(), grants.env.len()), (1, 1, 1));
    assert!(grants.real_clock && grants.real_random && grants.secrets.contains("API_KEY"));
}

/// Every kind of grant needs a rule of the policy that covers it.
#[test]
fn each_kind_of_grant_has_its_rule() {
    let rules = [
        (r#"network = [{ host = "*.example.org", port = 443, methods = ["GET"] }]"#, "network"),
        (r#"env = ["LANG"]"#, "env"),
        (r#"secrets = ["HOST_KEY"]"#, "secrets"),
        (r#"clock = "real""#, "clock"),
        (r#"random = "real""#, "random"),
        (r#"fs = [{ host = "/usr", access = "read" }]"#, "fs"),
    ];
    let job = plan_of(
        r#"
[nodes.ask]
op = "machine/ask"
grants.network = [{ host = "api.example.org", methods = ["GET"] }, { host = "api.example.org", methods = ["POST"] }, { host = "example.org", methods = ["GET"] }]
grants.env = ["LANG", "HOME", { name = "MODE", value = "fast" }]
grants.secrets = [{ name = "A", env = "HOST_KEY", hosts = ["api.example.org"] }, { name = "B", env = "OTHER", hosts = ["api.example.org"] }]
grants.clock = "real"
grants.random = "real"
grants.fs = [{ host = "/usr/share", guest = "/a", access = "read" }, { host = "/etc", guest = "/b", access = "read" }]
"#,
    );
    let refused = |rules: &str| -> Vec<String> {
        let policy = policy(&format!("[grants]\n{rules}"));
        let problems = policy.refusals(&job, &|path| path.to_path_buf());
        let kind = |help: &str| help.split(['`', '.']).nth(2).unwrap_or_default().to_owned();
        problems.iter().map(|problem| kind(problem.help.as_deref().unwrap_or_default())).collect()
    };
    let count = |refused: &[String], kind: &str| refused.iter().filter(|it| *it == kind).count();
    let none = refused("");
    let all = [("fs", 2), ("network", 3), ("env", 2), ("secrets", 2), ("clock", 1), ("random", 1)];
    for (kind, grants) in all {
        assert_eq!(count(&none, kind), grants, "{kind}: {none:?}");
    }
    for (rule, covered) in rules {
        let left = refused(rule);
        for (kind, grants) in all {
            let covers = usize::from(kind == covered);
            assert_eq!(count(&left, kind), grants - covers, "{rule}: {kind}: {left:?}");
        }
    }
}

/// Plans nodes of an op that imports all of WASI.
fn plan_of(nodes: &str) -> dynhost::graph::job::Job {
    use dynhost::graph::plan::{ComponentInfo, Folders, plan};
    let text = format!("[job]\nname = \"test\"\n[components]\nmachine = \"machine.wasm\"\n{nodes}");
    let manifest = Manifest::parse("job.toml".as_ref(), &text).expect("it is a manifest");
    let op = OpDefinition {
        name: "ask".to_owned(),
        description: String::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        config_schema: None,
    };
    let imports = [
        "cli/environment",
        "clocks/wall-clock",
        "filesystem/types",
        "http/outgoing-handler",
        "random/random",
    ];
    let info = ComponentInfo {
        digest: "0".repeat(64),
        ops: vec![op.into()],
        imports: imports.map(|name| format!("wasi:{name}@0.2.0")).into(),
    };
    let folders = Folders { manifest: "/jobs".into(), working: "/jobs".into() };
    let components = [("machine".to_owned(), info)].into();
    plan(&manifest, &components, &GivenParams::new(), &folders).expect("it can be planned")
}

const ONE: &str = "[job]\nname = \"one\"\n\n[components]\nfiles = \"ops/files.wasm\"\n\n[nodes.list]\nop = \"files/files_in_directory\"\ngrants.fs = [{ host = \"in\", guest = \"/data\", access = \"read_write\" }]\nlimits.memory = \"1GiB\"\n";

/// The two keys: the refusal says which of manifest and policy said no, and where.
#[test]
fn the_policy_on_the_command_line() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("in")).expect("a folder");
    fs::create_dir(workshop.path().join("out")).expect("a folder");
    std::os::unix::fs::symlink("../out", workshop.path().join("in/link")).expect("a link");
    workshop.write("one.toml", ONE);
    workshop.write("link.toml", ONE.replace("\"in\"", "\"in/link\"").replace("1GiB", "1MiB"));
    workshop.write(
        "policy.toml",
        "[limits]\nmemory = \"256MiB\"\n\n[grants]\nfs = [{ host = \"in\", access = \"read\" }]\n",
    );
    workshop.write("inside.toml", "[grants]\nfs = [{ host = \"in\", access = \"read_write\" }]\n");
    workshop
        .write("wrong.toml", "[limits]\nmemroy = \"1GiB\"\n\n[grants]\nfs = [{ host = \"in\" }]\n");
    let mut sessions = String::new();
    for line in [
        "validate one.toml",
        "validate one.toml --policy policy.toml",
        "run one.toml --limits policy.toml",
        "validate link.toml --policy inside.toml",
        "validate one.toml --policy wrong.toml",
        "validate one.toml --policy none.toml",
    ] {
        sessions.push_str(&workshop.session(line));
        sessions.push('\n');
    }
    let name = "black_box__limits__the_policy_on_the_command_line";
    assert_snapshot("snapshots", name, &sessions);
}

const LOCKED: &str = "[job]\nname = \"one\"\n\n[components]\nbasics = \"basics.wasm\"\n\n[nodes.ten]\nop = \"basics/emit_ten\"\n\n[outputs]\nten = { from = \"ten\" }\n";

/// A lock names the components by digest, and `--locked` runs no others.
#[test]
fn a_lock_is_written_and_enforced() {
    let workshop = Workshop::new();
    let copy = |from: &str| {
        let (from, to) = (workshop.path().join(from), workshop.path().join("basics.wasm"));
        fs::copy(from, to).expect("a copy");
    };
    copy("ops/basics.wasm");
    workshop.write("job.toml", LOCKED);
    let fails = |line: &str, code: i32, words: &str| {
        let output = workshop.run(&line.split(' ').collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    };
    fails("run job.toml --locked", 2, "there is no `dynhost.lock`");
    let said = workshop.session("lock job.toml");
    assert!(said.contains("dynhost.lock: 1 component, 1 changed\n  basics.wasm\n"), "{said}");
    assert!(workshop.session("lock job.toml").contains("1 component, 0 changed"));
    assert!(workshop.session("run job.toml --locked").contains("ten: 10"));

    copy("ops/hostile.wasm");
    fails("run job.toml --locked", 3, "basics.wasm");
    copy("ops/basics.wasm");
    workshop.write("job.toml", LOCKED.replace("basics.wasm", "ops/basics.wasm"));
    fails(
        "run job.toml --locked",
        2,
        "component `basics` (`ops/basics.wasm`) is not in `dynhost.lock`",
    );
    workshop.write("dynhost.lock", "version = 2\n[components]\n");
    fails("validate job.toml --locked", 2, "its version is 2, not 1");
    // What is not asked for is not enforced.
    assert!(workshop.session("run job.toml").contains("ten: 10"));

    // Native ops are no file; that this program has none is said when they are looked for.
    fs::remove_file(workshop.path().join("dynhost.lock")).expect("it is there");
    workshop
        .write("job.toml", LOCKED.replace("[components]", "[components]\nshop = \"native:shop\""));
    assert!(workshop.session("lock job.toml").contains("1 component, 1 changed\n  basics.wasm\n"));
    fails("run job.toml --locked", 3, "native ops");
}
