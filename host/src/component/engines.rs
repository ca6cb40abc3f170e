//! The engines of a host: with and without counting fuel, for guests with a small and with a large image of memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::Inner;
#[cfg(feature = "compile")]
use super::compile::ChildCompiler;
use crate::capability::Capabilities;
use crate::code_cache::CodeCache;
use crate::engine::{self, EngineSettings, FEWER, INSTANCES, Isolation, Ticker};
use crate::host::HostError;
use crate::instance::{self, State, StepLimits, Tls};
use crate::machine;

pub(crate) struct Engines {
    /// By their [`place`]; `None`: for guests with a large image there is too little address space, and the engine for
    /// small ones has them.
    ready: [OnceLock<Option<Ready>>; 4],
    /// Held while an engine is made: each reserves terabytes of address space.
    making: Mutex<()>,
    cache: Option<CodeCache>,
    #[cfg(feature = "compile")]
    compiler: Option<ChildCompiler>,
    /// Bounds on a component that describes its ops.
    limits: StepLimits,
    isolation: Isolation,
    capabilities: Capabilities,
    /// How many guests there can be at once in each engine.
    instances: u32,
    tls: Tls,
    /// Components that somebody holds, by path and digest: each that is loaded once more would keep memory and a file of
    /// its own as long as the pool has a slot with its image.
    loaded: Mutex<HashMap<(PathBuf, String), Weak<Inner>>>,
}

/// What the engines of a host are set up with.
pub(crate) struct EngineOptions {
    pub(crate) code_cache: Option<PathBuf>,
    #[cfg(feature = "compile")]
    pub(crate) compiler: Option<ChildCompiler>,
    pub(crate) limits: StepLimits,
    pub(crate) isolation: Isolation,
    pub(crate) capabilities: Capabilities,
}

/// An engine with all that its guests can import.
struct Ready {
    engine: Engine,
    linker: Linker<State>,
    _ticker: Ticker,
}

impl Engines {
    /// Sets up the engine that does not count fuel, with room for as many guests as the machine has address space for,
    /// and opens the code cache, if there is to be one. All capabilities are linked once, to see that they can be.
    pub(crate) fn new(options: EngineOptions) -> Result<Self, HostError> {
        let mut engines = Self {
            ready: Default::default(),
            making: Mutex::new(()),
            cache: options.code_cache.as_deref().and_then(CodeCache::open),
            #[cfg(feature = "compile")]
            compiler: options.compiler,
            limits: options.limits,
            isolation: options.isolation,
            capabilities: options.capabilities,
            instances: INSTANCES,
            tls: Tls::default(),
            loaded: Mutex::default(),
        };
        let mut reserved = engines.reserve();
        for fewer in FEWER {
            if reserved.as_ref().err().is_none_or(|error| !engine::lacks_space(error)) {
                break;
            }
            // Gives back what was had.
            engines.ready = Default::default();
            engines.instances = fewer;
            reserved = engines.reserve();
        }
        reserved.map_err(not_set_up)?;
        engines.try_capabilities()?;
        Ok(engines)
    }

    fn reserve(&self) -> wasmtime::Result<()> {
        self.ready(EngineSettings::PLAIN)?;
        if self.is_scarce() {
            // There may be no space for the other engine later.
            self.ready(EngineSettings { fuel: true, ..EngineSettings::PLAIN })?;
        }
        Ok(())
    }

    /// Whether address space is scarce.
    fn is_scarce(&self) -> bool {
        self.instances < INSTANCES || machine::address_space().is_some()
    }

    fn try_capabilities(&self) -> Result<(), HostError> {
        let linker = self.linker(EngineSettings::PLAIN);
        let mut linker = linker.map_err(|error| HostError::Engine(error.into()))?.clone();
        for offer in self.capabilities.iter() {
            offer.link(&mut linker).map_err(|error| HostError::Capability {
                name: offer.name(),
                why: format!("{error:#}"),
            })?;
        }
        Ok(())
    }

    /// The component of this file with this digest, where somebody holds it.
    pub(super) fn loaded(&self, path: &Path, digest: &str) -> Option<Arc<Inner>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.get(&(path.to_path_buf(), digest.to_owned()))?.upgrade()
    }

    /// Notes a component that has been loaded.
    pub(super) fn note(&self, component: &Arc<Inner>) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, component| component.strong_count() > 0);
        let name = (component.loaded.path.clone(), component.loaded.digest.clone());
        loaded.insert(name, Arc::downgrade(component));
    }

    fn ready(&self, settings: EngineSettings) -> wasmtime::Result<&Ready> {
        let cell = &self.ready[place(settings)];
        if cell.get().is_none() {
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            if cell.get().is_none() {
                let made = self.make(settings)?;
                cell.get_or_init(|| made);
            }
        }
        match cell.get() {
            Some(Some(ready)) => Ok(ready),
            _ => self.ready(EngineSettings { large_image: false, ..settings }),
        }
    }

    fn make(&self, settings: EngineSettings) -> wasmtime::Result<Option<Ready>> {
        if settings.large_image && self.is_scarce() {
            return Ok(None);
        }
        let engine = match Engine::new(&engine::config(settings, self.isolation, self.instances)) {
            Err(error) if settings.large_image && engine::lacks_space(&error) => return Ok(None),
            engine => engine?,
        };
        let linker = instance::link(&engine)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Some(Ready { engine, linker, _ticker: ticker }))
    }

    pub(super) fn engine(&self, settings: EngineSettings) -> wasmtime::Result<&Engine> {
        Ok(&self.ready(settings)?.engine)
    }

    pub(super) fn linker(&self, settings: EngineSettings) -> wasmtime::Result<&Linker<State>> {
        Ok(&self.ready(settings)?.linker)
    }

    /// Who compiles in a process of its own; `None`: this process does it.
    #[cfg(feature = "compile")]
    pub(super) fn compiler(&self) -> Option<&ChildCompiler> {
        self.compiler.as_ref()
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How many guests there can be at once in each engine.
    pub(crate) fn instances(&self) -> u32 {
        self.instances
    }

    /// How guests of this host speak to others in secret.
    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(super) fn limits(&self) -> &StepLimits {
        &self.limits
    }

    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_ref()
    }
}

/// Where the engine with these settings is.
fn place(EngineSettings { fuel, large_image }: EngineSettings) -> usize {
    usize::from(fuel) + 2 * usize::from(large_image)
}

fn not_set_up(error: wasmtime::Error) -> HostError {
    if engine::lacks_space(&error) {
        // As `Engines` needs it: one with fuel and one without.
        let wanted = 2 * engine::address_space(FEWER[FEWER.len() - 1]);
        return HostError::AddressSpace { wanted, allowed: machine::address_space() };
    }
    HostError::Engine(error.into())
}
