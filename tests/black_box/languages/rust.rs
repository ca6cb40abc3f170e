//! The conformance ops in Rust, which those in other languages are compared with.

use super::conformance::{conforms, is_a_twin_of};
use crate::job::component;

#[test]
fn rust_conforms() {
    conforms(&component("conformance"), "rust", true);
}

/// What the comparison of twins stands on.
#[test]
fn an_op_is_its_own_twin() {
    is_a_twin_of(&component("conformance"), &component("conformance"));
}
