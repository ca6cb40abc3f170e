//! What an embedder may count on of the types themselves.

use std::fmt::Debug;

use dynhost::build::{GraphBuilder, NodeBuilder, ParamBuilder, Wire};
use dynhost::cache::Cache;
use dynhost::component::Recipe;
use dynhost::executor::local::LocalExecutor;
use dynhost::executor::{
    Attempt, Executor, Inbox, Report, Serving, Session, Settings, StepSpec, Task,
};
use dynhost::lock::Lock;
use dynhost::native::{NativeOps, Op, OpFailure};
use dynhost::store::memory::{MemoryStore, NoStore};
use dynhost::store::sqlite::{RunLock, SqliteStore};
use dynhost::store::{LargeValues, RunStore, StoreError};
use dynhost::testing::{Doubles, FakeClock, Ran, Watched};
use dynhost::{
    Admission, Canceller, Checked, ChildCompiler, Component, ComponentError, Events, Host,
    HostBuilder, HostError, JobBuilder, PrepareError, PreparedJob, Run, RunError, RunOptions,
    RunResult, StepFailure, StepLimits, Telemetry, TelemetryError,
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
    handle::<JobBuilder>();
    handle::<GraphBuilder>();
    handle::<NodeBuilder>();
    handle::<ParamBuilder>();
    handle::<Wire>();
    handle::<NativeOps>();
    handle::<Op>();
    handle::<OpFailure>();
    handle::<StepLimits>();
    handle::<Doubles>();
    handle::<FakeClock>();
    handle::<Lock>();
    handle::<Recipe>();
    handle::<ChildCompiler>();
    handle::<Checked>();
    handle::<Admission>();
    handle::<StepFailure>();
    handle::<NoStore>();
    handle::<StepSpec>();
    handle::<Serving>();
    handle::<Telemetry>();
    shared::<Run>();
    shared::<Events>();
    shared::<RunLock>();
    shared::<MemoryStore>();
    shared::<LocalExecutor>();
    shared::<Inbox>();
    shared::<Task>();
    shared::<Report>();
    shared::<Attempt>();
    shared::<LargeValues>();
    shared::<Watched>();
    shared::<Ran>();
    shared::<Settings>();
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
    error::<dynhost::build::JobError>();
    error::<dynhost::native::Refused>();
    error::<dynhost::graph::value::NotJson>();
    error::<dynhost::graph::name::StepKeyError>();
    error::<dynhost::graph::grant::HostError>();
    error::<dynhost::graph::manifest::ManifestError>();
    error::<dynhost::graph::definition::DefinitionError>();
    error::<dynhost::graph::select::SelectError>();
    error::<dynhost::graph::name::NameError>();
}

#[test]
fn stores_and_caches_are_seams() {
    fn is_object(_: Option<&dyn RunStore>, _: Option<&dyn Cache>) {}
    fn is_seam(_: Option<&dyn Executor>, _: Option<&dyn Session>) {}
    is_object(None, None);
    is_seam(None, None);
}
