//! Writes the Go bindings of the op interface, and beside them what they need of the generator's own Go module: `cargo
//! run` beside this file. With `--check`, only says whether those that are there are current.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use wit_bindgen_core::{Files, wit_parser::Resolve};

/// Where the bindings are, as a Go package and as a folder.
const PACKAGE: &str = "dynhost/internal/bindings";
/// Where the bindings look for the ops.
const GUEST: &str = "dynhost/internal/guest";
/// What the bindings call the generator's Go module, and what it is called here.
const MODULE: (&str, &str) = ("go.bytecodealliance.org/pkg/wit/", "dynhost/internal/wit/");
/// The files of that module which bindings without streams and futures need.
const MODULE_FILES: [&str; 7] = [
    "LICENSE",
    "wit/runtime/empty.s",
    "wit/runtime/runtime.go",
    "wit/types/option.go",
    "wit/types/result.go",
    "wit/types/tuple.go",
    "wit/types/unit.go",
];
/// The interface is there in a component alone.
const CONSTRAINT: &str = "//go:build wasip1\n\n";
/// What the licence asks for where a file is not what it was.
const NOTICE: &str = "// From the Go module of wit-bindgen, see ../LICENSE. Changed: this line and the build constraint.\n\n";

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = std::env::args().any(|argument| argument == "--check");
    let mut stale = false;
    for (name, text) in generated(here).into_iter().chain(vendored(here)) {
        let file = here.join("../internal").join(&name);
        if fs::read_to_string(&file).is_ok_and(|there| there == text) {
            continue;
        }
        stale = true;
        if check {
            eprintln!("{name} is not what the WIT says: run `cargo run` in sdk/go/bindings");
        } else {
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
            fs::write(&file, text).expect("the file can be written");
            eprintln!("{name} is new");
        }
    }
    if check && stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The bindings, by their names in `internal/`.
fn generated(here: &Path) -> Vec<(String, String)> {
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_path(here.join("../../../wit")).expect("the WIT is well formed");
    let world = resolve.select_world(&[package], Some("component")).expect("there is the world");
    let options = wit_bindgen_go::Opts {
        // Not every machine with Go has gofmt.
        format: wit_bindgen_go::Format::False,
        pkg_name: Some(PACKAGE.to_owned()),
        export_pkg_name: Some(GUEST.to_owned()),
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("the bindings can be made");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
    let named = files.iter().map(|(name, bytes)| (format!("bindings/{name}"), text(bytes)));
    named.map(|(name, text)| (name, text.replace(MODULE.0, MODULE.1))).map(constrained).collect()
}

/// What the bindings import, out of the sources of the generator.
fn vendored(here: &Path) -> Vec<(String, String)> {
    let module = generator(here).join("src/pkg");
    let files = MODULE_FILES.iter().map(|name| {
        let text = fs::read_to_string(module.join(name)).expect("the generator has its Go module");
        let name = name.strip_prefix("wit/").unwrap_or(name);
        let go = Path::new(name).extension().is_some_and(|extension| extension == "go");
        (format!("wit/{name}"), if go { NOTICE.to_owned() + &text } else { text })
    });
    files.map(constrained).collect()
}

fn constrained((name, text): (String, String)) -> (String, String) {
    if Path::new(&name).extension().is_some_and(|extension| extension == "go") {
        (name, CONSTRAINT.to_owned() + &text)
    } else {
        (name, text)
    }
}

/// The folder of the generator's sources.
fn generator(here: &Path) -> PathBuf {
    let asked = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(here)
        .output()
        .expect("cargo can be started");
    let metadata: serde_json::Value =
        serde_json::from_slice(&asked.stdout).expect("cargo describes the packages");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let package = packages.iter().find(|package| package["name"] == "wit-bindgen-go");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    Path::new(manifest.expect("it is a dependency")).parent().expect("it is in a folder").to_owned()
}
