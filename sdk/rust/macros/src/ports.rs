//! The outputs of an op: those given through parameters, and those that are returned.

use crate::attributes::OutputArguments;
use crate::docs::check_name;
use crate::parameters::{Parameter, Role};
use crate::signature::output_kind;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, Result, Type};

/// One output in the order of the definition.
pub(crate) struct OutputPort {
    pub(crate) name: String,
    description: String,
    kind: TokenStream,
    /// Where its type is written.
    pub(crate) span: Span,
    /// Whether it must be given, where that is said otherwise than by the kind.
    required: Option<bool>,
}

/// What the function returns.
pub(crate) enum Returned {
    Nothing,
    One(OutputPort),
    Tuple(Vec<OutputPort>),
    Fields(Box<Type>),
}

impl OutputPort {
    pub(crate) fn of_parameter<'a>(
        parameter: &Parameter,
        said: &mut impl Iterator<Item = &'a OutputArguments>,
    ) -> Result<Option<Self>> {
        let (kind, dynamic) = match &parameter.role {
            Role::Emitter(element) => (quote!(::dynhost_sdk::port::Dynamic<#element>), true),
            Role::Output(element) => (quote!(::dynhost_sdk::port::Plain<#element>), false),
            _ => return Ok(None),
        };
        let said = said.next();
        if let Some(span) = said.and_then(|said| said.dynamic).filter(|_| !dynamic) {
            return Err(Error::new(
                span,
                "an `Output` has no mapping keys: take `&mut Emitter<T>` for a dynamic output",
            ));
        }
        let mut required = dynamic;
        if let Some(said) = said {
            required = (required && said.optional.is_none()) || said.required.is_some();
        }
        let mut port = Self {
            name: parameter.name.clone(),
            description: parameter.description.clone(),
            kind,
            span: parameter.ty.span(),
            required: Some(required),
        };
        port.rename(said);
        check_name(&port.name, parameter.span, "; add `output(name = \"…\")` to `#[op]`")?;
        Ok(Some(port))
    }

    /// An output that is returned: `name` is what it is called where nothing is said.
    fn of_result(ty: &Type, name: &str, said: Option<&OutputArguments>) -> Result<Self> {
        let kind = output_kind(ty);
        if let Some(said) = said {
            if let Some(span) = said.dynamic.filter(|_| !kind.dynamic) {
                return Err(Error::new(
                    span,
                    "a dynamic output has a mapping key for each element: return `Vec<DynamicOutput<T>>`, or take `out: &mut Emitter<T>`",
                ));
            }
            if let Some(span) = said.optional.filter(|_| !kind.optional) {
                return Err(Error::new(
                    span,
                    "what may be missing says so in its type: return `Option<…>`",
                ));
            }
            if let Some(span) = said.required.filter(|_| kind.optional) {
                return Err(Error::new(
                    span,
                    "an `Option` may be missing: return the value itself",
                ));
            }
        }
        let mut port = Self {
            name: name.to_owned(),
            description: String::new(),
            kind: kind.kind,
            span: ty.span(),
            required: None,
        };
        port.rename(said);
        Ok(port)
    }

    fn rename(&mut self, said: Option<&OutputArguments>) {
        if let Some(name) = said.and_then(|said| said.name.as_ref()) {
            self.name = name.value();
        }
        if let Some(description) = said.and_then(|said| said.description.as_ref()) {
            self.description = description.value();
        }
    }

    pub(crate) fn definition(&self) -> TokenStream {
        let Self { name, description, kind, span, required } = self;
        let definition =
            quote_spanned!(*span=> ::dynhost_sdk::port::output::<#kind>(#name, #description));
        match required {
            Some(required) => {
                quote!(::dynhost_sdk::raw::OutputDefinition { required: #required, ..#definition })
            }
            None => definition,
        }
    }

    pub(crate) fn give(&self, value: &TokenStream) -> TokenStream {
        let Self { name, kind, span, .. } = self;
        quote_spanned!(*span=> <#kind as ::dynhost_sdk::port::OutputKind>::give(#value, #name, &mut op_outputs)?;)
    }
}

impl Returned {
    pub(crate) fn new<'a>(
        ty: Option<&Type>,
        fields: Option<Span>,
        said: &mut impl Iterator<Item = &'a OutputArguments>,
    ) -> Result<Self> {
        let is_nothing = |ty: &Type| matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty());
        let Some(ty) = ty.filter(|ty| !is_nothing(ty)) else {
            return match fields {
                Some(span) => Err(Error::new(
                    span,
                    "this function returns nothing whose fields could be outputs",
                )),
                None => Ok(Self::Nothing),
            };
        };
        if fields.is_some() {
            return Ok(Self::Fields(Box::new(ty.clone())));
        }
        if let Type::ImplTrait(ty) = ty {
            return Err(Error::new(ty.span(), "an output has one type: write it out"));
        }
        let said: Vec<_> = said.collect();
        match (ty, &*said) {
            (Type::Tuple(tuple), [_, _, ..]) if tuple.elems.len() == said.len() => {
                let port =
                    |(n, (ty, said))| OutputPort::of_result(ty, &format!("result_{n}"), Some(said));
                Ok(Self::Tuple(
                    tuple.elems.iter().zip(said).enumerate().map(port).collect::<Result<_>>()?,
                ))
            }
            (_, [] | [_]) => {
                Ok(Self::One(OutputPort::of_result(ty, "result", said.first().copied())?))
            }
            (_, [.., last]) => {
                let message = format!(
                    "{} outputs are said of this result: return a tuple of as many values",
                    said.len()
                );
                Err(Error::new(last.span, message))
            }
        }
    }

    /// The outputs that are known here; a struct knows its own.
    pub(crate) fn ports(&self) -> &[OutputPort] {
        match self {
            Self::Nothing | Self::Fields(_) => &[],
            Self::One(port) => std::slice::from_ref(port),
            Self::Tuple(ports) => ports,
        }
    }

    pub(crate) fn definitions(&self) -> TokenStream {
        match self {
            Self::Nothing => quote!(),
            Self::One(port) => {
                let port = port.definition();
                quote!(outputs.push(#port);)
            }
            Self::Tuple(ports) => {
                let ports = ports.iter().map(OutputPort::definition);
                quote!(outputs.extend([#(#ports),*]);)
            }
            Self::Fields(ty) => {
                quote!(outputs.extend(<#ty as ::dynhost_sdk::Outputs>::definitions());)
            }
        }
    }

    pub(crate) fn give(&self, value: &TokenStream) -> TokenStream {
        let outputs = quote!(let mut op_outputs = ::std::vec::Vec::new(););
        match self {
            Self::Nothing => quote!(#value; ::std::result::Result::Ok(::std::vec::Vec::new())),
            Self::One(port) => {
                let give = port.give(value);
                quote!(#outputs #give ::std::result::Result::Ok(op_outputs))
            }
            Self::Tuple(ports) => {
                let locals: Vec<Ident> = (0..ports.len())
                    .map(|n| format_ident!("value_{n}", span = Span::mixed_site()))
                    .collect();
                let gives =
                    ports.iter().zip(&locals).map(|(port, local)| port.give(&quote!(#local)));
                quote!(let (#(#locals),*) = #value; #outputs #(#gives)* ::std::result::Result::Ok(op_outputs))
            }
            Self::Fields(_) => quote!(::dynhost_sdk::Outputs::into_outputs(#value)),
        }
    }
}
