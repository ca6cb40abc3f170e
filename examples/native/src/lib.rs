//! A shop as native ops: a basket yields its lines, each is priced in a step of its own, and the bill adds them up.

use dynhost::native::{Emitter, NativeOps, Op, OpFailure};
use dynhost::{Component, ComponentError, JobBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is bought.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The name of the article.
    pub article: String,
    /// How many of it.
    pub count: u32,
}

/// The inputs of `price`.
#[derive(Debug, Deserialize, JsonSchema)]
struct Pricing {
    line: Line,
    /// Percent taken off.
    #[serde(default)]
    discount: u32,
}

/// The ops of the shop.
///
/// # Errors
/// Never: the names of the ops are well formed.
pub fn shop() -> Result<Component, ComponentError> {
    let lines = |basket: Vec<Line>, out: Emitter<Line>| async move {
        for line in basket {
            out.emit(line.article.clone(), line).await?;
        }
        Ok(())
    };
    let price = |Pricing { line, discount }: Pricing| {
        let each = match line.article.as_str() {
            "tea" => 300,
            "cup" => 1_200,
            other => return Err(OpFailure::permanent(format!("`{other}` is not sold here"))),
        };
        Ok(each * line.count * (100 - discount.min(100)) / 100)
    };
    Component::native(
        NativeOps::new("shop")
            .version(env!("CARGO_PKG_VERSION"))
            .op(Op::yielding("lines", lines).describe("Yields the lines of a basket"))
            .op(Op::new("price", price).describe("The price of a line, in cents").pure())
            .op(Op::new("bill", |prices: Vec<u32>| Ok(prices.iter().sum::<u32>())).pure()),
    )
}

/// The job: param `basket` in, output `bill` out. A line that has no price is left out of the bill, once.
#[must_use]
pub fn bill(shop: &Component) -> JobBuilder {
    use dynhost::graph::job::{OnFailure, Tolerance};

    let job = JobBuilder::new("bill");
    let basket = job.param("basket").kind("array");
    let lines = job.node("lines").op(shop, "lines").param("value", &basket);
    let price = job
        .node("price")
        .op(shop, "price")
        .map("line", &lines)
        .value("discount", 10)
        .max_attempts(3)
        .on_failure(OnFailure::Tolerate(Tolerance::Count(1)));
    let bill = job.node("bill").op(shop, "bill").collect("value", &price);
    job.output("bill", &bill);
    job
}
