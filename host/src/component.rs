//! From a file to a component that is checked, compiled, linked and ready to be instantiated.
//!
//! Knows nothing of jobs.

#[cfg(feature = "compile")]
mod compile;
mod describe;
mod encode;
mod engines;
mod error;
mod native;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::job::Node;
use dynhost_graph::plan::ComponentInfo;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;

use crate::capability::{self, Capabilities, Granted};
use crate::engine::{EngineSettings, has_large_image};
use crate::instance::{Linked, NativeCode};
use crate::wit::OP;

#[cfg(feature = "compile")]
pub use compile::{ChildCompiler, compile_in_child};
pub use encode::{OP_WIT, Preview1, Recipe, World, componentize};
pub(crate) use engines::{EngineOptions, Engines};
pub use error::ComponentError;
pub(crate) use native::NATIVE;

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

/// A component with what its imports are linked to.
struct Inner {
    loaded: Arc<Loaded>,
    /// The capabilities that are granted; functions of all others fail.
    granted: Vec<&'static str>,
    /// The same component with other capabilities granted, each set of them once.
    others: Mutex<Vec<Component>>,
    /// Without fuel and with it.
    linked: [OnceLock<Linked>; 2],
}

/// What does not depend on what is granted.
struct Loaded {
    path: PathBuf,
    digest: String,
    size: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    ops: Vec<Arc<OpDefinition>>,
    /// The capabilities whose interfaces it imports.
    capabilities: Capabilities,
    code: Code,
}

enum Code {
    Wasm(Box<Wasm>),
    Native(Box<dyn NativeCode>),
}

struct Wasm {
    bytes: Vec<u8>,
    /// The digest of `bytes`, which for a core module is not that of the file.
    digest: String,
    engines: Arc<Engines>,
    large_image: bool,
    /// Without fuel and with it.
    compiled: [OnceLock<wasmtime::component::Component>; 2],
}

/// What runs an attempt.
pub(crate) enum Runner<'a> {
    Wasm(&'a Linked),
    Native(&'a dyn NativeCode),
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("path", &self.path())
            .field("digest", &self.digest())
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
        let large_image = has_large_image(&wasm);
        let settings = EngineSettings { fuel: false, large_image };
        let code = compile(engines, settings, &path, &wasm_digest, &wasm)?;
        let (imports, exports) = check_world(&path, &code, engines.capabilities())?;
        let mut loaded = Loaded {
            path,
            digest,
            size,
            capabilities: engines.capabilities().imported_by(&imports),
            imports,
            exports,
            ops: Vec::new(),
            code: Code::Wasm(Box::new(Wasm {
                bytes: wasm,
                digest: wasm_digest,
                engines: Arc::clone(engines),
                large_image,
                compiled: [OnceLock::from(code), OnceLock::new()],
            })),
        };
        let plain = loaded.first_link()?;
        loaded.ops = describe::describe(&loaded.path, &plain, engines.limits())?;
        let linked = [OnceLock::from(plain), OnceLock::new()];
        let component = Self::of(Arc::new(loaded), Vec::new(), linked);
        engines.note(&component.0);
        Ok(component)
    }

    /// Compiles the file at `path` into the code cache, with and without fuel; gives the files there.
    #[cfg(feature = "compile")]
    pub(crate) fn precompile(
        engines: &Arc<Engines>,
        path: &Path,
    ) -> Result<Vec<PathBuf>, ComponentError> {
        let component = Self::load(engines, path, None)?;
        let not_kept = || ComponentError::NotKept { path: path.to_path_buf() };
        let Code::Wasm(wasm) = &component.0.loaded.code else { return Err(not_kept()) };
        let cache = engines.cache().ok_or_else(not_kept)?;
        let mut files = Vec::new();
        for settings in [false, true].map(|fuel| wasm.settings(fuel)) {
            wasm.compiled(settings, path)?;
            let engine = engines.engine(settings).map_err(|source| ComponentError::Compile {
                path: path.to_path_buf(),
                source: source.into(),
            })?;
            // Writing is silent, and only what can be read again helps another process.
            if cache.read((engine, settings), &wasm.digest).is_none() {
                return Err(not_kept());
            }
            files.push(cache.file(settings, &wasm.digest));
        }
        Ok(files)
    }

    /// The file it was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.loaded.path
    }

    /// The SHA-256 of the file, as hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.loaded.digest
    }

    /// The size of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.loaded.size
    }

    /// The interfaces that it imports, in order of their names.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.loaded.imports
    }

    /// What it exports, in order of the names; the host calls the op interface alone.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.0.loaded.exports
    }

    /// The capabilities of the host whose interfaces it imports, by name.
    pub fn capabilities(&self) -> impl Iterator<Item = &'static str> {
        self.offers().names()
    }

    /// Whether it imports nothing but the op interface and capabilities that are pure, so that whatever the manifest
    /// grants, its ops are pure functions of configuration and inputs, and of what it is granted of these capabilities.
    /// Of native ops, whether all of them are said to be pure.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        let Loaded { imports, ops, code, .. } = &*self.0.loaded;
        match code {
            Code::Wasm(_) => {
                !wants_wasi(imports) && self.offers().iter().all(|one| one.pure().is_some())
            }
            Code::Native(native) => ops.iter().all(|op| native.is_pure(&op.name)),
        }
    }

    /// Whether an op is a pure function of configuration and inputs where it is granted what it is; `harmless`: that is
    /// no authority.
    pub(crate) fn has_pure(&self, op: &str, harmless: bool) -> bool {
        match &self.0.loaded.code {
            Code::Wasm(_) => self.is_pure() || harmless,
            Code::Native(native) => native.is_pure(op),
        }
    }

    /// Its ops, in its own order.
    #[must_use]
    pub fn ops(&self) -> &[Arc<OpDefinition>] {
        &self.0.loaded.ops
    }

    /// Asks the component once more for the definitions of its ops, in a fresh instance. They are to be
    /// the same as [`Component::ops`]. This blocks until it answers.
    ///
    /// # Errors
    /// It does not answer, or with what is no description.
    pub fn describe(&self) -> Result<Vec<Arc<OpDefinition>>, ComponentError> {
        let loaded = &self.0.loaded;
        let granted = !self.0.granted.is_empty();
        let plain = if granted { Self::with(loaded, Vec::new()) } else { self.clone() };
        match (&loaded.code, plain.runner(false)) {
            (Code::Wasm(wasm), Ok(Runner::Wasm(code))) => {
                describe::describe(&loaded.path, code, wasm.engines.limits())
            }
            (_, Err(why)) => Err(ComponentError::Describe { path: loaded.path.clone(), why }),
            _ => Ok(loaded.ops.clone()),
        }
    }

    /// What the planner needs to know of it.
    #[must_use]
    pub fn info(&self) -> ComponentInfo {
        ComponentInfo {
            digest: self.0.loaded.digest.clone(),
            ops: self.0.loaded.ops.clone(),
            imports: self.0.loaded.imports.clone(),
        }
    }

    /// What runs an attempt, with or without fuel.
    pub(crate) fn runner(&self, fuel: bool) -> Result<Runner<'_>, String> {
        if let Code::Native(native) = &self.0.loaded.code {
            return Ok(Runner::Native(&**native));
        }
        let cell = &self.0.linked[usize::from(fuel)];
        if let Some(code) = cell.get() {
            return Ok(Runner::Wasm(code));
        }
        let linked = self.0.loaded.link(fuel, &self.0.granted)?;
        Ok(Runner::Wasm(cell.get_or_init(|| linked)))
    }

    /// The capabilities whose interfaces it imports.
    pub(crate) fn offers(&self) -> &Capabilities {
        &self.0.loaded.capabilities
    }

    /// The component as a node runs it, with what the node is granted of the capabilities.
    pub(crate) fn granted(&self, node: &Node) -> (Self, Granted) {
        let mut granted = Granted::default();
        for grant in &node.grants.capabilities {
            if let Some(offer) = self.offers().named(&grant.name) {
                // One with a mistake has been refused.
                let _ = granted.add(&**offer, &grant.section);
            }
        }
        (self.granting(granted.names().collect()), granted)
    }

    /// The component linked to these of the capabilities.
    pub(crate) fn granting(&self, names: Vec<&'static str>) -> Self {
        if names == self.0.granted {
            return self.clone();
        }
        let mut known = self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|other| other.0.granted == names) {
            return same.clone();
        }
        let component = Self::with(&self.0.loaded, names);
        known.push(component.clone());
        component
    }

    fn with(loaded: &Arc<Loaded>, granted: Vec<&'static str>) -> Self {
        Self::of(Arc::clone(loaded), granted, Default::default())
    }

    fn of(loaded: Arc<Loaded>, granted: Vec<&'static str>, linked: [OnceLock<Linked>; 2]) -> Self {
        Self(Arc::new(Inner { loaded, granted, others: Mutex::default(), linked }))
    }
}

impl Loaded {
    /// Links it with nothing granted. That its imports fit the capabilities is seen by linking it with all of them.
    fn first_link(&self) -> Result<Linked, ComponentError> {
        let path = || self.path.clone();
        let plain = self
            .link(false, &[])
            .map_err(|source| ComponentError::Interface { path: path(), source: source.into() })?;
        let names: Vec<_> = self.capabilities.names().collect();
        if !names.is_empty() {
            self.link(false, &names).map_err(|source| ComponentError::Capability {
                path: path(),
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                source: source.into(),
            })?;
        }
        Ok(plain)
    }

    fn link(&self, fuel: bool, granted: &[&str]) -> Result<Linked, String> {
        let Code::Wasm(wasm) = &self.code else {
            return Err("native ops are not linked".to_owned());
        };
        let settings = wasm.settings(fuel);
        let code = wasm.compiled(settings, &self.path).map_err(|error| error.to_string())?;
        let link = || {
            let (base, tls) = (wasm.engines.linker(settings)?, wasm.engines.tls());
            if self.capabilities.is_empty() {
                return Linked::new(base, code, wants_wasi(&self.imports), tls);
            }
            let linker = capability::link(base, code, &self.capabilities, granted)?;
            Linked::new(&linker, code, wants_wasi(&self.imports), tls)
        };
        link().map_err(|error: wasmtime::Error| format!("{error:#}"))
    }
}

impl Wasm {
    fn settings(&self, fuel: bool) -> EngineSettings {
        EngineSettings { fuel, large_image: self.large_image }
    }

    fn compiled(
        &self,
        settings: EngineSettings,
        path: &Path,
    ) -> Result<&wasmtime::component::Component, ComponentError> {
        let cell = &self.compiled[usize::from(settings.fuel)];
        if let Some(code) = cell.get() {
            return Ok(code);
        }
        let code = compile(&self.engines, settings, path, &self.digest, &self.bytes)?;
        Ok(cell.get_or_init(|| code))
    }
}

fn wants_wasi(imports: &[String]) -> bool {
    imports.iter().any(|import| WASI_PACKAGES.iter().any(|package| import.starts_with(package)))
}

/// Whether the host itself provides an interface.
pub(crate) fn is_offered(interface: &str) -> bool {
    interface.starts_with(OP_PACKAGE)
        || WASI_PACKAGES.iter().any(|package| interface.starts_with(package))
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
    capabilities: &Capabilities,
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
        let offered = is_offered(name) || capabilities.providing(name).is_some();
        if !offered || !matches!(item.ty, ComponentItem::ComponentInstance(_)) {
            unknown.push(name.to_owned());
        }
        imports.insert(name.to_owned());
    }
    if unknown.is_empty() {
        Ok((imports.into_iter().collect(), exports))
    } else {
        let capabilities = capabilities.interfaces();
        Err(ComponentError::UnknownImports {
            path: path.to_path_buf(),
            imports: unknown,
            capabilities,
        })
    }
}
