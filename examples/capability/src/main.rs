//! A shop that runs jobs of others, and lets their ops look up its orders.

mod orders;

use std::error::Error;
use std::path::Path;

use dynhost::graph::event::RunStatus;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::graph::scheduler::JobOutputValue;
use dynhost::{Host, RunOptions, RunResult, read_manifest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let shop = std::env::args().nth(1).unwrap_or_else(|| "north".to_owned());
    let result = run(&shop).await?;
    for failure in &result.failures {
        eprintln!("{}: {}", failure.step, failure.failure);
    }
    for line in reminders(&result) {
        println!("{line}");
    }
    match result.status {
        RunStatus::Succeeded => Ok(()),
        _ => Err("the run failed".into()),
    }
}

/// Runs the job for one shop.
async fn run(shop: &str) -> Result<RunResult, Box<dyn Error>> {
    let host = Host::builder().capability(orders::Orders::default()).build()?;
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("job.toml");
    let mut params = GivenParams::new();
    params.insert("shop".to_owned(), Given::Json(shop.into()));
    let job = host.prepare(&read_manifest(&job)?, &params)?;
    Ok(host.start(&job, RunOptions::default()).finished().await?)
}

/// The lines of the job's output that are not empty.
fn reminders(result: &RunResult) -> Vec<String> {
    let lists = result.outputs.iter().filter_map(|(_, output)| match output {
        JobOutputValue::Many(list) => Some(&list.elements),
        _ => None,
    });
    let lines = lists.flatten().filter_map(|line| serde_json::from_slice(&line.value.data).ok());
    lines.filter(|line: &String| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_have_not_paid_are_reminded() {
        let result = run("north").await.expect("it runs");
        let expected = ["Ada owes 12.50 for order 1", "Grace owes 99.00 for order 3"];
        assert_eq!(reminders(&result), expected, "{:?}", result.failures);
    }

    #[tokio::test]
    async fn another_shop_is_not_granted() {
        let result = run("south").await.expect("it runs");
        let words: Vec<_> = result.failures.iter().map(|one| one.failure.to_string()).collect();
        assert_eq!(words, ["the shop `south` is not granted"]);
    }
}
