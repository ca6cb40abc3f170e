//! Compiles the ops in `guest/`.

use std::process::Command;

/// What cargo tells a build script about this build, and must not reach the build of the ops.
const OF_THIS_BUILD: [&str; 5] =
    ["CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"];

fn main() {
    let mut build = Command::new("sh");
    build.arg("guest/build");
    for variable in OF_THIS_BUILD {
        build.env_remove(variable);
    }
    let status = build.status().expect("`sh` can be started");
    assert!(status.success(), "the ops in `guest/` cannot be built");
    for input in ["build", "Cargo.toml", "Cargo.lock", "src", "wit"] {
        println!("cargo::rerun-if-changed=guest/{input}");
    }
    for input in ["src", "macros", "wit"] {
        println!("cargo::rerun-if-changed=../../sdk/rust/{input}");
    }
}
