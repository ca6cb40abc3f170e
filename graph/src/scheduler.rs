//! What is to be done next: a state machine over the events of a run.
//!
//! [`Scheduler::apply`] takes one event and says what follows from it. There is no I/O, clock,
//! randomness or lock here, and nothing depends on the order of a hash map: the same
//! events give the same actions. The cost of an event does not depend on how many clones there
//! are.
//!
//! The state is a tree of *frames*. The root frame holds the steps outside every map; each
//! element of a dynamic output gets a frame of its own, which holds its clones and is freed when
//! they have ended. What a frame gives to a collect moves to the fan-out that made it.
//! Where fan-outs meet, a frame is made of frames of its parts, which it keeps alive.
//!
//! A run that goes on after an interruption takes the same path: [`Scheduler::replaying`] makes a
//! state that hands nothing out, [`Scheduler::replay`] takes the stored events into it, and
//! [`Scheduler::go_live`] makes it that of a run under way (`semantics.md` rule 19).

mod again;
mod allowance;
mod apply;
mod batch;
mod fan_in;
mod flow;
mod frame;
mod inputs;
mod meeting;
mod ready;
mod replay;
mod tree;
mod unrecorded;
mod wiring;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::event::{CancelReason, Event, Failure, RunStatus, SkipReason};
use crate::job::{Job, NodeId};
use crate::name::{MappingKey, StepKey};
use crate::value::Value;

use apply::Emission;
use frame::{Frame, FrameIndex, Phase};
use inputs::Standing;
use replay::Replay;
use tree::NewFrame;
use wiring::Wiring;

pub use allowance::Allowance;
pub use unrecorded::Unrecorded;

/// How far a run looks ahead and how much it lets a yielding step run ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Steps at once (`semantics.md` rule 12). The executor holds to it; the scheduler hands it more steps, so that it
    /// never waits for the next.
    pub max_concurrency: u32,
    /// Steps of a node that are handed to the executor although as many as may run at once have been.
    pub look_ahead: u32,
    /// What a step may emit before its clones have caught up.
    pub window: Credit,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_concurrency: 1, look_ahead: 0, window: Credit { items: 1024, bytes: 64 << 20 } }
    }
}

/// An allowance to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    /// Elements.
    pub items: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// A step of a run that is under way. Never used twice within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepId {
    frame: FrameIndex,
    generation: u32,
    node: NodeId,
}

impl StepId {
    /// The node whose step it is.
    #[must_use]
    pub const fn node(self) -> NodeId {
        self.node
    }
}

/// One element of a list of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// The mapping key; the position where the elements come from a list of references.
    pub key: MappingKey,
    /// The value.
    pub value: Value,
}

/// The elements of a fan-in, in the order of emission (`semantics.md` rule 13).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collection {
    /// What the clones gave.
    pub elements: Vec<Element>,
    /// The keys of clones that failed and are tolerated.
    pub failed: Vec<MappingKey>,
}

/// What a step is given under one name.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The job does not wire it.
    Absent,
    /// One value.
    Single(Value),
    /// Several, in order.
    Many(Arc<Collection>),
}

/// A step that is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The step, as the scheduler calls it.
    pub id: StepId,
    /// The step, as people call it.
    pub step: StepKey,
    /// The attempt; 1 is the first.
    pub attempt: u32,
    /// One for each input of the op's definition.
    pub inputs: Vec<Input>,
    /// What it may emit before it is granted more, as an [`Allowance`] counts it.
    pub credit: Credit,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Hand this step to the executor.
    Run(Dispatch),
    /// This step may emit so much more.
    Grant {
        /// The step.
        id: StepId,
        /// How much more.
        credit: Credit,
    },
    /// Call [`Scheduler::wake`] after the delay that the failure event names.
    WakeLater {
        /// The step.
        id: StepId,
        /// The delay in milliseconds.
        after_ms: u64,
    },
    /// The step does not run. An event to be recorded, already taken into account.
    Skip {
        /// The step.
        step: StepKey,
        /// Why.
        reason: SkipReason,
    },
    /// This step cannot be run: two fan-outs that it zips do not have the same keys. An event
    /// to be recorded, already taken into account (`semantics.md` rule 4).
    Fail {
        /// The step.
        step: StepKey,
        /// Which key is missing from which output.
        failure: Failure,
    },
    /// Clones no longer count. An event to be recorded, already taken into account
    /// (`semantics.md` rule 17).
    Drop {
        /// The nodes of the clones.
        nodes: Vec<Arc<str>>,
        /// The mapping keys that theirs begin with.
        keys: Vec<MappingKey>,
    },
    /// What this step does no longer counts: interrupt it.
    Interrupt {
        /// The step.
        id: StepId,
    },
    /// Interrupt every step that the executor has, and drop what it has not begun.
    InterruptAll,
    /// A step of a node with `on_failure = "abort"` failed: record the request and call
    /// [`Scheduler::cancel`]. Nothing new starts until then. At most once in a run.
    Abort {
        /// The reason to record.
        reason: CancelReason,
    },
    /// The run has ended. Always the last action.
    Finish {
        /// How.
        status: RunStatus,
    },
}

/// A job's output at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum JobOutputValue {
    /// It was skipped, or what it comes from failed.
    Absent,
    /// One value.
    Single(Value),
    /// The values of a collect or a list.
    Many(Arc<Collection>),
}

/// The state of one run.
#[derive(Debug)]
pub struct Scheduler {
    job: Arc<Job>,
    wiring: Wiring,
    bounds: Bounds,
    frames: Vec<Option<Box<Frame>>>,
    free: Vec<FrameIndex>,
    generation: u32,
    /// Steps whose dependencies have all ended, to be judged.
    judged_next: VecDeque<(FrameIndex, NodeId)>,
    /// Steps that may run, by node.
    ready: Vec<VecDeque<StepId>>,
    /// The nodes with ready steps.
    ready_nodes: BTreeSet<NodeId>,
    /// Steps that hold a place, in all, by node and by pool.
    placed: u32,
    placed_by_node: Vec<u32>,
    placed_by_pool: Vec<u32>,
    /// Steps that the executor has, suspended ones included.
    out: u32,
    /// Steps that ended, and those of them that failed, by node.
    ended_by_node: Vec<u64>,
    failed_by_node: Vec<u64>,
    /// The steps that failed for good; those that no longer count are taken out.
    failed: Vec<Option<(StepKey, NodeId)>>,
    /// Whether the caller has been asked to cancel.
    aborting: bool,
    cancelling: Option<CancelReason>,
    /// Whether an element was emitted after the request to cancel, whose clones never run.
    lost: bool,
    finished: bool,
    /// Present while stored events are taken in.
    replay: Option<Box<Replay>>,
}

const ROOT: FrameIndex = 0;

impl Scheduler {
    /// The state of a run of `job` before its first event.
    #[must_use]
    pub fn new(job: Arc<Job>, bounds: Bounds) -> Self {
        let wiring = Wiring::new(&job);
        let nodes = job.nodes.len();
        Self {
            wiring,
            bounds,
            frames: Vec::new(),
            free: Vec::new(),
            generation: 0,
            judged_next: VecDeque::new(),
            ready: vec![VecDeque::new(); nodes],
            ready_nodes: BTreeSet::new(),
            placed: 0,
            placed_by_node: vec![0; nodes],
            placed_by_pool: vec![0; job.pools.len()],
            out: 0,
            ended_by_node: vec![0; nodes],
            failed_by_node: vec![0; nodes],
            failed: Vec::new(),
            aborting: false,
            cancelling: None,
            lost: false,
            finished: false,
            replay: None,
            job,
        }
    }

    /// The job that is run.
    #[must_use]
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// Steps that the executor has and that are not suspended: each holds a place, or waits for one.
    #[must_use]
    pub fn steps_placed(&self) -> u32 {
        self.placed
    }

    /// Begins the run: what follows from `RunStarted`.
    pub fn start(&mut self, actions: &mut Vec<Action>) {
        self.add_frame(NewFrame::root());
        self.go_on(actions);
    }

    /// Takes an event of a step into the state. Events that are not about the course of a step
    /// (logs, progress, skips, which the scheduler itself finds) change nothing.
    pub fn apply(&mut self, id: StepId, event: &Event, actions: &mut Vec<Action>) {
        if self.frame_of(id).is_none() {
            return;
        }
        match event {
            Event::OutputEmitted { attempt, output, key, value, .. } => {
                let op = &self.job.node(id.node).op;
                if let Some((output, _)) = op.output(output) {
                    let emission = Emission { id, attempt: *attempt, output, key, value };
                    self.emitted(&emission, actions);
                }
            }
            Event::StepSucceeded { outputs, .. } => self.succeeded(id, outputs, actions),
            Event::StepFailed { retry_in_ms, .. } => self.failed(id, *retry_in_ms, actions),
            Event::StepCancelled { .. } => self.cancelled(id, actions),
            _ => {}
        }
        self.go_on(actions);
    }

    /// The executor says that a step waits in `emit`, having seen `granted` elements granted in
    /// this attempt. It holds no place until it is granted more.
    pub fn suspended(&mut self, id: StepId, granted: u64, actions: &mut Vec<Action>) {
        let Some(step) = self.step_of(id) else { return };
        let current = step.flow.as_deref().is_some_and(|flow| flow.granted == granted);
        if step.phase == Phase::Running && current {
            step.phase = Phase::Suspended;
            self.leave_place(id.node);
            self.resume_if_due(id);
        }
        self.go_on(actions);
    }

    /// The delay before a step's next attempt is over.
    pub fn wake(&mut self, id: StepId, actions: &mut Vec<Action>) {
        if self.step_of(id).is_some_and(|step| step.phase == Phase::Delayed) {
            self.make_ready(id);
        }
        self.go_on(actions);
    }

    /// Cancels the run (`semantics.md` rule 18): nothing new starts.
    pub fn cancel(&mut self, reason: CancelReason, actions: &mut Vec<Action>) {
        if self.cancelling.is_some() || self.finished {
            return;
        }
        self.cancelling = Some(reason);
        self.ready.iter_mut().for_each(VecDeque::clear);
        self.ready_nodes.clear();
        self.judged_next.clear();
        actions.push(Action::InterruptAll);
        self.go_on(actions);
    }

    /// The outputs of the job, in its order. Meaningful when the run has finished.
    #[must_use]
    pub fn outputs(&self) -> Vec<(String, JobOutputValue)> {
        let value = |source| match self.standing(ROOT, source) {
            Standing::Missing | Standing::Blocked(_) => JobOutputValue::Absent,
            Standing::There => match self.fetch(ROOT, source) {
                Some(Input::Single(value)) => JobOutputValue::Single(value),
                Some(Input::Many(list)) => JobOutputValue::Many(list),
                Some(Input::Absent) | None => JobOutputValue::Absent,
            },
        };
        self.job.outputs.iter().map(|out| (out.name.clone(), value(&out.source))).collect()
    }

    /// The steps that failed for good, in the order in which they did.
    pub fn failures(&self) -> impl Iterator<Item = &StepKey> {
        self.failed.iter().flatten().map(|(step, _)| step)
    }

    /// The key of a step that is under way; `None` where it no longer is.
    #[must_use]
    pub fn key(&self, id: StepId) -> Option<StepKey> {
        self.frame_of(id).map(|_| self.step_key(id.frame, id.node))
    }

    /// Steps that the executor has.
    #[must_use]
    pub fn steps_out(&self) -> u32 {
        self.out
    }

    /// Frames that are alive, the root included: what the memory of a run grows with.
    #[must_use]
    pub fn frames_alive(&self) -> usize {
        self.frames.len() - self.free.len()
    }

    /// Does all that needs no further event, and says so when the run has ended.
    fn go_on(&mut self, actions: &mut Vec<Action>) {
        if self.finished {
            return;
        }
        if self.cancelling.is_none() && !self.aborting {
            while let Some((frame, node)) = self.judged_next.pop_front() {
                self.judge(frame, node, actions);
            }
            self.dispatch(actions);
        }
        if self.replay.is_some() {
            return;
        }
        let all_ended = self.frame(ROOT).open == 0;
        if self.out == 0 && (all_ended || self.cancelling.is_some()) {
            self.finished = true;
            actions.push(Action::Finish { status: self.status(all_ended) });
        }
    }

    fn status(&self, all_ended: bool) -> RunStatus {
        match &self.cancelling {
            Some(CancelReason::Aborted { .. }) => RunStatus::Failed,
            Some(CancelReason::Requested) if !all_ended || self.lost => RunStatus::Cancelled,
            _ if self.job.node_ids().any(|node| !self.tolerated_in_run(node)) => RunStatus::Failed,
            _ => RunStatus::Succeeded,
        }
    }
}
