//! Builds the component that the example uses.

use std::process::Command;

fn main() {
    let ops = concat!(env!("CARGO_MANIFEST_DIR"), "/../../example-ops");
    let mut build = Command::new("sh");
    build.args([&format!("{ops}/build"), "basics"]);
    // What cargo tells this build must not reach that of the ops.
    for variable in ["CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "RUSTC", "RUSTFLAGS"] {
        build.env_remove(variable);
    }
    build.env_remove("RUSTC_WORKSPACE_WRAPPER");
    let status = build.status().unwrap_or_else(|error| panic!("{build:?}: {error}"));
    assert!(status.success(), "the component cannot be built");
    println!("cargo::rustc-env=BASICS={ops}/target/wasm32-unknown-unknown/release/basics.wasm");
    println!("cargo::rerun-if-changed={ops}/basics");
}
