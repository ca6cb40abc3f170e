//! Asking a component for its op definitions.

use std::sync::{Arc, Mutex, PoisonError};

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::Level;
use dynhost_graph::grant::Grants;
use dynhost_graph::name::{KeyPath, StepKey};
use futures::future::BoxFuture;
use wasmtime::Store;

use crate::secret::Secrets;
use crate::wit::OpDefinitionOut;

use super::{
    Asked, Attempt, Linked, Port, ReportKind, RunParams, RunResults, Settings, State, StepLimits,
    new_store, push_lines,
};

/// Bytes of what a guest says while it describes its ops that are kept.
const LOG_BYTES: u64 = 4 << 10;

/// Keeps the warnings and errors of a guest: the interface has no other words for an op that
/// cannot be described.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Port for Complaints {
    fn report(&self, what: ReportKind) {
        if let ReportKind::Logged { level: Level::Warn | Level::Error, message, .. } = what {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }

    fn emitted(&mut self, _what: ReportKind, _bytes: u64) -> Option<BoxFuture<'_, ()>> {
        None
    }
}

/// Asks a component for its op definitions, in an instance like any other and without any
/// authority.
///
/// # Errors
/// In words, with what the guest complained of under them.
pub(crate) async fn describe(code: &Linked) -> Result<Vec<OpDefinitionOut>, String> {
    let complaints = Complaints::default();
    let mut store = new_store(code, &attempt(), Box::new(complaints.clone()))?;
    let error = match call(code, &mut store).await {
        Ok(definitions) => return Ok(definitions),
        Err(error) => error,
    };
    let mut state = store.into_data();
    if let Some(wasi) = state.wasi.take() {
        wasi.flush(&mut state);
    }
    let mut words = error.root_cause().to_string();
    for complaint in complaints.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        push_lines(&mut words, complaint);
    }
    Err(words)
}

/// What stands for an attempt at a step.
fn attempt() -> Arc<Attempt> {
    let op = OpDefinition {
        name: "describe".to_owned(),
        description: String::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        config_schema: None,
    };
    let settings = Settings {
        run: "describe".into(),
        op: Arc::new(op),
        config: "null".into(),
        limits: vec![StepLimits { log: LOG_BYTES, ..StepLimits::default() }],
        grants: Grants::default(),
        secrets: Secrets::default(),
    };
    Arc::new(Attempt {
        step: StepKey { node: "describe".into(), keys: KeyPath::root() },
        number: 1,
        settings: Arc::new(settings),
        inputs: Vec::new(),
        asked: Asked::default(),
    })
}

async fn call(code: &Linked, store: &mut Store<State>) -> wasmtime::Result<Vec<OpDefinitionOut>> {
    let instance = code.pre.instantiate_async(&mut *store).await?;
    let misfit = |name: &str, error: wasmtime::Error| {
        let why = error.root_cause();
        wasmtime::Error::msg(format!("its `{name}` has another type than the interface: {why}"))
    };
    instance
        .get_typed_func::<RunParams<'_>, RunResults>(&mut *store, &code.run)
        .map_err(|error| misfit("run", error))?;
    let describe = instance
        .get_typed_func::<(), (Vec<OpDefinitionOut>,)>(&mut *store, &code.describe)
        .map_err(|error| misfit("describe", error))?;
    let (definitions,) = describe.call_async(&mut *store, ()).await?;
    Ok(definitions)
}
