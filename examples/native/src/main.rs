//! Runs the job over a basket: `dynhost-example-native tea=2 cup=1`.

use std::collections::BTreeMap;

use dynhost::{Given, Host, RunOptions};
use dynhost_example_native::{bill, shop};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = std::env::args().skip(1).map(|line| match line.split_once('=') {
        Some((article, count)) => format!(r#"{{"article": {article:?}, "count": {count}}}"#),
        None => format!(r#"{{"article": {line:?}, "count": 1}}"#),
    });
    let basket = format!("[{}]", lines.collect::<Vec<_>>().join(","));
    let params = BTreeMap::from([("basket".to_owned(), Given::Text(basket))]);

    let host = Host::builder().build()?;
    let job = host.prepare_built(&bill(&shop()?), &params)?;
    let ended = host.start(&job, RunOptions::default()).finished().await?;
    for failure in &ended.failures {
        eprintln!("{}: {}", failure.step, failure.failure);
    }
    println!("{} cents", ended.json("bill").unwrap_or_default());
    Ok(())
}
