//! What answers WASI preview 1 in a component that is made of a core module.

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REAL;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{OP_WIT, Preview1};

/// `wasip1_stub.wat`, assembled.
const STUB: &[u8] = include_bytes!("wasip1_stub.wasm");
/// What the stub itself uses of the host.
const STUB_WIT: &str = "package dynhost:wasip1-stub; world stub { import dynhost:op/step@0.1.0; }";

/// The adapter, as the encoder takes it.
pub(super) fn adapter(preview1: Preview1) -> Cow<'static, [u8]> {
    match preview1 {
        Preview1::Real => Cow::Borrowed(REAL),
        Preview1::Stub | Preview1::Nothing => {
            let mut resolve = Resolve::default();
            let mut stub = STUB.to_vec();
            resolve
                .push_str("op.wit", OP_WIT)
                .and_then(|_| resolve.push_str("stub.wit", STUB_WIT))
                .and_then(|package| resolve.select_world(&[package], None))
                .and_then(|world| {
                    embed_component_metadata(&mut stub, &resolve, world, StringEncoding::UTF8)
                })
                .expect("the stub's world is well formed");
            Cow::Owned(stub)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To make it anew: `DYNHOST_UPDATE=1 cargo test -p dynhost wasip1_stub`.
    #[test]
    fn wasip1_stub_is_assembled_from_its_text() {
        let source = wat::parse_str(include_str!("wasip1_stub.wat")).expect("the text is right");
        if std::env::var_os("DYNHOST_UPDATE").is_some() {
            let file =
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/component/encode/wasip1_stub.wasm");
            std::fs::write(file, &source).expect("the file can be written");
        }
        assert!(source == STUB || std::env::var_os("DYNHOST_UPDATE").is_some());
    }
}
