//! What the macros say about mistakes: each file in `ui` is one, and beside it stand the words.

#[test]
fn mistakes_are_named_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
