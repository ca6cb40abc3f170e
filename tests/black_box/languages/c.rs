//! Ops in C and C++: the conformance ops, the quickstart of the SDK's README, and modules for WASI preview 1.

use std::fs;
use std::path::{Path, PathBuf};

use dynhost::component::{Preview1, Recipe, World, componentize};
use dynhost::graph::event::{Event, Failure, Level, ReportedRetry};
use serde_json::json;

use super::{language, sdk};
use crate::command::{Workshop, binary, root};
use crate::job::{Job, Ran, host};

/// A module that the script of the SDK compiles beside the conformance ops; none where there is no compiler.
fn module(name: &str) -> Option<PathBuf> {
    language("c").beside(name)
}

#[test]
fn c_conforms() {
    super::check("c");
}

#[test]
fn cpp_conforms() {
    super::check_beside("c", "conformance-cpp.wasm");
}

/// The ops and the C++ of the README, as they stand there.
#[test]
fn the_quickstart_runs() {
    let (Some(c), Some(cpp)) = (module("quickstart.wasm"), module("quickstart-cpp.wasm")) else {
        return;
    };
    let job = |most: u32| {
        let nodes = format!(
            r#"
[nodes.split]
op = "c/split"
inputs.text.value = "one\nfour\n\nthree"
[nodes.shout]
op = "cpp/shout"
inputs.text.map = "split"
[nodes.measure]
op = "c/measure"
inputs.line.map = "shout"
[nodes.total]
op = "c/total"
inputs.lengths.collect = "measure"
config.most = {most}
[nodes.longest]
op = "cpp/longest"
inputs.texts.collect = "shout"
[outputs]
shouted.collect = "shout"
total.from = "total"
longest.from = "longest"
"#
        );
        Job::over(&[("c", &c), ("cpp", &cpp)], &nodes).run()
    };
    let ran = job(12).succeeded();
    assert_eq!(ran.output("shouted"), Some(json!(["ONE", "FOUR", "", "THREE"])));
    assert_eq!(ran.output("total"), Some(json!(12)));
    assert_eq!(ran.output("longest"), Some(json!({ "text": "THREE", "key": "line_3" })));
    assert_eq!(job(11).failures(), [("total".to_owned(), "the text is too long".to_owned())]);
}

/// What the library makes of ops that take no care, and the words for it.
#[test]
fn mistakes_fail_the_step_with_words() {
    let Some(careless) = module("careless.wasm") else { return };
    let run = |nodes: &str| Job::over(&[("c", &careless)], nodes).run();
    let ran = run(r#"
[nodes.type]
op = "c/wrong_type"
inputs.value.value = 5
[nodes.blobs]
op = "basics/blobs"
inputs = { count.value = 1, bytes.value = 1 }
[nodes.bytes]
op = "c/wrong_type"
inputs.value.map = "blobs"
[nodes.name]
op = "c/wrong_name"
[nodes.undeclared]
op = "c/undeclared"
[nodes.detailed]
op = "c/detailed"
"#);
    let words = |step: &str| ran.failure(step).to_string();
    assert_eq!(words("type"), "input `value` is not a string but a number");
    let bytes = ran.failures().into_iter().find(|(step, _)| step.starts_with("bytes["));
    assert_eq!(
        bytes.expect("it failed").1,
        "input `value` is `application/octet-stream`, not JSON"
    );
    assert_eq!(
        words("name"),
        "the op asks for an input `no such input`, which its definition does not have"
    );
    assert!(matches!(ran.failure("undeclared"), Failure::BadOutput { .. }));
    let Failure::Reported { message, detail: Some(detail), retry } = ran.failure("detailed") else {
        panic!("{:?}", ran.failure("detailed"));
    };
    assert_eq!((message.as_str(), *retry), ("not UTF-8: \u{fffd}", ReportedRetry::Transient));
    assert_eq!(detail.media_type.to_string(), "application/json");
    assert_eq!(&*detail.data, b"{\"code\":7}");
}

/// Several values wired to one input, an optional input, and a config with a number.
#[test]
fn several_values_are_one_array() {
    let Some(careless) = module("careless.wasm") else { return };
    let nodes = r#"
[nodes.nothing]
op = "c/sum"
[nodes.sum]
op = "c/sum"
inputs.values = [{ value = 0.5 }, { from = "nothing" }, { value = 2 }]
config.times = 1.5
[outputs]
nothing.from = "nothing"
sum.from = "sum"
"#;
    let ran = Job::over(&[("c", &careless)], nodes).run().succeeded();
    assert_eq!(ran.output("nothing"), Some(json!(0)));
    assert_eq!(ran.output("sum"), Some(json!(3.75)));
}

/// Neither emitting nor pulling keeps what is past: 20 MB pass through 1 MiB.
#[test]
fn memory_does_not_grow_with_the_number_of_elements() {
    let Some(careless) = module("careless.wasm") else { return };
    let nodes = r#"
[nodes.flood]
op = "c/flood"
inputs.n.value = 20000
limits.memory = "1MiB"
[nodes.drain]
op = "c/drain"
inputs.texts.collect = "flood"
limits.memory = "1MiB"
[nodes.few]
op = "c/flood"
inputs.n.value = 5
[nodes.odd]
op = "c/odd_fails"
inputs.value.map = "few"
tolerate.count = 2
[nodes.left]
op = "c/drain"
inputs.texts.collect = "odd"
[outputs]
drained.from = "drain"
left.from = "left"
"#;
    let ran = Job::over(&[("c", &careless)], nodes).run().succeeded();
    let drained = json!({ "length": 20_000, "bytes": 20_000_000, "failed": [] });
    assert_eq!(ran.output("drained"), Some(drained));
    let left = json!({ "length": 3, "bytes": 0, "failed": ["1", "3"] });
    assert_eq!(ran.output("left"), Some(left));
}

/// What the README says to write and to type, in a folder that holds the SDK.
#[test]
fn the_commands_of_the_readme_run() {
    if module("quickstart.wasm").is_none() {
        return;
    }
    let readme = fs::read_to_string(sdk("c").join("README.md")).expect("there is one");
    let block = |language: &str| {
        let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("there is a block");
        rest.split_once("```").expect("it ends").0.to_owned()
    };
    let workshop = Workshop::new();
    std::os::unix::fs::symlink(root().join("sdk"), workshop.path().join("sdk")).expect("a link");
    workshop.write("ops.c", block("c"));
    let folder = binary().parent().expect("it is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", &block("sh")]).current_dir(workshop.path());
    let ran = shell.env("PATH", format!("{folder}:{path}")).output().expect("sh can be run");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "length: 5\n");
}

fn look(component: &Path) -> Ran {
    let nodes = "[nodes.look]\nop = \"c/look\"\ninputs.text.value = \"h\u{e9}\"\n[outputs]\nseen.from = \"look\"";
    Job::over(&[("c", component)], nodes).run().succeeded()
}

fn printed(ran: &Ran) -> Vec<(Level, &str)> {
    let logs = ran.events.iter().filter_map(|event| match event {
        Event::LogWritten { level, message, .. } => Some((*level, message.as_str())),
        _ => None,
    });
    logs.collect()
}

/// A module that was made for WASI preview 1 is loaded as it is, and sees a world that is the same in each run.
#[test]
fn a_module_for_wasi_preview_1_is_pure() {
    let Some(printing) = module("printing.wasm") else { return };
    assert!(host().load(&printing).expect("it is a module of ops").is_pure());
    let ran = look(&printing);
    assert_eq!(
        printed(&ran),
        [
            (Level::Info, "a line of 3 bytes: h\u{e9}!"),
            (Level::Info, "first "),
            (Level::Info, "one"),
            (Level::Info, "two"),
            (Level::Warn, "bad ? 7"),
        ]
    );
    let seen = ran.output("seen").expect("it is given");
    let random = &seen["random"];
    assert_eq!(
        seen,
        json!({
            "year": 2000, "slept": 3600, "random": random, "file": false, "home": false, "stdin": -1, "number": 0.1,
        })
    );
    assert_ne!(*random, json!(0));
    assert_eq!(look(&printing).output("seen"), Some(seen.clone()));

    let flood = Job::over(&[("c", &printing)], "nodes.flood.op = \"c/flood\"").run().succeeded();
    let messages: Vec<_> = printed(&flood).iter().map(|(_, text)| text.len()).collect();
    assert_eq!(messages[..2], ["begin ".len(), 65536], "{messages:?}");
    assert_eq!(printed(&flood)[2..], [(Level::Info, "short \u{20ac}?")]);

    let left = Job::over(&[("c", &printing)], "nodes.leave.op = \"c/leave\"").run();
    assert!(matches!(left.failure("leave"), Failure::Trap { .. }), "{left:?}");
}

/// Each choice of `dynhost componentize --wasi` for the same module.
#[test]
fn wasi_preview_1_is_answered_as_asked() {
    let Some(printing) = module("printing.wasm") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let made = |preview1: Preview1| {
        let bytes = componentize(&printing, &Recipe { preview1, world: None })?;
        let path = folder.path().join(format!("{preview1:?}.wasm"));
        fs::write(&path, bytes).expect("a file");
        Ok::<_, dynhost::ComponentError>(path)
    };
    let stub = made(Preview1::Stub).expect("it can be made");
    assert!(host().load(&stub).expect("it is a component of ops").is_pure());
    let real = made(Preview1::Real).expect("it can be made");
    let loaded = host().load(&real).expect("it is a component of ops");
    assert!(!loaded.is_pure());
    assert!(loaded.imports().iter().any(|import| import.starts_with("wasi:clocks/")));
    assert_eq!(look(&real).output("seen").expect("it is given")["file"], json!(false));
    let refused = made(Preview1::Nothing).expect_err("it calls WASI");
    assert!(
        refused.to_string().contains("imports WASI preview 1, and nothing was to answer it: `")
    );
    assert!(refused.to_string().contains("`fd_write`"), "{refused}");
    assert!(refused.help().is_some_and(|help| help.contains("--wasi stub")));

    // One that calls nothing of WASI is the same with each.
    let conformance = module("conformance.wasm").expect("it was made with the other");
    let made = [Preview1::Stub, Preview1::Real, Preview1::Nothing]
        .map(|preview1| componentize(&conformance, &Recipe { preview1, world: None }).ok());
    assert!(made[0].is_some() && made[0] == made[1] && made[1] == made[2]);
}

/// A world may be named for a module that does not say its own.
#[test]
fn a_world_can_be_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("module.wasm");
    // It has no allocator that the stub could use.
    let module = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "run")))"#,
    );
    fs::write(&path, module.expect("the text is right")).expect("a file");
    let wit = folder.path().join("wit");
    fs::create_dir(&wit).expect("a folder");
    fs::write(wit.join("w.wit"), "package a:b; world w { export run: func(); }").expect("a file");
    let with = |wit: PathBuf, name: &str| {
        let world = World { wit, name: Some(name.to_owned()) };
        componentize(&path, &Recipe { world: Some(world), ..Recipe::default() })
    };
    let component = with(wit.clone(), "w").expect("it fits its world");
    assert!(component.starts_with(b"\0asm\x0d"));
    for (wit, name) in [(wit.clone(), "other"), (folder.path().join("no"), "w")] {
        let error = with(wit.clone(), name).expect_err("there is no such world");
        assert_eq!(error.to_string(), format!("there is no such world in `{}`", wit.display()));
        assert!(error.help().is_some());
    }
    let error = with(root().join("wit"), "component").expect_err("it is no component of ops");
    assert!(
        error.to_string().ends_with("does not fit the interface `dynhost:op@0.1.0`"),
        "{error}"
    );
}

/// The words of the command.
#[test]
fn the_command_says_what_it_makes_and_why_not() {
    let workshop = Workshop::new();
    let basics = workshop.session("componentize ops/basics.wasm --out basics.component.wasm");
    assert!(basics.contains("`basics.component.wasm` is a component of "), "{basics}");
    assert!(basics.ends_with("--- exit code 0\n"));
    let again = workshop.session("componentize basics.component.wasm --out twice.wasm");
    assert!(again.contains("`basics.component.wasm` is a component already"), "{again}");
    assert!(again.contains("help: use it as it is") && again.ends_with("--- exit code 3\n"));
    for (file, words) in [
        ("ops/core.wasm", "is a core module without a component-type section"),
        ("ops/text.wasm", "is not WebAssembly"),
        ("ops/none.wasm", "cannot be read"),
    ] {
        let said = workshop.session(&format!("componentize {file} --out x.wasm"));
        assert!(said.contains(words) && said.ends_with("--- exit code 3\n"), "{said}");
    }
    let inspected = workshop.session("-o json inspect basics.component.wasm");
    assert!(inspected.ends_with("--- exit code 0\n"), "{inspected}");
    let said = workshop.session("-o json componentize ops/basics.wasm --out b.wasm");
    assert!(said.contains("\"component\""), "{said}");
    assert!(said.contains("\"size\""), "{said}");
}

/// What is committed is what the WIT says: asked of the generator itself.
#[test]
fn the_bindings_are_current() {
    let check = std::process::Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--", "--check"])
        .current_dir(sdk("c").join("bindings"))
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("cargo can be started");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
