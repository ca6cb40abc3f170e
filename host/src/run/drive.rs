//! The loop of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dynhost_graph::event::{CancelReason, EVENT_VERSION, Event, Recorded, RunStatus};
use dynhost_graph::job::{Job, Node};
use dynhost_graph::name::StepKey;
use dynhost_graph::retry::retry_delay;
use dynhost_graph::scheduler::{Action, Bounds, Credit, Dispatch, Scheduler, StepId};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::{Batch, MAX_CONCURRENCY, RunError, RunOptions, RunResult, StepCounts, StepFailure};
use crate::component::Component;
use crate::executor::{
    Attempt, Inbox, Outcome, Report, ReportKind, Serving, Session, Settings, StepSpec, Task,
};
use crate::host::Host;
use crate::instance::StepLimits;
use crate::prepare::PreparedJob;
use crate::store::RunStore;

/// Steps that the executor is handed beyond those that may run, so that no worker waits for
/// the loop between two small steps.
const LOOK_AHEAD: u32 = 256;

/// What a step may emit before its clones have caught up: enough that none of those that may run
/// waits, little enough that elements are still in the processor's caches when their clones
/// take them.
fn window(max_concurrency: u32) -> Credit {
    let steps = u64::from(max_concurrency);
    Credit { items: (128 * steps).max(256), bytes: (8 << 20) * (steps + 1) }
}

/// What an event is applied as.
enum Applied {
    Event(StepId),
    /// No event: the step waits in `emit`.
    Suspended(StepId, u64),
}

pub(super) struct Driver {
    id: String,
    scheduler: Scheduler,
    session: Box<dyn Session>,
    inbox: Arc<Inbox>,
    specs: Vec<Arc<StepSpec>>,
    store: Arc<dyn RunStore>,
    watcher: Option<mpsc::UnboundedSender<Batch>>,
    timers: BTreeMap<(Instant, u64), StepId>,
    timers_set: u64,
    actions: Vec<Action>,
    steps: StepCounts,
    failures: Vec<StepFailure>,
    cancelling: bool,
    finished: Option<RunStatus>,
    /// The workers live as long as the run needs them, whoever drops their handle on the host.
    _host: Host,
}

impl Driver {
    pub(super) fn new(
        host: &Host,
        prepared: &PreparedJob,
        options: RunOptions,
        id: String,
        watcher: Option<mpsc::UnboundedSender<Batch>>,
    ) -> Self {
        let job = &prepared.job;
        let wanted = options.max_concurrency.or(job.max_concurrency).unwrap_or(host.workers());
        let max_concurrency = wanted.clamp(1, MAX_CONCURRENCY);
        let inbox = Arc::new(Inbox::default());
        let ranks = u32::try_from(job.nodes.len()).unwrap_or(u32::MAX);
        let serving = Serving { max_concurrency, ranks, inbox: Arc::clone(&inbox) };
        let session = host.executor().open(serving);
        let run: Arc<str> = id.as_str().into();
        let specs = job.nodes.iter().zip(0..);
        let specs = specs
            .map(|(node, rank)| Arc::new(spec(host, &run, node, &prepared.components, rank)))
            .collect();
        let bounds =
            Bounds { max_concurrency, look_ahead: LOOK_AHEAD, window: window(max_concurrency) };
        Self {
            _host: host.clone(),
            id,
            scheduler: Scheduler::new(Arc::clone(job), bounds),
            session,
            inbox,
            specs,
            store: options.store,
            watcher,
            timers: BTreeMap::new(),
            timers_set: 0,
            actions: Vec::new(),
            steps: StepCounts::default(),
            failures: Vec::new(),
            cancelling: false,
            finished: None,
        }
    }

    /// Runs the job to its end.
    pub(super) async fn drive(mut self, cancel: Arc<Notify>) -> Result<RunResult, RunError> {
        self.record(vec![started(&self.id, self.scheduler.job())])?;
        self.scheduler.start(&mut self.actions);
        self.act()?;
        let mut reports = Vec::new();
        let inbox = Arc::clone(&self.inbox);
        while self.finished.is_none() {
            let due = self.timers.keys().next().map(|(at, _)| *at);
            tokio::select! {
                () = inbox.receive(&mut reports) => self.take(&mut reports)?,
                () = cancel.notified() => self.cancel(CancelReason::Requested)?,
                () = sleep_until(due) => self.wake(),
            }
            self.act()?;
        }
        Ok(self.result())
    }

    /// Keeps events, then shows them to the watcher.
    fn record(&mut self, events: Vec<Event>) -> Result<Batch, RunError> {
        let at_us = now_us();
        let recorded = events.into_iter().map(|event| Recorded { at_us, event }).collect();
        let recorded: Batch = Arc::new(recorded);
        if recorded.is_empty() {
            return Ok(recorded);
        }
        self.store.append(&self.id, &recorded)?;
        if let Some(watcher) = &self.watcher
            && watcher.send(Arc::clone(&recorded)).is_err()
        {
            self.watcher = None;
        }
        Ok(recorded)
    }

    /// Turns reports into events and applies them.
    fn take(&mut self, reports: &mut Vec<Report>) -> Result<(), RunError> {
        let mut events = Vec::with_capacity(reports.len());
        let mut applied = Vec::with_capacity(reports.len());
        for report in reports.drain(..) {
            let id = report.id;
            if let ReportKind::Suspended { granted } = report.what {
                applied.push(Applied::Suspended(id, granted));
            } else if let Some(event) = self.event(report) {
                events.push(event);
                applied.push(Applied::Event(id));
            }
        }
        let recorded = self.record(events)?;
        let mut events = recorded.iter();
        for applied in applied {
            match applied {
                Applied::Suspended(id, granted) => {
                    self.scheduler.suspended(id, granted, &mut self.actions);
                }
                Applied::Event(id) => {
                    if let Some(recorded) = events.next() {
                        self.count(&recorded.event);
                        self.scheduler.apply(id, &recorded.event, &mut self.actions);
                    }
                }
            }
        }
        Ok(())
    }

    fn event(&self, report: Report) -> Option<Event> {
        let Report { id, attempt, what } = report;
        let step = self.scheduler.key(id)?;
        let op = &self.scheduler.job().node(id.node()).op;
        let name = |output: u32| op.outputs[output as usize].name.as_str().into();
        Some(match what {
            ReportKind::Started => Event::StepStarted { step, attempt },
            ReportKind::Emitted { output, key, value } => {
                Event::OutputEmitted { step, attempt, output: name(output), key, value }
            }
            ReportKind::Suspended { .. } => return None,
            ReportKind::Logged { level, message, fields } => {
                Event::LogWritten { step, attempt, level, message, fields }
            }
            ReportKind::Progressed { done, total } => {
                Event::ProgressMade { step, attempt, done, total }
            }
            ReportKind::Ended { outcome, took } => {
                let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                match outcome {
                    Outcome::Succeeded(outputs) => {
                        let outputs =
                            outputs.into_iter().map(|(output, value)| (name(output), value));
                        let outputs = outputs.collect();
                        Event::StepSucceeded { step, attempt, outputs, took_us }
                    }
                    Outcome::Cancelled => Event::StepCancelled { step, attempt },
                    Outcome::Failed(failure) => {
                        let node = self.scheduler.job().node(id.node());
                        let pure = is_pure(node, &self.specs[id.node().index()].component);
                        let policy = &node.policy.retry;
                        let retry_in_ms =
                            retry_delay(policy, &failure, attempt, pure, fastrand::f64());
                        Event::StepFailed { step, attempt, failure, retry_in_ms, took_us }
                    }
                }
            }
        })
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::StepSucceeded { .. } => self.steps.succeeded += 1,
            Event::StepCancelled { .. } => self.steps.cancelled += 1,
            Event::StepFailed { step, attempt, failure, retry_in_ms: None, .. } => {
                self.steps.failed += 1;
                self.failures.push(StepFailure {
                    step: step.clone(),
                    attempts: *attempt,
                    failure: failure.clone(),
                });
            }
            _ => {}
        }
    }

    /// Does what the scheduler says.
    fn act(&mut self) -> Result<(), RunError> {
        while !self.actions.is_empty() {
            let mut tasks = Vec::new();
            let mut events = Vec::new();
            let mut abort = None;
            for action in std::mem::take(&mut self.actions) {
                match action {
                    Action::Run(dispatch) => tasks.push(self.task(dispatch)),
                    Action::Grant { id, credit } => self.session.grant(id, credit),
                    Action::WakeLater { id, after_ms } => {
                        self.timers_set += 1;
                        let at = Instant::now() + Duration::from_millis(after_ms);
                        self.timers.insert((at, self.timers_set), id);
                    }
                    Action::Skip { step, reason } => {
                        self.steps.skipped += 1;
                        events.push(Event::StepSkipped { step, reason });
                    }
                    Action::Fail { step, failure } => {
                        // No attempt was made.
                        let (attempt, retry_in_ms, took_us) = (0, None, 0);
                        let event =
                            Event::StepFailed { step, attempt, failure, retry_in_ms, took_us };
                        self.count(&event);
                        events.push(event);
                    }
                    Action::Interrupt { id } => self.session.interrupt(id),
                    Action::InterruptAll => self.session.interrupt_all(),
                    Action::Abort { reason } => abort = abort.or(Some(reason)),
                    Action::Finish { status } => {
                        self.finished = Some(status);
                        events.push(Event::RunFinished { status });
                    }
                    _ => {}
                }
            }
            self.record(events)?;
            if !tasks.is_empty() {
                self.session.run(tasks);
            }
            if let Some(reason) = abort {
                self.cancel(reason)?;
            }
        }
        Ok(())
    }

    fn task(&self, dispatch: Dispatch) -> Task {
        let Dispatch { id, step, attempt, inputs, credit } = dispatch;
        let spec = Arc::clone(&self.specs[id.node().index()]);
        let settings = Arc::clone(&spec.settings);
        let attempt = Arc::new(Attempt { step, number: attempt, settings, inputs });
        Task { id, spec, attempt, credit }
    }

    fn cancel(&mut self, reason: CancelReason) -> Result<(), RunError> {
        if self.finished.is_some() || self.cancelling {
            return Ok(());
        }
        self.cancelling = true;
        self.record(vec![Event::CancelRequested { reason: reason.clone() }])?;
        self.scheduler.cancel(reason, &mut self.actions);
        Ok(())
    }

    fn wake(&mut self) {
        let now = Instant::now();
        while let Some(timer) = self.timers.first_entry()
            && timer.key().0 <= now
        {
            let id = timer.remove();
            self.scheduler.wake(id, &mut self.actions);
        }
    }

    fn result(self) -> RunResult {
        // A failure whose key a later attempt did not give is not one of the run's
        // (`semantics.md` rule 17).
        let lasting: std::collections::HashSet<&StepKey> = self.scheduler.failures().collect();
        let mut failures = self.failures.clone();
        failures.retain(|failure| lasting.contains(&failure.step));
        RunResult {
            status: self.finished.unwrap_or(RunStatus::Cancelled),
            outputs: self.scheduler.outputs(),
            steps: self.steps,
            failures,
            run: self.id,
        }
    }
}

fn started(run: &str, job: &Job) -> Event {
    Event::RunStarted {
        version: EVENT_VERSION,
        run: run.to_owned(),
        job: job.name.clone(),
        params: job.params.clone(),
        components: job
            .components
            .iter()
            .map(|component| (component.alias.clone(), component.digest.clone()))
            .collect(),
    }
}

/// Joins what a node says with the defaults of the host.
fn spec(host: &Host, run: &Arc<str>, node: &Node, components: &[Component], rank: u32) -> StepSpec {
    let defaults = host.limits();
    let limits = &node.policy.limits;
    let settings = Settings {
        run: Arc::clone(run),
        op: Arc::clone(&node.op),
        config: Arc::clone(&node.config),
        limits: StepLimits {
            memory: limits.memory.unwrap_or(defaults.memory),
            output: limits.output.unwrap_or(defaults.output),
            elements: node.policy.max_clones.unwrap_or(defaults.elements),
            fuel: limits.fuel.or(defaults.fuel),
            ..defaults.clone()
        },
        grants: node.grants.clone(),
    };
    StepSpec {
        component: components[node.component].clone(),
        settings: Arc::new(settings),
        timeout: node.policy.timeout.unwrap_or(host.timeout()),
        rank,
    }
}

/// Whether a step is a function of its configuration and inputs: no authority is imported,
/// or none is granted (op-interface, principle 1).
fn is_pure(node: &Node, component: &Component) -> bool {
    component.is_pure() || node.grants.fs.is_empty()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
