//! The host: engines, limits, compiled code, workers. Cheap to clone; any number of runs at once.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use dynhost_graph::operator::OperatorPolicy;

#[cfg(feature = "compile")]
use crate::component::ChildCompiler;
use crate::component::{Component, ComponentError, Engines};
use crate::engine::{INSTANCES, Isolation};
use crate::executor::Executor;
use crate::executor::local::LocalExecutor;
use crate::instance::StepLimits;
use crate::machine;
#[cfg(feature = "otel")]
use crate::telemetry::Telemetry;

/// Runs components of ops. A clone is the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    engines: Arc<Engines>,
    executor: Arc<LocalExecutor>,
    limits: StepLimits,
    policy: OperatorPolicy,
    memory: u64,
    workers: u32,
    #[cfg(feature = "otel")]
    telemetry: Option<Telemetry>,
}

/// How a host is set up. Everything has a default.
#[derive(Debug, Clone, Default)]
pub struct HostBuilder {
    limits: StepLimits,
    policy: OperatorPolicy,
    memory: Option<u64>,
    workers: Option<NonZeroU32>,
    code_cache: Option<PathBuf>,
    #[cfg(feature = "compile")]
    compiler: Option<ChildCompiler>,
    isolation: Isolation,
    #[cfg(feature = "otel")]
    telemetry: Option<Telemetry>,
}

/// Why a host cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// wasmtime refuses the machine or the settings.
    #[error("the WebAssembly engine cannot be set up")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A worker thread cannot be started.
    #[error("a worker thread cannot be started")]
    Thread(#[source] std::io::Error),
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("workers", &self.0.workers)
            .field("memory", &self.0.memory)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
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
    /// is kept. Without the feature `compile` this is where all compiled code comes from: `Host::precompile` of
    /// a host that has the feature, or the command `dynhost precompile`, puts it there.
    #[must_use]
    pub fn code_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.code_cache = Some(folder.into());
        self
    }

    /// Compiles components in a process of its own, bounded in time and memory; by default this process does it, and
    /// neither is bounded.
    #[cfg(feature = "compile")]
    #[must_use]
    pub fn compiler(mut self, compiler: ChildCompiler) -> Self {
        self.compiler = Some(compiler);
        self
    }

    /// Sends traces and metrics of all runs to a collector.
    #[cfg(feature = "otel")]
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
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
    /// The machine does not allow what the engine needs.
    pub fn build(self) -> Result<Host, HostError> {
        let limits = self.limits.within(&self.policy);
        let engines = Engines::new(
            self.code_cache.as_deref(),
            #[cfg(feature = "compile")]
            self.compiler,
            limits.clone(),
            self.isolation,
        );
        let engines = engines.map_err(|error| HostError::Engine(error.into()))?;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = u32::try_from(cores).unwrap_or(INSTANCES);
        let workers = self.workers.map_or(cores, NonZeroU32::get).min(INSTANCES / 2);
        let memory = self.memory.unwrap_or_else(|| machine::memory() / 4 * 3);
        let memory = memory.min(self.policy.memory_total.unwrap_or(u64::MAX));
        let executor = LocalExecutor::start(workers, memory).map_err(HostError::Thread)?;
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.observe(executor.load());
        }
        Ok(Host(Arc::new(Inner {
            engines: Arc::new(engines),
            executor: Arc::new(executor),
            limits,
            policy: self.policy,
            memory,
            workers,
            #[cfg(feature = "otel")]
            telemetry: self.telemetry,
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
    /// This blocks while it compiles, seconds for a large component that is not in the cache. As long as somebody holds
    /// the component, the same file is not loaded again: a program that starts many runs should hold it.
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

    /// Compiles a component into the host's code cache, for a host that is built without the feature `compile` and has
    /// the same folder as its code cache: with and without the counting of fuel. Gives the files. They fit the same
    /// version of this crate on a processor that has all that this one has.
    ///
    /// # Errors
    /// As [`Host::load`], and when the host has no code cache, or it cannot be written to.
    #[cfg(feature = "compile")]
    pub fn precompile(&self, path: &Path) -> Result<Vec<PathBuf>, ComponentError> {
        Component::precompile(&self.0.engines, path)
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

    /// The same host under another policy: for one of several tenants. Engines, workers and memory are shared. Limits that
    /// the host's own policy lowers stay as low; in place of everything else in it comes what this one says. Its
    /// `memory_total` bounds what a single job may need, since the memory itself is shared.
    #[must_use]
    pub fn with_policy(&self, policy: OperatorPolicy) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            engines: Arc::clone(&inner.engines),
            executor: Arc::clone(&inner.executor),
            limits: inner.limits.clone().within(&policy),
            memory: inner.memory.min(policy.memory_total.unwrap_or(u64::MAX)),
            policy,
            workers: inner.workers,
            #[cfg(feature = "otel")]
            telemetry: inner.telemetry.clone(),
        }))
    }

    /// Bytes of memory for all guests at once.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.0.memory
    }

    #[cfg(feature = "otel")]
    pub(crate) fn telemetry(&self) -> Option<&Telemetry> {
        self.0.telemetry.as_ref()
    }

    pub(crate) fn limits(&self) -> &StepLimits {
        &self.0.limits
    }
}
