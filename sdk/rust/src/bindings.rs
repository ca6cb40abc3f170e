//! The interface in Rust, generated from `wit/op.wit` when this crate is compiled.
//!
//! The only place where the SDK needs `unsafe`: lists and texts pass between the op and the host as addresses in the
//! op's memory, and the generated code turns them into owned values and back.
#![allow(unsafe_code, unreachable_pub, missing_docs, clippy::pedantic, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    world: "component",
    pub_export_macro: true,
    export_macro_name: "__export_component",
    default_bindings_module: "dynhost_sdk::bindings",
    runtime_path: "wit_bindgen::rt",
    // What an op emits and logs is lowered from where it lies.
    ownership: Borrowing { duplicate_if_necessary: true },
});
