//! `#[derive(Outputs)]`.

use crate::attributes;
use crate::docs::{check_name, description};
use crate::signature::output_kind;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let fields = match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                return Err(Error::new_spanned(
                    &item.ident,
                    "outputs need names: give the struct named fields",
                ));
            }
        },
        _ => {
            return Err(Error::new_spanned(
                &item.ident,
                "only the fields of a struct can be outputs",
            ));
        }
    };
    let mut definitions = Vec::new();
    let mut gives = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let mut name = ident.unraw().to_string();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("output"))
        {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    name = attributes::name(&meta)?.value();
                    Ok(())
                } else {
                    Err(meta.error("expected `name = \"…\"`"))
                }
            })?;
        }
        check_name(&name, ident.span(), "; add `#[output(name = \"…\")]`")?;
        let description = description(&field.attrs);
        let kind = output_kind(&field.ty).kind;
        definitions.push(quote!(::dynhost_sdk::port::output::<#kind>(#name, #description)));
        gives.push(quote!(<#kind as ::dynhost_sdk::port::OutputKind>::give(self.#ident, #name, &mut outputs)?;));
    }
    let ident = &item.ident;
    let (implemented, types, bounds) = item.generics.split_for_impl();
    Ok(quote! {
        impl #implemented ::dynhost_sdk::Outputs for #ident #types #bounds {
            fn definitions() -> ::std::vec::Vec<::dynhost_sdk::raw::OutputDefinition> {
                ::std::vec![#(#definitions),*]
            }

            fn into_outputs(self) -> ::dynhost_sdk::Result<::std::vec::Vec<::dynhost_sdk::raw::Output>> {
                let mut outputs = ::std::vec::Vec::new();
                #(#gives)*
                ::std::result::Result::Ok(outputs)
            }
        }
    })
}
