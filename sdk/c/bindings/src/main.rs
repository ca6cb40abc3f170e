//! Writes the C bindings of the op interface: `cargo run` beside this file. With `--check`, only says whether those that
//! are there are current.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use wit_bindgen_core::{Files, wit_parser::Resolve};

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = std::env::args().any(|argument| argument == "--check");
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_path(here.join("../../../wit")).expect("the WIT is well formed");
    let world = resolve.select_world(&[package], Some("component")).expect("there is the world");
    let options = wit_bindgen_c::Opts {
        // The host knows the world by the exports of the module.
        no_object_file: true,
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("the bindings can be made");
    let mut stale = false;
    for (name, text) in files.iter() {
        let file = here.join("../generated").join(name);
        if fs::read(&file).is_ok_and(|there| there == text) {
            continue;
        }
        stale = true;
        if check {
            eprintln!("{name} is not what the WIT says: run `cargo run` in sdk/c/bindings");
        } else {
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
            fs::write(&file, text).expect("the file can be written");
            eprintln!("{name} is new");
        }
    }
    if check && stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
