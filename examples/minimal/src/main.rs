//! Doubles the numbers below ten, one clone each, and adds them up.

use dynhost::build::Wire;
use dynhost::{GivenParams, Host, JobBuilder, RunOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder().build()?;
    let basics = host.load(env!("BASICS").as_ref())?;

    let job = JobBuilder::new("doubled");
    let numbers = job.node("numbers").op(&basics, "numbers").value("n", 10);
    let double = job.node("double").op(&basics, "multiply_by_two").map("x", &numbers);
    let sum = job.node("sum").op(&basics, "sum").collect("numbers", &double);
    job.output("doubled", Wire::collect(&double));
    job.output("sum", &sum);

    let job = host.prepare_built(&job, &GivenParams::new())?;
    let ended = host.start(&job, RunOptions::default()).finished().await?;
    for (name, _) in &ended.outputs {
        println!("{name}: {}", ended.json(name).unwrap_or_default());
    }
    Ok(())
}
