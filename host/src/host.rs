//! The host: engines, limits, compiled code, workers. Cheap to clone; any number of runs at once.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use dynhost_graph::event::bytes_in_words;
use dynhost_graph::grant::{CapabilityGrant, SectionMistake};
use dynhost_graph::manifest::{ManifestError, Problem};
use dynhost_graph::operator::OperatorPolicy;

use crate::capability::{Capabilities, Capability};
#[cfg(feature = "compile")]
use crate::component::ChildCompiler;
use crate::component::{Component, ComponentError, EngineOptions, Engines};
use crate::engine::{self, FEWER, INSTANCES, Isolation};
use crate::executor::Executor;
use crate::executor::local::LocalExecutor;
use crate::instance::StepLimits;
use crate::machine;
use crate::native::NativeOps;
#[cfg(feature = "otel")]
use crate::telemetry::Telemetry;

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
    capabilities: Capabilities,
    natives: Vec<NativeOps>,
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
    /// The machine gives too little address space, which is no memory.
    #[error(
        "the WebAssembly engine must have room for {1} guests at once, and needs {0} of address space for that, which is \
         no memory; {2}", bytes_in_words(*.wanted), FEWER[FEWER.len() - 1], allowed_in_words(*.allowed)
    )]
    AddressSpace {
        /// Bytes that the smallest pool of guests takes.
        wanted: u64,
        /// Bytes that this process may have; `None`: nothing bounds it but the machine.
        allowed: Option<u64>,
    },
    /// Native ops are malformed.
    #[error(transparent)]
    Native(#[from] ComponentError),
    /// A worker thread cannot be started.
    #[error("a worker thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// A capability cannot be registered.
    #[error("the capability `{name}` cannot be registered: {why}")]
    Capability {
        /// Its name.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// The operator's policy speaks of capabilities wrongly, or of ones that there are not.
    #[error(transparent)]
    Policy(#[from] ManifestError),
}

fn allowed_in_words(allowed: Option<u64>) -> String {
    match allowed {
        Some(bytes) => {
            format!("this process may have {} (`ulimit -v`)", bytes_in_words(bytes))
        }
        None => "the machine does not give it".to_owned(),
    }
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

    /// Offers an interface of your program to components; see [`capability`](crate::capability). Each has a name of its
    /// own.
    #[must_use]
    pub fn capability(mut self, capability: impl Capability) -> Self {
        self.capabilities.add(capability);
        self
    }

    /// Gives the host native ops, which manifests then name `native:NAME` where they name the file of a component.
    /// Among those of one name the last ones count.
    #[must_use]
    pub fn native(mut self, ops: NativeOps) -> Self {
        self.natives.push(ops);
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
    /// The machine does not allow what the engine needs, the capabilities do not fit one another or the policy, or native
    /// ops are malformed.
    pub fn build(self) -> Result<Host, HostError> {
        self.capabilities.check()?;
        check_policy(&self.policy, &self.capabilities)?;
        let limits = self.limits.within(&self.policy);
        let natives = self.natives.into_iter();
        let natives = natives.map(|ops| Ok((ops.name().to_owned(), Component::native(ops)?)));
        let natives = natives.collect::<Result<_, ComponentError>>()?;
        let engines = EngineOptions {
            code_cache: self.code_cache,
            #[cfg(feature = "compile")]
            compiler: self.compiler,
            limits: limits.clone(),
            isolation: self.isolation,
            capabilities: self.capabilities,
        };
        let engines = Engines::new(engines)?;
        let instances = engines.instances();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = u32::try_from(cores).unwrap_or(instances);
        let workers = self.workers.map_or(cores, NonZeroU32::get).min(instances / 2);
        let memory = self.memory.unwrap_or_else(|| machine::memory() / 4 * 3);
        let memory = memory.min(self.policy.memory_total.unwrap_or(u64::MAX));
        let executor =
            LocalExecutor::start(workers, instances, memory).map_err(HostError::Thread)?;
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.observe(executor.load());
        }
        Ok(Host(Arc::new(Inner {
            engines: Arc::new(engines),
            executor: Arc::new(executor),
            natives,
            limits,
            policy: self.policy,
            memory,
            workers,
            #[cfg(feature = "otel")]
            telemetry: self.telemetry,
        })))
    }
}

/// Checks what the policy says of capabilities, so that nothing is refused later because it is misspelt.
fn check_policy(policy: &OperatorPolicy, capabilities: &Capabilities) -> Result<(), ManifestError> {
    let rules = policy.grants.iter().flat_map(|rules| &rules.capabilities);
    let names: Vec<&str> = capabilities.names().collect();
    let check = |rule: &CapabilityGrant| match capabilities.named(&rule.name) {
        None => Some(rule.unknown(&names)),
        Some(offer) => {
            let SectionMistake { message, span } = offer.check(&rule.section).err()?;
            let span = span.unwrap_or_else(|| rule.span.clone());
            Some(Problem::at(span, format!("`grants.{}`: {message}", rule.name)))
        }
    };
    let problems: Vec<Problem> = rules.filter_map(check).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(ManifestError::new(Path::new(&policy.name), Arc::clone(&policy.text), problems))
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

    /// Steps that a run may have at once at most: [`MAX_CONCURRENCY`](crate::MAX_CONCURRENCY), or fewer where the
    /// machine gives this process too little address space.
    #[must_use]
    pub fn max_concurrency(&self) -> u32 {
        self.instances() / 2
    }

    /// That there is room for fewer guests than usual, if it is so, and why: in words, for people.
    #[must_use]
    pub fn shortage(&self) -> Option<String> {
        let instances = self.instances();
        if instances == INSTANCES {
            return None;
        }
        Some(format!(
            "there is room for {instances} guests at once instead of {INSTANCES}, and no run has more than {} steps at \
             once: {} of address space are needed for all, and {}",
            self.max_concurrency(),
            bytes_in_words(engine::address_space(INSTANCES)),
            allowed_in_words(machine::address_space())
        ))
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

    /// The native ops of this name.
    pub(crate) fn native(&self, name: &str, path: &Path) -> Result<Component, ComponentError> {
        self.0.natives.get(name).cloned().ok_or_else(|| ComponentError::NoNative {
            path: path.to_owned(),
            name: name.to_owned(),
            known: self.0.natives.keys().cloned().collect(),
        })
    }

    /// Guests that there can be at once.
    pub(crate) fn instances(&self) -> u32 {
        self.0.engines.instances()
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
            natives: inner.natives.clone(),
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

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.0.engines.capabilities()
    }

    #[cfg(feature = "otel")]
    pub(crate) fn telemetry(&self) -> Option<&Telemetry> {
        self.0.telemetry.as_ref()
    }

    pub(crate) fn limits(&self) -> &StepLimits {
        &self.0.limits
    }
}
