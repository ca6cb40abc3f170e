//! Why a file is not a component that the host can run, and what to do about it.

use std::path::{Path, PathBuf};

use dynhost_graph::definition::DefinitionError;

use super::{OP_PACKAGE, WASI_PACKAGES};
use crate::wit::{OP, SchemaError};

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
    /// The manifest names native ops that the host does not have.
    #[error("there are no native ops `{name}`")]
    NoNative {
        /// The path that stands for them.
        path: PathBuf,
        /// Their name.
        name: String,
        /// Those that the host has.
        known: Vec<String>,
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
    /// WebAssembly text with a mistake.
    #[error("`{}` is WebAssembly text that cannot be read", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: wat::Error,
    },
    /// A core module that does not say which world it implements.
    #[error("`{}` is a core module without a component-type section", path.display())]
    NoComponentType {
        /// The file.
        path: PathBuf,
        /// Whether it is a program with `_start`.
        command: bool,
    },
    /// A component, where a core module was expected.
    #[error("`{}` is a component already", path.display())]
    IsComponent {
        /// The file.
        path: PathBuf,
    },
    /// A core module that calls WASI preview 1, where that was not allowed.
    #[error("`{}` imports WASI preview 1, and nothing was to answer it: {}", path.display(), quoted(imports))]
    Preview1 {
        /// The file.
        path: PathBuf,
        /// The functions that it imports.
        imports: Vec<String>,
    },
    /// The world that a core module is said to implement cannot be read.
    #[error("there is no such world in `{}`", wit.display())]
    World {
        /// The file or folder of WIT.
        wit: PathBuf,
        /// Why.
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
    /// This program is built without the feature `compile`, and its code cache does not hold the component.
    #[error("component `{}` is not compiled{}, and this program cannot compile it", path.display(), if *fuel { " to count fuel" } else { "" })]
    NotCompiled {
        /// The file.
        path: PathBuf,
        /// Whether it is code that counts fuel which is missing.
        fuel: bool,
    },
    /// It was to be compiled for other programs, and the code cannot be kept.
    #[error("the compiled code of component `{}` cannot be kept", path.display())]
    NotKept {
        /// The file.
        path: PathBuf,
    },
    /// A component for something else.
    #[error("component `{}` is made for another world: it does not export `{OP}`", path.display())]
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
        /// The capabilities of the host, with their interfaces.
        capabilities: Vec<String>,
    },
    /// It imports an interface of a capability with other functions than the capability has.
    #[error("component `{}` does not fit the capabilities that it imports, {}", path.display(), quoted(names))]
    Capability {
        /// The file.
        path: PathBuf,
        /// The capabilities.
        names: Vec<String>,
        /// Where it differs.
        source: Box<dyn std::error::Error + Send + Sync>,
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
            | Self::NoNative { path, .. }
            | Self::NotWasm { path, .. }
            | Self::Text { path, .. }
            | Self::NoComponentType { path, .. }
            | Self::IsComponent { path }
            | Self::Preview1 { path, .. }
            | Self::World { wit: path, .. }
            | Self::Compile { path, .. }
            | Self::NotCompiled { path, .. }
            | Self::NotKept { path }
            | Self::OtherWorld { path, .. }
            | Self::UnknownImports { path, .. }
            | Self::Interface { path, .. }
            | Self::Capability { path, .. }
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
            Self::NoNative { known, .. } if known.is_empty() => Some(
                "native ops are code of the program that runs the job, and this one has none: run \
                 the job from the program that has them"
                    .to_owned(),
            ),
            Self::NoNative { known, .. } => Some(format!("this program has {}", quoted(known))),
            Self::Digest { .. } => {
                Some("if the new file is what you want, put its digest in the manifest".to_owned())
            }
            Self::NotWasm { .. } => Some(
                "an op is a WebAssembly component, such as `cargo build --release --target \
                 wasm32-wasip2` makes from a crate that uses the SDK"
                    .to_owned(),
            ),
            Self::NoComponentType { command: true, .. } => Some(
                "it is a program with `_start`, and does not export the ops; build it as a library \
                 with an SDK (in C: `-mexec-model=reactor`, with the SDK's sources; in Go: \
                 `-buildmode=c-shared`)"
                    .to_owned(),
            ),
            Self::NoComponentType { command: false, .. } => Some(
                "build it with an SDK or with wit-bindgen for the world `dynhost:op/component`, or, \
                 if it is made for that world, run `dynhost componentize MODULE.wasm --wit wit/ \
                 --world component --out OUT.wasm`"
                    .to_owned(),
            ),
            Self::IsComponent { .. } => {
                Some("use it as it is; `dynhost inspect` says what it holds".to_owned())
            }
            Self::Preview1 { .. } => Some(
                "`--wasi stub` answers these calls inside the component, so that its ops stay pure; \
                 `--wasi real` passes them to the host"
                    .to_owned(),
            ),
            Self::World { .. } => Some(
                "name the folder that holds the WIT package, and one of its worlds with `--world`"
                    .to_owned(),
            ),
            Self::NotCompiled { .. } => Some(
                "`dynhost precompile COMPONENT --into FOLDER` compiles it, where FOLDER is the code \
                 cache of this program; both are to be of the same version, and the processors alike"
                    .to_owned(),
            ),
            Self::NotKept { .. } => Some(
                "name a folder for compiled code that belongs to you, that nobody else can write to, and that has room"
                    .to_owned(),
            ),
            Self::OtherWorld { exports, .. } => Some(format!(
                "it exports {}; build it for the world `dynhost:op/component`{}",
                if exports.is_empty() { "nothing".to_owned() } else { quoted(exports) },
                if exports.is_empty() { "; in Rust, is `export_ops!` there?" } else { "" }
            )),
            Self::UnknownImports { capabilities, .. } => {
                let wasi = WASI_PACKAGES.iter().map(|package| format!("{package}*"));
                let wasi = quoted(&wasi.collect::<Vec<_>>());
                let more = match capabilities.as_slice() {
                    [] => String::new(),
                    some => format!("; and the capabilities {}", quoted(some)),
                };
                Some(format!("offered are `{OP_PACKAGE}*` and WASI 0.2: {wasi}{more}"))
            }
            _ => None,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
