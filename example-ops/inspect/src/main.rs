//! Says what built op crates import, and how much memory they start with:
//! `cargo run -p inspect -- target/wasm32-unknown-unknown/release/*.wasm`.
//!
//! A core module is made a component first, as the host does it. Fails where that cannot be done, and where the result
//! imports more than the interface: an op crate for wasm32-unknown-unknown is a pure function.

use std::process::ExitCode;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PAGE: u64 = 65_536;

fn main() -> ExitCode {
    let paths: Vec<_> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        eprintln!("usage: inspect FILE.wasm…");
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for path in paths {
        match inspect(&path) {
            Ok(words) => println!("{path}: {words}"),
            Err(error) => {
                eprintln!("{path}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn inspect(path: &str) -> Result<String> {
    let bytes = std::fs::read(path)?;
    let is_core = Parser::is_core_wasm(&bytes);
    let component = if is_core {
        ComponentEncoder::default().module(&bytes)?.validate(true).encode()?
    } else {
        bytes.clone()
    };
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component)? else {
        return Err("a component was expected, not a package of WIT".into());
    };
    let imports = imports(&resolve, world);
    if let Some(other) = imports.iter().find(|name| is_core && !name.starts_with("dynhost:op/")) {
        return Err(format!("it imports `{other}`; expected `dynhost:op` alone").into());
    }
    let (pages, data) = memory(&bytes)?;
    Ok(format!(
        "{} kB, {pages} pages of memory, {} kB of them data; imports {}",
        bytes.len() / 1000,
        data / 1000,
        imports.join(" ")
    ))
}

fn imports(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let imports = resolve.worlds[world].imports.iter();
    imports
        .map(|(key, item)| match (key, item) {
            (WorldKey::Interface(id), WorldItem::Interface { .. }) => {
                resolve.id_of(*id).unwrap_or_else(|| "an interface without a name".to_owned())
            }
            (key, _) => resolve.name_world_key(key),
        })
        .collect()
}

/// The pages of the first memory, and the bytes of all data segments, also of modules inside a component.
fn memory(bytes: &[u8]) -> Result<(u64, u64)> {
    let (mut pages, mut data) = (None, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory?;
                    let size = memory.page_size_log2.map_or(PAGE, |log2| 1 << log2);
                    pages.get_or_insert(memory.initial * size / PAGE);
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    data += segment?.data.len() as u64;
                }
            }
            _ => {}
        }
    }
    Ok((pages.ok_or("it has no memory")?, data))
}
