//! Asking a component for the definitions of its ops.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dynhost_graph::definition::{OpDefinition, check_definitions};
use dynhost_graph::event::setting_in_words;

use super::ComponentError;
use crate::instance::{self, Linked, StepLimits};
use crate::wit::OpDefinitionOut;

/// How long a component may take to describe its ops, where a step may not take less. A fuzzer has
/// not the time.
const TIMEOUT: Duration = Duration::from_secs(if cfg!(fuzzing) { 1 } else { 30 });

/// The definitions of a component's ops, checked.
pub(super) fn describe(
    path: &Path,
    linked: &Linked,
    limits: &StepLimits,
) -> Result<Vec<Arc<OpDefinition>>, ComponentError> {
    let path = || path.to_path_buf();
    let described = thread::scope(|scope| match scope.spawn(|| ask(linked, limits)).join() {
        Ok(described) => described,
        Err(_) => Err("the host panicked; this is a bug".to_owned()),
    });
    let described = described.map_err(|why| ComponentError::Describe { path: path(), why })?;
    let ops: Result<Vec<OpDefinition>, _> =
        described.into_iter().map(OpDefinitionOut::into_definition).collect();
    let ops = ops.map_err(|source| ComponentError::Schema { path: path(), source })?;
    check_definitions(&ops)
        .map_err(|source| ComponentError::Definition { path: path(), source })?;
    Ok(ops.into_iter().map(Arc::new).collect())
}

/// Waits for the answer on a thread of its own, so that callers may stand in any runtime.
fn ask(linked: &Linked, limits: &StepLimits) -> Result<Vec<OpDefinitionOut>, String> {
    let timeout = TIMEOUT.min(limits.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match tokio::time::timeout(timeout, instance::describe(linked, limits)).await {
            Ok(described) => described,
            Err(_) => Err(format!("it did not answer within {}", setting_in_words(timeout))),
        }
    })
}
