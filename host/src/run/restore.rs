//! The state of an interrupted run, as a fold over its events (`semantics.md` rule 19).

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use dynhost_graph::event::{CancelReason, Event, ManifestRecord, Recorded, RunStatus};
use dynhost_graph::job::Job;
use dynhost_graph::scheduler::{Action, Bounds, Scheduler, StepId, Unrecorded};

use super::drive::event_of;
use super::tally::Tally;
use super::{Change, RunError};
use crate::prepare::PreparedJob;
use crate::store::{RunStore, StoreError, StoreErrorKind};

/// An interrupted run, about to go on.
pub(super) struct Restored {
    pub(super) scheduler: Scheduler,
    pub(super) tally: Tally,
    /// What followed from the last events and was not recorded.
    pub(super) owed: Vec<Event>,
    /// Steps that wait for their next attempt, and until when, in microseconds since 1970.
    pub(super) delayed: Vec<(StepId, u64)>,
    /// A failure asked for the run to be cancelled.
    pub(super) abort: Option<CancelReason>,
    /// What is another than when the run began or was last resumed.
    pub(super) changes: Vec<Change>,
}

impl Restored {
    /// Reads a run of the job.
    ///
    /// # Errors
    /// The history cannot be read, there is no such run, or it has ended.
    pub(super) fn read(
        store: &dyn RunStore,
        run: &str,
        prepared: &PreparedJob,
        (job, bounds): (&Arc<Job>, Bounds),
    ) -> Result<Self, RunError> {
        let mut fold = Fold::new(Scheduler::replaying(Arc::clone(job), bounds));
        store.read(run, &mut |recorded| {
            fold.take(&recorded);
            ControlFlow::Continue(())
        })?;
        if !fold.started {
            let what = format!("there is no run `{run}`");
            return Err(StoreError::new(StoreErrorKind::Unknown, what).into());
        }
        if let Some(status) = fold.ended.filter(|status| *status != RunStatus::Cancelled) {
            return Err(RunError::Ended { run: run.to_owned(), status });
        }
        let changes = fold.changes(prepared);
        let Fold { scheduler, tally, unrecorded, delayed, abort, .. } = fold;
        // The last delay of a step is the one that it waits for.
        let mut seen = HashSet::new();
        let mut delayed: Vec<_> =
            delayed.into_iter().rev().filter(|(id, _)| seen.insert(*id)).collect();
        delayed.reverse();
        let owed = unrecorded.into_actions().into_iter().filter_map(event_of).collect();
        Ok(Self { scheduler, tally, owed, delayed, abort, changes })
    }
}

struct Fold {
    scheduler: Scheduler,
    tally: Tally,
    unrecorded: Unrecorded,
    delayed: Vec<(StepId, u64)>,
    abort: Option<CancelReason>,
    started: bool,
    ended: Option<RunStatus>,
    components: Vec<(String, String)>,
    manifest: Option<Box<ManifestRecord>>,
    actions: Vec<Action>,
}

impl Fold {
    fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            tally: Tally::default(),
            unrecorded: Unrecorded::default(),
            delayed: Vec::new(),
            abort: None,
            started: false,
            ended: None,
            components: Vec::new(),
            manifest: None,
            actions: Vec::new(),
        }
    }

    fn take(&mut self, recorded: &Recorded) {
        let event = &recorded.event;
        self.tally.count(event);
        match event {
            Event::RunStarted { components, manifest, .. } => {
                self.started = true;
                self.components.clone_from(components);
                self.manifest.clone_from(manifest);
            }
            Event::RunResumed { components, manifest, .. } => {
                self.ended = None;
                self.components.clone_from(components);
                if manifest.is_some() {
                    self.manifest.clone_from(manifest);
                }
            }
            Event::RunFinished { status, .. } => self.ended = Some(*status),
            _ => {}
        }
        self.scheduler.replay(event, &mut self.actions);
        self.unrecorded.recorded(event);
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::WakeLater { id, after_ms } => {
                    let due = recorded.at_us.saturating_add(after_ms.saturating_mul(1000));
                    self.delayed.push((id, due));
                }
                Action::Abort { reason } => self.abort = Some(reason),
                action => self.unrecorded.found(action),
            }
        }
    }

    fn changes(&self, prepared: &PreparedJob) -> Vec<Change> {
        let mut changes = Vec::new();
        if let (Some(recorded), Some(now)) = (&self.manifest, &prepared.manifest)
            && recorded.text != now.text
        {
            changes.push(Change::Manifest { recorded: (**recorded).clone(), now: (**now).clone() });
        }
        let now = &prepared.job.components;
        for (alias, recorded) in &self.components {
            let found = now.iter().find(|component| component.alias == *alias);
            if found.is_none_or(|component| component.digest != *recorded) {
                let now = found.map(|component| component.digest.clone());
                let (alias, recorded) = (alias.clone(), recorded.clone());
                changes.push(Change::Component { alias, recorded: Some(recorded), now });
            }
        }
        for component in now {
            if !self.components.iter().any(|(alias, _)| *alias == component.alias) {
                let (alias, now) = (component.alias.clone(), Some(component.digest.clone()));
                changes.push(Change::Component { alias, recorded: None, now });
            }
        }
        changes
    }
}
