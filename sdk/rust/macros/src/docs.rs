//! Descriptions out of doc comments, and the form of names.

use proc_macro2::Span;
use syn::{Attribute, Error, Expr, ExprLit, Lit, Meta, Result};

/// The text of the doc comments: the lines of a paragraph joined, paragraphs apart.
pub(crate) fn description(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for line in attributes.iter().filter_map(doc_line) {
        for line in line.split('\n').map(str::trim) {
            if line.is_empty() {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push_str("\n\n");
                }
            } else {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Checks the name of an op, an input or an output.
pub(crate) fn check_name(name: &str, span: Span, remedy: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on = bytes.all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    });
    if begins && goes_on && name.len() <= 64 {
        return Ok(());
    }
    let rule = "a name is a lower-case letter, then lower-case letters, digits, `_` or `-`, 64 bytes at most";
    Err(Error::new(span, format!("`{name}` cannot be used as a name: {rule}{remedy}")))
}
