use dynhost_sdk::prelude::*;

#[op(output(name = "a"), output(name = "b"))]
fn one() -> u32 {
    1
}

#[op(output(name = "a"))]
fn none() {}

fn main() {}
