//! What an embedder may count on of the types themselves.

use std::fmt::Debug;

use dynhost::cache::Cache;
use dynhost::store::sqlite::{RunLock, SqliteStore};
use dynhost::store::{RunStore, StoreError};
use dynhost::{
    Canceller, Component, ComponentError, Events, Host, HostBuilder, HostError, PrepareError,
    PreparedJob, Run, RunError, RunOptions, RunResult, Telemetry, TelemetryError,
};

fn shared<T: Send + Sync + Debug + 'static>() {}

fn handle<T: Clone + Send + Sync + Debug + 'static>() {}

fn error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn types_may_be_shared_among_threads_and_shown() {
    handle::<Host>();
    handle::<HostBuilder>();
    handle::<Component>();
    handle::<PreparedJob>();
    handle::<RunOptions>();
    handle::<RunResult>();
    handle::<Canceller>();
    handle::<SqliteStore>();
    handle::<Telemetry>();
    shared::<Run>();
    shared::<Events>();
    shared::<RunLock>();
}

#[test]
fn errors_are_errors_that_any_thread_may_have() {
    error::<HostError>();
    error::<ComponentError>();
    error::<PrepareError>();
    error::<RunError>();
    error::<StoreError>();
    error::<TelemetryError>();
    error::<dynhost::SchemaError>();
    error::<dynhost::lock::LockError>();
    error::<dynhost::graph::manifest::ManifestError>();
    error::<dynhost::graph::definition::DefinitionError>();
    error::<dynhost::graph::select::SelectError>();
    error::<dynhost::graph::name::NameError>();
}

#[test]
fn stores_and_caches_are_seams() {
    fn is_object(_: Option<&dyn RunStore>, _: Option<&dyn Cache>) {}
    is_object(None, None);
}
