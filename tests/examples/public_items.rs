//! Prints the public items of a crate, one on each line, from what `rustdoc --output-format json` wrote of it. Blanket,
//! automatic and derived implementations are left out. `.ci/public-api` compares them with the committed lists.

use std::process::ExitCode;

use public_api::Builder;

fn main() -> ExitCode {
    let Some(json) = std::env::args_os().nth(1) else {
        eprintln!("usage: public_items FILE.json");
        return ExitCode::from(2);
    };
    let items = Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match items {
        Ok(items) => {
            print!("{items}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", json.display());
            ExitCode::FAILURE
        }
    }
}
