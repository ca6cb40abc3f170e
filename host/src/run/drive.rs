//! The loop of a run.

mod begin;
mod report;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::{CancelReason, Event, OutputValue, RunStatus};
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::{Action, Dispatch, JobOutputValue, Scheduler, StepId};
use tokio::time::Instant;

use super::RunResult;
use super::journal::Journal;
use super::observe::Observers;
use super::playback::{Found, Playbacks, Played};
use super::reuse::Reuse;
use super::tally::Tally;
use crate::clock::RunClock;
use crate::executor::{Asked, Attempt, Inbox, Report, Session, StepSpec, Task};
use crate::host::Host;
use crate::store::StoreError;
pub(super) use turns::drive;

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
    /// Room for what is taken from the inbox.
    reports: Vec<Report>,
    specs: Vec<Arc<StepSpec>>,
    reuse: Reuse,
    playbacks: Playbacks,
    clock: RunClock,
    max_concurrency: u32,
    timers: BTreeMap<(Instant, u64), StepId>,
    timers_set: u64,
    actions: Vec<Action>,
    tally: Tally,
    observers: Observers,
    beginning: Option<Beginning>,
    /// Why the host does not run this job.
    refused: Option<String>,
    cancelling: bool,
    finished: Option<RunStatus>,
    /// Why the run cannot go on: its events are not kept.
    failed: Option<StoreError>,
    /// The workers live as long as the run needs them, whoever drops their handle on the host.
    _host: Host,
}

impl Driver {
    pub(super) fn run(&self) -> &Arc<str> {
        self.journal.run()
    }

    fn begin(&mut self) {
        match self.beginning.take() {
            Some(Beginning::Fresh(started)) => {
                self.journal.record(vec![started]);
                self.scheduler.start(&mut self.actions);
            }
            Some(Beginning::Resumed(events, abort)) => {
                for event in &events {
                    self.count(event);
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
                        self.count(&recorded.event);
                        self.keep(id, &recorded.event, attempt.as_deref());
                        self.scheduler.apply(id, &recorded.event, &mut self.actions);
                    }
                }
            }
        }
    }

    /// Notes what happened, for the run's result and for those who watch it from outside.
    fn count(&mut self, event: &Event) {
        self.tally.count(event);
        self.observers.event(event);
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
                self.count(event);
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
        let limits = self.specs[dispatch.id.node().index()].settings.limits(u32::MAX);
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
        self.timers.insert((self.clock.now() + after, self.timers_set), id);
    }

    fn wake(&mut self) {
        let now = self.clock.now();
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
        let status = self.finished.unwrap_or(RunStatus::Cancelled);
        self.observers.run_ended(status);
        // A failure whose key a later attempt did not give is not one of the run's
        // (`semantics.md` rule 17).
        let lasting: std::collections::HashSet<&StepKey> = self.scheduler.failures().collect();
        let mut failures = self.tally.failures;
        failures.retain(|failure| lasting.contains(&failure.step));
        RunResult {
            status,
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
