//! An executor without a clock: it runs scripts, in an order that a seed chooses, and checks
//! at every step what the scheduler promises.

mod history;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use dynhost_graph::event::{CancelReason, Event, RunStatus};
use dynhost_graph::job::Job;
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::{Action, Allowance, Bounds, Credit, Dispatch, Scheduler, StepId};

use crate::random::Random;
use crate::script::{Call, Ops, Script, is_retried};
use crate::trace::{Outcome, Record, Trace, inputs_text, output_text};

pub(crate) use history::{is_among, started};

use history::History;

/// In what order steps move on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Any, and all that waits its turn (delays, notices of suspension) in any order with it.
    Random(u64),
    /// The one handed out first runs to its end first.
    Oldest,
    /// The one handed out last goes first: whatever an element starts ends before the next.
    Newest,
}

/// How a job is to be run.
#[derive(Clone)]
pub(crate) struct Simulation {
    pub(crate) job: Arc<Job>,
    pub(crate) ops: Ops,
    pub(crate) bounds: Bounds,
    pub(crate) order: Order,
    /// Cancel when so many moves have been made.
    pub(crate) cancel_after: Option<u64>,
    /// Keep what each step was given; off where there are very many.
    pub(crate) record: bool,
}

impl Simulation {
    pub(crate) fn new(job: Arc<Job>, ops: Ops) -> Self {
        Self {
            job,
            ops,
            bounds: bounds(4, 1024),
            order: Order::Oldest,
            cancel_after: None,
            record: true,
        }
    }

    pub(crate) fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    pub(crate) fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    pub(crate) fn run(&self) -> Trace {
        let mut run = Run::new(self);
        run.go();
        run.trace
    }
}

/// Bounds with a window of so many elements.
pub(crate) fn bounds(max_concurrency: u32, items: u64) -> Bounds {
    Bounds { max_concurrency, look_ahead: 0, window: Credit { items, bytes: 1 << 20 } }
}

/// A step that the executor has.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own")]
struct Out {
    dispatch: Dispatch,
    script: Script,
    emitted: usize,
    /// What it may still emit.
    allowance: Allowance,
    /// The same, counted here; an element larger than the rest takes the bytes below zero.
    items: i64,
    bytes: i64,
    /// What it was given at first, and never has more of.
    window: Credit,
    /// Waits in `emit`, and the scheduler has been told.
    suspended: bool,
    interrupted: bool,
    /// Has been said to begin.
    started: bool,
    /// Has ended; the scheduler may not have been told yet.
    ended: bool,
}

struct Run<'a> {
    simulation: &'a Simulation,
    scheduler: Scheduler,
    random: Random,
    out: HashMap<StepId, Out>,
    movable: VecDeque<StepId>,
    delayed: Vec<StepId>,
    /// Suspensions that the scheduler has not been told of, with the grant that was seen.
    notices: Vec<(StepId, u64)>,
    attempts: HashMap<StepId, u32>,
    placed: Vec<u32>,
    moves: u64,
    cancelled: bool,
    /// Steps that have succeeded and count: they never run again.
    succeeded: BTreeSet<String>,
    history: Option<History>,
    trace: Trace,
}

impl<'a> Run<'a> {
    fn new(simulation: &'a Simulation) -> Self {
        let seed = match simulation.order {
            Order::Random(seed) => seed,
            Order::Oldest | Order::Newest => 0,
        };
        Self {
            scheduler: Scheduler::new(Arc::clone(&simulation.job), simulation.bounds),
            random: Random::new(seed),
            out: HashMap::new(),
            movable: VecDeque::new(),
            delayed: Vec::new(),
            notices: Vec::new(),
            attempts: HashMap::new(),
            placed: vec![0; simulation.job.nodes.len()],
            moves: 0,
            cancelled: false,
            succeeded: BTreeSet::new(),
            history: None,
            trace: Trace::default(),
            simulation,
        }
    }

    fn go(&mut self) {
        let mut actions = Vec::new();
        self.write(history::started);
        self.scheduler.start(&mut actions);
        self.carry_out(actions);
        self.go_on();
    }

    /// Goes on to the end.
    fn go_on(&mut self) {
        while self.trace.status.is_none() {
            if self.simulation.cancel_after == Some(self.moves) && !self.cancelled {
                self.cancel(CancelReason::Requested);
                continue;
            }
            self.moves += 1;
            self.make_a_move();
        }
        assert!(self.out.is_empty(), "the run finished with steps out");
        if !self.cancelled {
            assert_eq!(self.scheduler.frames_alive(), 1, "frames are left");
        }
        let outputs = self.scheduler.outputs();
        self.trace.outputs =
            outputs.iter().map(|(name, value)| (name.clone(), output_text(value))).collect();
        self.trace.failures = self.scheduler.failures().map(ToString::to_string).collect();
    }

    fn cancel(&mut self, reason: CancelReason) {
        self.cancelled = true;
        self.write(|| Event::CancelRequested { reason: reason.clone() });
        let mut actions = Vec::new();
        self.scheduler.cancel(reason, &mut actions);
        self.carry_out(actions);
    }

    fn make_a_move(&mut self) {
        if self.receives() {
            return self.receive();
        }
        let choices = self.movable.len() + self.delayed.len() + self.notices.len();
        assert!(choices > 0, "stuck: {}", self.dump());
        let mut choice = match self.simulation.order {
            Order::Random(_) => self.random.below(choices),
            Order::Oldest => 0,
            Order::Newest => self.movable.len().saturating_sub(1),
        };
        if choice < self.movable.len() {
            let id = self.movable.remove(choice).expect("there are so many");
            if let Some(event) = self.move_on(id) {
                // It goes on from the same place in the order.
                if !self.out[&id].ended {
                    self.movable.insert(choice, id);
                }
                self.report(id, event);
            }
            return;
        }
        let mut actions = Vec::new();
        choice -= self.movable.len();
        if choice < self.delayed.len() {
            let id = self.delayed.swap_remove(choice);
            self.scheduler.wake(id, &mut actions);
        } else {
            let (id, granted) = self.notices.swap_remove(choice - self.delayed.len());
            self.receive();
            if let Some(out) = self.out.get_mut(&id)
                && out.allowance.granted() == granted
                && !out.suspended
            {
                out.suspended = true;
                self.placed[id.node().index()] -= 1;
            }
            self.scheduler.suspended(id, granted, &mut actions);
        }
        self.carry_out(actions);
    }

    /// What the executor has, and all that became of the steps so far.
    fn dump(&self) -> String {
        let out = self.out.values().map(|out| {
            let Out { dispatch, emitted, items, bytes, suspended, .. } = out;
            let of = out.script.emits.len();
            let step = &dispatch.step;
            format!("{step} emitted {emitted} of {of}, may {items} {bytes}, waits: {suspended}\n")
        });
        let steps = self.trace.steps.iter().map(|(step, record)| format!("{step} {record:?}\n"));
        format!("{}\n{}", out.collect::<String>(), steps.collect::<String>())
    }

    /// Lets a step begin, emit or end, and says what there is to report; nothing where it waits.
    fn move_on(&mut self, id: StepId) -> Option<Event> {
        let out = self.out.get_mut(&id).expect("a movable step is out");
        let (step, attempt) = (out.dispatch.step.clone(), out.dispatch.attempt);
        if out.interrupted && (out.emitted < out.script.emits.len() || self.random.chance(50)) {
            out.ended = true;
            return Some(Event::StepCancelled { step, attempt });
        }
        if self.history.is_some() && !out.started {
            out.started = true;
            return Some(Event::StepStarted { step, attempt });
        }
        let Some((output, key, value)) = out.script.emits.get(out.emitted).cloned() else {
            out.ended = true;
            return Some(self.end_of(id));
        };
        if out.allowance.is_used_up() {
            self.notices.push((id, out.allowance.granted()));
            return None;
        }
        out.emitted += 1;
        out.allowance.spend(value.data.len() as u64);
        out.items -= 1;
        out.bytes -= i64::try_from(value.data.len()).expect("short values");
        let output = self.simulation.job.node(id.node()).op.outputs[output as usize].name.as_str();
        Some(Event::OutputEmitted {
            step,
            attempt,
            output: output.into(),
            key: MappingKey::new(&key).expect("keys in tests are good"),
            value,
        })
    }

    fn end_of(&self, id: StepId) -> Event {
        let out = &self.out[&id];
        let (step, attempt) = (out.dispatch.step.clone(), out.dispatch.attempt);
        let Some(failure) = out.script.fails.clone() else {
            let op = &self.simulation.job.node(id.node()).op;
            let given = |(output, value): &(u32, _)| {
                (op.outputs[*output as usize].name.as_str().into(), Clone::clone(value))
            };
            let outputs = out.script.gives.iter().map(given).collect();
            return Event::StepSucceeded { step, attempt, outputs, took_us: 0, reused: None };
        };
        let retried = is_retried(&self.simulation.job, id.node(), &failure, attempt);
        let retry_in_ms = retried.then_some(1);
        Event::StepFailed { step, attempt, failure, retry_in_ms, took_us: 0 }
    }

    /// Applies an event of a step.
    fn take(&mut self, id: StepId, event: &Event, actions: &mut Vec<Action>) {
        match event {
            Event::StepSucceeded { step, .. } => {
                if self.simulation.record {
                    self.trace.ended.push(step.to_string());
                    if self.scheduler.counts(id) {
                        self.succeeded.insert(step.to_string());
                    }
                }
                self.leave(id, Outcome::Succeeded);
            }
            Event::StepFailed { retry_in_ms: None, .. } => self.leave(id, Outcome::Failed),
            Event::StepFailed { .. } => self.leave(id, Outcome::Begun),
            Event::StepCancelled { .. } => self.leave(id, Outcome::Cancelled),
            _ => {}
        }
        self.scheduler.apply(id, event, actions);
    }

    /// Takes a step back; what it did counts unless the scheduler had it interrupted alone.
    fn leave(&mut self, id: StepId, outcome: Outcome) {
        let out = self.out.remove(&id).expect("a step that ends is out");
        // An executor says this before it says that the attempt has ended.
        self.notices.retain(|(other, _)| *other != id);
        if !out.suspended {
            self.placed[id.node().index()] -= 1;
        }
        if !out.interrupted || self.cancelled {
            self.record(&out.dispatch.step.to_string(), |record| record.outcome = outcome);
        }
    }

    fn not_run(&mut self, step: &StepKey, outcome: Outcome) {
        assert!(!self.cancelled, "{step} is judged after the cancel");
        let record = Record { outcome, inputs: String::new(), attempts: 0 };
        self.trace.steps.insert(step.to_string(), record);
    }

    fn record(&mut self, step: &str, change: impl FnOnce(&mut Record)) {
        if self.simulation.record
            && let Some(record) = self.trace.steps.get_mut(step)
        {
            change(record);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let limited = |node: &dynhost_graph::job::Node| {
            node.policy.max_concurrency.is_some() || node.policy.pool.is_some()
        };
        // Of one event, that is.
        let deeper_first = self.history.is_none() && !self.simulation.job.nodes.iter().any(limited);
        let (mut last, mut abort) = (None, None);
        for action in actions {
            assert!(self.trace.status.is_none(), "{action:?} after the end");
            self.write_action(&action);
            match action {
                Action::Run(dispatch) => {
                    let node = dispatch.id.node();
                    assert!(!deeper_first || last.is_none_or(|last| node <= last), "not deeper");
                    last = Some(node);
                    self.begin(dispatch);
                }
                Action::Grant { id, credit } => self.grant(id, credit),
                Action::WakeLater { id, .. } => {
                    assert!(!self.cancelled, "another attempt after the cancel");
                    self.delayed.push(id);
                }
                Action::Skip { step, reason } => self.not_run(&step, Outcome::Skipped(reason)),
                Action::Fail { step, .. } => self.not_run(&step, Outcome::Failed),
                Action::Drop { nodes, keys } => {
                    history::drop_clones(&mut self.succeeded, &nodes, &keys);
                }
                Action::Interrupt { id } => self.interrupt(id),
                Action::InterruptAll => {
                    let ids: Vec<StepId> = self.out.keys().copied().collect();
                    let mut ids: Vec<_> = ids.into_iter().map(|id| (self.key(id), id)).collect();
                    ids.sort_by(|a, b| a.0.cmp(&b.0));
                    for (_, id) in ids {
                        self.interrupt(id);
                    }
                }
                Action::Abort { reason } => abort = Some(reason),
                Action::Finish { status } => self.trace.status = Some(status),
                other => panic!("what is {other:?}"),
            }
        }
        self.check_places();
        if let Some(reason) = abort
            && self.trace.status.is_none()
        {
            self.cancel(reason);
        }
        if let Some(RunStatus::Cancelled) = self.trace.status {
            assert!(self.cancelled, "cancelled by nobody");
        }
    }

    fn key(&self, id: StepId) -> String {
        let dispatch = &self.out[&id].dispatch;
        format!("{} {}", dispatch.step, self.attempts[&id])
    }

    fn begin(&mut self, dispatch: Dispatch) {
        let Dispatch { id, attempt, credit, .. } = dispatch;
        assert!(!self.cancelled, "{} begins after the cancel", dispatch.step);
        let same = |out: &Out| out.dispatch.step == dispatch.step;
        assert!(!self.out.values().any(same), "{} runs twice at once", dispatch.step);
        assert!(
            !self.succeeded.contains(&dispatch.step.to_string()),
            "{} has succeeded and runs again",
            dispatch.step
        );
        let before = self.attempts.insert(id, attempt).unwrap_or(attempt - 1);
        assert_eq!(attempt, before + 1, "attempts at {}", dispatch.step);
        let op = &self.simulation.job.node(id.node()).op;
        let (step, inputs) = (&dispatch.step, &dispatch.inputs);
        let call = Call { node: id.node(), op, step, attempt, inputs };
        let script = self.simulation.ops.call(&call);
        if self.simulation.record {
            let step = dispatch.step.to_string();
            let inputs = inputs_text(&dispatch.inputs);
            self.trace.order.push(step.clone());
            let record = Record { outcome: Outcome::Begun, inputs, attempts: attempt };
            self.trace.steps.insert(step, record);
        }
        self.placed[id.node().index()] += 1;
        let signed = |credit| i64::try_from(credit).expect("windows in tests are small");
        let out = Out {
            script,
            emitted: 0,
            items: signed(credit.items),
            bytes: signed(credit.bytes),
            allowance: Allowance::new(credit),
            window: credit,
            suspended: false,
            interrupted: false,
            started: false,
            ended: false,
            dispatch,
        };
        assert!(self.out.insert(id, out).is_none(), "runs twice at once");
        self.movable.push_back(id);
    }

    fn grant(&mut self, id: StepId, credit: Credit) {
        let Some(out) = self.out.get_mut(&id) else {
            assert!(self.history.is_some(), "a grant for a step that is not out");
            // It has ended by a report that was taken together with the one that brought the grant.
            return;
        };
        let window = out.window;
        out.items += i64::try_from(credit.items).expect("windows in tests are small");
        out.bytes += i64::try_from(credit.bytes).expect("windows in tests are small");
        out.allowance.grant(credit);
        assert!(credit.items > 0, "an empty grant");
        assert!(out.items <= i64::try_from(window.items).expect("small"), "more than the window");
        assert!(out.bytes <= i64::try_from(window.bytes).expect("small"), "more than the window");
        if out.suspended {
            out.suspended = false;
            self.placed[id.node().index()] += 1;
        }
        if !out.ended && !self.movable.contains(&id) {
            self.movable.push_back(id);
        }
    }

    fn interrupt(&mut self, id: StepId) {
        if let Some(out) = self.out.get_mut(&id) {
            out.interrupted = true;
            if !out.ended && !self.movable.contains(&id) {
                self.movable.push_back(id);
            }
        }
    }

    fn check_places(&mut self) {
        let job = &self.simulation.job;
        let placed: u32 = self.placed.iter().sum();
        self.trace.most_placed = self.trace.most_placed.max(placed);
        self.trace.most_frames = self.trace.most_frames.max(self.scheduler.frames_alive());
        let bounds = &self.simulation.bounds;
        let ahead = bounds.look_ahead * u32::try_from(job.nodes.len()).expect("few nodes");
        assert!(placed <= bounds.max_concurrency + ahead, "too many at once");
        assert_eq!(self.scheduler.steps_out() as usize, self.out.len(), "steps out");
        let mut pools = vec![0; job.pools.len()];
        for (node, placed) in job.nodes.iter().zip(&self.placed) {
            let most = node.policy.max_concurrency.unwrap_or(u32::MAX);
            assert!(*placed <= most, "too many of `{}` at once", node.name);
            if let Some(pool) = node.policy.pool {
                pools[pool.index()] += placed;
            }
        }
        for (pool, placed) in job.pools.iter().zip(pools) {
            assert!(placed <= pool.size, "too many in `{}`", pool.name);
        }
    }
}
