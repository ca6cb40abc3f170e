//! Components whose ops are code of this process.

use std::path::PathBuf;
use std::sync::Arc;

use dynhost_graph::definition::{OpDefinition, check_definitions};
use sha2::{Digest, Sha256};

use super::{Code, Component, ComponentError, Inner, hex};
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
        Ok(Self(Arc::new(Inner {
            path,
            digest,
            size: 0,
            imports: Vec::new(),
            exports: Vec::new(),
            ops: definitions.into_iter().map(Arc::new).collect(),
            code: Code::Native(Box::new(ops)),
        })))
    }

    /// The same component, whose ops are run by something else.
    pub(crate) fn run_by(&self, code: impl NativeCode + 'static) -> Self {
        let Inner { path, digest, size, imports, exports, ops, .. } = &*self.0;
        Self(Arc::new(Inner {
            path: path.clone(),
            digest: digest.clone(),
            size: *size,
            imports: imports.clone(),
            exports: exports.clone(),
            ops: ops.clone(),
            code: Code::Native(Box::new(code)),
        }))
    }

    /// Whether this is a clone of the other one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether its ops are code of this process.
    #[must_use]
    pub fn is_native(&self) -> bool {
        matches!(self.0.code, Code::Native(_))
    }
}

fn sketch(definitions: &[OpDefinition]) -> String {
    serde_json::to_string(definitions).unwrap_or_default()
}
