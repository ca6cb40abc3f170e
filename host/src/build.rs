//! Jobs built in code.
//!
//! A [`JobBuilder`] says what a manifest says, in the same words, and goes through the same checks: it writes the text
//! of a manifest, which is then read and planned like any other. A mistake names the node and the field instead of a
//! line.
//!
//! ```
//! use dynhost::native::{Emitter, NativeOps, Op};
//! use dynhost::{Component, GivenParams, Host, JobBuilder, RunOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().build()?;
//! let sums = Component::native(
//!     NativeOps::new("sums")
//!         .op(Op::yielding("numbers", |n: u64, out: Emitter<u64>| async move {
//!             for i in 0..n {
//!                 out.emit(i.to_string(), i).await?;
//!             }
//!             Ok(())
//!         }))
//!         .op(Op::new("square", |n: u64| Ok(n * n)))
//!         .op(Op::new("sum", |all: Vec<u64>| Ok(all.iter().sum::<u64>()))),
//! )?;
//!
//! let job = JobBuilder::new("squares");
//! let n = job.param("n").kind("integer").default(10);
//! let numbers = job.node("numbers").op(&sums, "numbers").param("value", &n);
//! let square = job.node("square").op(&sums, "square").map("value", &numbers);
//! let sum = job.node("sum").op(&sums, "sum").collect("value", &square);
//! job.output("sum", &sum);
//!
//! let job = host.prepare_built(&job, &GivenParams::new())?;
//! let ended = host.start(&job, RunOptions::default()).finished().await?;
//! assert_eq!(ended.json("sum"), Some(285.into()));
//! # Ok(())
//! # }
//! ```
//!
//! # What is stored of such a run
//!
//! The text of the manifest is recorded with a run, so that the run can go on: build the same job again and give it to
//! [`Host::resume`], or read the text out of the first event (`RunStarted`) with
//! [`Manifest::parse`] and prepare that. For the latter, components are found
//! again by their absolute path and their digest, and native ops by their name among those of
//! [`HostBuilder::native`](crate::HostBuilder::native). `dynhost resume --accept-changes` goes on with such a run where
//! it has no native ops.

#![allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "what is said of a part of a job holds without its handle"
)]

mod error;
mod graph;
mod node;
mod text;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dynhost_graph::event::LimitKind;
use dynhost_graph::manifest::{Manifest, ManifestError};
use dynhost_graph::params::GivenParams;
use serde_json::{Value as Json, json};

use crate::component::{Component, ComponentError};
use crate::host::Host;
use crate::native::NativeOps;
use crate::prepare::{PrepareError, PreparedJob};

pub use error::JobError;
pub use graph::GraphBuilder;
pub use node::NodeBuilder;
use text::{Draft, Section, duration, per_attempt};
pub use wire::{Output, Wire};

/// A job in the making. What it hands out (nodes, params, graphs) belongs to it and changes it.
#[derive(Debug, Clone)]
pub struct JobBuilder(Shared);

/// What the parts of a job share with it.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Draft>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn section(&self, find: impl FnOnce(&mut Draft) -> &mut Section, key: &str, value: &Json) {
        find(&mut self.lock()).set(key, value);
    }
}

/// What a job takes ops from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ComponentSource {
    /// A component that is loaded.
    Loaded(Component),
    /// A file, loaded when the job is prepared; relative to the working folder.
    File(PathBuf),
    /// Native ops.
    Native(NativeOps),
}

impl From<&Component> for ComponentSource {
    fn from(component: &Component) -> Self {
        Self::Loaded(component.clone())
    }
}

impl From<NativeOps> for ComponentSource {
    fn from(ops: NativeOps) -> Self {
        Self::Native(ops)
    }
}

impl<P: Into<PathBuf>> From<P> for ComponentSource {
    fn from(path: P) -> Self {
        Self::File(path.into())
    }
}

/// A component of a job under construction.
#[derive(Debug, Clone)]
pub struct ComponentRef(String);

/// Where a node finds its op: a component of the job, or one that is loaded, which then becomes one.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpSource {
    /// By the name that the job gives it.
    Alias(String),
    /// The component itself. Its name in the job is that of its file.
    Loaded(Component),
}

impl From<&ComponentRef> for OpSource {
    fn from(ComponentRef(alias): &ComponentRef) -> Self {
        Self::Alias(alias.clone())
    }
}

impl From<&str> for OpSource {
    fn from(alias: &str) -> Self {
        Self::Alias(alias.to_owned())
    }
}

impl From<&Component> for OpSource {
    fn from(component: &Component) -> Self {
        Self::Loaded(component.clone())
    }
}

/// A param of a job under construction.
#[derive(Debug, Clone)]
pub struct ParamBuilder {
    shared: Shared,
    name: String,
}

impl AsRef<str> for ParamBuilder {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

impl ParamBuilder {
    /// The JSON Schema type of its value, such as `"string"`.
    pub fn kind(self, kind: &str) -> Self {
        self.set("type", &json!(kind))
    }

    /// The JSON Schema of its value.
    pub fn schema(self, schema: &Json) -> Self {
        self.set("schema", schema)
    }

    /// The value where none is given.
    pub fn default(self, value: impl Into<Json>) -> Self {
        self.set("default", &value.into())
    }

    /// Says what it is for, for people.
    pub fn describe(self, description: &str) -> Self {
        self.set("description", &json!(description))
    }

    fn set(self, key: &str, value: &Json) -> Self {
        self.shared.section(|draft| draft.param(&self.name), key, value);
        self
    }
}

impl JobBuilder {
    /// A job of this name, as yet empty.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let shared = Shared::default();
        shared.section(|draft| &mut draft.job, "name", &json!(name));
        name.clone_into(&mut shared.lock().name);
        Self(shared)
    }

    /// Says what the job does, for people.
    #[must_use]
    pub fn describe(self, description: &str) -> Self {
        self.0.section(|draft| &mut draft.job, "description", &json!(description));
        self
    }

    /// Steps of a run at once.
    #[must_use]
    pub fn max_concurrency(self, steps: u32) -> Self {
        self.0.section(|draft| &mut draft.job, "max_concurrency", &json!(steps));
        self
    }

    /// A bound for every node that sets none of this kind: a value for each attempt, of which the last one holds for
    /// all that follow.
    #[must_use]
    pub fn default_limit(self, kind: LimitKind, values: impl AsRef<[u64]>) -> Self {
        let key = format!("limits.{}", kind.key());
        self.0.section(
            |draft| &mut draft.defaults,
            &key,
            &per_attempt(values.as_ref(), |it| json!(it)),
        );
        self
    }

    /// The timeout of every node that sets none.
    #[must_use]
    pub fn default_timeout(self, timeout: Duration) -> Self {
        self.0.section(|draft| &mut draft.defaults, "timeout", &duration(timeout));
        self
    }

    /// Declares a component under a name.
    pub fn component(&self, alias: &str, source: impl Into<ComponentSource>) -> ComponentRef {
        self.0.lock().component(alias, source.into());
        ComponentRef(alias.to_owned())
    }

    /// Declares a param.
    pub fn param(&self, name: &str) -> ParamBuilder {
        self.0.lock().add_param(name);
        ParamBuilder { shared: self.0.clone(), name: name.to_owned() }
    }

    /// Declares a pool: a bound on steps at once, which nodes share.
    pub fn pool(&self, name: &str, size: u32) {
        self.0.section(|draft| &mut draft.pools, &text::key(name), &json!(size));
    }

    /// Adds a graph, to be used as a node.
    pub fn graph(&self, name: &str) -> GraphBuilder {
        GraphBuilder::new(self.0.clone(), name)
    }

    /// Adds a node.
    pub fn node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(self.0.clone(), None, name)
    }

    /// Gives the job an output.
    pub fn output(&self, name: &str, source: impl Into<Wire>) {
        let wire = source.into().into_json();
        self.0.section(|draft| &mut draft.body.outputs, &text::key(name), &wire);
    }

    /// The job as the text of a manifest.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().write().text
    }

    /// The job as a manifest, which is what prepares it.
    ///
    /// # Errors
    /// All mistakes that can be seen without the components.
    pub fn manifest(&self) -> Result<Manifest, JobError> {
        let written = self.0.lock().write();
        let path = std::env::current_dir().unwrap_or_default();
        let path = path.join(format!("{} (built in code)", self.0.lock().name));
        let error = match Manifest::parse(&path, &written.text) {
            Ok(manifest) if written.mistakes.is_empty() => return Ok(manifest),
            Ok(manifest) => manifest.error(written.mistakes),
            Err(error) => {
                let problems = error.problems().iter().cloned().chain(written.mistakes);
                ManifestError::new(&path, Arc::clone(error.text()), problems.collect())
            }
        };
        Err(JobError::new(error, written.places))
    }
}

impl Host {
    /// Prepares a job that was built in code, with these params: loads the components that are not loaded yet, and
    /// checks the job as [`Host::prepare`] does.
    ///
    /// # Errors
    /// As [`Host::prepare`]; mistakes of the job name the node and the field.
    pub fn prepare_built(
        &self,
        job: &JobBuilder,
        given: &GivenParams,
    ) -> Result<PreparedJob, PrepareError> {
        let manifest = job.manifest()?;
        let components = self.components_of(job)?;
        let working = std::env::current_dir().unwrap_or_default();
        self.prepare_with(&components, (&working, &manifest), given).map_err(|error| match error {
            PrepareError::Manifest(error) => {
                JobError::new(error, job.0.lock().write().places).into()
            }
            other => other,
        })
    }

    fn components_of(&self, job: &JobBuilder) -> Result<BTreeMap<String, Component>, PrepareError> {
        let sources = job.0.lock().components.clone();
        let (mut loaded, mut errors) = (BTreeMap::new(), Vec::new());
        for (alias, source) in sources {
            let component: Result<Component, ComponentError> = match source {
                ComponentSource::Loaded(component) => Ok(component),
                ComponentSource::Native(ops) => Component::native(ops),
                ComponentSource::File(path) => match path.to_str().and_then(text::native) {
                    Some(name) => self.native(name, &path),
                    None => self.load(&path),
                },
            };
            match component {
                Ok(component) => drop(loaded.insert(alias, component)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(loaded) } else { Err(PrepareError::Components(errors)) }
    }
}
