//! The tenants: each with a folder, the operator's policy for it, its components, its jobs and its runs.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Component as PathPart, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dynhost::graph::event::Event;
use dynhost::graph::manifest::Manifest;
use dynhost::graph::operator::OperatorPolicy;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::store::history::{RunFilter, RunState};
use dynhost::store::sqlite::SqliteStore;
use dynhost::{ChildCompiler, Component, Host, PreparedJob, RunOptions, new_run_id, read_manifest};
use serde_json::Value as Json;

use crate::COMPILE;
use crate::refusal::Refusal;
use crate::run::{Followed, Live};

/// Runs that a tenant may have under way.
const RUNS: usize = 256;

/// All tenants, over one host.
pub(crate) struct Tenants(BTreeMap<String, Arc<Tenant>>);

/// One tenant.
pub(crate) struct Tenant {
    folder: PathBuf,
    /// The host that all share, under this tenant's policy.
    host: Host,
    store: SqliteStore,
    /// What runs were started from, by file: held, so that it is loaded once.
    components: Mutex<HashMap<PathBuf, Component>>,
    /// `None`: the service is stopping.
    live: Mutex<Option<HashMap<String, Arc<Live>>>>,
}

impl Tenants {
    /// Opens the folder of the service: a tenant is a folder in it with a `policy.toml`.
    pub(crate) fn open(data: &Path) -> Result<Self, Box<dyn Error>> {
        let compiler = ChildCompiler::new(std::env::current_exe()?, &[COMPILE]);
        let host = Host::builder().compiler(compiler).code_cache(data.join(".code")).build()?;
        let mut tenants = BTreeMap::new();
        for entry in fs::read_dir(data)? {
            let folder = entry?.path();
            let file = folder.join("policy.toml");
            let (Some(name), true) = (folder.file_name(), file.is_file()) else { continue };
            let mut policy = OperatorPolicy::parse(&file, &fs::read_to_string(&file)?)?;
            // A policy that does not speak of grants would allow all of them.
            policy.grants.get_or_insert_default();
            let store = SqliteStore::open(&folder.join("state"))?;
            let name = name.to_string_lossy().into_owned();
            let (host, live) = (host.with_policy(policy), Mutex::new(Some(HashMap::new())));
            let components = Mutex::default();
            tenants.insert(name, Arc::new(Tenant { folder, host, store, components, live }));
        }
        if tenants.is_empty() {
            let data = data.display();
            return Err(format!(
                "no folder in `{data}` has a `policy.toml`, so that there is no tenant"
            )
            .into());
        }
        Ok(Self(tenants))
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Arc<Tenant>, Refusal> {
        self.0.get(name).ok_or_else(|| Refusal::Missing(format!("tenant `{name}`")))
    }

    /// Goes on with the runs that the last process left.
    pub(crate) fn resume_runs(&self) {
        for (name, tenant) in &self.0 {
            if let Err(error) = tenant.resume_runs() {
                eprintln!("the runs of {name} cannot be resumed: {error}");
            }
        }
    }

    /// Leaves all runs where they are.
    pub(crate) async fn stop(&self) {
        for tenant in self.0.values() {
            let live = tenant.live().take().unwrap_or_default();
            for live in live.into_values() {
                if let Some(run) = live.take() {
                    run.leave().await;
                }
            }
        }
    }
}

impl Tenant {
    fn live(&self) -> MutexGuard<'_, Option<HashMap<String, Arc<Live>>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run that is over off the list.
    pub(crate) fn forget(&self, run: &str) -> Option<Arc<Live>> {
        self.live().as_mut()?.remove(run)
    }

    pub(crate) fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// Where an upload of this name is kept.
    fn file(&self, name: &str, extension: &str) -> Result<PathBuf, Refusal> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name == "policy" || name.len() > 64 || !name.chars().all(plain) {
            let words =
                "a name has letters, digits, `_` and `-` only, 64 at most, and is not `policy`";
            return Err(Refusal::Wrong(words.to_owned()));
        }
        Ok(self.folder.join(name).with_extension(extension))
    }

    /// Checks a component and keeps it. Blocks while it is compiled.
    pub(crate) fn put_component(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let file = self.file(name, "wasm")?;
        self.put(&file, bytes, |partial| Ok(self.host.load(partial).map(drop)?))
    }

    /// Checks a manifest and keeps it.
    pub(crate) fn put_job(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let file = self.file(name, "toml")?;
        self.put(&file, bytes, |partial| {
            let manifest = manifest(partial)?;
            Ok(self.host.check(&manifest, &GivenParams::new()).map(drop)?)
        })
    }

    /// Writes a file that is put in its place if the check lets it.
    fn put(
        &self,
        file: &Path,
        bytes: &[u8],
        check: impl FnOnce(&Path) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let partial = self.folder.join(format!("{}.partial", new_run_id()));
        let put = fs::write(&partial, bytes)
            .map_err(Refusal::from)
            .and_then(|()| check(&partial))
            .and_then(|()| Ok(fs::rename(&partial, file)?));
        if put.is_err() {
            let _ = fs::remove_file(&partial);
        }
        put
    }

    fn prepare(&self, file: &Path, params: &GivenParams) -> Result<PreparedJob, Refusal> {
        let prepared = self.host.prepare_in(&self.folder, &manifest(file)?, params)?;
        let mut held = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        for component in prepared.components() {
            held.insert(component.path().to_path_buf(), component.clone());
        }
        drop(held);
        Ok(prepared)
    }

    /// Starts a run of a job; gives its id. Blocks while the components are loaded.
    pub(crate) fn start(
        self: &Arc<Self>,
        job: &str,
        params: serde_json::Map<String, Json>,
    ) -> Result<String, Refusal> {
        let file = self.file(job, "toml")?;
        if !file.is_file() {
            return Err(Refusal::Missing(format!("job `{job}`")));
        }
        let params = params.into_iter().map(|(name, value)| (name, Given::Json(value))).collect();
        let prepared = self.prepare(&file, &params)?;
        let (id, mut live) = (new_run_id(), self.live());
        let Some(live) = live.as_mut() else {
            return Err(Refusal::Later("the service is stopping"));
        };
        if live.len() >= RUNS {
            return Err(Refusal::Later("too many runs are under way"));
        }
        let lock = self.store.lock(&id)?;
        let (run, events) = self.host.watch(&prepared, self.options(&id));
        live.insert(id.clone(), Live::follow(self, run, events, lock));
        Ok(id)
    }

    fn options(&self, run: &str) -> RunOptions {
        let store = Arc::new(self.store.clone());
        RunOptions { id: Some(run.to_owned()), store, ..RunOptions::default() }
    }

    /// Cancels a run that is under way.
    pub(crate) fn cancel(&self, run: &str) -> Result<(), Refusal> {
        match self.live().as_ref().and_then(|live| live.get(run)) {
            Some(live) => live.cancel(),
            None => return Err(Refusal::Missing(format!("run `{run}` under way"))),
        }
        Ok(())
    }

    /// The events of a run, from a place on.
    pub(crate) fn follow(&self, run: String, from: u64) -> Result<Followed, Refusal> {
        // Before the store: a run may end in between, and is then in the store as a whole.
        let kept = self.live().as_ref().and_then(|live| live.get(&run)).map(|live| live.kept());
        if kept.is_none() {
            self.store.run(&run)?;
        }
        Ok(Followed::new(self.store.clone(), run, from, kept))
    }

    fn resume_runs(self: &Arc<Self>) -> Result<(), Refusal> {
        let status = Some(RunState::Interrupted);
        let filter = RunFilter { status, limit: RUNS, ..RunFilter::default() };
        for summary in self.store.runs(&filter)? {
            if let Err(error) = self.resume(&summary.run) {
                eprintln!("run {} cannot be resumed: {error}", summary.run);
            }
        }
        Ok(())
    }

    fn resume(self: &Arc<Self>, id: &str) -> Result<(), Refusal> {
        let lock = self.store.lock(id)?;
        let mut first = None;
        self.store.read_from(id, 0, &mut |recorded| {
            first = Some(recorded.event);
            ControlFlow::Break(())
        })?;
        let Some(Event::RunStarted { params, manifest: Some(manifest), .. }) = first else {
            return Err(Refusal::Missing("beginning of the run".to_owned()));
        };
        let params = params.into_iter().map(|(name, value)| (name, Given::Json(value))).collect();
        let prepared = self.prepare(&manifest.path, &params)?;
        let mut live = self.live();
        let Some(live) = live.as_mut() else { return Ok(()) };
        let (run, events) = self.host.resume(&prepared, id, self.options(id), false)?;
        live.insert(id.to_owned(), Live::follow(self, run, events, lock));
        Ok(())
    }
}

/// Reads a manifest whose components are files of the tenant.
fn manifest(file: &Path) -> Result<Manifest, Refusal> {
    let manifest = read_manifest(file)?;
    for component in &manifest.components {
        let path = Path::new(&component.path.value);
        let mut parts = path.components();
        if !matches!((parts.next(), parts.next()), (Some(PathPart::Normal(_)), None)) {
            let path = path.display();
            return Err(Refusal::Wrong(format!("component `{path}` is to be named `NAME.wasm`")));
        }
    }
    Ok(manifest)
}
