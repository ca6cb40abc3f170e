//! A job under test: a manifest text that is run through the library, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dynhost::cache::Cache;
use dynhost::graph::event::{Event, Lineage};
use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::{Given, GivenParams};
use dynhost::store::RunStore;
use dynhost::testing::{Doubles, FakeClock};
pub(crate) use dynhost::testing::{Ran, Watched, block_on, step_of as step};
use dynhost::{Events, Host, PrepareError, PreparedJob, Run, RunError, RunOptions};
use serde_json::Value as Json;

/// The components that manifests may name, and the target that each is compiled for.
const COMPONENTS: [(&str, &str, &str); 12] = [
    ("basics", env!("EXAMPLE_OPS"), "wasm32-unknown-unknown"),
    ("files", env!("EXAMPLE_OPS"), "wasm32-wasip2"),
    ("hostile", env!("EXAMPLE_OPS"), "wasm32-unknown-unknown"),
    ("pieces", env!("EXAMPLE_OPS"), "wasm32-unknown-unknown"),
    ("texts", env!("EXAMPLE_OPS"), "wasm32-wasip2"),
    ("conformance", env!("GUESTS"), "wasm32-unknown-unknown"),
    ("crooked", env!("GUESTS"), "wasm32-unknown-unknown"),
    ("machine", env!("GUESTS"), "wasm32-wasip2"),
    ("network", env!("GUESTS"), "wasm32-wasip2"),
    ("odd", env!("GUESTS"), "wasm32-unknown-unknown"),
    ("orders", env!("GUESTS"), "wasm32-unknown-unknown"),
    ("scripted", env!("GUESTS"), "wasm32-wasip2"),
];

/// The compiled component of an op crate.
pub(crate) fn component(name: &str) -> PathBuf {
    let (_, folder, target) = known(name);
    Path::new(folder).join(target).join(format!("release/{name}.wasm"))
}

/// The same crate, compiled for another target.
pub(crate) fn component_for(name: &str, target: &str) -> PathBuf {
    Path::new(known(name).1).join(target).join(format!("release/{name}.wasm"))
}

fn known(name: &str) -> (&'static str, &'static str, &'static str) {
    let mut all = COMPONENTS.into_iter();
    all.find(|(known, ..)| *known == name)
        .unwrap_or_else(|| panic!("there is no component `{name}`"))
}

fn path(name: &str) -> String {
    component(name).to_str().expect("the path is UTF-8").to_owned()
}

/// The host that tests share which want nothing special of theirs. Its four workers are more
/// than there may be cores, so that steps overlap everywhere.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| new_host(4))
}

/// A host of its own.
pub(crate) fn new_host(workers: u32) -> Host {
    Host::builder()
        .workers(workers.try_into().expect("at least one worker"))
        .code_cache(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"))
        .build()
        .expect("a host can be built")
}

/// A manifest text, without its `[job]` and `[components]`: every component whose ops are used is
/// declared.
#[derive(Clone)]
pub(crate) struct Job {
    text: String,
    params: GivenParams,
    options: RunOptions,
    host: Host,
    clock: Option<FakeClock>,
}

/// Runs a job with nothing special.
pub(crate) fn run(nodes: &str) -> Ran {
    Job::new(nodes).run()
}

impl Job {
    pub(crate) fn new(nodes: &str) -> Self {
        let mut text = "job.name = \"test\"\n".to_owned();
        for (name, ..) in COMPONENTS {
            if nodes.contains(&format!("\"{name}/")) {
                text += &["components.", name, " = '", path(name).as_str(), "'\n"].concat();
            }
        }
        text.push_str(nodes);
        Self {
            text,
            params: GivenParams::new(),
            options: RunOptions::default(),
            host: host().clone(),
            clock: None,
        }
    }

    /// A job over components that are no crates of this project as well: alias and file.
    pub(crate) fn over(components: &[(&str, &Path)], nodes: &str) -> Self {
        let mut job = Self::new(nodes);
        for (alias, path) in components {
            let path = path.to_str().expect("the path is UTF-8");
            job.text.insert_str(0, &["components.", alias, " = '", path, "'\n"].concat());
        }
        job
    }

    pub(crate) fn param(mut self, name: &str, value: Json) -> Self {
        self.params.insert(name.to_owned(), Given::Json(value));
        self
    }

    pub(crate) fn host(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self
    }

    /// Goes by this clock.
    pub(crate) fn clock(mut self, clock: &FakeClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    pub(crate) fn max_concurrency(mut self, steps: u32) -> Self {
        self.options.max_concurrency = Some(steps);
        self
    }

    pub(crate) fn fail_fast(mut self) -> Self {
        self.options.fail_fast = true;
        self
    }

    /// Keeps the history of its runs.
    pub(crate) fn store(mut self, store: &Arc<impl RunStore + 'static>) -> Self {
        self.options.store = Arc::clone(store) as Arc<dyn RunStore>;
        self
    }

    /// Looks earlier successes up, and keeps new ones.
    pub(crate) fn cache(mut self, cache: &Arc<impl Cache + 'static>) -> Self {
        self.options.cache = Some(Arc::clone(cache) as Arc<dyn Cache>);
        self
    }

    pub(crate) fn try_prepare(&self) -> Result<PreparedJob, PrepareError> {
        let manifest = Manifest::parse(Path::new("test.toml"), &self.text)?;
        let job = self.host.prepare(&manifest, &self.params)?;
        Ok(match &self.clock {
            Some(clock) => Doubles::new().clock(clock).apply(&job),
            None => job,
        })
    }

    pub(crate) fn prepare(&self) -> PreparedJob {
        self.try_prepare().unwrap_or_else(|error| panic!("the job is refused: {error}\n{error:?}"))
    }

    /// Starts a run in the current runtime, watched.
    pub(crate) fn start(&self) -> (Run, Events) {
        self.host.watch(&self.prepare(), self.options.clone())
    }

    /// Runs the job to its end.
    pub(crate) fn run(&self) -> Ran {
        block_on(async { watch(self.start()).await })
    }

    /// Goes on with a run to its end.
    pub(crate) fn resume(&self, run: &str) -> Result<Ran, RunError> {
        block_on(async {
            let run = self.host.resume(&self.prepare(), run, self.options.clone(), false)?;
            Ok(watch(run).await)
        })
    }

    /// Runs the job to its end, taking from an earlier run what is not selected; without
    /// selectors, what succeeded.
    pub(crate) fn rerun(&self, run: &str, steps: &[&str]) -> Result<Ran, RunError> {
        let steps = steps.iter().map(|&selector| selector.to_owned()).collect();
        let lineage = Lineage { run: run.to_owned(), steps };
        block_on(async {
            let run = self.host.rerun(&self.prepare(), lineage, self.options.clone())?;
            Ok(watch(run).await)
        })
    }
}

/// Waits for the end of a run and takes its events.
pub(crate) async fn watch(run: (Run, Events)) -> Ran {
    Watched::new(run).ended().await
}

/// The node of an event's step.
pub(crate) fn node(event: &Event) -> &str {
    step(event).map_or("", |step| &step.node)
}

pub(crate) fn is_start(event: &Event) -> bool {
    matches!(event, Event::StepStarted { .. })
}

pub(crate) fn is_emit(event: &Event) -> bool {
    matches!(event, Event::OutputEmitted { .. })
}

pub(crate) fn is_success(event: &Event) -> bool {
    matches!(event, Event::StepSucceeded { .. })
}

pub(crate) fn is_skip(event: &Event) -> bool {
    matches!(event, Event::StepSkipped { .. })
}

/// The end of an attempt, however it ended.
pub(crate) fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::StepSucceeded { .. } | Event::StepFailed { .. } | Event::StepCancelled { .. }
    )
}
