//! The hostile guests that no compiler makes.

use std::fmt::Write;
use std::fs;

use dynhost::component::{Recipe, World, componentize};

use crate::hand_made::Guest;

/// The import of `emit`: name, mapping key, media type and data, each as address and length, the key behind whether there
/// is one; then where the answer goes.
const EMIT: &str = r#"(import "dynhost:op/outputs@0.1.0" "emit"
    (func $emit (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
/// The import of `log`: level, message and fields.
const LOG: &str =
    r#"(import "dynhost:op/step@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))"#;
/// An output's name at 64, and what is not UTF-8 at 72.
const TEXTS: &str = r#"(data (i32.const 64) "out") (data (i32.const 72) "\ff\fe")"#;

fn module(guest: Guest<'_>) -> Vec<u8> {
    guest.module()
}

pub(crate) fn loop_in_start() -> Vec<u8> {
    module(Guest { fields: "(func $start (loop (br 0))) (start $start)", ..Guest::default() })
}

pub(crate) fn loop_in_describe() -> Vec<u8> {
    module(Guest { describe: "(loop (br 0)) (unreachable)", ..Guest::default() })
}

/// Describes a thousand ops, whose descriptions are all the same mebibyte.
pub(crate) fn long_describe() -> Vec<u8> {
    let describe = r"
        (local $at i32)
        (local.set $at (i32.const 0x200000))
        (loop $next
            (i32.store (local.get $at) (i32.const 64))
            (i32.store offset=4 (local.get $at) (i32.const 3))
            (i32.store offset=8 (local.get $at) (i32.const 0x10000))
            (i32.store offset=12 (local.get $at) (i32.const 0x100000))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 44)))
                (i32.const 0x20abe0))))
        (i32.store (i32.const 128) (i32.const 0x200000))
        (i32.store (i32.const 132) (i32.const 1000))
        (i32.const 128)";
    module(Guest { memory: "40", describe, fields: TEXTS, ..Guest::default() })
}

/// Asks for all the memory that there can be.
pub(crate) fn grow_to_the_end() -> Vec<u8> {
    let run = "(if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1)) (then (unreachable))) (i32.const 0)";
    module(Guest { run, ..Guest::default() })
}

pub(crate) fn many_memories() -> Vec<u8> {
    module(Guest { fields: &"(memory 1)".repeat(20), ..Guest::default() })
}

pub(crate) fn many_tables() -> Vec<u8> {
    module(Guest { fields: &"(table 1 funcref)".repeat(20), ..Guest::default() })
}

pub(crate) fn long_table() -> Vec<u8> {
    let run = "(if (i32.eq (table.grow (ref.null func) (i32.const 10000000)) (i32.const -1)) (then (unreachable)))
        (i32.const 0)";
    module(Guest { fields: "(table 1 funcref)", run, ..Guest::default() })
}

/// A component of a hundred core instances.
pub(crate) fn many_instances() -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m (memory 1))
            {}
            (core module $ops (func (export "f")))
            (core instance $ops (instantiate $ops))
            (func $f (canon lift (core func $ops "f")))
            (instance $i (export "run" (func $f)) (export "describe" (func $f)))
            (export "dynhost:op/op@0.1.0" (instance $i)))"#,
        "(core instance (instantiate $m))".repeat(100)
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Emits with this name and mapping key: address and length.
fn emit(name: [i64; 2], key: [i64; 2]) -> Vec<u8> {
    let run = format!(
        "(call $emit (i32.const {}) (i32.const {}) (i32.const 1) (i32.const {}) (i32.const {})
            (i32.const 64) (i32.const 3) (i32.const 64) (i32.const 1) (i32.const 256))
         (i32.const 0)",
        name[0], name[1], key[0], key[1]
    );
    module(Guest { imports: EMIT, fields: TEXTS, run: &run, ..Guest::default() })
}

pub(crate) fn emit_4_gib() -> Vec<u8> {
    emit([64, 0xffff_ffff], [64, 3])
}

pub(crate) fn name_without_utf8() -> Vec<u8> {
    emit([72, 2], [64, 3])
}

pub(crate) fn key_without_utf8() -> Vec<u8> {
    emit([64, 3], [72, 2])
}

/// Emits elements with ever other keys of six letters, and ignores the answer.
pub(crate) fn emit_for_ever() -> Vec<u8> {
    let run = r"
        (local $number i32) (local $at i32) (local $left i32)
        (loop $emit
            (local.set $number (i32.add (local.get $number) (i32.const 1)))
            (local.set $left (local.get $number))
            (local.set $at (i32.const 80))
            (loop $letter
                (i32.store8 (local.get $at)
                    (i32.add (i32.const 0x61) (i32.and (local.get $left) (i32.const 15))))
                (local.set $left (i32.shr_u (local.get $left) (i32.const 4)))
                (br_if $letter (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 86))))
            (call $emit (i32.const 64) (i32.const 3) (i32.const 1) (i32.const 80) (i32.const 6)
                (i32.const 64) (i32.const 3) (i32.const 64) (i32.const 1) (i32.const 256))
            (br $emit))
        (unreachable)";
    module(Guest { imports: EMIT, fields: TEXTS, run, ..Guest::default() })
}

/// A key that is nearly all of its memory.
pub(crate) fn key_of_400_mib() -> Vec<u8> {
    let run = "(memory.fill (i32.const 0x10000) (i32.const 0x78) (i32.const 0x19000000))
        (call $emit (i32.const 64) (i32.const 3) (i32.const 1) (i32.const 0x10000) (i32.const 0x19000000)
            (i32.const 64) (i32.const 3) (i32.const 64) (i32.const 1) (i32.const 256))
        (i32.const 0)";
    module(Guest { imports: EMIT, memory: "6500", fields: TEXTS, run, ..Guest::default() })
}

/// Returns a hundred thousand outputs, which are all the same mebibyte.
pub(crate) fn same_bytes_again() -> Vec<u8> {
    let run = r"
        (local $at i32)
        (local.set $at (i32.const 0x200000))
        (loop $next
            (i32.store (local.get $at) (i32.const 64))
            (i32.store offset=4 (local.get $at) (i32.const 3))
            (i32.store offset=20 (local.get $at) (i32.const 64))
            (i32.store offset=24 (local.get $at) (i32.const 3))
            (i32.store offset=32 (local.get $at) (i32.const 0x100000))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 36)))
                (i32.const 0x56ee80))))
        (i32.store (i32.const 136) (i32.const 0x200000))
        (i32.store (i32.const 140) (i32.const 100000))
        (i32.const 128)";
    module(Guest { memory: "100", fields: TEXTS, run, ..Guest::default() })
}

/// Logs a message with ten thousand fields, which are all the same mebibyte.
pub(crate) fn same_field_again() -> Vec<u8> {
    let run = r"
        (local $at i32)
        (local.set $at (i32.const 0x200000))
        (loop $next
            (i32.store (local.get $at) (i32.const 0x10000))
            (i32.store offset=4 (local.get $at) (i32.const 0x100000))
            (i32.store offset=8 (local.get $at) (i32.const 0x10000))
            (i32.store offset=12 (local.get $at) (i32.const 0x100000))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16)))
                (i32.const 0x227100))))
        (call $log (i32.const 2) (i32.const 64) (i32.const 3) (i32.const 0x200000) (i32.const 10000))
        (i32.const 0)";
    module(Guest { imports: LOG, memory: "40", fields: TEXTS, run, ..Guest::default() })
}

/// Calls the host back while the host writes the arguments of a call.
pub(crate) fn call_within_a_call() -> Vec<u8> {
    let realloc =
        "(call $log (i32.const 2) (i32.const 64) (i32.const 3) (i32.const 0) (i32.const 0))";
    module(Guest { imports: LOG, fields: TEXTS, realloc, ..Guest::default() })
}

/// Traps when the host has taken its outputs.
pub(crate) fn trap_after_the_end() -> Vec<u8> {
    let fields = r#"(func (export "cabi_post_dynhost:op/op@0.1.0#run") (param i32) (unreachable))"#;
    module(Guest { fields, ..Guest::default() })
}

/// Does not end when the host has taken its outputs.
pub(crate) fn loop_after_the_end() -> Vec<u8> {
    let fields = r#"(func (export "cabi_post_dynhost:op/op@0.1.0#run") (param i32) (loop (br 0)))"#;
    module(Guest { fields, ..Guest::default() })
}

/// Makes a resource of its own, and drops it: the destructor traps.
pub(crate) fn trap_in_a_destructor() -> Vec<u8> {
    with_things("(call $drop (call $new (i32.const 1))) (i32.const 0)")
}

/// Makes resources for ever, and drops none.
pub(crate) fn hoard_handles() -> Vec<u8> {
    with_things("(loop (drop (call $new (i32.const 1))) (br 0)) (unreachable)")
}

/// A guest that also exports a resource type.
fn with_things(run: &str) -> Vec<u8> {
    let imports = r#"
        (import "[export]test:hostile/things" "[resource-new]thing" (func $new (param i32) (result i32)))
        (import "[export]test:hostile/things" "[resource-drop]thing" (func $drop (param i32)))"#;
    let fields = r#"(func (export "test:hostile/things#[dtor]thing") (param i32) (unreachable))"#;
    let guest = Guest { imports, fields, run, ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let wit = folder.path().join("wit");
    fs::create_dir_all(wit.join("deps/op")).expect("a folder");
    let op = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/op.wit");
    fs::copy(op, wit.join("deps/op/op.wit")).expect("a copy");
    let world = "package test:hostile;
        interface things { resource thing; }
        world hostile { include dynhost:op/component@0.1.0; export things; }";
    fs::write(wit.join("hostile.wit"), world).expect("a file");
    let path = folder.path().join("module.wasm");
    fs::write(&path, guest.module()).expect("a file");
    let world = World { wit, name: Some("hostile".to_owned()) };
    let recipe = Recipe { world: Some(world), ..Recipe::default() };
    componentize(&path, &recipe).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Ten thousand functions of a hundred instructions each.
pub(crate) fn many_functions() -> Vec<u8> {
    let mut fields = String::new();
    for number in 0..10_000 {
        let _ = write!(
            fields,
            "(func (export \"f{number}\") (param i64 i64) (result i64) (local.get 0)"
        );
        for step in 0..25 {
            let _ = write!(
                fields,
                " (i64.const {step}) (i64.add) (i64.const {number}) (i64.mul) (local.get 1) (i64.xor) (local.tee 1)"
            );
        }
        fields.push(')');
    }
    module(Guest { fields: &fields, ..Guest::default() })
}

/// A hundred mebibytes of data.
pub(crate) fn a_hundred_mib() -> Vec<u8> {
    let fields = format!("(data $all \"{}\")", "x".repeat(100 << 20));
    module(Guest { fields: &fields, ..Guest::default() })
}

/// A few hundred kilobytes that want 400 MiB: ten thousand segments of one byte, far from each other.
pub(crate) fn scattered_data() -> Vec<u8> {
    let mut fields = String::new();
    for number in 0..10_000 {
        let _ = write!(fields, "(data (i32.const {}) \"x\")", (number + 2) * 40_960);
    }
    module(Guest { memory: "6500", fields: &fields, ..Guest::default() })
}
