//! Histories: bytes that are read as events, and real histories with events left out, doubled,
//! moved or altered. Each is taken in by the scheduler, and the run goes on from it to its end.

#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the scheduler, which use more of it"
)]

#[path = "../../graph/tests/scheduler"]
mod scheduler {
    pub(crate) mod draft;
    pub(crate) mod generate;
    pub(crate) mod random;
    pub(crate) mod reference;
    pub(crate) mod script;
    pub(crate) mod simulator;
    pub(crate) mod trace;
}

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use dynhost_graph::event::{CancelReason, Event, Failure, Recorded, RunStatus};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::value::Value;
use libfuzzer_sys::fuzz_target;

// Where the modules look for each other.
use scheduler::{draft, generate, random, reference, script, simulator, trace};

use crate::generate::{Wild, generate};
use crate::random::{Random, mix};
use crate::simulator::{Simulation, bounds};

/// A job of random nodes.
#[derive(Debug, Arbitrary)]
struct JobSeed {
    seed: u16,
    nodes: u8,
    fails: bool,
    meets: bool,
    cancel_after: Option<u8>,
}

/// What is done to a history, by positions that are taken modulo its length.
#[derive(Debug, Arbitrary)]
enum Damage {
    Leave(u16),
    Double(u16, u16),
    Swap(u16, u16),
    Truncate(u16),
    Resume(u16),
    Cancel(u16),
    Finish(u16, bool),
    /// The step of one event in the place of another's.
    Step(u16, u16),
    Keys(u16, Vec<u8>),
    Attempt(u16, u32),
    Output(u16, u8),
    Value(u16, u16),
    Retry(u16, Option<u64>),
    Fail(u16, Option<u64>),
    Drop(u16, u16, u8),
}

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok((of, seed)) = <(u8, JobSeed)>::arbitrary(&mut input) else { return };
    let simulation = seed.simulation();
    if of.is_multiple_of(2) {
        simulation.resume_foreign(&events(input.take_rest()));
    } else {
        let (_, mut log) = simulation.run_recorded();
        let Ok(damages) = Vec::<Damage>::arbitrary(&mut input) else { return };
        damages.iter().take(100).for_each(|damage| damage.apply(&mut log));
        if of % 4 == 1 {
            // As it is stored.
            let text = serde_json::to_string(&log).expect("events can be written");
            log = serde_json::from_str(&text).expect("what was written can be read");
        }
        simulation.resume_foreign(&log);
    }
});

impl JobSeed {
    fn simulation(&self) -> Simulation {
        let wild = Wild {
            seed: u64::from(self.seed),
            nodes: 1 + usize::from(self.nodes % 10),
            fails: self.fails,
            meets: self.meets,
        };
        let (draft, ops) = generate(wild);
        let mut random = Random::new(mix(&[wild.seed, 3]));
        let at_once = 1 + draft::position(random.below(3));
        let mut simulation =
            Simulation::new(draft.finish(), ops).bounds(bounds(at_once, 1 + random.next() % 3));
        simulation.cancel_after = self.cancel_after.map(u64::from);
        simulation
    }
}

/// One event per line, as `runs events` prints them.
fn events(text: &[u8]) -> Vec<Event> {
    let lines = text.split(|byte| *byte == b'\n');
    let recorded = lines.filter_map(|line| serde_json::from_slice::<Recorded>(line).ok());
    let recorded: Vec<Recorded> = recorded.take(1000).collect();
    for one in &recorded {
        let text = serde_json::to_string(one).expect("what was read can be written");
        let again: Recorded = serde_json::from_str(&text).expect("what was written can be read");
        assert_eq!(&again, one);
    }
    // The ops of these jobs take JSON.
    let events = recorded.into_iter().map(|recorded| recorded.event);
    events.filter(|event| values(event).iter().all(|value| value.to_json().is_ok())).collect()
}

fn values(event: &Event) -> Vec<&Value> {
    match event {
        Event::OutputEmitted { value, .. } => vec![value],
        Event::StepSucceeded { outputs, .. } => outputs.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

impl Damage {
    fn apply(&self, log: &mut Vec<Event>) {
        let length = log.len();
        if length == 0 {
            return;
        }
        let at = |place: u16| usize::from(place) % length;
        match self {
            Self::Leave(one) => drop(log.remove(at(*one))),
            Self::Double(one, other) => log.insert(at(*one), log[at(*other)].clone()),
            Self::Swap(one, other) => log.swap(at(*one), at(*other)),
            Self::Truncate(one) => log.truncate(at(*one)),
            Self::Resume(one) => log.insert(
                at(*one),
                Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None },
            ),
            Self::Cancel(one) => {
                log.insert(at(*one), Event::CancelRequested { reason: CancelReason::Requested });
            }
            Self::Finish(one, well) => {
                let status = if *well { RunStatus::Succeeded } else { RunStatus::Cancelled };
                log.insert(at(*one), Event::RunFinished { status, outputs: Vec::new() });
            }
            Self::Step(one, other) => {
                let of = step_of(&mut log[at(*other)]).cloned();
                if let (Some(step), Some(of)) = (step_of(&mut log[at(*one)]), of) {
                    *step = of;
                }
            }
            Self::Keys(one, keys) => {
                if let Some(step) = step_of(&mut log[at(*one)]) {
                    step.keys = keys.iter().take(6).map(|byte| key(*byte)).collect();
                }
            }
            Self::Attempt(one, to) => {
                let to = if to.is_multiple_of(2) { to / 2 % 4 } else { u32::MAX - to / 2 % 4 };
                alter_attempt(&mut log[at(*one)], to);
            }
            Self::Output(one, to) => alter_output(&mut log[at(*one)], *to),
            Self::Value(one, bytes) => {
                if let Event::OutputEmitted { value, .. } = &mut log[at(*one)] {
                    *value = Value::json(&"x".repeat(usize::from(*bytes)).into());
                }
            }
            Self::Retry(one, delay) => {
                if let Event::StepFailed { retry_in_ms, .. } = &mut log[at(*one)] {
                    *retry_in_ms = *delay;
                }
            }
            Self::Fail(one, delay) => fail(&mut log[at(*one)], *delay),
            Self::Drop(one, other, keys) => drop_clones(log, at(*one), at(*other), *keys),
        }
    }
}

fn key(byte: u8) -> MappingKey {
    let key = ["zeta", "alpha", "mid", "ü", "0", "1"][usize::from(byte % 6)];
    MappingKey::new(key).expect("a mapping key")
}

fn step_of(event: &mut Event) -> Option<&mut StepKey> {
    match event {
        Event::StepStarted { step, .. }
        | Event::OutputEmitted { step, .. }
        | Event::StepSucceeded { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepSkipped { step, .. }
        | Event::StepCancelled { step, .. } => Some(step),
        _ => None,
    }
}

fn alter_attempt(event: &mut Event, to: u32) {
    match event {
        Event::StepStarted { attempt, .. }
        | Event::OutputEmitted { attempt, .. }
        | Event::StepSucceeded { attempt, .. }
        | Event::StepFailed { attempt, .. }
        | Event::StepCancelled { attempt, .. } => *attempt = to,
        _ => {}
    }
}

fn alter_output(event: &mut Event, to: u8) {
    let name: Arc<str> = format!("out{}", to % 4).into();
    match event {
        Event::OutputEmitted { output, key: of, .. } => {
            *output = name;
            *of = key(to / 4);
        }
        Event::StepSucceeded { outputs, .. } if to.is_multiple_of(3) => outputs.clear(),
        Event::StepSucceeded { outputs, .. } => outputs.push((name, Value::json_text("[7]"))),
        _ => {}
    }
}

/// Makes a failure of a success.
fn fail(event: &mut Event, retry_in_ms: Option<u64>) {
    if let Event::StepSucceeded { step, attempt, .. } = event {
        let failure = Failure::TimedOut { after_ms: 1 };
        let (step, attempt) = (step.clone(), *attempt);
        *event = Event::StepFailed { step, attempt, failure, retry_in_ms, took_us: 0 };
    }
}

/// Says of the step of an event that it no longer counts.
fn drop_clones(log: &mut Vec<Event>, at: usize, of: usize, keys: u8) {
    if let Some(step) = step_of(&mut log[of]) {
        let nodes = vec![step.node.clone()];
        let keys = step.keys.keys().into_iter().take(usize::from(keys)).collect();
        log.insert(at, Event::ClonesDropped { nodes, keys });
    }
}
