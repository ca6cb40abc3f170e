//! What connects a running guest with its run: reports out, credit in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dynhost_graph::scheduler::{Allowance, Credit, StepId};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::super::{Report, ReportKind, Task};
use super::queue::RunState;
use crate::instance::Port;

/// What a yielding step may still emit.
#[derive(Debug)]
pub(super) struct Flow {
    left: Mutex<Allowance>,
    suspended: AtomicBool,
    more: Notify,
}

impl Flow {
    fn new(window: Credit) -> Self {
        Self {
            left: Mutex::new(Allowance::new(window)),
            suspended: AtomicBool::new(false),
            more: Notify::new(),
        }
    }

    fn left(&self) -> MutexGuard<'_, Allowance> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grant(&self, credit: Credit) {
        self.left().grant(credit);
        self.more.notify_one();
    }

    /// Counts an element; false where the step has to wait before the next.
    fn spend(&self, bytes: u64) -> bool {
        let mut left = self.left();
        left.spend(bytes);
        !left.is_used_up()
    }

    /// How much was granted, where the step has to wait for more.
    fn waits_beyond(&self) -> Option<u64> {
        let left = self.left();
        left.is_used_up().then(|| left.granted())
    }

    /// Whether the step waits here without a place.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }
}

/// The port of one attempt.
#[derive(Clone)]
pub(super) struct LocalPort {
    run: Arc<RunState>,
    id: StepId,
    attempt: u32,
    begun: Arc<Begun>,
    /// Present where the op has dynamic outputs.
    flow: Option<Arc<Flow>>,
}

impl LocalPort {
    pub(super) fn new(run: &Arc<RunState>, task: &Task, begun: Arc<Begun>) -> Self {
        let flow = task.yields().then(|| {
            let flow = Arc::new(Flow::new(task.credit));
            run.add_flow(task.id, Arc::clone(&flow));
            flow
        });
        Self { run: Arc::clone(run), id: task.id, attempt: task.attempt.number, begun, flow }
    }

    fn report_at(&self, what: ReportKind, now: Instant) {
        let Self { id, attempt, .. } = *self;
        let report = Report { id, attempt, what };
        self.run.inbox.push(self.begun.report(id, attempt).chain([report]), now);
    }

    /// Waits, without a place, until the step may emit again.
    async fn wait(&self, flow: &Flow) {
        while let Some(granted) = flow.waits_beyond() {
            // A grant that comes before it waits is kept for it.
            let more = flow.more.notified();
            // The clones that this step waits for need its place.
            flow.suspended.store(true, Ordering::SeqCst);
            self.run.lend_place();
            self.report(ReportKind::Suspended { granted });
            more.await;
            self.run.enter_place().await;
            flow.suspended.store(false, Ordering::SeqCst);
        }
    }
}

/// Whether it has been reported that an attempt began.
///
/// The report waits for the attempt's first other one, or its first pause, so that a short
/// attempt gives all its reports at once.
#[derive(Debug, Default)]
pub(super) struct Begun(AtomicBool);

impl Begun {
    /// The report that the attempt began, the first time.
    pub(super) fn report(&self, id: StepId, attempt: u32) -> impl Iterator<Item = Report> + use<> {
        let first = !self.0.swap(true, Ordering::Relaxed);
        first.then_some(Report { id, attempt, what: ReportKind::Started }).into_iter()
    }
}

impl Port for LocalPort {
    fn report(&self, what: ReportKind) {
        self.report_at(what, Instant::now());
    }

    fn emitted(&mut self, what: ReportKind, bytes: u64) -> Option<BoxFuture<'_, ()>> {
        let now = Instant::now();
        self.report_at(what, now);
        self.run.idle().call_for_emitted(now);
        let flow = self.flow.as_deref()?;
        (!flow.spend(bytes)).then(|| self.wait(flow).boxed())
    }
}
