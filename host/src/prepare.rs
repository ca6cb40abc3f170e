//! From a manifest to a job whose components are loaded: everything that can be known, and
//! refused, before anything runs.

mod grants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dynhost_graph::event::{LimitKind, ManifestRecord};
use dynhost_graph::job::{Job, Node};
use dynhost_graph::limits::Bound;
use dynhost_graph::manifest::{Manifest, ManifestError};
use dynhost_graph::params::{self, GivenParams};
use dynhost_graph::plan::{self, ComponentInfo, Folders};

use crate::admission::Admission;
use crate::build::JobError;
use crate::capability;
use crate::clock::RunClock;
use crate::component::{Component, ComponentError, NATIVE};
use crate::host::Host;
use crate::run::RunOptions;
use crate::secret::SecretValues;
use grants::look_up;
pub(crate) use grants::variable;

/// A job with its components, ready to be run any number of times.
#[derive(Debug, Clone)]
pub struct PreparedJob {
    pub(crate) job: Arc<Job>,
    /// In the order of [`Job::components`].
    pub(crate) components: Vec<Component>,
    /// What the job was planned from, where that is a manifest.
    pub(crate) manifest: Option<Arc<ManifestRecord>>,
    pub(crate) secrets: SecretValues,
    pub(crate) clock: RunClock,
}

impl PreparedJob {
    /// Joins a job, such as one made in code, with its components in the order of
    /// [`Job::components`].
    ///
    /// # Errors
    /// The components are not the ones that the job was made for, or the machine lacks something
    /// that is granted.
    pub fn new(mut job: Job, components: Vec<Component>) -> Result<Self, PrepareError> {
        let wanted = job.components.iter().map(|component| component.digest.as_str());
        if !wanted.eq(components.iter().map(Component::digest)) {
            return Err(PrepareError::OtherComponents);
        }
        for node in &mut job.nodes {
            if components[node.component].is_native() {
                without_guest_memory(node);
            }
        }
        let secrets = look_up(&mut job, &components).map_err(|problems| {
            PrepareError::Grants(problems.into_iter().map(|problem| problem.message).collect())
        })?;
        let (job, clock) = (Arc::new(job), RunClock::default());
        Ok(Self { job, components, manifest: None, secrets, clock })
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// What the job was planned from; `None` where it was made in code.
    #[must_use]
    pub fn manifest(&self) -> Option<&ManifestRecord> {
        self.manifest.as_deref()
    }

    /// The loaded components, in the order of [`Job::components`].
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }
}

/// Why a manifest cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The manifest cannot be read.
    #[error("the manifest `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A job that was built in code is wrong.
    #[error(transparent)]
    Built(#[from] JobError),
    /// Components cannot be loaded; at least one.
    #[error("{} of the job's components cannot be loaded", .0.len())]
    Components(Vec<ComponentError>),
    /// A job is given other components than the ones it was made for.
    #[error("the job was made for other components than the ones given")]
    OtherComponents,
    /// The machine lacks what a job that was made in code grants; at least one sentence.
    #[error("{}", .0.join("; "))]
    Grants(Vec<String>),
}

/// Reads and parses the manifest at `path`.
///
/// # Errors
/// It cannot be read, or is malformed; nothing in it is looked up.
pub fn read_manifest(path: &Path) -> Result<Manifest, PrepareError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PrepareError::Read { path: path.to_path_buf(), source })?;
    Ok(Manifest::parse(path, &text)?)
}

/// What is known of a manifest that is right.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checked {
    /// Its components, by alias.
    pub components: BTreeMap<String, Component>,
    /// How a run would be admitted; `None`: that hangs on params without a value.
    pub admission: Option<Admission>,
}

impl Host {
    /// Loads the components of a manifest and plans its job with these params.
    ///
    /// # Errors
    /// Components that cannot be loaded, or else all mistakes of the manifest that can be found
    /// without running it.
    pub fn prepare(
        &self,
        manifest: &Manifest,
        given: &GivenParams,
    ) -> Result<PreparedJob, PrepareError> {
        self.prepare_in(&std::env::current_dir().unwrap_or_default(), manifest, given)
    }

    /// As [`Host::prepare`], with paths that begin with a param relative to `working` rather than
    /// to the working folder.
    ///
    /// # Errors
    /// As [`Host::prepare`].
    pub fn prepare_in(
        &self,
        working: &Path,
        manifest: &Manifest,
        given: &GivenParams,
    ) -> Result<PreparedJob, PrepareError> {
        self.prepare_with(&self.load_components(manifest)?, (working, manifest), given)
    }

    /// Plans the job of a manifest over components that are loaded, by alias.
    pub(crate) fn prepare_with(
        &self,
        components: &BTreeMap<String, Component>,
        (working, manifest): (&Path, &Manifest),
        given: &GivenParams,
    ) -> Result<PreparedJob, PrepareError> {
        let folders = folders(manifest, working);
        let mut job = plan::plan(manifest, &infos(components), given, &folders)?;
        for node in &mut job.nodes {
            if components[&job.components[node.component].alias].is_native() {
                without_guest_memory(node);
            }
        }
        // First, so that nothing is read that the operator does not allow.
        self.check_admission(manifest, &job)?;
        let in_order = in_order(&job, components);
        let secrets = look_up(&mut job, &in_order).map_err(|problems| manifest.error(problems))?;
        let record = ManifestRecord {
            path: std::path::absolute(&manifest.path).unwrap_or_else(|_| manifest.path.clone()),
            text: manifest.text.to_string(),
            working: folders.working,
        };
        let manifest = Some(Arc::new(record));
        let (job, clock) = (Arc::new(job), RunClock::default());
        Ok(PreparedJob { job, components: in_order, manifest, secrets, clock })
    }

    /// Checks a manifest as [`Host::prepare`] does, but asks no value of params without a
    /// default; what hangs on such a value is left unchecked.
    ///
    /// # Errors
    /// As [`Host::prepare`].
    pub fn check(&self, manifest: &Manifest, given: &GivenParams) -> Result<Checked, PrepareError> {
        let components = self.load_components(manifest)?;
        let working = std::env::current_dir().unwrap_or_default();
        let mut admission = None;
        let (infos, folders) = (infos(&components), folders(manifest, &working));
        if params::missing(manifest, given).is_empty() {
            let mut job = plan::plan(manifest, &infos, given, &folders)?;
            self.check_admission(manifest, &job)?;
            let in_order = in_order(&job, &components);
            look_up(&mut job, &in_order).map_err(|problems| manifest.error(problems))?;
            admission = Some(self.admit(&job, &RunOptions::default()));
        } else {
            plan::check(manifest, &infos, given, &folders)?;
            let grants = capability::of_manifest(manifest);
            let problems = capability::refusals(self.capabilities(), self.policy(), grants);
            if !problems.is_empty() {
                return Err(manifest.error(problems).into());
            }
        }
        Ok(Checked { components, admission })
    }

    /// Refuses what the operator does not allow, or what could find too little memory.
    fn check_admission(&self, manifest: &Manifest, job: &Job) -> Result<(), ManifestError> {
        let problems = self.refusals(job);
        if problems.is_empty() { Ok(()) } else { Err(manifest.error(problems)) }
    }

    /// Loads every component that a manifest names, by alias.
    ///
    /// # Errors
    /// All those that cannot be loaded.
    pub fn load_components(
        &self,
        manifest: &Manifest,
    ) -> Result<BTreeMap<String, Component>, PrepareError> {
        let base = folder_of(&manifest.path);
        let mut loaded = BTreeMap::new();
        let mut errors = Vec::new();
        for component in &manifest.components {
            let path = base.join(&component.path.value);
            let native = component.path.value.strip_prefix(NATIVE);
            let result = match (native, &component.sha256) {
                (Some(name), pinned) => self
                    .native(name, &path)
                    .and_then(|native| native.pinned(pinned.as_ref().map(|it| &*it.value))),
                (None, Some(digest)) => self.load_pinned(&path, &digest.value),
                (None, None) => self.load(&path),
            };
            match result {
                Ok(component_loaded) => {
                    loaded.insert(component.alias.value.clone(), component_loaded);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(loaded) } else { Err(PrepareError::Components(errors)) }
    }
}

/// A native op has no memory of a guest, so that its steps need not wait for any.
fn without_guest_memory(node: &mut Node) {
    let limits = &mut node.policy.limits;
    if limits.get(LimitKind::Memory).is_none() {
        limits.set(LimitKind::Memory, Bound::new(0, &[], node.span.clone()));
    }
}

fn infos(components: &BTreeMap<String, Component>) -> BTreeMap<String, ComponentInfo> {
    components.iter().map(|(alias, component)| (alias.clone(), component.info())).collect()
}

fn in_order(job: &Job, components: &BTreeMap<String, Component>) -> Vec<Component> {
    job.components.iter().map(|used| components[&used.alias].clone()).collect()
}

fn folder_of(manifest: &Path) -> PathBuf {
    manifest.parent().map(Path::to_path_buf).unwrap_or_default()
}

fn folders(manifest: &Manifest, working: &Path) -> Folders {
    let here = std::env::current_dir().unwrap_or_default();
    Folders { manifest: here.join(folder_of(&manifest.path)), working: working.to_path_buf() }
}
