use dynhost_sdk::prelude::*;

#[op]
fn load(out: Emitter<u32>) {}

fn main() {}
