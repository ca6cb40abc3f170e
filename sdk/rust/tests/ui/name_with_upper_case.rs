use dynhost_sdk::prelude::*;

#[op(name = "Split")]
fn split() {}

#[op]
fn measure(lineLength: u32) -> u32 {
    lineLength
}

fn main() {}
