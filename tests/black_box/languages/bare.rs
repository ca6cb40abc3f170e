//! `docs/without-an-sdk.md` keeps its word: its files are written and its commands run as they stand there, one after the
//! other in one folder.
//!
//! Two of its tools take ten minutes and more to install. Where they are missing, what stands in for them is what the page
//! names as their equivalent: the bindings in `sdk/c/generated`, which the same generator wrote, and `dynhost componentize`
//! with the WIT file of the page.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{language, sdk};
use crate::command::{Workshop, binary, root};
use crate::job::Job;

/// A fenced block of the page: its language, the file that the words before it name, its text.
struct Block {
    language: String,
    file: Option<String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    // Text and code take turns.
    let mut parts = page.split("\n```");
    let mut before = parts.next().unwrap_or_default();
    while let (Some(code), after) = (parts.next(), parts.next()) {
        let (language, text) = code.split_once('\n').expect("a block has lines");
        let words = before.trim_end().strip_suffix("`:").and_then(|text| text.rsplit('`').next());
        blocks.push(Block {
            language: language.to_owned(),
            file: words.map(str::to_owned),
            text: text.to_owned() + "\n",
        });
        before = after.unwrap_or_default();
    }
    blocks
}

/// A folder with the commands of the page: `dynhost` as it was built, a compiler, and what stands in for tools that are not there.
fn tools(workshop: &Workshop, compiler: &str) -> String {
    let bin = workshop.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    symlink(binary(), bin.join("dynhost")).expect("a link");
    let generated = sdk("c").join("generated");
    let stand_ins = [
        (
            "zig",
            format!(
                "[ \"$1 $2 $3\" = 'cc -target wasm32-wasi' ] || exit 2\n\
                 shift 3\n\
                 exec {compiler} \"$@\""
            ),
        ),
        (
            "wit-bindgen",
            format!(
                "[ \"$*\" = 'c --world component op.wit' ] || exit 2\n\
                 cp {}/* .\n\
                 echo 'void __component_type_object_force_link_component(void) {{}}' >world.c\n\
                 zig cc -target wasm32-wasi -c world.c -o component_component_type.o",
                generated.display()
            ),
        ),
        (
            "wasm-tools",
            "case \"$1 $2\" in\n\
             'parse '*.wat) cp \"$2\" \"$4\" ;;\n\
             'component embed') [ \"$3 $4 $5\" = 'op.wit --world component' ] && cp \"$6\" \"$8\" ;;\n\
             'component new') dynhost componentize \"$3\" --wit op.wit --world component --out \"$5\" ;;\n\
             *) echo \"unknown: $*\" >&2; exit 2 ;;\n\
             esac"
                .to_owned(),
        ),
    ];
    for (name, script) in stand_ins {
        let there = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
        if name != "zig" && there.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let file = bin.join(name);
        fs::write(&file, format!("#!/bin/sh\nset -eu\n{script}\n")).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default())
}

/// Runs the commands of a block; gives what they print.
fn shell(script: &str, folder: &Path, path: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-euc", script]).current_dir(folder).env("PATH", path);
    // The crate of the page has the lints and flags of nobody.
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"]
    {
        shell.env_remove(variable);
    }
    let ran = shell.output().expect("sh can be run");
    assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("it is UTF-8")
}

#[test]
fn the_page_keeps_its_word() {
    if let Err(skipped) = language("c").component() {
        println!("{skipped}");
        return;
    }
    let compiler = shell("sh toolchain", &sdk("c"), &std::env::var("PATH").unwrap_or_default());
    let workshop = Workshop::new();
    let path = tools(&workshop, compiler.trim());
    // What cargo compiles is kept between runs of the tests.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-an-sdk");
    fs::create_dir_all(&target).expect("a folder");
    symlink(&target, workshop.path().join("target")).expect("a link");

    let page = fs::read_to_string(root().join("docs/without-an-sdk.md")).expect("it is there");
    let mut printed = Vec::new();
    for block in blocks(&page) {
        match (block.language.as_str(), &block.file) {
            (_, Some(file)) => {
                let file = workshop.path().join(file);
                fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
                fs::write(file, block.text).expect("a file");
            }
            ("sh", None) => printed.push(shell(&block.text, workshop.path(), &path)),
            // What needs an adapter of another project is shown alone.
            ("text", None) => assert!(block.text.contains("--adapt "), "{}", block.text),
            (language, None) => panic!("a block of `{language}` without a file:\n{}", block.text),
        }
    }
    let said = |words: &str| {
        assert!(printed.iter().any(|text| text.contains(words)), "{words}: {printed:#?}");
    };
    said("line[line_1]: <text/plain, 3 bytes>");
    said("bytes: 11");

    // The components of all three ways are pure, and the bytes are right.
    let [lines, upper, total] =
        ["lines", "upper", "total"].map(|name| workshop.path().join(format!("{name}.wasm")));
    for component in [&lines, &upper, &total] {
        assert!(
            crate::job::host().load(component).expect("it is one").is_pure(),
            "{}",
            component.display()
        );
    }
    let text = fs::read_to_string(workshop.path().join("job.toml")).expect("it was written");
    let nodes = text.split_once("\n[nodes.").expect("there are nodes").1;
    let job = Job::over(
        &[("lines", &lines), ("upper", &upper), ("total", &total)],
        &format!("[nodes.{nodes}"),
    );
    let ran = job.run().succeeded();
    assert_eq!(ran.output("bytes"), Some(json!(11)));
    let dynhost::graph::scheduler::JobOutputValue::Many(lines) = &ran.result.outputs[0].1 else {
        panic!("{:?}", ran.result.outputs);
    };
    let lines: Vec<_> = lines.elements.iter().map(|line| line.value.data.to_vec()).collect();
    assert_eq!(lines, [b"ONE".to_vec(), b"TWO".to_vec(), b"THREE".to_vec()]);
}

/// What `dynhost wit` prints is the interface of this repository.
#[test]
fn the_interface_is_printed() {
    let printed = Workshop::new().run(&["wit"]);
    let there = fs::read_to_string(root().join("wit/op.wit")).expect("it is there");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), there);
}

/// A mistake in WebAssembly text is shown with its place.
#[test]
fn a_mistake_in_text_is_shown() {
    let workshop = Workshop::new();
    workshop.write("wrong.wat", "(module\n  (func (export \"f\") (i32.constant 1)))\n");
    let said = workshop.session("componentize wrong.wat --out x.wasm");
    assert!(said.contains("`wrong.wat` is WebAssembly text that cannot be read"), "{said}");
    assert!(said.contains(":2:") && said.contains("i32.constant"), "{said}");
    assert!(!workshop.path().join("x.wasm").exists());
}
