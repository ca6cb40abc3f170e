//! The testing kit, over ops in components.

use std::time::{Duration, Instant};

use dynhost::graph::event::Failure;
use dynhost::graph::grant::{Access, Clock, ClockGrant, FolderGrant, Grants};
use dynhost::native::OpFailure;
use dynhost::testing::{self, Doubles, FakeClock, Ran, block_on};
use serde_json::{Value, json};

use crate::job::{Job, component, host};

const SUM: &str = r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 3 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers", retry = { max_attempts = 3, delay = "1h" } }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
"#;

fn run(doubles: &Doubles) -> Ran {
    block_on(testing::run(host(), &doubles.apply(&Job::new(SUM).prepare())))
}

/// One op of a component, with values.
#[test]
fn one_op_of_a_component() {
    let load = |name| host().load(&component(name)).expect("it can be loaded");
    let basics = load("basics");
    let ran =
        block_on(testing::op(host(), &basics, "sum").value("numbers", json!([1, 2, 3])).run());
    assert_eq!(ran.output("result"), Some(json!(6)));
    let ran = block_on(testing::op(host(), &basics, "numbers").value("n", 2).run());
    assert_eq!(ran.emitted("out"), [("0".to_owned(), json!(0)), ("1".to_owned(), json!(1))]);
    let ran = block_on(testing::op(host(), &load("machine"), "look").value("value", 7).run());
    assert_eq!(ran.logs()[0], "printed with 7");
    let ran = block_on(testing::op(host(), &load("hostile"), "trap").run());
    assert!(matches!(ran.failure(), Some(Failure::Trap { .. })), "{:?}", ran.failure());
}

/// One op with what it is granted, and with the clock that it is granted.
#[test]
fn one_op_with_grants() {
    let machine = host().load(&component("machine")).expect("it can be loaded");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "here").expect("it is ours");
    let config = json!({ "deed": "read", "path": "/data/note.txt" });
    let touch = || testing::op(host(), &machine, "touch").config(config.clone());
    let fs = vec![FolderGrant {
        host: folder.path().to_owned(),
        below: Vec::new(),
        guest: "/data".to_owned(),
        access: Access::Read,
        span: 0..0,
    }];
    let ran = block_on(touch().grants(Grants { fs, ..Grants::default() }).run());
    assert_eq!(ran.output("result"), Some(json!("here")));
    assert!(block_on(touch().run()).failure().is_some(), "nothing is granted");

    let clock = FakeClock::new().jumping();
    let grants =
        Grants { clock: Some(ClockGrant { clock: Clock::Real, span: 0..0 }), ..Grants::default() };
    let sleep = testing::op(host(), &machine, "sleep_a_little").grants(grants).clock(&clock);
    let slept = block_on(sleep.run()).output("result").expect("it succeeded");
    assert_eq!((&slept["slept_ms"], clock.passed()), (&json!(30), Duration::from_millis(30)));
}

/// Ops of components are replaced, one that yields included; the others are themselves.
#[test]
fn ops_are_replaced() {
    let ran = run(&Doubles::new().stub("basics/numbers", |inputs| {
        let n = inputs["n"].as_u64().unwrap_or_default();
        let elements: Vec<Value> = (0..n).map(|i| json!([format!("k{i}"), i * 100])).collect();
        Ok(json!({ "out": elements }))
    }));
    ran.step("double[k2]").succeeded();
    assert_eq!(ran.succeeded().output("sum"), Some(json!(600)));
    let row = |x: u64, y: u64| (json!({ "x": x }), json!({ "result": y }));
    let table = Doubles::new().table("basics/multiply_by_two", [row(0, 1), row(1, 10)]);
    let ran = run(&table).failed();
    ran.step("double[0]").succeeded();
    let words = "the table of `basics/multiply_by_two` has no row for {\"x\":2}";
    ran.step("double[2]").failed(words);
    ran.step("sum").skipped();
}

/// A step of a component is made to fail, to wait and to crash; it is run all the same where it may.
#[test]
fn steps_are_disturbed() {
    let begun = Instant::now();
    let doubles = Doubles::new()
        .fail("double[0]", 2, OpFailure::transient("made to fail"))
        .delay("double[1]", Duration::from_millis(50))
        .without_delays();
    let ran = run(&doubles).succeeded();
    assert_eq!(ran.step("double[0]").failed_attempts(), [(1, Some(0)), (2, Some(0))]);
    ran.step("double[0]").succeeded().attempts(3);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(ran.output("sum"), Some(json!(6)));
    let ran = run(&Doubles::new().crash("double[1]")).failed();
    ran.step("double[1]").failed("made to crash").attempts(1);
    ran.step("double[2]").succeeded();
}

/// A double for something that is not there is a mistake of the test.
#[test]
fn doubles_stand_for_something() {
    let job = Job::new(SUM).prepare();
    for doubles in [Doubles::new().crash("doubble[1]"), Doubles::new().table("basics/sums", [])] {
        let applied =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| doubles.apply(&job)));
        assert!(applied.is_err(), "{doubles:?}");
    }
}
