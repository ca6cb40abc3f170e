use dynhost_sdk::prelude::*;

#[op(outptu(dynamic))]
fn load() {}

#[op(output(dynmaic))]
fn save() {}

fn main() {}
