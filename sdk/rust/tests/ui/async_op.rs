use dynhost_sdk::prelude::*;

#[op]
async fn wait() {}

fn main() {}
