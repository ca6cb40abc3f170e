use dynhost_sdk::prelude::*;

#[op]
fn shout(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
