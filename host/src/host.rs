//! The host: engines, limits, compiled code, workers. Cheap to clone; any number of runs at once.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use dynhost_graph::operator::OperatorPolicy;

use crate::component::{ChildCompiler, Component, ComponentError, Engines};
use crate::engine::{INSTANCES, Isolation};
use crate::executor::Executor;
use crate::executor::local::LocalExecutor;
use crate::instance::StepLimits;
use crate::machine;
use crate::native::NativeOps;

/// Runs components of ops. A clone is the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    engines: Arc<Engines>,
    executor: Arc<LocalExecutor>,
    /// Native ops, by name.
    natives: BTreeMap<String, Component>,
    limits: StepLimits,
    policy: OperatorPolicy,
    memory: u64,
    workers: u32,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("workers", &self.0.workers).finish_non_exhaustive()
    }
}

/// How a host is set up. Everything has a default.
#[derive(Debug, Clone, Default)]
pub struct HostBuilder {
    limits: StepLimits,
    policy: OperatorPolicy,
    memory: Option<u64>,
    workers: Option<NonZeroU32>,
    code_cache: Option<PathBuf>,
    compiler: Option<ChildCompiler>,
    isolation: Isolation,
    natives: Vec<NativeOps>,
}

/// Why a host cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// wasmtime refuses the machine or the settings.
    #[error("the WebAssembly engine cannot be set up")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Native ops are malformed.
    #[error(transparent)]
    Native(#[from] ComponentError),
    /// A worker thread cannot be started.
    #[error("a worker thread cannot be started")]
    Thread(#[source] std::io::Error),
}

impl HostBuilder {
    /// Bounds on an attempt at a step where its node says nothing else.
    #[must_use]
    pub fn limits(mut self, limits: StepLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The most that jobs may use and reach, whatever they ask for.
    #[must_use]
    pub fn policy(mut self, policy: OperatorPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Bytes of memory for all guests at once: each attempt holds its memory limit while it runs or is suspended. By
    /// default three quarters of what the machine has.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Threads that run guests; as many as there are cores by default.
    #[must_use]
    pub fn workers(mut self, workers: NonZeroU32) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Keeps compiled code in this folder, which is made private to the user. By default nothing
    /// is kept.
    #[must_use]
    pub fn code_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.code_cache = Some(folder.into());
        self
    }

    /// Compiles components in a process of its own, bounded in time and memory; by default this process does it, and
    /// neither is bounded.
    #[must_use]
    pub fn compiler(mut self, compiler: ChildCompiler) -> Self {
        self.compiler = Some(compiler);
        self
    }

    /// Gives the host native ops, which manifests then name `native:NAME` where they name the file of a component.
    /// Among those of one name the last ones count.
    #[must_use]
    pub fn native(mut self, ops: NativeOps) -> Self {
        self.natives.push(ops);
        self
    }

    /// Breaks the isolation of clones: only for the test that shows that such a break would be seen.
    #[doc(hidden)]
    #[must_use]
    pub fn with_broken_isolation(mut self) -> Self {
        self.isolation = Isolation::Broken;
        self
    }

    /// Sets the host up.
    ///
    /// # Errors
    /// The machine does not allow what the engine needs, or native ops are malformed.
    pub fn build(self) -> Result<Host, HostError> {
        let limits = self.limits.within(&self.policy);
        let natives = self.natives.into_iter();
        let natives = natives.map(|ops| Ok((ops.name().to_owned(), Component::native(ops)?)));
        let natives = natives.collect::<Result<_, ComponentError>>()?;
        let engines =
            Engines::new(self.code_cache.as_deref(), self.compiler, limits.clone(), self.isolation)
                .map_err(|error| HostError::Engine(error.into()))?;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = u32::try_from(cores).unwrap_or(INSTANCES);
        let workers = self.workers.map_or(cores, NonZeroU32::get).min(INSTANCES / 2);
        let memory = self.memory.unwrap_or_else(|| machine::memory() / 4 * 3);
        let memory = memory.min(self.policy.memory_total.unwrap_or(u64::MAX));
        let executor = LocalExecutor::start(workers, memory).map_err(HostError::Thread)?;
        Ok(Host(Arc::new(Inner {
            engines: Arc::new(engines),
            executor: Arc::new(executor),
            natives,
            limits,
            policy: self.policy,
            memory,
            workers,
        })))
    }
}

impl Host {
    /// Settings for a new host.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Loads a component: checks, compiles and links it, and reads the definitions of its ops.
    /// This blocks while it compiles, seconds for a large component that is not in the cache.
    ///
    /// # Errors
    /// The file is not a component of ops that this host can run.
    pub fn load(&self, path: &Path) -> Result<Component, ComponentError> {
        Component::load(&self.0.engines, path, None)
    }

    /// As [`Host::load`], for a file whose SHA-256 must be `digest`, which is checked before
    /// anything else is done with it.
    ///
    /// # Errors
    /// As [`Host::load`], and when the digest is another.
    pub fn load_pinned(&self, path: &Path, digest: &str) -> Result<Component, ComponentError> {
        Component::load(&self.0.engines, path, Some(digest))
    }

    /// The native ops of this name.
    pub(crate) fn native(&self, name: &str, path: &Path) -> Result<Component, ComponentError> {
        self.0.natives.get(name).cloned().ok_or_else(|| ComponentError::NoNative {
            path: path.to_owned(),
            name: name.to_owned(),
            known: self.0.natives.keys().cloned().collect(),
        })
    }

    /// Threads that run guests.
    #[must_use]
    pub fn workers(&self) -> u32 {
        self.0.workers
    }

    pub(crate) fn executor(&self) -> Arc<dyn Executor> {
        Arc::clone(&self.0.executor) as Arc<dyn Executor>
    }

    /// What jobs may use and reach at most.
    #[must_use]
    pub fn policy(&self) -> &OperatorPolicy {
        &self.0.policy
    }

    /// Bytes of memory for all guests at once.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.0.memory
    }

    pub(crate) fn limits(&self) -> &StepLimits {
        &self.0.limits
    }
}
