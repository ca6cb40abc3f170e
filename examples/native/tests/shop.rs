//! The shop, tested with `dynhost::testing`.

use std::collections::BTreeMap;
use std::time::Duration;

use dynhost::native::OpFailure;
use dynhost::testing::{self, Doubles, FakeClock, Ran, block_on};
use dynhost::{Given, Host, PreparedJob};
use dynhost_example_native::{bill, shop};
use serde_json::{Value, json};

fn host() -> Host {
    Host::builder().build().expect("a host can be built")
}

fn prepared(host: &Host, basket: Value) -> PreparedJob {
    let params = BTreeMap::from([("basket".to_owned(), Given::Json(basket))]);
    host.prepare_built(&bill(&shop().expect("a shop")), &params).expect("the job is well formed")
}

fn run(doubles: &Doubles) -> Ran {
    let host = host();
    let basket = json!([{ "article": "tea", "count": 2 }, { "article": "cup", "count": 1 }]);
    block_on(testing::run(&host, &doubles.apply(&prepared(&host, basket))))
}

#[test]
fn one_op_alone() {
    let (host, shop) = (host(), shop().expect("a shop"));
    let price =
        |line: Value| block_on(testing::op(&host, &shop, "price").value("line", line).run());
    assert_eq!(price(json!({ "article": "tea", "count": 2 })).output("result"), Some(json!(600)));
    let refused = price(json!({ "article": "sofa", "count": 1 }));
    let why = refused.failure().expect("it fails").to_string();
    assert_eq!(why, "`sofa` is not sold here");
}

#[test]
fn the_whole_job() {
    let ran = run(&Doubles::new()).succeeded();
    ran.step("price[tea]").succeeded().attempts(1);
    assert_eq!(ran.output("bill"), Some(json!(1_620)));
}

#[test]
fn a_price_that_comes_late_and_at_the_second_attempt() {
    let clock = FakeClock::new().jumping();
    let doubles = Doubles::new()
        .fail("price[tea]", 1, OpFailure::transient("the till is busy"))
        .delay("price[cup]", Duration::from_mins(5))
        .clock(&clock);
    let ran = run(&doubles).succeeded();
    ran.step("price[tea]").succeeded().attempts(2);
    assert_eq!(ran.step("price[tea]").failed_attempts(), [(1, Some(0))]);
    assert_eq!(clock.passed(), Duration::from_mins(5));
    assert_eq!(ran.output("bill"), Some(json!(1_620)));
}

#[test]
fn a_line_without_a_price_is_left_out() {
    let ran = run(&Doubles::new().crash("price[cup]")).succeeded();
    ran.step("price[cup]").failed("made to crash");
    assert_eq!(ran.output("bill"), Some(json!(540)));
}

#[test]
fn prices_from_a_table() {
    let line = |article: &str, count: u32| json!({ "line": { "article": article, "count": count }, "discount": 10 });
    let doubles = Doubles::new().table(
        "shop/price",
        [(line("tea", 2), json!({ "result": 1 })), (line("cup", 1), json!({ "result": 2 }))],
    );
    assert_eq!(run(&doubles).succeeded().output("bill"), Some(json!(3)));
}
