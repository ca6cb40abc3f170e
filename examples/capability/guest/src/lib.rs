//! Ops that look up orders: they know the interface `shop:orders/lookup`, and not where orders are kept.

use dynhost_sdk::prelude::*;

/// Generated from this crate's own WIT; the SDK has the world of ops.
mod world {
    #![allow(unsafe_code, unreachable_pub, clippy::pedantic, reason = "generated")]

    wit_bindgen::generate!({ path: "wit", world: "ops" });
}

use world::shop::orders::lookup;

/// Yields the number of each order of a shop.
#[op(output(dynamic))]
fn orders(shop: String, out: &mut Emitter<u64>) -> Result<()> {
    for number in lookup::numbers(&shop).map_err(Failure::permanent)? {
        out.emit(format!("order_{number}"), number)?;
    }
    Ok(())
}

/// A line about an order that is not paid, or an empty text.
#[op]
fn reminder(shop: String, number: u64) -> Result<String> {
    let order = lookup::find(&shop, number).map_err(Failure::permanent)?;
    if order.paid {
        return Ok(String::new());
    }
    let (euros, cents) = (order.cents / 100, order.cents % 100);
    Ok(format!("{} owes {euros}.{cents:02} for order {number}", order.customer))
}

export_ops!(orders, reminder);
