//! The macros of `dynhost-sdk`, which documents and re-exports them.

mod attributes;
mod docs;
mod expand;
mod outputs;
mod parameters;
mod ports;
mod signature;

use proc_macro::TokenStream;

/// Makes a function an op. The function stays what it was and can be called as before.
///
/// Parameters are inputs, named and typed as they are; the result is the output `result`. The doc comment is the
/// description of the op, and a doc comment on a parameter that of its input.
///
/// | parameter | meaning |
/// |---|---|
/// | `x: T` | a required input: any `Deserialize + JsonSchema` type, or a `Blob` |
/// | `x: Option<T>` | an input that a job need not wire |
/// | `x: Vec<T>` | a list, taken whole |
/// | `x: Collected<T>` | the values of all clones of a map, pulled as an iterator |
/// | `#[config] c: T` | the configuration of the node |
/// | `out: &mut Emitter<T>` | the dynamic output `out`, given while the op runs |
/// | `out: &mut Output<T>` | the optional output `out`, given while the op runs |
/// | `c: Context` | where the call stands in the run; no input |
///
/// | result | meaning |
/// |---|---|
/// | `T` | the output `result`: any `Serialize + JsonSchema` type, or a `Blob` |
/// | `Option<T>` | an optional output: `None` skips what depends on it |
/// | `Vec<DynamicOutput<T>>` | a dynamic output |
/// | `()` | none |
/// | `(T, U)` with as many `output(name = …)` | several outputs |
/// | a struct with `#[derive(Outputs)]`, and `#[op(outputs)]` | an output for each field |
/// | `Result<…, E>` | any of these, or a failure: `E` is `Failure` or any error |
///
/// Arguments of the attribute: `name = "…"` names the op otherwise than the function. Each `output(…)` is about one
/// output, in their order: those of the parameters, then those of the result. It may hold `name = "…"`,
/// `description = "…"`, `optional`, `required`, and `dynamic` for readers who look for the word: the types say it
/// already. A parameter takes `#[input(name = "…")]`.
#[proc_macro_attribute]
pub fn op(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::op(arguments.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes the fields of a struct the outputs of an op that says `#[op(outputs)]`.
///
/// A field is named and typed as an output is: `T`, `Option<T>` for an optional one, `Vec<DynamicOutput<T>>` for a
/// dynamic one. Its doc comment is the description, `#[output(name = "…")]` another name.
#[proc_macro_derive(Outputs, attributes(output))]
pub fn outputs(item: TokenStream) -> TokenStream {
    outputs::derive(item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
