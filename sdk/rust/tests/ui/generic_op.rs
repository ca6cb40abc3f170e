use dynhost_sdk::prelude::*;

#[op]
fn same<T>(value: T) -> T {
    value
}

fn main() {}
