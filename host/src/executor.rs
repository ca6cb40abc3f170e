//! Where steps are run: takes ready steps, gives back what they emit and how they end.
//!
//! An executor knows nothing of the graph. [`local`] runs steps in this process; one that
//! sends them elsewhere implements the same two traits.

mod inbox;
pub mod local;

use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::scheduler::{Credit, StepId};

use crate::component::Component;
pub use crate::instance::{Asked, Attempt, Outcome, ReportKind, Settings, Used};
pub use crate::secret::Secrets;
pub use inbox::Inbox;
pub(crate) use inbox::Turn;

/// How the steps of a node are run.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// The component that holds the op.
    pub component: Component,
    /// What the attempts have in common.
    pub settings: Arc<Settings>,
    /// The names of the op's outputs, by position in its definition.
    pub(crate) outputs: Vec<Arc<str>>,
    /// Steps of a higher rank go first.
    pub rank: u32,
    /// For steps that may be suspended while others run: which of the nodes that yield this is, from 0 in the order of
    /// their ranks.
    pub level: Option<u32>,
    /// An attempt that takes at least this long is handed back with its report; `None`: none is.
    pub handed_back_after: Option<Duration>,
}

/// One attempt at a step, ready to be run.
#[derive(Debug)]
pub struct Task {
    /// The step, as the scheduler calls it.
    pub id: StepId,
    /// How it is run.
    pub spec: Arc<StepSpec>,
    /// What is run.
    pub attempt: Arc<Attempt>,
    /// What the step may emit before it is granted more.
    pub credit: Credit,
}

impl Task {
    /// Whether the step has dynamic outputs.
    #[must_use]
    pub fn yields(&self) -> bool {
        self.credit != Credit::default()
    }
}

/// What an executor says of a step.
#[derive(Debug)]
pub struct Report {
    /// The step.
    pub id: StepId,
    /// Its attempt.
    pub attempt: u32,
    /// What is said.
    pub what: ReportKind,
}

/// What an executor has to know of a run.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Steps that run at once.
    pub max_concurrency: u32,
    /// One more than the highest rank of its steps.
    pub ranks: u32,
    /// How many of its nodes yield.
    pub levels: u32,
    /// Bytes of memory that a step which does not yield may need at most.
    pub largest: u64,
    /// Where what the steps do is reported.
    pub inbox: Arc<Inbox>,
}

/// Runs the steps of any number of runs.
pub trait Executor: Send + Sync {
    /// Begins to serve a run.
    fn open(&self, serving: Serving) -> Box<dyn Session>;
}

/// The steps of one run in an executor. Dropping it interrupts them all.
pub trait Session: Send {
    /// Takes steps to be run; those of a higher rank go first.
    fn run(&self, tasks: Vec<Task>);
    /// Lets a step emit so much more.
    fn grant(&self, id: StepId, credit: Credit);
    /// Interrupts a step.
    fn interrupt(&self, id: StepId);
    /// Interrupts every step, and drops those that have not begun.
    fn interrupt_all(&self);
}
