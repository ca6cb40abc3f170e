//! Puts what `dynhost new` writes into the binary: the templates, and of each SDK what a project needs.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The SDKs, by their folders in `sdk`.
const SDKS: [&str; 6] = ["assemblyscript", "c", "go", "js", "python", "rust"];

/// What a project does not need of an SDK: its tests, and what is for work on the SDK alone.
const OF_THE_SDK_ALONE: [&str; 9] = [
    ".gitignore",
    ".npmrc",
    "Cargo.lock",
    "bindings",
    "conformance",
    "conformance-ts",
    "test",
    "tests",
    "tsconfig.json",
];

/// What tools leave among sources.
const LEFT_BY_TOOLS: [&str; 5] =
    ["target", "node_modules", "__pycache__", ".mypy_cache", "dynhost.egg-info"];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../..").canonicalize().expect("the crate is in host/cli");
    let mut text = String::new();
    let templates = here.join("templates");
    table("TEMPLATES", "What a project begins with.", &templates, &files(&templates), &mut text);
    for name in SDKS {
        let sdk = root.join("sdk").join(name);
        // The builds of projects in these languages fetch compilers with it.
        let toolchain = if ["c", "go"].contains(&name) { None } else { Some("toolchain") };
        let alone = OF_THE_SDK_ALONE.into_iter().chain(toolchain);
        let alone: Vec<PathBuf> = alone.map(|part| sdk.join(part)).collect();
        let mut found = files(&sdk);
        found.retain(|file| {
            let is_test = file.to_str().is_some_and(|path| path.ends_with("_test.go"));
            !is_test && !alone.iter().any(|part| file.starts_with(part))
        });
        let title = format!("The SDK in `sdk/{name}`.");
        table(&format!("SDK_{}", name.to_uppercase()), &title, &sdk, &found, &mut text);
    }
    let licence = files(&root.join("LICENSE"));
    table("LICENSE", "The licence of the SDKs.", &root, &licence, &mut text);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(&out, text).expect("the folder for what is generated can be written");
    println!("cargo::rerun-if-changed=build.rs");
}

/// Writes a table of the paths and texts of files, with paths relative to `base`.
fn table(name: &str, title: &str, base: &Path, files: &[PathBuf], text: &mut String) {
    let _ = writeln!(text, "/// {title}\npub(super) static {name}: &[(&str, &str)] = &[");
    for file in files {
        let relative = file.strip_prefix(base).expect("the file is in the folder");
        let relative = relative.to_str().expect("the names of sources are UTF-8");
        let file = file.to_str().expect("the path of the sources is UTF-8");
        let _ = writeln!(text, "    ({relative:?}, include_str!({file:?})),");
    }
    text.push_str("];\n");
}

/// The files at or under a path, in the order of their names.
fn files(path: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    let is_source = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !LEFT_BY_TOOLS.contains(&name)
    };
    found.iter().filter(|path| is_source(path)).flat_map(|path| files(path)).collect()
}
