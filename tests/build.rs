//! Compiles the example ops and the guests of the tests, and says where they are.

use std::path::Path;
use std::process::Command;

/// What cargo tells a build script about this build, and must not reach the build of the ops.
const OF_THIS_BUILD: [&str; 5] =
    ["CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder");
    let ops = root.join("example-ops");
    // The script builds in a folder of its own: the lock of this one is held while it runs.
    let target = ops.join("target");
    let mut build = Command::new("sh");
    build.arg(ops.join("build"));
    compile(build, "the example ops");
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    for (name, target) in [
        ("conformance", "wasm32-unknown-unknown"),
        ("conformance", "wasm32-wasip2"),
        ("crooked", "wasm32-unknown-unknown"),
        ("odd", "wasm32-unknown-unknown"),
        ("orders", "wasm32-unknown-unknown"),
        ("machine", "wasm32-wasip2"),
        ("network", "wasm32-wasip2"),
        ("scripted", "wasm32-wasip2"),
    ] {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(&guests).args(["build", "--release", "--locked"]);
        build.args(["--package", name, "--target", target]);
        build.env("CARGO_TARGET_DIR", guests.join("target"));
        compile(build, "the guests of the tests");
    }

    println!("cargo::rustc-env=EXAMPLE_OPS={}", target.display());
    println!("cargo::rustc-env=GUESTS={}", guests.join("target").display());
    println!("cargo::rerun-if-changed=build.rs");
    for input in [
        "Cargo.toml",
        "Cargo.lock",
        "conformance",
        "crooked",
        "machine",
        "network",
        "odd",
        "orders",
        "scripted",
    ] {
        println!("cargo::rerun-if-changed={}", guests.join(input).display());
    }
    for input in ["build", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", ops.join(input).display());
    }
    for entry in ops.read_dir().expect("the folder of the ops can be read").flatten() {
        let source = entry.path().join("src");
        if source.is_dir() {
            println!("cargo::rerun-if-changed={}", source.display());
            println!("cargo::rerun-if-changed={}", entry.path().join("Cargo.toml").display());
        }
    }
    for folder in ["sdk/rust/src", "sdk/rust/macros", "sdk/rust/Cargo.toml", "sdk/rust/wit"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
}

fn compile(mut build: Command, what: &str) {
    for variable in OF_THIS_BUILD {
        build.env_remove(variable);
    }
    let status = build.status().unwrap_or_else(|error| panic!("{build:?}: {error}"));
    assert!(status.success(), "{what} cannot be built");
}
