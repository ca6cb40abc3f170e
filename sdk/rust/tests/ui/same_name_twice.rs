use dynhost_sdk::prelude::*;

#[op(output(name = "out"), output(name = "out"))]
fn split(text: String, one: &mut Emitter<String>, two: &mut Emitter<String>) {}

#[op]
fn add(x: u32, #[input(name = "x")] y: u32) -> u32 {
    x + y
}

fn main() {}
