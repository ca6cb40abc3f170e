//! Components whose ops are code of this process.

use std::path::PathBuf;
use std::sync::Arc;

use dynhost_graph::definition::{OpDefinition, check_definitions};
use sha2::{Digest, Sha256};

use super::{Code, Component, ComponentError, Loaded, hex};
use crate::capability::Capabilities;
use crate::instance::NativeCode;
use crate::native::NativeOps;

/// What stands before the name of native ops where a manifest names the file of a component.
pub(crate) const NATIVE: &str = "native:";

impl Component {
    /// Native ops as a component, for a job that is made in code. Its path is `native:NAME`; its digest is made of the
    /// name, the version and the definitions.
    ///
    /// # Errors
    /// Names of ops, inputs or outputs are malformed or not unique, or there is no op.
    pub fn native(ops: NativeOps) -> Result<Self, ComponentError> {
        let path = PathBuf::from(format!("{NATIVE}{}", ops.name()));
        let definitions: Vec<OpDefinition> = ops.definitions().cloned().collect();
        check_definitions(&definitions)
            .map_err(|source| ComponentError::Definition { path: path.clone(), source })?;
        let mut hash = Sha256::new();
        for part in [ops.name(), ops.version_text(), &sketch(&definitions)] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hex(&hash.finalize());
        let loaded = Loaded {
            path,
            digest,
            size: 0,
            imports: Vec::new(),
            exports: Vec::new(),
            ops: definitions.into_iter().map(Arc::new).collect(),
            capabilities: Capabilities::default(),
            code: Code::Native(Box::new(ops)),
        };
        Ok(Self::with(&Arc::new(loaded), Vec::new()))
    }

    /// The same component, whose ops are run by something else.
    pub(crate) fn run_by(&self, code: impl NativeCode + 'static) -> Self {
        let Loaded { path, digest, size, imports, exports, ops, capabilities, .. } =
            &*self.0.loaded;
        let loaded = Loaded {
            path: path.clone(),
            digest: digest.clone(),
            size: *size,
            imports: imports.clone(),
            exports: exports.clone(),
            ops: ops.clone(),
            capabilities: capabilities.clone(),
            code: Code::Native(Box::new(code)),
        };
        Self::with(&Arc::new(loaded), Vec::new())
    }

    /// The component, if it has this digest or none is asked for.
    pub(crate) fn pinned(self, pinned: Option<&str>) -> Result<Self, ComponentError> {
        match pinned {
            Some(pinned) if !pinned.eq_ignore_ascii_case(self.digest()) => {
                let (path, found) = (self.path().to_path_buf(), self.digest().to_owned());
                Err(ComponentError::Digest { path, found, pinned: pinned.to_owned() })
            }
            _ => Ok(self),
        }
    }

    /// Whether this is a clone of the other one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.loaded, &other.0.loaded)
    }

    /// Whether its ops are code of this process.
    #[must_use]
    pub fn is_native(&self) -> bool {
        matches!(self.0.loaded.code, Code::Native(_))
    }
}

fn sketch(definitions: &[OpDefinition]) -> String {
    serde_json::to_string(definitions).unwrap_or_default()
}
