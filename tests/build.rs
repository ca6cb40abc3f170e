//! Compiles the example ops, which the tests run, and says where they are.

use std::path::Path;
use std::process::Command;

/// What cargo tells a build script about this build, and must not reach the build of the ops.
const OF_THIS_BUILD: [&str; 5] =
    ["CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder");
    let ops = root.join("example-ops");
    // Not the folder of this build, whose lock is held while this runs.
    let target = ops.join("target");
    let mut build = Command::new("sh");
    build.arg(ops.join("build")).env("CARGO_TARGET_DIR", &target);
    for variable in OF_THIS_BUILD {
        build.env_remove(variable);
    }
    let status = build.status().expect("`sh` can be started");
    assert!(status.success(), "the example ops cannot be built: `sh example-ops/build` says why");

    println!("cargo::rustc-env=EXAMPLE_OPS={}", target.display());
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
    for folder in ["sdk/rust/src", "sdk/rust/macros", "sdk/rust/Cargo.toml", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
}
