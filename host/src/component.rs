//! From a file to a component that is checked, compiled, linked and ready to be instantiated.
//!
//! Knows nothing of jobs.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dynhost_graph::definition::{DefinitionError, OpDefinition, check_definitions};
use dynhost_graph::plan::ComponentInfo;
use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::code_cache::CodeCache;
use crate::engine::EngineSettings;
use crate::executor::local::LocalPort;
use crate::host::Engines;
use crate::instance::{EXPORT, Port, State};
use crate::wit::SchemaError;

/// How long a component may take to describe its ops.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(30);

/// The packages whose interfaces the host offers, and the WASI interfaces among them.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
const OP_PACKAGE: &str = "dynhost:op/";

/// A component of ops, ready to be instantiated. A clone shares everything.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    path: PathBuf,
    digest: String,
    size: u64,
    imports: Vec<String>,
    ops: Vec<Arc<OpDefinition>>,
    wasm: Vec<u8>,
    engines: Arc<Engines>,
    plain: Compiled<LocalPort>,
    metered: OnceLock<Compiled<LocalPort>>,
}

/// Compiled code with all that an instantiation needs.
pub(crate) struct Compiled<P: 'static> {
    pub(crate) pre: InstancePre<State<P>>,
    pub(crate) run: ComponentExportIndex,
    pub(crate) describe: ComponentExportIndex,
    pub(crate) wants_wasi: bool,
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("path", &self.0.path)
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

/// Why a file is not a component that the host can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("component `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file's digest is not the one that the manifest pins.
    #[error("component `{}` is not the one that the manifest pins: its SHA-256 is {found}, pinned is {pinned}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest of the file.
        found: String,
        /// The digest in the manifest.
        pinned: String,
    },
    /// The file is not WebAssembly at all.
    #[error("`{}` is not WebAssembly: {found}", path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },
    /// A core module that does not say which world it implements.
    #[error("`{}` is a core module without a component-type section", path.display())]
    NoComponentType {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bytes are not valid WebAssembly, or use a feature that is not offered.
    #[error("component `{}` cannot be compiled", path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// What the compiler said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A component for something else.
    #[error("component `{}` is made for another world: it does not export `{EXPORT}`", path.display())]
    OtherWorld {
        /// The file.
        path: PathBuf,
        /// What it does export.
        exports: Vec<String>,
    },
    /// Imports that the host does not have (`semantics.md` rule 6).
    #[error("component `{}` imports {}, which this host does not have", path.display(), quoted(imports))]
    UnknownImports {
        /// The file.
        path: PathBuf,
        /// The imports.
        imports: Vec<String>,
    },
    /// The imports or exports have other types than the interface says.
    #[error("component `{}` does not fit the interface `dynhost:op@0.1.0`", path.display())]
    Interface {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its `describe` failed.
    #[error("component `{}` does not describe its ops: {why}", path.display())]
    Describe {
        /// The file.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// Its description is malformed.
    #[error("component `{}` describes its ops wrongly", path.display())]
    Definition {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: DefinitionError,
    },
    /// A schema in its description is malformed.
    #[error("component `{}` describes its ops wrongly", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SchemaError,
    },
}

impl ComponentError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::Digest { path, .. }
            | Self::NotWasm { path, .. }
            | Self::NoComponentType { path, .. }
            | Self::Compile { path, .. }
            | Self::OtherWorld { path, .. }
            | Self::UnknownImports { path, .. }
            | Self::Interface { path, .. }
            | Self::Describe { path, .. }
            | Self::Definition { path, .. }
            | Self::Schema { path, .. } => path,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some(
                "check the path, which is relative to the manifest; a component with a `build` \
                 command is built by `dynhost build`"
                    .to_owned(),
            ),
            Self::Digest { .. } => {
                Some("if the new file is what you want, put its digest in the manifest".to_owned())
            }
            Self::NotWasm { .. } => Some(
                "an op is a WebAssembly component, such as `cargo build --release --target \
                 wasm32-wasip2` makes from a crate that uses the SDK"
                    .to_owned(),
            ),
            Self::NoComponentType { .. } => Some(
                "build it with an SDK or with wit-bindgen for the world `dynhost:op/component`, or \
                 run `wasm-tools component embed wit/ MODULE.wasm --world component -o OUT.wasm`"
                    .to_owned(),
            ),
            Self::OtherWorld { exports, .. } => Some(format!(
                "it exports {}; build it for the world `dynhost:op/component`",
                if exports.is_empty() { "nothing".to_owned() } else { quoted(exports) }
            )),
            Self::UnknownImports { .. } => Some(format!(
                "offered are `{OP_PACKAGE}*` and WASI 0.2: {}",
                quoted(&WASI_PACKAGES.map(|package| format!("{package}*")))
            )),
            _ => None,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
        let wasm = as_component(&path, bytes)?;
        let settings = EngineSettings { fuel: false };
        let code = compile(engines, settings, &path, &digest, &wasm)?;
        let imports = check_world(engines, &path, &code)?;
        let plain = engines.link(settings, &code, wants_wasi(&imports)).map_err(|source| {
            ComponentError::Interface { path: path.clone(), source: source.into() }
        })?;
        let ops = describe(&path, &plain)?;
        Ok(Self(Arc::new(Inner {
            path,
            digest,
            size,
            imports,
            ops,
            wasm,
            engines: Arc::clone(engines),
            plain,
            metered: OnceLock::new(),
        })))
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
    pub(crate) fn code(&self, fuel: bool) -> Result<&Compiled<LocalPort>, String> {
        let inner = &self.0;
        if !fuel {
            return Ok(&inner.plain);
        }
        if let Some(code) = inner.metered.get() {
            return Ok(code);
        }
        let settings = EngineSettings { fuel: true };
        let code = compile(&inner.engines, settings, &inner.path, &inner.digest, &inner.wasm)
            .map_err(|error| error.to_string())?;
        let code = inner
            .engines
            .link(settings, &code, wants_wasi(&inner.imports))
            .map_err(|error| error.to_string())?;
        Ok(inner.metered.get_or_init(|| code))
    }
}

fn wants_wasi(imports: &[String]) -> bool {
    imports.iter().any(|import| import.starts_with("wasi:"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Makes a component of a core module that carries its component-type section; a component is
/// taken as it is.
fn as_component(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    if bytes.starts_with(&COMPONENT) {
        return Ok(bytes);
    }
    if !bytes.starts_with(&CORE) {
        return Err(ComponentError::NotWasm {
            path: path.to_path_buf(),
            found: looks_like(&bytes),
        });
    }
    let encode = || -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(wit_component::ComponentEncoder::default().module(&bytes)?.validate(true).encode()?)
    };
    let path = || path.to_path_buf();
    let says_world = wasmparser::Parser::new(0).parse_all(&bytes).any(|payload| {
        matches!(payload, Ok(wasmparser::Payload::CustomSection(section))
            if section.name().starts_with("component-type"))
    });
    encode().map_err(|source| {
        if says_world {
            ComponentError::Interface { path: path(), source }
        } else {
            ComponentError::NoComponentType { path: path(), source }
        }
    })
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
    let cache: Option<&CodeCache> = engines.cache();
    if let Some(code) = cache.and_then(|cache| cache.read(engine, digest)) {
        return Ok(code);
    }
    let code = wasmtime::component::Component::from_binary(engine, wasm).map_err(failed)?;
    if let Some(cache) = cache {
        cache.write(engine, digest, &code);
    }
    Ok(code)
}

/// Checks that a component exports the op interface and imports only what there is; gives
/// the names of its imports.
fn check_world(
    engines: &Engines,
    path: &Path,
    code: &wasmtime::component::Component,
) -> Result<Vec<String>, ComponentError> {
    let compile_error = |source: wasmtime::Error| ComponentError::Compile {
        path: path.to_path_buf(),
        source: source.into(),
    };
    let engine = engines.engine(EngineSettings { fuel: false }).map_err(compile_error)?;
    let world = code.component_type();
    let exports: Vec<String> = world.exports(engine).map(|(name, _)| name.to_owned()).collect();
    if !exports.iter().any(|name| name == EXPORT) {
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
        Ok(imports.into_iter().collect())
    } else {
        Err(ComponentError::UnknownImports { path: path.to_path_buf(), imports: unknown })
    }
}

fn describe(
    path: &Path,
    code: &Compiled<LocalPort>,
) -> Result<Vec<Arc<OpDefinition>>, ComponentError> {
    let failed = |why: String| ComponentError::Describe { path: path.to_path_buf(), why };
    let described = crate::executor::local::describe(code, DESCRIBE_TIMEOUT).map_err(failed)?;
    let mut ops = Vec::with_capacity(described.len());
    for op in described {
        ops.push(
            op.into_definition()
                .map_err(|source| ComponentError::Schema { path: path.to_path_buf(), source })?,
        );
    }
    check_definitions(&ops)
        .map_err(|source| ComponentError::Definition { path: path.to_path_buf(), source })?;
    Ok(ops.into_iter().map(Arc::new).collect())
}

impl Engines {
    /// Links compiled code and looks up the functions that the host calls.
    pub(crate) fn link(
        &self,
        settings: EngineSettings,
        code: &wasmtime::component::Component,
        wants_wasi: bool,
    ) -> wasmtime::Result<Compiled<LocalPort>> {
        let pre = self.linker(settings)?.instantiate_pre(code)?;
        let interface = code
            .get_export_index(None, EXPORT)
            .ok_or_else(|| wasmtime::Error::msg(format!("it does not export `{EXPORT}`")))?;
        let function = |name: &str| {
            code.get_export_index(Some(&interface), name)
                .ok_or_else(|| wasmtime::Error::msg(format!("`{EXPORT}` has no `{name}`")))
        };
        Ok(Compiled { run: function("run")?, describe: function("describe")?, pre, wants_wasi })
    }
}

const _: fn() = || {
    fn is_port<P: Port>() {}
    is_port::<LocalPort>();
};
