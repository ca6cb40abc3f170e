//! What connects a running guest with its run: reports out, credit in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use dynhost_graph::scheduler::{Credit, StepId};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::super::{Report, ReportKind, Task};
use super::queue::RunState;
use crate::instance::Port;

/// What a yielding step may still emit.
#[derive(Debug)]
pub(super) struct Flow {
    items: AtomicI64,
    bytes: AtomicI64,
    granted: AtomicU64,
    suspended: AtomicBool,
    more: Notify,
}

impl Flow {
    fn new(credit: Credit) -> Self {
        Self {
            items: AtomicI64::new(signed(credit.items)),
            bytes: AtomicI64::new(signed(credit.bytes)),
            granted: AtomicU64::new(credit.items),
            suspended: AtomicBool::new(false),
            more: Notify::new(),
        }
    }

    pub(super) fn grant(&self, credit: Credit) {
        self.bytes.fetch_add(signed(credit.bytes), Ordering::SeqCst);
        self.items.fetch_add(signed(credit.items), Ordering::SeqCst);
        // Last, so that whoever has seen it has seen the credit.
        self.granted.fetch_add(credit.items, Ordering::SeqCst);
        self.more.notify_one();
    }

    fn spend(&self, bytes: u64) {
        self.items.fetch_sub(1, Ordering::SeqCst);
        self.bytes.fetch_sub(signed(bytes), Ordering::SeqCst);
    }

    /// Whether the step waits here without a place.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }

    fn has_credit(&self) -> bool {
        self.items.load(Ordering::SeqCst) > 0 && self.bytes.load(Ordering::SeqCst) > 0
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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
        while !flow.has_credit() {
            let more = flow.more.notified();
            // Before the second look: a grant that came in between is then not yet counted.
            let granted = flow.granted.load(Ordering::SeqCst);
            if flow.has_credit() {
                break;
            }
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
        flow.spend(bytes);
        (!flow.has_credit()).then(|| self.wait(flow).boxed())
    }
}
