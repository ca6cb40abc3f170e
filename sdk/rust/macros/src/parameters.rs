//! The parameters of an op: which of them are inputs, and what the others are for.

use crate::attributes;
use crate::docs::{check_name, description};
use crate::signature::{behind_mut, is_named};
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Error, FnArg, ItemFn, Pat, PatType, Result, Type};

/// What a parameter is for.
pub(crate) enum Role {
    Input,
    Config,
    Context,
    Emitter(Box<Type>),
    Output(Box<Type>),
}

pub(crate) struct Parameter {
    pub(crate) role: Role,
    /// The name of the input or output.
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) ty: Box<Type>,
    pub(crate) description: String,
}

/// Reads the parameters, and takes from them the attributes that only this macro knows.
pub(crate) fn take_parameters(function: &mut ItemFn) -> Result<Vec<Parameter>> {
    function
        .sig
        .inputs
        .iter_mut()
        .map(|parameter| match parameter {
            FnArg::Receiver(receiver) => {
                Err(Error::new_spanned(receiver, "an op is a plain function, without `self`"))
            }
            FnArg::Typed(parameter) => Parameter::take(parameter),
        })
        .collect()
}

impl Parameter {
    fn take(parameter: &mut PatType) -> Result<Self> {
        let Pat::Ident(pattern) = &*parameter.pat else {
            return Err(Error::new_spanned(
                &parameter.pat,
                "a parameter of an op needs a plain name: it names the input",
            ));
        };
        let mut name = pattern.ident.unraw().to_string();
        let span = pattern.ident.span();
        let mut is_config = false;
        for attribute in &parameter.attrs {
            if attribute.path().is_ident("config") {
                attribute.meta.require_path_only()?;
                is_config = true;
            } else if attribute.path().is_ident("input") {
                attribute.parse_nested_meta(|meta| {
                    if meta.path.is_ident("name") {
                        name = attributes::name(&meta)?.value();
                        Ok(())
                    } else {
                        Err(meta.error("expected `name = \"…\"`"))
                    }
                })?;
            }
        }
        let description = description(&parameter.attrs);
        let ours = ["config", "input", "doc"];
        parameter
            .attrs
            .retain(|attribute| !ours.iter().any(|name| attribute.path().is_ident(name)));
        let role = if is_config { Role::Config } else { Role::of(&parameter.ty)? };
        if let Role::Input = role {
            check_name(&name, span, "; add `#[input(name = \"…\")]`")?;
        }
        Ok(Self { role, name, span, ty: parameter.ty.clone(), description })
    }
}

impl Role {
    fn of(ty: &Type) -> Result<Self> {
        if let Some(element) = behind_mut(ty, "Emitter") {
            require_mut(ty, "Emitter")?;
            return Ok(Self::Emitter(Box::new(element.clone())));
        }
        if let Some(element) = behind_mut(ty, "Output") {
            require_mut(ty, "Output")?;
            return Ok(Self::Output(Box::new(element.clone())));
        }
        match ty {
            ty if is_named(ty, "Context") => Ok(Self::Context),
            Type::Reference(reference) if is_named(&reference.elem, "Context") => Ok(Self::Context),
            Type::Reference(reference) => Err(Error::new_spanned(
                reference,
                "an input is taken by value: write `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
            )),
            Type::ImplTrait(ty) => {
                Err(Error::new_spanned(ty, "an input has one type: write it out"))
            }
            _ => Ok(Self::Input),
        }
    }
}

fn require_mut(ty: &Type, name: &str) -> Result<()> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_some() => Ok(()),
        _ => Err(Error::new_spanned(
            ty,
            format!("an op borrows what it gives through: write `&mut {name}<…>`"),
        )),
    }
}
