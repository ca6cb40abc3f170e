//! A step that is not run because its outputs are known: they are given as if it ran, under the same
//! back-pressure.

use std::collections::HashMap;
use std::sync::Arc;

use dynhost_graph::event::{Event, Reused};
use dynhost_graph::scheduler::{Allowance, Credit, Dispatch, StepId};

use crate::cache::GivenOutput;
use crate::instance::StepLimits;

/// A success of an earlier attempt, found for a step that is due.
pub(super) struct Found {
    pub(super) reused: Reused,
    /// Dynamic outputs in the order of emission, then the static ones.
    pub(super) outputs: Arc<Vec<GivenOutput>>,
}

impl Found {
    /// Whether an attempt that gave this would be within the limits of the node as they are now.
    pub(super) fn fits(&self, limits: &StepLimits) -> bool {
        let mut elements: HashMap<&str, u64> = HashMap::new();
        let mut total = 0;
        self.outputs.iter().all(|given| {
            let count = elements.entry(&*given.output).or_default();
            *count += u64::from(given.key.is_some());
            let bytes = given.value.data.len() as u64;
            total += bytes;
            *count <= limits.elements && bytes <= limits.output && total <= limits.output_total
        })
    }
}

/// The steps that are being played back: few at once, since most end in one go.
#[derive(Default)]
pub(super) struct Playbacks(Vec<Playback>);

struct Playback {
    dispatch: Dispatch,
    found: Found,
    next: usize,
    allowance: Allowance,
}

/// What a playback gives in one go.
pub(super) struct Played {
    pub(super) id: StepId,
    /// What is to be recorded instead of the events where the step no longer counts.
    pub(super) cancelled: Event,
    pub(super) events: Vec<Event>,
    /// How much it has been granted, where it now waits for more.
    pub(super) suspended: Option<u64>,
}

impl Playbacks {
    pub(super) fn add(&mut self, dispatch: Dispatch, found: Found) -> StepId {
        let (id, allowance) = (dispatch.id, Allowance::new(dispatch.credit));
        self.0.push(Playback { dispatch, found, next: 0, allowance });
        id
    }

    /// Lets a step emit so much more; false where it is not played back.
    pub(super) fn grant(&mut self, id: StepId, credit: Credit) -> bool {
        let at = self.position(id);
        at.map(|at| self.0[at].allowance.grant(credit)).is_some()
    }

    /// Gives what a step may give now.
    pub(super) fn play(&mut self, id: StepId) -> Option<Played> {
        let at = self.position(id)?;
        let playback = &mut self.0[at];
        let (cancelled, events) = (playback.cancelled(), playback.next());
        let suspended = playback.is_waiting().then(|| playback.allowance.granted());
        if suspended.is_none() {
            self.0.remove(at);
        }
        Some(Played { id, cancelled, events, suspended })
    }

    /// Ends a step before its time.
    pub(super) fn interrupt(&mut self, id: StepId) -> Option<Played> {
        let at = self.position(id)?;
        let cancelled = self.0.remove(at).cancelled();
        Some(Played { id, events: vec![cancelled.clone()], cancelled, suspended: None })
    }

    /// The steps that are being played back.
    pub(super) fn ids(&self) -> Vec<StepId> {
        self.0.iter().map(|playback| playback.dispatch.id).collect()
    }

    fn position(&self, id: StepId) -> Option<usize> {
        self.0.iter().position(|playback| playback.dispatch.id == id)
    }
}

impl Playback {
    fn cancelled(&self) -> Event {
        let Dispatch { step, attempt, .. } = &self.dispatch;
        Event::StepCancelled { step: step.clone(), attempt: *attempt }
    }

    fn is_waiting(&self) -> bool {
        self.found.outputs.get(self.next).is_some_and(|output| output.key.is_some())
    }

    fn next(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let (step, attempt) = (&self.dispatch.step, self.dispatch.attempt);
        while let Some(GivenOutput { output, key: Some(key), value }) =
            self.found.outputs.get(self.next)
        {
            if self.allowance.is_used_up() {
                return events;
            }
            self.allowance.spend(value.data.len() as u64);
            self.next += 1;
            let (output, key, value) = (Arc::clone(output), key.clone(), value.clone());
            events.push(Event::OutputEmitted { step: step.clone(), attempt, output, key, value });
        }
        let outputs = self.found.outputs[self.next..].iter();
        let outputs = outputs.map(|given| (Arc::clone(&given.output), given.value.clone()));
        events.push(Event::StepSucceeded {
            step: step.clone(),
            attempt,
            outputs: outputs.collect(),
            took_us: 0,
            reused: Some(self.found.reused.clone()),
        });
        events
    }
}
