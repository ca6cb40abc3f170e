//! A file that is handed in as a component: made a component where it is a core module, checked,
//! compiled, linked and asked for its ops. Input that is no wasm is what a well-formed module holds in
//! its memory when it describes its ops.

#![no_main]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dynhost::component::{Preview1, Recipe, componentize};
use dynhost::graph::definition::{OpDefinition, check_definitions};
use dynhost::{ComponentError, Host};
use libfuzzer_sys::fuzz_target;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let one = NonZeroU32::new(1).expect("one is not zero");
    Host::builder().workers(one).build().expect("the engine can be set up")
});

/// The file, for this process alone.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("dynhost-fuzz-{}", std::process::id())));

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"\0asm") {
        fs::write(&*FILE, data).expect("the file can be written");
        load();
        for preview1 in [Preview1::Stub, Preview1::Real, Preview1::Nothing] {
            if let Ok(made) = componentize(&FILE, &Recipe { preview1, world: None }) {
                assert!(made.starts_with(b"\0asm\x0d\0\x01\0"), "a component is made");
            }
        }
    } else {
        fs::write(&*FILE, describing(data)).expect("the file can be written");
        load();
    }
});

fn load() {
    match HOST.load(&FILE) {
        Ok(component) => {
            let ops = component.ops().iter().map(|op| OpDefinition::clone(op));
            check_definitions(&ops.collect::<Vec<_>>()).expect("they were checked");
            assert!(component.info().imports.is_sorted());
        }
        Err(error) => check(&error),
    }
}

fn check(error: &ComponentError) {
    assert_eq!(error.path(), Path::new(&*FILE));
    let text = format!("{error} {:?}", error.help());
    assert!(!text.contains("bug"), "{text}");
}

/// A module whose memory begins with `data`: the place of the list of its ops, as 32-bit pointer and
/// length, and what they point to.
fn describing(data: &[u8]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1).function(1);
    let mut memory = MemorySection::new();
    memory.memory(MemoryType {
        minimum: 1,
        maximum: Some(1),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports
        .export("dynhost:op/op@0.1.0#describe", ExportKind::Func, 0)
        .export("dynhost:op/op@0.1.0#run", ExportKind::Func, 1)
        .export("cabi_realloc", ExportKind::Func, 2)
        .export("memory", ExportKind::Memory, 0);
    let mut code = CodeSection::new();
    let mut describe = Function::new([]);
    describe.instructions().i32_const(0).end();
    let mut traps = Function::new([]);
    traps.instructions().unreachable().end();
    code.function(&describe).function(&traps).function(&traps);
    let mut contents = DataSection::new();
    contents.active(0, &ConstExpr::i32_const(0), data.iter().copied().take(1 << 16));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memory).section(&exports);
    module.section(&code).section(&contents);
    module.finish()
}
