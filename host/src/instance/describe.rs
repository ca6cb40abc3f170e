//! Asking a component for its op definitions.

use std::sync::{Arc, Mutex, PoisonError};

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::{Failure, Level};
use dynhost_graph::grant::Grants;
use dynhost_graph::name::{KeyPath, StepKey};
use futures::future::BoxFuture;
use wasmtime::Store;

use crate::capability::Granted;
use crate::clock::RunClock;
use crate::secret::Secrets;
use crate::wit::OpDefinitionOut;

use super::{
    Asked, Attempt, Linked, Port, ReportKind, RunParams, RunResults, Settings, State, StepLimits,
    new_store, push_lines, trapped,
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
pub(crate) async fn describe(
    code: &Linked,
    limits: &StepLimits,
) -> Result<Vec<OpDefinitionOut>, String> {
    let complaints = Complaints::default();
    let attempt = attempt(limits);
    let mut store = new_store(code, &attempt, Box::new(complaints.clone()))?;
    let mut words = match call(code, &mut store).await {
        Ok(Ok(definitions)) => return Ok(definitions),
        Ok(Err(misfit)) => misfit,
        Err(error) => match trapped(&error, store.data(), attempt.limits()) {
            exceeded @ Failure::LimitExceeded { .. } => exceeded.to_string(),
            // The guest's own words come below.
            _ => error.root_cause().to_string(),
        },
    };
    store.into_data().pass_on();
    for complaint in complaints.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        push_lines(&mut words, complaint);
    }
    Err(words)
}

/// What stands for an attempt at a step.
fn attempt(limits: &StepLimits) -> Arc<Attempt> {
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
        limits: vec![StepLimits { log: LOG_BYTES, fuel: None, ..limits.clone() }],
        grants: Grants::default(),
        secrets: Secrets::default(),
        large_values: None,
        granted: Granted::default(),
        clock: RunClock::default(),
    };
    Arc::new(Attempt {
        step: StepKey { node: "describe".into(), keys: KeyPath::root() },
        number: 1,
        settings: Arc::new(settings),
        inputs: Vec::new(),
        asked: Asked::default(),
    })
}

/// What `describe` gives; or in words, which of the functions has another type than it should have.
async fn call(
    code: &Linked,
    store: &mut Store<State>,
) -> wasmtime::Result<Result<Vec<OpDefinitionOut>, String>> {
    let instance = code.pre.instantiate_async(&mut *store).await?;
    let misfit = |name: &str, error: &wasmtime::Error| {
        format!("its `{name}` has another type than the interface: {}", error.root_cause())
    };
    if let Err(error) = instance.get_typed_func::<RunParams<'_>, RunResults>(&mut *store, &code.run)
    {
        return Ok(Err(misfit("run", &error)));
    }
    let describe =
        instance.get_typed_func::<(), (Vec<OpDefinitionOut>,)>(&mut *store, &code.describe);
    match describe {
        Ok(describe) => Ok(Ok(describe.call_async(&mut *store, ()).await?.0)),
        Err(error) => Ok(Err(misfit("describe", &error))),
    }
}
