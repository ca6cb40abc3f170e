use dynhost_sdk::prelude::*;

#[op(output(dynamic))]
fn load() -> Vec<u32> {
    vec![1]
}

fn main() {}
