//! `#[op]`: the function as it was, and beside it a type of the same name that says what the op takes and gives.

use crate::attributes::OpArguments;
use crate::docs::{check_name, description};
use crate::parameters::{Parameter, Role, take_parameters};
use crate::ports::{OutputPort, Returned};
use crate::signature::{argument, input_kind};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType, Type};

pub(crate) fn op(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = OpArguments::parse(arguments)?;
    let mut function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(error.span(), format!("`#[op]` stands on a function: {error}"))
    })?;
    check_function(&function)?;
    let parameters = take_parameters(&mut function)?;
    let op = Op::new(&arguments, &function, &parameters)?;
    let declared = op.expand(&function, &parameters);
    Ok(quote! {
        #[allow(
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            reason = "the inputs of an op are values, and the host uses what it gives"
        )]
        #function
        #declared
    })
}

fn check_function(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if let Some(asyncness) = &signature.asyncness {
        return Err(Error::new_spanned(
            asyncness,
            "an op is not async: the host runs many of them at once, each in its own instance",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "an op cannot be generic: its ports have one type each",
        ));
    }
    Ok(())
}

fn check_unique<'a>(what: &str, names: impl Iterator<Item = (&'a str, Span)>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (name, span) in names {
        if !seen.insert(name) {
            let message = format!("two {what} are called `{name}`: give one another name");
            return Err(Error::new(span, message));
        }
    }
    Ok(())
}

struct Op {
    name: String,
    description: String,
    /// The outputs given through parameters, in their order.
    emitted: Vec<OutputPort>,
    returned: Returned,
    fallible: bool,
}

impl Op {
    fn new(arguments: &OpArguments, function: &ItemFn, parameters: &[Parameter]) -> Result<Self> {
        let ident = &function.sig.ident;
        let name =
            arguments.name.as_ref().map_or_else(|| ident.unraw().to_string(), syn::LitStr::value);
        check_name(&name, ident.span(), "; add `#[op(name = \"…\")]`")?;
        let configs = parameters.iter().filter(|parameter| matches!(parameter.role, Role::Config));
        if let Some(second) = configs.skip(1).last() {
            return Err(Error::new(
                second.span,
                "an op has one configuration: put both into one struct",
            ));
        }

        let mut said = arguments.outputs.iter();
        let mut emitted = Vec::new();
        for parameter in parameters {
            emitted.extend(OutputPort::of_parameter(parameter, &mut said)?);
        }
        let (ty, fallible) = match &function.sig.output {
            ReturnType::Default => (None, false),
            ReturnType::Type(_, ty) => {
                argument(ty, "Result").map_or((Some(&**ty), false), |ty| (Some(ty), true))
            }
        };
        let returned = Returned::new(ty, arguments.fields, &mut said)?;
        if let Some(left) = said.next() {
            let message = "there is no output for this: each `output(…)` is about one output, in their order, those of the parameters and then those of the result";
            return Err(Error::new(left.span, message));
        }
        let inputs = parameters.iter().filter(|parameter| matches!(parameter.role, Role::Input));
        check_unique("inputs", inputs.map(|input| (&*input.name, input.span)))?;
        let outputs = emitted.iter().chain(returned.ports());
        check_unique("outputs", outputs.map(|port| (&*port.name, port.span)))?;
        Ok(Self { name, description: description(&function.attrs), emitted, returned, fallible })
    }

    fn expand(&self, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
        let (ident, vis) = (&function.sig.ident, &function.vis);
        let Self { name, description, .. } = self;
        let config_schema =
            parameters.iter().find(|parameter| matches!(parameter.role, Role::Config)).map_or_else(
                || quote!(::std::option::Option::None),
                |config| {
                    let ty = &config.ty;
                    quote!(<#ty as ::dynhost_sdk::Decode>::schema())
                },
            );
        let inputs = parameters.iter().filter(|parameter| matches!(parameter.role, Role::Input)).map(|input| {
            let Parameter { name, description, .. } = input;
            let kind = input_kind(&input.ty);
            // Words about the type point at it.
            quote_spanned!(input.ty.span()=> ::dynhost_sdk::port::input::<#kind>(#name, #description))
        });
        let emitted = self.emitted.iter().map(OutputPort::definition);
        let returned = self.returned.definitions();
        let body = self.body(function, parameters);
        quote! {
            #[doc(hidden)]
            #[allow(non_camel_case_types, reason = "it stands beside a function of the same name")]
            #vis struct #ident {}

            impl ::dynhost_sdk::port::Declared for #ident {
                const NAME: &'static str = #name;

                fn definition() -> ::dynhost_sdk::raw::OpDefinition {
                    #[allow(unused_mut)]
                    let mut outputs = ::std::vec![#(#emitted),*];
                    #returned
                    ::dynhost_sdk::raw::OpDefinition {
                        name: ::std::string::String::from(#name),
                        description: ::std::string::String::from(#description),
                        inputs: ::std::vec![#(#inputs),*],
                        outputs,
                        config_schema: #config_schema,
                    }
                }

                #body
            }
        }
    }

    fn body(&self, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
        let ident = &function.sig.ident;
        let mut emitted = self.emitted.iter();
        let mut lets = Vec::new();
        let mut passed = Vec::new();
        for (n, parameter) in parameters.iter().enumerate() {
            let local = format_ident!("parameter_{n}", span = Span::mixed_site());
            let name = &parameter.name;
            let (value, by) = match &parameter.role {
                Role::Input => {
                    let kind = input_kind(&parameter.ty);
                    (
                        quote_spanned!(parameter.ty.span()=> op_arguments.take::<#kind>(#name)?),
                        quote!(),
                    )
                }
                Role::Config => {
                    let ty = &parameter.ty;
                    (quote!(::dynhost_sdk::port::config::<#ty>()?), quote!())
                }
                Role::Context => {
                    let by = if matches!(&*parameter.ty, Type::Reference(_)) {
                        quote!(&)
                    } else {
                        quote!()
                    };
                    (quote!(::dynhost_sdk::Context::current()), by)
                }
                Role::Emitter(element) => {
                    let name = emitted.next().map(|port| &port.name);
                    (quote!(::dynhost_sdk::Emitter::<#element>::to_host(#name)), quote!(&mut))
                }
                Role::Output(element) => {
                    let name = emitted.next().map(|port| &port.name);
                    (quote!(::dynhost_sdk::Output::<#element>::to_host(#name)), quote!(&mut))
                }
            };
            let mutable =
                matches!(parameter.role, Role::Emitter(_) | Role::Output(_)).then(|| quote!(mut));
            lets.push(quote!(let #mutable #local = #value;));
            passed.push(quote!(#by #local));
        }
        let unwrapped = if self.fallible { quote!(op_returned?) } else { quote!(op_returned) };
        let give = self.returned.give(&unwrapped);
        // The names of locals keep out of the way of the function's.
        quote! {
            fn run(
                op_inputs: ::dynhost_sdk::raw::Inputs,
            ) -> ::dynhost_sdk::Result<::std::vec::Vec<::dynhost_sdk::raw::Output>> {
                #[allow(unused_mut)]
                let mut op_arguments = ::dynhost_sdk::port::Arguments::new(op_inputs);
                #(#lets)*
                #[allow(clippy::let_unit_value)]
                let op_returned = #ident(#(#passed),*);
                op_arguments.check()?;
                #give
            }
        }
    }
}
