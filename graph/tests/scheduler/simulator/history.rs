//! What a run records of itself, as the loop around the scheduler does it, and a run that goes on
//! from that (`semantics.md` rule 19).

use std::collections::BTreeSet;
use std::sync::Arc;

use dynhost_graph::event::{CancelReason, EVENT_VERSION, Event, RunSettings};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::{Action, Scheduler, StepId, Unrecorded};

use super::{Run, Simulation};
use crate::trace::{Outcome, Record, Trace, inputs_text};

/// The events of a run, and the reports that have not been taken.
#[derive(Default)]
pub(super) struct History {
    log: Vec<Event>,
    inbox: Vec<(StepId, Event)>,
}

impl Simulation {
    /// Runs and says what was recorded.
    pub(crate) fn run_recorded(&self) -> (Trace, Vec<Event>) {
        let mut run = Run::new(self);
        run.history = Some(History::default());
        run.go();
        (run.trace, run.history.expect("it is recorded").log)
    }

    /// Goes on from what was recorded; says what is recorded after that, behind the former.
    pub(crate) fn resume(&self, log: &[Event]) -> (Trace, Vec<Event>) {
        let mut run = Run::new(self);
        run.history = Some(History::default());
        run.go_on_from(log, Replay { own: true, ..Replay::default() });
        (run.trace, run.history.expect("it is recorded").log)
    }
}

impl Simulation {
    /// Goes on from what another job recorded.
    pub(crate) fn resume_foreign(&self, log: &[Event]) -> Trace {
        let mut run = Run::new(self);
        run.history = Some(History::default());
        run.go_on_from(log, Replay::default());
        run.trace
    }
}

impl Run<'_> {
    /// Records an event.
    pub(super) fn write(&mut self, event: impl FnOnce() -> Event) {
        if let Some(history) = &mut self.history {
            history.log.push(event());
        }
    }

    /// Records what is an event of an action.
    pub(super) fn write_action(&mut self, action: &Action) {
        self.write_if(event_of(action));
    }

    fn write_if(&mut self, event: Option<Event>) {
        if let Some(event) = event {
            self.write(|| event);
        }
    }

    /// Hands a report to the scheduler; where the run is recorded, with others.
    pub(super) fn report(&mut self, id: StepId, event: Event) {
        if let Some(history) = &mut self.history {
            history.inbox.push((id, event));
            return;
        }
        let mut actions = Vec::new();
        self.take(id, &event, &mut actions);
        self.carry_out(actions);
    }

    /// Whether it is time to take the reports.
    pub(super) fn receives(&mut self) -> bool {
        let waiting = self.history.as_ref().is_some_and(|history| !history.inbox.is_empty());
        let others = self.movable.len() + self.delayed.len() + self.notices.len();
        waiting && (others == 0 || self.random.chance(15))
    }

    /// Records the reports that count, then applies them. What may drop clones is applied before
    /// reports are judged that may be theirs.
    pub(super) fn receive(&mut self) {
        let Some(history) = &mut self.history else { return };
        let mut actions = Vec::new();
        let mut batch: Vec<(StepId, Event)> = Vec::new();
        for (id, event) in std::mem::take(&mut history.inbox) {
            let Some(event) = self.judged(id, event) else { continue };
            let may_drop = self.scheduler.may_drop(id);
            self.write(|| event.clone());
            batch.push((id, event));
            if may_drop {
                batch.drain(..).for_each(|(id, event)| self.take(id, &event, &mut actions));
            }
        }
        batch.drain(..).for_each(|(id, event)| self.take(id, &event, &mut actions));
        self.carry_out(actions);
    }

    fn judged(&self, id: StepId, event: Event) -> Option<Event> {
        if self.scheduler.counts(id) {
            return Some(event);
        }
        match event {
            Event::StepSucceeded { step, attempt, .. }
            | Event::StepFailed { step, attempt, .. }
            | Event::StepCancelled { step, attempt } => {
                Some(Event::StepCancelled { step, attempt })
            }
            _ => None,
        }
    }

    fn go_on_from(&mut self, log: &[Event], mut replay: Replay) {
        self.scheduler =
            Scheduler::replaying(Arc::clone(&self.simulation.job), self.simulation.bounds);
        for event in log {
            self.replay(event, &mut replay);
        }
        let mut actions = Vec::new();
        self.scheduler.go_live(&mut actions);
        self.write(if log.is_empty() { started } else { resumed });
        let mut all = replay.unrecorded.into_actions();
        all.extend(actions);
        self.carry_out(all);
        if let Some(reason) = replay.abort
            && self.trace.status.is_none()
        {
            self.cancel(reason);
        }
        self.go_on();
    }

    fn replay(&mut self, event: &Event, replay: &mut Replay) {
        if replay.own {
            self.note(event);
        }
        let mut actions = Vec::new();
        self.scheduler.replay(event, &mut actions);
        if replay.own
            && let Event::StepSkipped { .. }
            | Event::StepFailed { attempt: 0, .. }
            | Event::ClonesDropped { .. } = event
        {
            let place = replay.found.iter().position(|found| found == event);
            let place = place.unwrap_or_else(|| panic!("{event:?} was not found again"));
            replay.found.swap_remove(place);
        }
        replay.unrecorded.recorded(event);
        for action in actions {
            replay.found.extend(event_of(&action));
            match action {
                Action::WakeLater { id, .. } => {
                    self.delayed.retain(|other| *other != id);
                    self.delayed.push(id);
                }
                Action::Abort { reason } => replay.abort = Some(reason),
                Action::Interrupt { .. } => {}
                Action::Skip { .. } | Action::Fail { .. } | Action::Drop { .. } => {
                    replay.unrecorded.found(action);
                }
                other => panic!("{other:?} in a replay"),
            }
        }
    }

    /// Brings what is known of steps to where it was.
    fn note(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, attempt } => self.note_run(step, *attempt, Outcome::Begun),
            Event::StepSucceeded { step, attempt, .. } => {
                self.note_run(step, *attempt, Outcome::Succeeded);
                self.succeeded.insert(step.to_string());
            }
            Event::StepFailed { step, attempt: 0, .. } => self.note_not_run(step, Outcome::Failed),
            Event::StepFailed { step, attempt, retry_in_ms: None, .. } => {
                self.note_run(step, *attempt, Outcome::Failed);
            }
            Event::StepSkipped { step, reason } => {
                self.note_not_run(step, Outcome::Skipped(reason.clone()));
            }
            Event::ClonesDropped { nodes, keys } => drop_clones(&mut self.succeeded, nodes, keys),
            _ => {}
        }
    }

    fn note_run(&mut self, step: &StepKey, attempts: u32, outcome: Outcome) {
        if let Some(inputs) = self.scheduler.inputs_of(step) {
            let record = Record { outcome, inputs: inputs_text(&inputs), attempts };
            self.trace.steps.insert(step.to_string(), record);
        }
    }

    fn note_not_run(&mut self, step: &StepKey, outcome: Outcome) {
        let record = Record { outcome, inputs: String::new(), attempts: 0 };
        self.trace.steps.insert(step.to_string(), record);
    }
}

/// What a replay found.
#[derive(Default)]
struct Replay {
    /// Whether the history is one of this job.
    own: bool,
    unrecorded: Unrecorded,
    /// All that was found and has not been met in the history.
    found: Vec<Event>,
    abort: Option<CancelReason>,
}

/// The event that an action is to be recorded as.
fn event_of(action: &Action) -> Option<Event> {
    Some(match action.clone() {
        Action::Skip { step, reason } => Event::StepSkipped { step, reason },
        Action::Fail { step, failure } => {
            Event::StepFailed { step, attempt: 0, failure, retry_in_ms: None, took_us: 0 }
        }
        Action::Drop { nodes, keys } => Event::ClonesDropped { nodes, keys },
        Action::Finish { status } => Event::RunFinished { status, outputs: Vec::new() },
        _ => return None,
    })
}

pub(crate) fn started() -> Event {
    Event::RunStarted {
        version: EVENT_VERSION,
        run: "run".to_owned(),
        job: "draft".to_owned(),
        params: Vec::new(),
        components: Vec::new(),
        manifest: None,
        nodes: Vec::new(),
        settings: RunSettings::default(),
        parent: None,
    }
}

fn resumed() -> Event {
    Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None }
}

/// Takes out the steps that no longer count.
pub(super) fn drop_clones(steps: &mut BTreeSet<String>, nodes: &[Arc<str>], keys: &[MappingKey]) {
    steps.retain(|step| !is_among(step, nodes, keys));
}

/// Whether a step is of one of these nodes, and its mapping keys begin with these.
pub(crate) fn is_among(step: &str, nodes: &[Arc<str>], keys: &[MappingKey]) -> bool {
    let step: StepKey = step.parse().expect("step keys survive text");
    nodes.contains(&step.node) && step.keys.keys().starts_with(keys)
}
