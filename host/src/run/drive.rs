//! The loop of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{
    CancelReason, EVENT_VERSION, Event, Lineage, OutputValue, RunSettings, RunStatus,
};
use dynhost_graph::job::Job;
use dynhost_graph::name::StepKey;
use dynhost_graph::retry::retry_delay;
use dynhost_graph::scheduler::{
    Action, Bounds, Credit, Dispatch, JobOutputValue, Scheduler, StepId,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::fingerprint::fingerprints;
use super::journal::{Journal, now_us};
use super::parent::Parent;
use super::playback::{Found, Playbacks, Played};
use super::restore::Restored;
use super::reuse::{Reuse, is_pure};
use super::tally::Tally;
use super::{Batch, MAX_CONCURRENCY, RunError, RunOptions, RunResult, spec, with_options};
use crate::executor::{Asked, Attempt, Inbox, Outcome, Report, ReportKind, Serving};
use crate::executor::{Session, StepSpec, Task};
use crate::host::Host;
use crate::prepare::PreparedJob;

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

/// What a report is applied as.
enum Applied {
    /// As an event, with the attempt where it may be worth keeping what it gave.
    Event(StepId, Option<Arc<Attempt>>),
    /// No event: the step waits in `emit`.
    Suspended(StepId, u64),
}

/// How a run comes to its first step.
enum Beginning {
    Fresh(Event),
    /// It goes on: what is to be recorded first, and why it is to be cancelled at once.
    Resumed(Vec<Event>, Option<CancelReason>),
}

pub(super) struct Driver {
    journal: Journal,
    scheduler: Scheduler,
    session: Box<dyn Session>,
    inbox: Arc<Inbox>,
    specs: Vec<Arc<StepSpec>>,
    reuse: Reuse,
    playbacks: Playbacks,
    timers: BTreeMap<(Instant, u64), StepId>,
    timers_set: u64,
    actions: Vec<Action>,
    tally: Tally,
    beginning: Option<Beginning>,
    cancelling: bool,
    finished: Option<RunStatus>,
    /// The workers live as long as the run needs them, whoever drops their handle on the host.
    _host: Host,
}

impl Driver {
    /// A new run.
    pub(super) fn start(
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
    pub(super) fn rerun(
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
    pub(super) fn resume(
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
        let now = now_us();
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
        let inbox = Arc::new(Inbox::default());
        let ranks = u32::try_from(job.nodes.len()).unwrap_or(u32::MAX);
        let max_concurrency = bounds(host, &job, &options).max_concurrency;
        let serving = Serving { max_concurrency, ranks, inbox: Arc::clone(&inbox) };
        let session = host.executor().open(serving);
        let run: Arc<str> = options.id.unwrap_or_else(super::new_run_id).into();
        let reuse = Reuse::new(&job, &prepared.components, parent, options.cache);
        Self {
            _host: host.clone(),
            specs: spec::specs(host, &run, prepared, &reuse),
            journal: Journal::new(run, options.store, watcher),
            scheduler,
            session,
            inbox,
            reuse,
            playbacks: Playbacks::default(),
            timers: BTreeMap::new(),
            timers_set: 0,
            actions: Vec::new(),
            tally: Tally::default(),
            beginning: None,
            cancelling: false,
            finished: None,
        }
    }

    pub(super) fn run(&self) -> &Arc<str> {
        self.journal.run()
    }

    /// Runs the job to its end.
    pub(super) async fn drive(mut self, cancel: Arc<Notify>) -> Result<RunResult, RunError> {
        self.reuse.open(self.scheduler.job())?;
        self.begin();
        let mut reports = Vec::new();
        let inbox = Arc::clone(&self.inbox);
        while self.finished.is_none() {
            self.journal.settle()?;
            let due = self.timers.keys().next().map(|(at, _)| *at);
            let (waits, is_behind) = (self.journal.waits(), self.journal.is_behind());
            tokio::select! {
                () = inbox.receive(&mut reports), if !is_behind => self.take(&mut reports),
                kept = self.journal.kept(), if waits => kept?,
                () = cancel.notified() => self.cancel(CancelReason::Requested),
                () = sleep_until(due) => self.wake(),
            }
            self.act();
        }
        while self.journal.waits() {
            self.journal.kept().await?;
        }
        Ok(self.result())
    }

    fn begin(&mut self) {
        match self.beginning.take() {
            Some(Beginning::Fresh(started)) => {
                self.journal.record(vec![started]);
                self.scheduler.start(&mut self.actions);
            }
            Some(Beginning::Resumed(events, abort)) => {
                for event in &events {
                    self.tally.count(event);
                }
                self.journal.record(events);
                self.scheduler.go_live(&mut self.actions);
                self.act();
                if let Some(reason) = abort {
                    self.cancel(reason);
                }
            }
            None => {}
        }
        self.act();
    }

    /// Turns reports into events and applies them.
    fn take(&mut self, reports: &mut Vec<Report>) {
        let mut events = Vec::with_capacity(reports.len());
        let mut applied = Vec::with_capacity(reports.len());
        for report in reports.drain(..) {
            // What follows such a report may be of a step that it drops, and is judged after it.
            let may_drop = self.scheduler.may_drop(report.id);
            if may_drop {
                self.apply(&mut events, &mut applied);
            }
            self.read(report, &mut events, &mut applied);
            if may_drop {
                self.apply(&mut events, &mut applied);
            }
        }
        self.apply(&mut events, &mut applied);
    }

    fn read(&self, report: Report, events: &mut Vec<Event>, applied: &mut Vec<Applied>) {
        let Report { id, attempt, what } = report;
        if let ReportKind::Suspended { granted } = what {
            applied.push(Applied::Suspended(id, granted));
            return;
        }
        let Some(step) = self.scheduler.key(id) else { return };
        let (event, handed_back) = match what {
            ReportKind::Ended { attempt: handed_back, outcome, took } => {
                // What a dropped step gave is nothing that a resumed run may take for what
                // the step of the same name that follows it gave.
                let outcome = if self.scheduler.counts(id) { outcome } else { Outcome::Cancelled };
                (self.ended(id, (step, attempt), (outcome, took)), handed_back)
            }
            what => match self.under_way(id, (step, attempt), what) {
                Some(event) => (event, None),
                None => return,
            },
        };
        events.push(event);
        applied.push(Applied::Event(id, handed_back));
    }

    /// Records events and applies them.
    fn apply(&mut self, events: &mut Vec<Event>, applied: &mut Vec<Applied>) {
        let recorded = self.journal.record(std::mem::take(events));
        let mut recorded = recorded.iter();
        for applied in applied.drain(..) {
            match applied {
                Applied::Suspended(id, granted) => {
                    self.scheduler.suspended(id, granted, &mut self.actions);
                }
                Applied::Event(id, attempt) => {
                    if let Some(recorded) = recorded.next() {
                        self.tally.count(&recorded.event);
                        self.keep(id, &recorded.event, attempt.as_deref());
                        self.scheduler.apply(id, &recorded.event, &mut self.actions);
                    }
                }
            }
        }
    }

    /// Notes what a step gave, for the cache.
    fn keep(&mut self, id: StepId, event: &Event, attempt: Option<&Attempt>) {
        match event {
            Event::OutputEmitted { output, key, value, .. } => {
                self.reuse.emitted(id, output, key, value);
            }
            Event::StepSucceeded { step, outputs, took_us, .. } => {
                let took = Duration::from_micros(*took_us);
                self.reuse.succeeded((id, step), outputs, took, attempt);
            }
            Event::StepFailed { .. } | Event::StepCancelled { .. } => self.reuse.forget(id),
            _ => {}
        }
    }

    fn output_name(&self, id: StepId, output: u32) -> Arc<str> {
        let op = &self.scheduler.job().node(id.node()).op;
        op.outputs[output as usize].name.as_str().into()
    }

    fn under_way(
        &self,
        id: StepId,
        (step, attempt): (StepKey, u32),
        what: ReportKind,
    ) -> Option<Event> {
        Some(match what {
            ReportKind::Started if self.scheduler.counts(id) => {
                Event::StepStarted { step, attempt }
            }
            ReportKind::Emitted { output, key, value } if self.scheduler.counts(id) => {
                let output = self.output_name(id, output);
                Event::OutputEmitted { step, attempt, output, key, value }
            }
            ReportKind::Logged { level, message, fields } => {
                Event::LogWritten { step, attempt, level, message, fields }
            }
            ReportKind::Progressed { done, total } => {
                Event::ProgressMade { step, attempt, done, total }
            }
            _ => return None,
        })
    }

    fn ended(
        &self,
        id: StepId,
        (step, attempt): (StepKey, u32),
        (outcome, took): (Outcome, Duration),
    ) -> Event {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Outcome::Succeeded(outputs) => {
                let outputs = outputs.into_iter();
                let outputs = outputs.map(|(output, value)| (self.output_name(id, output), value));
                let outputs = outputs.collect();
                Event::StepSucceeded { step, attempt, outputs, took_us, reused: None }
            }
            Outcome::Cancelled => Event::StepCancelled { step, attempt },
            Outcome::Failed(failure) => {
                let node = self.scheduler.job().node(id.node());
                let pure = is_pure(node, &self.specs[id.node().index()].component);
                let policy = &node.policy.retry;
                let retry_in_ms = retry_delay(policy, &failure, attempt, pure, fastrand::f64());
                Event::StepFailed { step, attempt, failure, retry_in_ms, took_us }
            }
        }
    }

    /// Does what the scheduler says.
    fn act(&mut self) {
        while !self.actions.is_empty() {
            let mut tasks = Vec::new();
            let mut events = Vec::new();
            let mut abort = None;
            // Steps that are played back and may go on, and those that are interrupted.
            let (mut playing, mut interrupted) = (Vec::new(), Vec::new());
            for action in std::mem::take(&mut self.actions) {
                match action {
                    Action::Run(dispatch) => match self.known(&dispatch, &mut events) {
                        Some(found) => playing.push(self.playbacks.add(dispatch, found)),
                        None => tasks.push(self.task(dispatch)),
                    },
                    Action::Grant { id, credit } if self.playbacks.grant(id, credit) => {
                        playing.push(id);
                    }
                    Action::Grant { id, credit } => self.session.grant(id, credit),
                    Action::WakeLater { id, after_ms } => {
                        self.wake_later(id, Duration::from_millis(after_ms));
                    }
                    Action::Interrupt { id } => match self.playbacks.interrupt(id) {
                        Some(played) => interrupted.push(played),
                        None => self.session.interrupt(id),
                    },
                    Action::InterruptAll => {
                        let ids = self.playbacks.ids();
                        interrupted
                            .extend(ids.iter().filter_map(|id| self.playbacks.interrupt(*id)));
                        self.session.interrupt_all();
                    }
                    Action::Abort { reason } => abort = abort.or(Some(reason)),
                    Action::Finish { status } => {
                        self.finished = Some(status);
                        events.push(self.finish(status));
                    }
                    action => events.extend(event_of(action)),
                }
            }
            for event in &events {
                self.tally.count(event);
            }
            self.journal.record(events);
            if !tasks.is_empty() {
                self.session.run(tasks);
            }
            interrupted.extend(playing.iter().filter_map(|id| self.playbacks.play(*id)));
            self.played(interrupted);
            if let Some(reason) = abort {
                self.cancel(reason);
            }
        }
    }

    /// An earlier success that stands for a step.
    fn known(&mut self, dispatch: &Dispatch, events: &mut Vec<Event>) -> Option<Found> {
        let limits = &self.specs[dispatch.id.node().index()].settings.limits;
        self.reuse.find(dispatch, events).filter(|found| found.fits(limits))
    }

    /// Records and applies what steps gave that are played back.
    fn played(&mut self, played: Vec<Played>) {
        let mut events = Vec::new();
        let mut applied = Vec::new();
        for Played { id, cancelled, events: given, suspended } in played {
            let may_drop = self.scheduler.may_drop(id);
            if may_drop {
                self.apply(&mut events, &mut applied);
            }
            // Another may have dropped it in the meantime; one that waits is interrupted later.
            let given = match (self.scheduler.counts(id), suspended) {
                (true, _) => given,
                (false, None) => vec![cancelled],
                (false, Some(_)) => Vec::new(),
            };
            applied.extend(given.iter().map(|_| Applied::Event(id, None)));
            applied.extend(suspended.map(|granted| Applied::Suspended(id, granted)));
            events.extend(given);
            if may_drop {
                self.apply(&mut events, &mut applied);
            }
        }
        self.apply(&mut events, &mut applied);
    }

    fn task(&self, dispatch: Dispatch) -> Task {
        let Dispatch { id, step, attempt, inputs, credit } = dispatch;
        let spec = Arc::clone(&self.specs[id.node().index()]);
        let settings = Arc::clone(&spec.settings);
        let asked = Asked::default();
        let attempt = Arc::new(Attempt { step, number: attempt, settings, inputs, asked });
        Task { id, spec, attempt, credit }
    }

    fn cancel(&mut self, reason: CancelReason) {
        if self.finished.is_some() || self.cancelling {
            return;
        }
        self.cancelling = true;
        self.journal.record(vec![Event::CancelRequested { reason: reason.clone() }]);
        self.scheduler.cancel(reason, &mut self.actions);
    }

    fn wake_later(&mut self, id: StepId, after: Duration) {
        self.timers_set += 1;
        self.timers.insert((Instant::now() + after, self.timers_set), id);
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

    fn finish(&self, status: RunStatus) -> Event {
        let outputs = self.scheduler.outputs().into_iter();
        let outputs = outputs.map(|(name, value)| {
            let value = match value {
                JobOutputValue::Absent => OutputValue::Absent,
                JobOutputValue::Single(value) => OutputValue::Single(value),
                JobOutputValue::Many(list) => {
                    let elements = list.elements.iter();
                    let element = |element: &dynhost_graph::scheduler::Element| {
                        (element.key.clone(), element.value.clone())
                    };
                    OutputValue::Many(elements.map(element).collect())
                }
            };
            (name, value)
        });
        Event::RunFinished { status, outputs: outputs.collect() }
    }

    fn result(self) -> RunResult {
        // A failure whose key a later attempt did not give is not one of the run's
        // (`semantics.md` rule 17).
        let lasting: std::collections::HashSet<&StepKey> = self.scheduler.failures().collect();
        let mut failures = self.tally.failures;
        failures.retain(|failure| lasting.contains(&failure.step));
        RunResult {
            status: self.finished.unwrap_or(RunStatus::Cancelled),
            outputs: self.scheduler.outputs(),
            steps: self.tally.steps,
            failures,
            run: self.journal.run().to_string(),
        }
    }
}

/// The event that says what a scheduler has already taken into account.
pub(super) fn event_of(action: Action) -> Option<Event> {
    match action {
        Action::Skip { step, reason } => Some(Event::StepSkipped { step, reason }),
        Action::Fail { step, failure } => {
            // No attempt was made.
            let (attempt, retry_in_ms, took_us) = (0, None, 0);
            Some(Event::StepFailed { step, attempt, failure, retry_in_ms, took_us })
        }
        Action::Drop { nodes, keys } => Some(Event::ClonesDropped { nodes, keys }),
        _ => None,
    }
}

fn bounds(host: &Host, job: &Job, options: &RunOptions) -> Bounds {
    let wanted = options.max_concurrency.or(job.max_concurrency).unwrap_or(host.workers());
    let max_concurrency = wanted.clamp(1, MAX_CONCURRENCY);
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

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
