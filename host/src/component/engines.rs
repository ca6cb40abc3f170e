//! The engines of a host: one for compiled code that counts fuel, one for code that does not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::Inner;
#[cfg(feature = "compile")]
use super::compile::ChildCompiler;
use crate::code_cache::CodeCache;
use crate::engine::{self, EngineSettings, Isolation, Ticker};
use crate::instance::{self, State, StepLimits};

pub(crate) struct Engines {
    plain: OnceLock<Ready>,
    metered: OnceLock<Ready>,
    /// Held while an engine is made: each reserves terabytes of address space.
    making: Mutex<()>,
    cache: Option<CodeCache>,
    #[cfg(feature = "compile")]
    compiler: Option<ChildCompiler>,
    /// Bounds on a component that describes its ops.
    limits: StepLimits,
    isolation: Isolation,
    /// Components that somebody holds, by path and digest: each that is loaded once more would keep memory and a file of
    /// its own as long as the pool has a slot with its image.
    loaded: Mutex<HashMap<(PathBuf, String), Weak<Inner>>>,
}

/// An engine with all that its guests can import.
struct Ready {
    engine: Engine,
    linker: Linker<State>,
    _ticker: Ticker,
}

impl Engines {
    /// Sets up the engine that does not count fuel, and opens the code cache, if there is to be
    /// one.
    pub(crate) fn new(
        code_cache: Option<&Path>,
        #[cfg(feature = "compile")] compiler: Option<ChildCompiler>,
        limits: StepLimits,
        isolation: Isolation,
    ) -> wasmtime::Result<Self> {
        let engines = Self {
            plain: OnceLock::new(),
            metered: OnceLock::new(),
            making: Mutex::new(()),
            cache: code_cache.and_then(CodeCache::open),
            #[cfg(feature = "compile")]
            compiler,
            limits,
            isolation,
            loaded: Mutex::default(),
        };
        engines.ready(EngineSettings { fuel: false })?;
        Ok(engines)
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
        let name = (component.path.clone(), component.digest.clone());
        loaded.insert(name, Arc::downgrade(component));
    }

    fn ready(&self, settings: EngineSettings) -> wasmtime::Result<&Ready> {
        let cell = if settings.fuel { &self.metered } else { &self.plain };
        if let Some(ready) = cell.get() {
            return Ok(ready);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = cell.get() {
            return Ok(ready);
        }
        let engine = Engine::new(&engine::config(settings, self.isolation))?;
        let linker = instance::link(&engine)?;
        let ticker = Ticker::start(&engine)?;
        Ok(cell.get_or_init(|| Ready { engine, linker, _ticker: ticker }))
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

    pub(super) fn limits(&self) -> &StepLimits {
        &self.limits
    }

    pub(super) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_ref()
    }
}
