//! What stands between the parentheses of `#[op(…)]`.

use crate::docs::check_name;
use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{LitStr, Result};

/// The arguments of `#[op(…)]`.
#[derive(Default)]
pub(crate) struct OpArguments {
    pub(crate) name: Option<LitStr>,
    /// Where `outputs` stands: the fields of the result are the outputs.
    pub(crate) fields: Option<Span>,
    pub(crate) outputs: Vec<OutputArguments>,
}

/// The arguments of one `output(…)`.
pub(crate) struct OutputArguments {
    pub(crate) span: Span,
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) dynamic: Option<Span>,
    pub(crate) optional: Option<Span>,
    pub(crate) required: Option<Span>,
}

impl OpArguments {
    pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> Result<Self> {
        let mut arguments = Self::default();
        syn::meta::parser(|meta| arguments.one(&meta)).parse2(tokens)?;
        Ok(arguments)
    }

    fn one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(name(meta)?);
        } else if meta.path.is_ident("outputs") {
            self.fields = Some(span(meta));
        } else if meta.path.is_ident("output") {
            self.outputs.push(OutputArguments::parse(meta)?);
        } else {
            return Err(meta.error("expected `name = \"…\"`, `output(…)` or `outputs`"));
        }
        Ok(())
    }
}

impl OutputArguments {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut output = Self {
            span: span(meta),
            name: None,
            description: None,
            dynamic: None,
            optional: None,
            required: None,
        };
        meta.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                output.name = Some(name(&meta)?);
            } else if meta.path.is_ident("description") {
                output.description = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("dynamic") {
                output.dynamic = Some(span(&meta));
            } else if meta.path.is_ident("optional") {
                output.optional = Some(span(&meta));
            } else if meta.path.is_ident("required") {
                output.required = Some(span(&meta));
            } else {
                return Err(meta.error(
                    "expected `name = \"…\"`, `description = \"…\"`, `dynamic`, `optional` or `required`",
                ));
            }
            Ok(())
        })?;
        Ok(output)
    }
}

/// The value of `name = "…"`, checked.
pub(crate) fn name(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let name: LitStr = meta.value()?.parse()?;
    check_name(&name.value(), name.span(), "")?;
    Ok(name)
}

fn span(meta: &ParseNestedMeta<'_>) -> Span {
    syn::spanned::Spanned::span(&meta.path)
}
