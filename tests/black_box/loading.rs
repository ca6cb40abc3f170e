//! Files that are no component of ops, each refused with what it is and what to do (`semantics.md` rule 6).

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dynhost::{ChildCompiler, ComponentError, Host};
use tempfile::{TempDir, tempdir};

use crate::job::{Job, component, host};

/// Loads these bytes, which is refused: the words, the deepest cause, and what to do.
fn refused(bytes: &[u8]) -> (ComponentError, String, String) {
    let (_folder, path) = file(bytes);
    let error = host().load(&path).expect_err("the file is refused");
    let words = error.to_string().replace(path.to_str().expect("the path is UTF-8"), "FILE");
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = cause.to_string();
    (error, words, cause)
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("op.wasm");
    fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is right")
}

#[test]
fn a_missing_file_is_refused() {
    let error = host().load("/no/such/op.wasm".as_ref()).expect_err("there is no such file");
    assert_eq!(error.to_string(), "component `/no/such/op.wasm` cannot be read");
    assert!(error.help().is_some_and(|help| help.contains("dynhost build")));
    assert!(error.source().is_some_and(|cause| cause.to_string().contains("No such file")));
}

#[test]
fn what_is_no_wasm_is_refused() {
    for (bytes, found) in [
        (&b"[job]\nname = \"x\"\n"[..], "it is a text file that begins with \"[job]\""),
        (b"", "it is empty"),
        (b"\x7fELF\x02\x01\xff", "it begins with the bytes 7f454c46"),
        (b"\0asm\x02\0\0\0", "it is of an unknown version of the binary format"),
        (b"\0as", "it is a text file that begins with \"\\0as\""),
    ] {
        let (error, words, _) = refused(bytes);
        assert_eq!(words, format!("`FILE` is not WebAssembly: {found}"));
        assert!(error.help().is_some_and(|help| help.contains("wasm32-wasip2")), "{error:?}");
    }
}

/// The text form of WebAssembly is text.
#[test]
fn the_text_form_is_refused() {
    let (_, words, _) = refused(b"(component)");
    assert_eq!(
        words,
        "`FILE` is not WebAssembly: it is a text file that begins with \"(component)\""
    );
}

#[test]
fn a_core_module_without_its_section_is_refused() {
    let (error, words, _) = refused(&wat("(module (func (export \"run\")))"));
    assert_eq!(words, "`FILE` is a core module without a component-type section");
    assert!(error.help().is_some_and(|help| help.contains("dynhost componentize")));
}

/// As a C compiler makes it that was not told to make a library.
#[test]
fn a_program_for_wasi_preview_1_is_refused() {
    let (error, words, _) = refused(&wat(r#"
        (module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (func (export "_start")))
    "#));
    assert_eq!(words, "`FILE` is a core module without a component-type section");
    assert!(error.help().is_some_and(|help| help.contains("-mexec-model=reactor")), "{error:?}");
}

#[test]
fn a_component_for_another_world_is_refused() {
    for (text, help) in [
        (
            "(component)",
            "it exports nothing; build it for the world `dynhost:op/component`; in Rust, is `export_ops!` there?",
        ),
        (
            "(component (instance $i) (export \"wasi:cli/run@0.2.0\" (instance $i)))",
            "it exports `wasi:cli/run@0.2.0`; build it for the world `dynhost:op/component`",
        ),
        (
            "(component (instance $i) (export \"dynhost:op/op@9.0.0\" (instance $i)))",
            "it exports `dynhost:op/op@9.0.0`; build it for the world `dynhost:op/component`",
        ),
    ] {
        let (error, words, _) = refused(&wat(text));
        assert_eq!(
            words,
            "component `FILE` is made for another world: it does not export `dynhost:op/op@0.1.0`"
        );
        assert_eq!(error.help().as_deref(), Some(help));
    }
}

#[test]
fn unknown_imports_are_refused() {
    let (error, words, _) = refused(&wat(r#"
        (component
            (import "wasi:keyvalue/store@0.2.0" (instance))
            (import "acme:gpu/device" (instance))
            (import "wasi:io/poll@0.2.0" (instance))
            (instance $i)
            (export "dynhost:op/op@0.1.0" (instance $i)))
    "#));
    assert_eq!(
        words,
        "component `FILE` imports `wasi:keyvalue/store@0.2.0`, `acme:gpu/device`, which this host does not have"
    );
    assert!(error.help().is_some_and(|help| help.contains("`wasi:filesystem/*`")));
}

#[test]
fn an_interface_of_another_shape_is_refused() {
    let (_, words, cause) =
        refused(&wat("(component (instance $i) (export \"dynhost:op/op@0.1.0\" (instance $i)))"));
    assert_eq!(words, "component `FILE` does not fit the interface `dynhost:op@0.1.0`");
    assert_eq!(cause, "`dynhost:op/op@0.1.0` has no `run`");
    let (_, words, cause) = refused(&wat(r#"
        (component
            (import "dynhost:op/step@0.1.0" (instance (export "attempt" (func (result string)))))
            (core module $m (func (export "f")))
            (core instance $c (instantiate $m))
            (func $f (canon lift (core func $c "f")))
            (instance $i (export "run" (func $f)) (export "describe" (func $f)))
            (export "dynhost:op/op@0.1.0" (instance $i)))
    "#));
    assert_eq!(words, "component `FILE` does not fit the interface `dynhost:op@0.1.0`");
    assert!(!cause.is_empty(), "{cause}");
}

/// What a component exports is checked when it is loaded, not when its first step runs.
#[test]
fn functions_of_another_type_are_refused() {
    let (_, words, _) = refused(&wat(r#"
        (component
            (core module $m (func (export "f")))
            (core instance $c (instantiate $m))
            (func $f (canon lift (core func $c "f")))
            (instance $i (export "run" (func $f)) (export "describe" (func $f)))
            (export "dynhost:op/op@0.1.0" (instance $i)))
    "#));
    assert_eq!(
        words,
        "component `FILE` does not describe its ops: its `run` has another type than the interface: \
         expected 2-tuple, found 0-tuple"
    );
}

/// A component can refuse to describe its ops only by ending: what it logged and printed before says why.
#[test]
fn what_a_component_says_before_it_fails_to_describe_is_kept() {
    let (_, words, _) = refused(&wat(r#"
        (module
            (import "dynhost:op/step@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
            (import "wasi_snapshot_preview1" "fd_write"
                (func $print (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "loading")
            (data (i32.const 16) "op `sum`:\0aits input has no name")
            (data (i32.const 64) "so it ends\0a")
            (data (i32.const 96) "\40\00\00\00\0b\00\00\00")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "dynhost:op/op@0.1.0#run") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "dynhost:op/op@0.1.0#describe") (result i32)
                (call $log (i32.const 2) (i32.const 0) (i32.const 7) (i32.const 0) (i32.const 0))
                (call $log (i32.const 4) (i32.const 16) (i32.const 31) (i32.const 0) (i32.const 0))
                (drop (call $print (i32.const 2) (i32.const 96) (i32.const 1) (i32.const 128)))
                unreachable))
    "#));
    assert_eq!(
        words,
        "component `FILE` does not describe its ops: wasm trap: wasm `unreachable` instruction executed\n  \
         op `sum`:\n  its input has no name\n  so it ends"
    );
}

#[test]
fn a_truncated_file_is_refused() {
    for (name, words) in [
        ("files", "component `FILE` cannot be compiled"),
        ("basics", "component `FILE` cannot be compiled"),
    ] {
        let bytes = fs::read(component(name)).expect("it was built");
        for length in [9, bytes.len() / 2, bytes.len() - 1] {
            let (_, found, cause) = refused(&bytes[..length]);
            assert_eq!(found, words, "{name}, {length} bytes: {cause}");
        }
    }
}

/// A component and a core module with its section are both taken.
#[test]
fn what_cargo_builds_is_taken() {
    for (name, pure, ops) in [("files", false, 3), ("basics", true, 29), ("pieces", true, 3)] {
        let loaded = host().load(&component(name)).expect("it is a component of ops");
        assert_eq!((loaded.is_pure(), loaded.ops().len()), (pure, ops), "{name}");
        assert_eq!(loaded.digest().len(), 64);
        assert_eq!(loaded.size(), fs::metadata(component(name)).expect("it is there").len());
    }
}

#[test]
fn a_digest_that_is_pinned_is_checked_first() {
    let (_folder, path) = file(b"anything");
    let pinned = "0".repeat(64);
    let error = host().load_pinned(&path, &pinned).expect_err("the digest is another");
    let ComponentError::Digest { found, pinned: said, .. } = &error else { panic!("{error:?}") };
    assert_eq!(found, "ee0874170b7f6f32b8c2ac9573c428d35b575270a66b757c2c0185d2bd09718d");
    assert_eq!(*said, pinned);
    assert!(error.help().is_some_and(|help| help.contains("put its digest in the manifest")));

    let digest = host().load(&component("basics")).expect("it can be loaded").digest().to_owned();
    for digest in [digest.clone(), digest.to_uppercase()] {
        host().load_pinned(&component("basics"), &digest).expect("the digest is right");
    }
}

/// A component that takes the compiler some seconds and much memory: many functions, each of a thousand additions.
fn slow_to_compile() -> Vec<u8> {
    let body =
        "local.get 0\n i64.const 3\n i64.mul\n local.get 0\n i64.xor\n local.set 0\n".repeat(1000);
    let function = format!("(func (param i64) (result i64)\n{body} local.get 0)\n");
    wat(&format!("(component (core module\n{}))", function.repeat(1500)))
}

/// Compiling happens in a process of its own where the host says so, which is ended when it takes too long or too much.
#[test]
fn compiling_is_bounded_in_time_and_memory() {
    let (_folder, path) = file(&slow_to_compile());
    let child = || ChildCompiler::new(crate::command::binary(), &["compile-component"]);
    let load = |compiler| {
        let host = Host::builder().compiler(compiler).build().expect("a host can be built");
        let begun = Instant::now();
        let error = host.load(&path).expect_err("it is refused");
        assert!(begun.elapsed() < Duration::from_mins(1));
        format!("{}: {}", error, error.source().map(ToString::to_string).unwrap_or_default())
            .replace(path.to_str().expect("the path is UTF-8"), "FILE")
    };
    let said = load(ChildCompiler { time: Duration::from_millis(30), ..child() });
    assert!(said.contains("compiling it takes longer than 0 s"), "{said}");
    let said = load(ChildCompiler { memory: 64 << 20, ..child() });
    assert!(said.contains("compiling it takes more than 64 MiB of memory"), "{said}");
    let said = load(ChildCompiler { program: "/no/such/program".into(), ..child() });
    assert!(said.contains("the compiler `/no/such/program` cannot be started"), "{said}");
    let said = load(ChildCompiler { program: "false".into(), ..child() });
    assert!(said.contains("the compiler ended with exit status: 1"), "{said}");
    // What cannot be compiled is refused in the compiler's words; a good one runs as if it was compiled here.
    fs::write(&path, wat("(component (core module (func (result i32) i32.const 1)))"))
        .expect("a file");
    let said = load(child());
    assert!(said.contains("does not export"), "{said}");
}

#[test]
fn what_was_compiled_elsewhere_runs_here() {
    let compiler = ChildCompiler::new(crate::command::binary(), &["compile-component"]);
    let host = Host::builder().compiler(compiler).build().expect("a host can be built");
    for limits in ["", ", limits.fuel = 1000000"] {
        let nodes = format!(
            "nodes.ten = {{ op = \"basics/emit_ten\"{limits} }}\noutputs.ten.from = \"ten\""
        );
        let ran = Job::new(&nodes).host(&host).run().succeeded();
        assert_eq!(ran.output("ten"), Some(10.into()));
    }
}
