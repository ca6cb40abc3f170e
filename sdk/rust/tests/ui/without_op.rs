use dynhost_sdk::prelude::*;

fn plain() {}

export_ops!(plain);

fn main() {}
