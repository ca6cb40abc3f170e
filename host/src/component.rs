//! From a file to a component that is checked, compiled, linked and ready to be instantiated.
//!
//! Knows nothing of jobs.

#[cfg(feature = "compile")]
mod compile;
mod describe;
mod encode;
mod engines;
mod error;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::plan::ComponentInfo;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;

use crate::engine::EngineSettings;
use crate::instance::Linked;
use crate::wit::OP;

#[cfg(feature = "compile")]
pub use compile::{ChildCompiler, compile_in_child};
pub use encode::{OP_WIT, Preview1, Recipe, World, componentize};
pub(crate) use engines::Engines;
pub use error::ComponentError;

/// The packages whose interfaces the host offers, and the WASI interfaces among them.
const WASI_PACKAGES: &[&str] = &[
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    #[cfg(feature = "wasi-http")]
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];
const OP_PACKAGE: &str = "dynhost:op/";

/// A component of ops, ready to be instantiated. A clone shares everything.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    path: PathBuf,
    digest: String,
    size: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    ops: Vec<Arc<OpDefinition>>,
    wasm: Vec<u8>,
    /// The digest of `wasm`, which for a core module is not that of the file.
    wasm_digest: String,
    engines: Arc<Engines>,
    plain: Linked,
    metered: OnceLock<Linked>,
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("path", &self.0.path)
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

impl Component {
    /// Loads, checks, compiles and links the file at `path`; `pinned` is the digest it must have.
    pub(crate) fn load(
        engines: &Arc<Engines>,
        path: &Path,
        pinned: Option<&str>,
    ) -> Result<Self, ComponentError> {
        let path = path.to_path_buf();
        let bytes = std::fs::read(&path)
            .map_err(|source| ComponentError::Read { path: path.clone(), source })?;
        let size = bytes.len() as u64;
        let digest = hex(&Sha256::digest(&bytes));
        if let Some(pinned) = pinned
            && !pinned.eq_ignore_ascii_case(&digest)
        {
            let pinned = pinned.to_owned();
            return Err(ComponentError::Digest { path, found: digest, pinned });
        }
        if let Some(loaded) = engines.loaded(&path, &digest) {
            return Ok(Self(loaded));
        }
        let (wasm, wasm_digest) = match encode::component_of(&path, &bytes)? {
            Some(made) => {
                let digest = hex(&Sha256::digest(&made));
                (made, digest)
            }
            None => (bytes, digest.clone()),
        };
        let settings = EngineSettings { fuel: false };
        let code = compile(engines, settings, &path, &wasm_digest, &wasm)?;
        let (imports, exports) = check_world(&path, &code)?;
        let plain = link(engines, settings, &code, &imports).map_err(|source| {
            ComponentError::Interface { path: path.clone(), source: source.into() }
        })?;
        let ops = describe::describe(&path, &plain, engines.limits())?;
        let inner = Arc::new(Inner {
            path,
            digest,
            size,
            imports,
            exports,
            ops,
            wasm,
            wasm_digest,
            engines: Arc::clone(engines),
            plain,
            metered: OnceLock::new(),
        });
        engines.note(&inner);
        Ok(Self(inner))
    }

    /// Compiles the file at `path` into the code cache, with and without fuel; gives the files there.
    #[cfg(feature = "compile")]
    pub(crate) fn precompile(
        engines: &Arc<Engines>,
        path: &Path,
    ) -> Result<Vec<PathBuf>, ComponentError> {
        let component = Self::load(engines, path, None)?;
        let (inner, path) = (&component.0, path.to_path_buf());
        let Some(cache) = engines.cache() else { return Err(ComponentError::NotKept { path }) };
        let mut files = Vec::new();
        for settings in [EngineSettings { fuel: false }, EngineSettings { fuel: true }] {
            compile(engines, settings, &path, &inner.wasm_digest, &inner.wasm)?;
            let engine = engines.engine(settings).map_err(|source| ComponentError::Compile {
                path: path.clone(),
                source: source.into(),
            })?;
            // Writing is silent, and only what can be read again helps another process.
            if cache.read((engine, settings), &inner.wasm_digest).is_none() {
                return Err(ComponentError::NotKept { path });
            }
            files.push(cache.file(settings, &inner.wasm_digest));
        }
        Ok(files)
    }

    /// The file it was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The SHA-256 of the file, as hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The size of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The interfaces that it imports, in order of their names.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// What it exports, in order of the names; the host calls the op interface alone.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.0.exports
    }

    /// Whether it imports nothing but the op interface, so that whatever the manifest grants,
    /// its ops are pure functions of configuration and inputs.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        !wants_wasi(&self.0.imports)
    }

    /// Its ops, in its own order.
    #[must_use]
    pub fn ops(&self) -> &[Arc<OpDefinition>] {
        &self.0.ops
    }

    /// Asks the component once more for the definitions of its ops, in a fresh instance. They are to be
    /// the same as [`Component::ops`]. This blocks until it answers.
    ///
    /// # Errors
    /// It does not answer, or with what is no description.
    pub fn describe(&self) -> Result<Vec<Arc<OpDefinition>>, ComponentError> {
        describe::describe(&self.0.path, &self.0.plain, self.0.engines.limits())
    }

    /// What the planner needs to know of it.
    #[must_use]
    pub fn info(&self) -> ComponentInfo {
        ComponentInfo {
            digest: self.0.digest.clone(),
            ops: self.0.ops.clone(),
            imports: self.0.imports.clone(),
        }
    }

    /// The code for an attempt, with or without fuel.
    pub(crate) fn code(&self, fuel: bool) -> Result<&Linked, String> {
        let inner = &self.0;
        if !fuel {
            return Ok(&inner.plain);
        }
        if let Some(code) = inner.metered.get() {
            return Ok(code);
        }
        let settings = EngineSettings { fuel: true };
        let code = compile(&inner.engines, settings, &inner.path, &inner.wasm_digest, &inner.wasm)
            .map_err(|error| error.to_string())?;
        let code = link(&inner.engines, settings, &code, &inner.imports)
            .map_err(|error| error.to_string())?;
        Ok(inner.metered.get_or_init(|| code))
    }
}

fn link(
    engines: &Engines,
    settings: EngineSettings,
    code: &wasmtime::component::Component,
    imports: &[String],
) -> wasmtime::Result<Linked> {
    Linked::new(engines.linker(settings)?, code, wants_wasi(imports))
}

fn wants_wasi(imports: &[String]) -> bool {
    imports.iter().any(|import| import.starts_with("wasi:"))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn compile(
    engines: &Engines,
    settings: EngineSettings,
    path: &Path,
    digest: &str,
    wasm: &[u8],
) -> Result<wasmtime::component::Component, ComponentError> {
    let failed = |source: wasmtime::Error| ComponentError::Compile {
        path: path.to_path_buf(),
        source: source.into(),
    };
    let engine = engines.engine(settings).map_err(failed)?;
    let kept = engines.cache().and_then(|cache| cache.read((engine, settings), digest));
    if let Some(code) = kept {
        return Ok(code);
    }
    compile_anew(engines, (engine, settings), digest, wasm, path)
}

#[cfg(feature = "compile")]
fn compile_anew(
    engines: &Engines,
    (engine, settings): (&Engine, EngineSettings),
    digest: &str,
    wasm: &[u8],
    path: &Path,
) -> Result<wasmtime::component::Component, ComponentError> {
    let code = match engines.compiler() {
        Some(compiler) => compiler.compile((engine, settings), wasm).map_err(wasmtime::Error::msg),
        None => wasmtime::component::Component::from_binary(engine, wasm),
    };
    let code = code.map_err(|source| ComponentError::Compile {
        path: path.to_path_buf(),
        source: source.into(),
    })?;
    if let Some(cache) = engines.cache() {
        cache.write(settings, digest, &code);
    }
    Ok(code)
}

#[cfg(not(feature = "compile"))]
fn compile_anew(
    _: &Engines,
    (_, settings): (&Engine, EngineSettings),
    _: &str,
    _: &[u8],
    path: &Path,
) -> Result<wasmtime::component::Component, ComponentError> {
    Err(ComponentError::NotCompiled { path: path.to_path_buf(), fuel: settings.fuel })
}

/// Checks that a component exports the op interface and imports only what there is; gives
/// the names of its imports and of its exports.
fn check_world(
    path: &Path,
    code: &wasmtime::component::Component,
) -> Result<(Vec<String>, Vec<String>), ComponentError> {
    let engine = code.engine();
    let world = code.component_type();
    let mut exports: Vec<String> = world.exports(engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    if !exports.iter().any(|name| name == OP) {
        return Err(ComponentError::OtherWorld { path: path.to_path_buf(), exports });
    }
    let mut imports = BTreeSet::new();
    let mut unknown = Vec::new();
    for (name, item) in world.imports(engine) {
        let offered = name.starts_with(OP_PACKAGE)
            || WASI_PACKAGES.iter().any(|package| name.starts_with(package));
        if !offered || !matches!(item.ty, ComponentItem::ComponentInstance(_)) {
            unknown.push(name.to_owned());
        }
        imports.insert(name.to_owned());
    }
    if unknown.is_empty() {
        Ok((imports.into_iter().collect(), exports))
    } else {
        Err(ComponentError::UnknownImports { path: path.to_path_buf(), imports: unknown })
    }
}
