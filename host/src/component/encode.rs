//! What a file holds: a component, a core module that becomes one, or something else.

mod preview1;

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::{ComponentError, hex};
use crate::wit::OP;

/// The interface of ops as WIT text, with the world that a module gets which does not name one.
pub const OP_WIT: &str = include_str!("../../../wit/op.wit");
/// The name of that world.
const OP_WORLD: &str = "component";
/// The module whose functions are WASI preview 1.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// How a component is made of a core module.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// What answers calls of WASI preview 1.
    pub preview1: Preview1,
    /// The world that the module implements, where it does not say so itself. Without it, a module
    /// that exports the op interface is taken to implement `dynhost:op/component`.
    pub world: Option<World>,
}

/// What answers the calls of WASI preview 1 that a core module makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Preview1 {
    /// A stub inside the component, which then imports the op interface alone: clocks are
    /// counters, randomness is a fixed sequence, what is printed goes to the step's log, and there
    /// are no files.
    #[default]
    Stub,
    /// The WASI interfaces of the host, so that the component can use what it is granted.
    Real,
    /// Nothing: a module that makes such calls is refused.
    Nothing,
}

/// A world in a file or folder of WIT.
#[derive(Debug, Clone)]
pub struct World {
    /// The file or folder.
    pub wit: PathBuf,
    /// The world's name; it may be absent where there is only one.
    pub name: Option<String>,
}

/// What the file at `path` begins with.
enum Kind {
    Component,
    Core,
}

/// Makes a component of the core module in the file at `path`, which may be in the text format. Whether
/// it is one of ops is left to [`Host::load`](crate::Host::load).
///
/// # Errors
/// The file is not a core module, does not fit its world, or imports what the recipe does not
/// allow.
pub fn componentize(path: &Path, recipe: &Recipe) -> Result<Vec<u8>, ComponentError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ComponentError::Read { path: path.to_path_buf(), source })?;
    let bytes = match wat::Detect::from_bytes(&bytes) {
        wat::Detect::WasmText => wat::parse_bytes(&bytes)
            .map_err(|source| ComponentError::Text { path: path.to_path_buf(), source })?
            .into_owned(),
        _ => bytes,
    };
    match kind(path, &bytes)? {
        Kind::Component => Err(ComponentError::IsComponent { path: path.to_path_buf() }),
        Kind::Core => encode(path, bytes, recipe),
    }
}

/// The component that is made of a core module; `None`: it is a component itself.
pub(super) fn component_of(path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>, ComponentError> {
    match kind(path, bytes)? {
        Kind::Component => Ok(None),
        Kind::Core => encode(path, bytes.to_vec(), &Recipe::default()).map(Some),
    }
}

fn kind(path: &Path, bytes: &[u8]) -> Result<Kind, ComponentError> {
    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    if bytes.starts_with(&COMPONENT) {
        Ok(Kind::Component)
    } else if bytes.starts_with(&CORE) {
        Ok(Kind::Core)
    } else {
        Err(ComponentError::NotWasm { path: path.to_path_buf(), found: looks_like(bytes) })
    }
}

/// What a core module says of itself.
#[derive(Default)]
struct Module {
    says_world: bool,
    exports_ops: bool,
    is_command: bool,
    preview1: Vec<String>,
}

impl Module {
    fn read(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut module = Self::default();
        for payload in wasmparser::Parser::new(0).parse_all(bytes) {
            match payload? {
                wasmparser::Payload::CustomSection(section) => {
                    module.says_world |= section.name().starts_with("component-type");
                }
                wasmparser::Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        if import.module == PREVIEW1 {
                            module.preview1.push(import.name.to_owned());
                        }
                    }
                }
                wasmparser::Payload::ExportSection(exports) => {
                    for export in exports {
                        let name = export?.name;
                        module.is_command |= name == "_start";
                        module.exports_ops |=
                            name.strip_prefix(OP).is_some_and(|rest| rest == "#run");
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }
}

fn encode(path: &Path, mut bytes: Vec<u8>, recipe: &Recipe) -> Result<Vec<u8>, ComponentError> {
    let path = || path.to_path_buf();
    let module = Module::read(&bytes)
        .map_err(|error| ComponentError::Compile { path: path(), source: error.into() })?;
    if recipe.preview1 == Preview1::Nothing && !module.preview1.is_empty() {
        return Err(ComponentError::Preview1 { path: path(), imports: module.preview1 });
    }
    if !module.says_world {
        let (resolve, world) = match &recipe.world {
            Some(world) => read_world(world)
                .map_err(|source| ComponentError::World { wit: world.wit.clone(), source })?,
            None if module.exports_ops => op_world(),
            None => {
                let command = module.is_command;
                return Err(ComponentError::NoComponentType { path: path(), command });
            }
        };
        embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| ComponentError::Interface { path: path(), source: error.into() })?;
    }
    let encode = || -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut encoder = ComponentEncoder::default().module(&bytes)?.validate(true);
        if !module.preview1.is_empty() {
            encoder = encoder.adapter(PREVIEW1, &preview1::adapter(recipe.preview1))?;
        }
        Ok(encoder.encode()?)
    };
    encode().map_err(|source| ComponentError::Interface { path: path(), source })
}

/// The world of a component of ops.
fn op_world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("op.wit", OP_WIT);
    let world = package.and_then(|package| resolve.select_world(&[package], Some(OP_WORLD)));
    (resolve, world.expect("the interface of ops is well formed"))
}

fn read_world(
    world: &World,
) -> Result<(Resolve, WorldId), Box<dyn std::error::Error + Send + Sync>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(&world.wit)?;
    let world = resolve.select_world(&[package], world.name.as_deref())?;
    Ok((resolve, world))
}

fn looks_like(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if bytes.starts_with(b"\0asm") {
        return "it is of an unknown version of the binary format".to_owned();
    }
    match std::str::from_utf8(&bytes[..bytes.len().min(40)]) {
        Ok(text) => {
            let line = text.lines().next().unwrap_or_default();
            format!("it is a text file that begins with {line:?}")
        }
        Err(_) => format!("it begins with the bytes {}", hex(&bytes[..bytes.len().min(4)])),
    }
}
