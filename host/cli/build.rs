//! Puts what `dynhost new` writes into the binary: the templates, and of each SDK what a project needs.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What a project needs of an SDK: no tests, nothing that is made from the rest.
const SDKS: [(&str, &[&str]); 4] = [
    (
        "c",
        &[
            "README.md",
            "build",
            "dynhost.c",
            "dynhost.h",
            "dynhost.hpp",
            "dynhost_json.c",
            "dynhost_json.h",
            "generated",
            "toolchain",
        ],
    ),
    ("js", &["README.md", "package.json", "src", "wit"]),
    ("python", &["README.md", "pyproject.toml", "src"]),
    ("rust", &["Cargo.toml", "README.md", "macros", "src", "wit"]),
];

/// What tools leave among sources.
const LEFT_BY_TOOLS: [&str; 3] = ["target", "node_modules", "__pycache__"];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../..").canonicalize().expect("the crate is in host/cli");
    let mut text = String::new();
    let templates = here.join("templates");
    table("TEMPLATES", "What a project begins with.", &templates, &files(&templates), &mut text);
    for (name, parts) in SDKS {
        let sdk = root.join("sdk").join(name);
        let found: Vec<PathBuf> = parts.iter().flat_map(|part| files(&sdk.join(part))).collect();
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
        !LEFT_BY_TOOLS.contains(&name) && !name.ends_with(".egg-info")
    };
    found.iter().filter(|path| is_source(path)).flat_map(|path| files(path)).collect()
}
