//! What the types in a signature mean, by the names they are written with.

use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The last segment of a type's path, such as `Option<T>` of `std::option::Option<T>`.
fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        _ => None,
    }
}

/// Whether a type is written with this name.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// The first argument of a type that is written with this name: `T` of `Option<T>`.
pub(crate) fn argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The element of `&mut Name<T>`, also where it is written without `&mut`.
pub(crate) fn behind_mut<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    match ty {
        Type::Reference(reference) => argument(&reference.elem, name),
        ty => argument(ty, name),
    }
}

/// The kind of an input, as the SDK's `port` module names it.
pub(crate) fn input_kind(ty: &Type) -> proc_macro2::TokenStream {
    if let Some(inner) = argument(ty, "Option") {
        let inner = input_kind(inner);
        quote_spanned!(ty.span()=> ::dynhost_sdk::port::Maybe<#inner>)
    } else if let Some(element) = argument(ty, "Collected") {
        quote_spanned!(ty.span()=> ::dynhost_sdk::port::Pulled<#element>)
    } else if let Some(element) = argument(ty, "Vec") {
        quote_spanned!(ty.span()=> ::dynhost_sdk::port::Several<#element>)
    } else {
        quote_spanned!(ty.span()=> ::dynhost_sdk::port::One<#ty>)
    }
}

/// The kind of an output, and whether it is dynamic and optional.
pub(crate) struct OutputKind {
    pub(crate) kind: proc_macro2::TokenStream,
    pub(crate) dynamic: bool,
    pub(crate) optional: bool,
}

pub(crate) fn output_kind(ty: &Type) -> OutputKind {
    if let Some(inner) = argument(ty, "Option") {
        let OutputKind { kind, dynamic, .. } = output_kind(inner);
        OutputKind {
            kind: quote_spanned!(ty.span()=> ::dynhost_sdk::port::Maybe<#kind>),
            dynamic,
            optional: true,
        }
    } else if let Some(element) =
        argument(ty, "Vec").and_then(|element| argument(element, "DynamicOutput"))
    {
        OutputKind {
            kind: quote_spanned!(ty.span()=> ::dynhost_sdk::port::Dynamic<#element>),
            dynamic: true,
            optional: false,
        }
    } else {
        OutputKind {
            kind: quote_spanned!(ty.span()=> ::dynhost_sdk::port::Plain<#ty>),
            dynamic: false,
            optional: false,
        }
    }
}
