//! What the binary holds for new projects, put together by `build.rs`.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The files of the SDK in `sdk/<name>`.
///
/// # Panics
/// There is no such SDK: the names are in this crate.
pub(super) fn sdk(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "assemblyscript" => SDK_ASSEMBLYSCRIPT,
        "c" => SDK_C,
        "go" => SDK_GO,
        "js" => SDK_JS,
        "python" => SDK_PYTHON,
        "rust" => SDK_RUST,
        other => unreachable!("there is no SDK `{other}`"),
    }
}
