//! The conformance ops in Rust, which those in other languages are compared with.

use super::conformance::{conforms, is_a_twin_of};
use crate::job::{component, component_for};

#[test]
fn rust_conforms() {
    conforms(&component("conformance"), true);
}

/// The same ops as `wasm32-wasip2` makes them: their runtime imports WASI.
#[test]
fn rust_for_wasi_conforms() {
    let built = component_for("conformance", "wasm32-wasip2");
    conforms(&built, false);
    is_a_twin_of(&built, &component("conformance"));
}

/// What the comparison of twins stands on.
#[test]
fn an_op_is_its_own_twin() {
    is_a_twin_of(&component("conformance"), &component("conformance"));
}
