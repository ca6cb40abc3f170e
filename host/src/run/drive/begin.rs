//! How a run comes to its first step: afresh, from another run, or from its own history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{EVENT_VERSION, Event, Lineage, RunSettings};
use dynhost_graph::job::Job;
use dynhost_graph::scheduler::{Bounds, Credit, Scheduler};
use tokio::sync::mpsc;

use super::super::fingerprint::fingerprints;
use super::super::journal::Journal;
use super::super::parent::Parent;
use super::super::restore::Restored;
use super::super::{Batch, RunError, RunOptions, new_run_id, spec, with_options};
use super::{Beginning, Driver, Observers, Playbacks, Reuse, Tally};
use crate::admission::levels;
use crate::executor::{Inbox, Serving};
use crate::host::Host;
use crate::prepare::PreparedJob;
use crate::trace::Span;

/// Steps that the executor is handed beyond those that may run, so that no worker waits for
/// the loop between two small steps.
const LOOK_AHEAD: u32 = 256;

/// What a step may emit before its clones have caught up: enough that none of those that may run
/// waits, little enough that elements are still in the processor's caches when their clones
/// take them. Of elements beyond 4 KiB it is the bytes that end it.
fn window(max_concurrency: u32) -> Credit {
    let steps = u64::from(max_concurrency);
    Credit { items: (128 * steps).max(256), bytes: (512 << 10) * (steps + 1) }
}

impl Driver {
    /// A new run.
    pub(in crate::run) fn start(
        host: &Host,
        prepared: &PreparedJob,
        options: RunOptions,
        watcher: Option<mpsc::UnboundedSender<Batch>>,
    ) -> Self {
        let job = with_options(&prepared.job, &options);
        let (settings, bounds) = (settings(&options), bounds(host, &job, &options));
        let scheduler = Scheduler::new(job, bounds);
        let mut driver = Self::new(host, prepared, options, (scheduler, None), watcher);
        let started = started(driver.run(), prepared, settings, None);
        driver.beginning = Some(Beginning::Fresh(started));
        driver
    }

    /// A new run that takes over what another gave.
    pub(in crate::run) fn rerun(
        host: &Host,
        prepared: &PreparedJob,
        options: RunOptions,
        (watcher, lineage): (Option<mpsc::UnboundedSender<Batch>>, Lineage),
    ) -> Result<Self, RunError> {
        let job = with_options(&prepared.job, &options);
        let (settings, bounds) = (settings(&options), bounds(host, &job, &options));
        let parent = Parent::read(&*options.store, &job, &lineage)?;
        let scheduler = Scheduler::new(job, bounds);
        let mut driver = Self::new(host, prepared, options, (scheduler, Some(parent)), watcher);
        let started = started(driver.run(), prepared, settings, Some(lineage));
        driver.beginning = Some(Beginning::Fresh(started));
        Ok(driver)
    }

    /// A run that goes on.
    pub(in crate::run) fn resume(
        host: &Host,
        prepared: &PreparedJob,
        options: RunOptions,
        (watcher, accept_changes): (mpsc::UnboundedSender<Batch>, bool),
    ) -> Result<Self, RunError> {
        let job = with_options(&prepared.job, &options);
        let bounds = bounds(host, &job, &options);
        let run = options.id.clone().unwrap_or_default();
        let restored = Restored::read(&*options.store, &run, prepared, (&job, bounds))?;
        if !restored.changes.is_empty() && !accept_changes {
            return Err(RunError::Changed(restored.changes));
        }
        let manifest =
            if restored.changes.is_empty() { None } else { prepared.manifest.as_deref() };
        let components = component_digests(prepared);
        let (nodes, manifest) = (fingerprints(&job), manifest.cloned().map(Box::new));
        let mut events = vec![Event::RunResumed { components, nodes, manifest }];
        events.extend(restored.owed);
        let scheduler = (restored.scheduler, None);
        let mut driver = Self::new(host, prepared, options, scheduler, Some(watcher));
        driver.tally = restored.tally;
        let now = driver.clock.now_us();
        for (id, due_us) in restored.delayed {
            driver.wake_later(id, Duration::from_micros(due_us.saturating_sub(now)));
        }
        driver.beginning = Some(Beginning::Resumed(events, restored.abort));
        Ok(driver)
    }

    fn new(
        host: &Host,
        prepared: &PreparedJob,
        options: RunOptions,
        (scheduler, parent): (Scheduler, Option<Parent>),
        watcher: Option<mpsc::UnboundedSender<Batch>>,
    ) -> Self {
        let job = Arc::clone(scheduler.job());
        let ranks = u32::try_from(job.nodes.len()).unwrap_or(u32::MAX);
        let max_concurrency = host.admit(&job, &options).max_concurrency;
        let refused = host.refusals(&job).first().map(|problem| problem.message.clone());
        let run: Arc<str> = options.id.unwrap_or_else(new_run_id).into();
        let inbox = Arc::new(Inbox::new(Span::of_run(&run, &job.name)));
        let observers = Observers::new(host, (&run, &job.name), &inbox);
        let reuse = Reuse::new(&job, &prepared.components, parent, options.cache);
        let large_values = options.store.large_values();
        let specs = spec::specs(host, &run, prepared, (&reuse, large_values.as_ref()));
        let largest = specs.iter().filter(|spec| spec.level.is_none());
        let session = host.executor().open(Serving {
            max_concurrency,
            ranks,
            levels: levels(&job),
            largest: largest.map(|spec| spec.settings.largest_memory()).max().unwrap_or(0),
            inbox: Arc::clone(&inbox),
        });
        let clocks = (prepared.clock.clone(), Arc::clone(inbox.bell()));
        let journal = Journal::new(run, options.store, watcher, clocks);
        Self {
            _host: host.clone(),
            specs,
            refused,
            journal,
            clock: prepared.clock.clone(),
            max_concurrency,
            scheduler,
            session,
            inbox,
            reports: Vec::new(),
            reuse,
            playbacks: Playbacks::default(),
            timers: BTreeMap::new(),
            timers_set: 0,
            actions: Vec::new(),
            tally: Tally::default(),
            observers,
            beginning: None,
            cancelling: false,
            finished: None,
            failed: None,
        }
    }
}

fn bounds(host: &Host, job: &Job, options: &RunOptions) -> Bounds {
    let max_concurrency = host.admit(job, options).max_concurrency;
    Bounds { max_concurrency, look_ahead: LOOK_AHEAD, window: window(max_concurrency) }
}

fn settings(options: &RunOptions) -> RunSettings {
    RunSettings {
        max_concurrency: options.max_concurrency,
        fail_fast: options.fail_fast,
        cache: options.cache.is_some(),
    }
}

fn started(
    run: &str,
    prepared: &PreparedJob,
    settings: RunSettings,
    parent: Option<Lineage>,
) -> Event {
    Event::RunStarted {
        version: EVENT_VERSION,
        run: run.to_owned(),
        job: prepared.job.name.clone(),
        params: prepared.job.params.clone(),
        components: component_digests(prepared),
        manifest: prepared.manifest.as_deref().cloned().map(Box::new),
        nodes: fingerprints(&prepared.job),
        settings,
        parent: parent.map(Box::new),
    }
}

fn component_digests(prepared: &PreparedJob) -> Vec<(String, String)> {
    let components = prepared.job.components.iter();
    components.map(|component| (component.alias.clone(), component.digest.clone())).collect()
}
