//! For tests of ops and jobs: one op alone, jobs whose ops are replaced or made to fail, and what a run did.
//!
//! ```
//! use dynhost::native::{Emitter, NativeOps, Op, OpFailure};
//! use dynhost::testing::{self, Doubles};
//! use dynhost::{Component, GivenParams, Host, JobBuilder};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().build()?;
//! let shop = Component::native(
//!     NativeOps::new("shop")
//!         .op(Op::yielding("orders", |count: u32, out: Emitter<u32>| async move {
//!             for n in 0..count {
//!                 out.emit(format!("order_{n}"), n).await?;
//!             }
//!             Ok(())
//!         }))
//!         .op(Op::new("price", |order: u32| Ok(order * 3))),
//! )?;
//!
//! // One op.
//! let price = testing::block_on(testing::op(&host, &shop, "price").value("value", 7).run());
//! assert_eq!(price.output("result"), Some(json!(21)));
//!
//! // A job, with an op replaced by a table, and a step made to fail once.
//! let job = JobBuilder::new("orders");
//! let orders = job.node("orders").op(&shop, "orders").value("value", 2);
//! let price = job.node("price").op(&shop, "price").map("value", &orders).max_attempts(2);
//! job.output("prices", dynhost::build::Wire::collect(&price));
//! let job = Doubles::new()
//!     .table("shop/price", [(json!({ "value": 0 }), json!({ "result": 5 })),
//!                           (json!({ "value": 1 }), json!({ "result": 6 }))])
//!     .fail("price[order_1]", 1, OpFailure::transient("the shop is closed"))
//!     .apply(&host.prepare_built(&job, &GivenParams::new())?);
//! let ran = testing::block_on(testing::run(&host, &job)).succeeded();
//! ran.step("price[order_0]").succeeded().attempts(1);
//! ran.step("price[order_1]").succeeded().attempts(2);
//! assert_eq!(ran.output("prices"), Some(json!([5, 6])));
//! # Ok(())
//! # }
//! ```
//!
//! **Time** is that of the machine, unless a job is given a [`FakeClock`]: it moves when the test says so, or as soon as a
//! run waits for nothing else.

mod doubles;
mod op;
mod ran;
mod watched;

pub use crate::clock::FakeClock;
pub use doubles::Doubles;
pub use op::{OpRan, OpTrial, op};
pub use ran::{Ran, StepRan, step_of};
pub use watched::Watched;

use crate::host::Host;
use crate::prepare::PreparedJob;
use crate::run::RunOptions;

/// Runs a job to its end, without history.
///
/// # Panics
/// The host failed, or the run is stuck.
pub async fn run(host: &Host, job: &PreparedJob) -> Ran {
    Watched::new(host.watch(job, RunOptions::default())).ended().await
}

/// Waits for a future on a runtime of its own: for tests that are no async functions.
///
/// # Panics
/// There is no runtime to be had, or this is called inside one.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(future)
}
