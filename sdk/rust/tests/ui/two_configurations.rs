use dynhost_sdk::prelude::*;

#[op]
fn convert(#[config] from: String, #[config] to: String) {}

fn main() {}
