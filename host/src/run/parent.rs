//! The run that another goes on from (`semantics.md` rule 20): what its steps gave, and to which
//! inputs.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use dynhost_graph::event::{Event, Lineage, Reused, ReusedFrom};
use dynhost_graph::job::Job;
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::{Bounds, Dispatch, Input, Scheduler};
use dynhost_graph::select::{Selection, Selector};

use super::RunError;
use super::fingerprint::fingerprints;
use super::playback::Found;
use crate::cache::{Digest, GivenOutput, digest_input};
use crate::store::{RunStore, StoreError, StoreErrorKind};

/// The successes of a run, to be taken over by another.
pub(super) struct Parent {
    run: String,
    selection: Option<Selection>,
    successes: HashMap<StepKey, Success>,
}

struct Success {
    inputs: Digest,
    outputs: Arc<Vec<GivenOutput>>,
}

impl Parent {
    /// Reads a run as if it had been one of `job`; what does not fit that job is left out.
    pub(super) fn read(
        store: &dyn RunStore,
        job: &Arc<Job>,
        lineage: &Lineage,
    ) -> Result<Self, RunError> {
        let mut reading = Reading {
            nodes: Vec::new(),
            scheduler: Scheduler::replaying(Arc::clone(job), Bounds::default()),
            emitted: HashMap::new(),
            successes: HashMap::new(),
            known: Vec::new(),
        };
        let mut any = false;
        store.read(&lineage.run, &mut |recorded| {
            any = true;
            reading.take(&recorded.event);
            ControlFlow::Continue(())
        })?;
        if !any {
            let what = format!("there is no run `{}`", lineage.run);
            return Err(StoreError::new(StoreErrorKind::Unknown, what).into());
        }
        let Reading { nodes, mut successes, known, .. } = reading;
        let same: HashSet<String> = fingerprints(job)
            .into_iter()
            .filter(|node| nodes.contains(node))
            .map(|(name, _)| name)
            .collect();
        successes.retain(|step, _| same.contains(&*step.node));
        let selectors = lineage.steps.iter().map(|text| text.parse::<Selector>());
        let selectors = selectors.collect::<Result<Vec<_>, _>>()?;
        let selection = if selectors.is_empty() {
            None
        } else {
            Some(Selection::new(&selectors, job, &known)?)
        };
        Ok(Self { run: lineage.run.clone(), selection, successes })
    }

    /// Whether a step is to be run whatever is known of it.
    pub(super) fn selects(&self, step: &StepKey) -> bool {
        self.selection.as_ref().is_some_and(|selection| selection.selects(step))
    }

    /// The success of the same step with the same inputs.
    pub(super) fn find(&self, dispatch: &Dispatch) -> Option<Found> {
        let success = self.successes.get(&dispatch.step)?;
        if success.inputs != digest(&dispatch.inputs) {
            return None;
        }
        let (run, step) = (self.run.clone(), dispatch.step.clone());
        let reused = Reused { from: ReusedFrom::Parent, run, step };
        Some(Found { reused, outputs: Arc::clone(&success.outputs) })
    }
}

/// The fold over the events of the earlier run.
struct Reading {
    /// The nodes as they were, with their fingerprints.
    nodes: Vec<(String, String)>,
    scheduler: Scheduler,
    /// What steps emitted that have not succeeded.
    emitted: HashMap<StepKey, Vec<GivenOutput>>,
    successes: HashMap<StepKey, Success>,
    /// All steps of the run.
    known: Vec<StepKey>,
}

impl Reading {
    fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { nodes, .. } => self.nodes.clone_from(nodes),
            Event::RunResumed { nodes, .. } => {
                let is_same = |step: &StepKey| {
                    let name = |(name, _): &&(String, String)| **name == *step.node;
                    self.nodes.iter().find(name) == nodes.iter().find(name)
                };
                self.successes.retain(|step, _| is_same(step));
                self.nodes.clone_from(nodes);
            }
            Event::StepStarted { step, .. } => drop(self.emitted.remove(step)),
            Event::OutputEmitted { step, output, key, value, .. } => {
                let (output, key) = (Arc::clone(output), Some(key.clone()));
                let given = GivenOutput { output, key, value: value.clone() };
                match self.emitted.get_mut(step) {
                    Some(emitted) => emitted.push(given),
                    None => drop(self.emitted.insert(step.clone(), vec![given])),
                }
            }
            Event::StepSucceeded { step, outputs, .. } => {
                self.known.push(step.clone());
                let mut given = self.emitted.remove(step).unwrap_or_default();
                given.extend(outputs.iter().map(|(output, value)| {
                    let (output, value) = (Arc::clone(output), value.clone());
                    GivenOutput { output, key: None, value }
                }));
                if let Some(inputs) = self.scheduler.inputs_of(step) {
                    let (inputs, outputs) = (digest(&inputs), Arc::new(given));
                    self.successes.insert(step.clone(), Success { inputs, outputs });
                }
            }
            Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepCancelled { step, .. } => {
                self.known.push(step.clone());
                self.emitted.remove(step);
            }
            Event::ClonesDropped { nodes, keys } => {
                let dropped = |step: &StepKey| nodes.contains(&step.node) && step.begins_with(keys);
                self.successes.retain(|step, _| !dropped(step));
            }
            _ => {}
        }
        // What follows from the event has been done by the run itself.
        self.scheduler.replay(event, &mut Vec::new());
    }
}

fn digest(inputs: &[Input]) -> Digest {
    let mut hash = blake3::Hasher::new();
    for input in inputs {
        hash.update(&digest_input(input));
    }
    hash.finalize().into()
}
