//! Runs steps in this process, on threads of its own.
//!
//! Each worker is one thread with one small tokio runtime, on which the guests that wait for
//! something (credit, files, a timer) are parked. A worker takes one step at a time from a
//! queue that all share and runs it at once; most steps end without ever having waited, and cost
//! no task, no wake-up and no hand-off.

mod idle;
mod memory;
mod parked;
mod port;
mod queue;

use std::any::Any;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use dynhost_graph::event::Failure;
use dynhost_graph::scheduler::{Credit, StepId};
use futures::FutureExt;
use futures::future::Either;

use super::{Attempt, Executor, Outcome, Report, ReportKind, Serving, Session, Task, Used};
use crate::component::Runner;
use crate::instance::{self, Ports, panic_words};

use parked::{Glance, Parked};
use port::{Begun, LocalPort};
use queue::{Queue, RunState};

/// The workers of a host.
#[derive(Debug)]
pub struct LocalExecutor {
    queue: Arc<Queue>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl LocalExecutor {
    /// Starts so many workers, with room for so many guests at once and so many bytes of memory for all of them. They stop
    /// when the executor is dropped.
    ///
    /// # Errors
    /// The system gives no thread, or no event queue for it.
    pub fn start(workers: u32, instances: u32, memory: u64) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(instances, memory));
        let mut executor = Self { queue: Arc::clone(&queue), threads: Vec::new() };
        for number in 0..workers {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let queue = Arc::clone(&queue);
            let worker = move || {
                runtime.block_on(work(&queue));
                // A guest may have left a file operation behind that never ends.
                runtime.shutdown_background();
            };
            let name = format!("dynhost-worker-{number}");
            executor.threads.push(thread::Builder::new().name(name).spawn(worker)?);
        }
        Ok(executor)
    }

    /// How much is going on, for as long as somebody looks.
    #[cfg(feature = "otel")]
    pub(crate) fn load(&self) -> Load {
        Load(Arc::downgrade(&self.queue))
    }
}

/// How much is going on in an executor; nothing once it is gone.
#[cfg(feature = "otel")]
#[derive(Clone)]
pub(crate) struct Load(std::sync::Weak<Queue>);

#[cfg(feature = "otel")]
impl Load {
    /// Steps that wait for a worker.
    pub(crate) fn waiting(&self) -> u64 {
        self.0.upgrade().map_or(0, |queue| queue.waiting())
    }

    /// Attempts that have begun and not ended.
    pub(crate) fn instances(&self) -> u64 {
        self.0.upgrade().map_or(0, |queue| queue.instances())
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.queue.close();
        let here = thread::current().id();
        for worker in self.threads.drain(..) {
            // The last handle on the host may be dropped by a worker itself.
            if worker.thread().id() != here {
                let _ = worker.join();
            }
        }
    }
}

impl Executor for LocalExecutor {
    fn open(&self, serving: Serving) -> Box<dyn Session> {
        let run = self.queue.add_run(serving);
        Box::new(LocalSession { queue: Arc::clone(&self.queue), run })
    }
}

struct LocalSession {
    queue: Arc<Queue>,
    run: Arc<RunState>,
}

impl Session for LocalSession {
    fn run(&self, tasks: Vec<Task>) {
        self.queue.push(&self.run, tasks);
    }

    fn grant(&self, id: StepId, credit: Credit) {
        self.run.grant(id, credit);
    }

    fn interrupt(&self, id: StepId) {
        let waiting = self.queue.remove(&self.run, Some(id));
        self.report_cancelled(waiting);
        self.run.interrupt(id);
    }

    fn interrupt_all(&self) {
        let waiting = self.queue.remove(&self.run, None);
        self.report_cancelled(waiting);
        self.run.interrupt_all();
    }
}

impl LocalSession {
    fn report_cancelled(&self, tasks: Vec<Task>) {
        for task in tasks {
            let (outcome, took) = (Outcome::Cancelled, Duration::ZERO);
            let used = Used::default();
            let what = ReportKind::Ended { outcome, took, attempt: None, used };
            let report = Report { id: task.id, attempt: task.attempt.number, what };
            self.run.inbox.push([report], Instant::now());
        }
        self.run.inbox.flush();
    }
}

impl Drop for LocalSession {
    fn drop(&mut self) {
        drop(self.queue.remove(&self.run, None));
        self.run.interrupt_all();
        self.queue.remove_run(&self.run);
    }
}

/// Longer than any run.
const FAR: Duration = Duration::from_hours(24 * 365);

/// How long a worker goes on without looking at its timers and files.
const TURN: Duration = Duration::from_millis(5);

/// How long steps that have not begun are taken at most before those that were begun go on: these are interrupted only
/// when it is their turn.
const TURN_OF_OTHERS: Duration = Duration::from_millis(50);

/// The life of one worker.
async fn work(queue: &Queue) {
    let glance = Glance::default();
    let mut parked = Parked::new(glance.clone());
    // Looking at the clock is a good part of what a short step costs: the end of one is the
    // beginning of the next.
    let mut now = Instant::now();
    let mut turn = now;
    let mut look_again = now;
    // The memory of a step that ended without having waited, for the next one.
    let mut spare = None;
    loop {
        // First what was already begun: it holds memory and a place. What computes for long has then had its time, and
        // steps that have not begun get as much.
        if now >= look_again && !parked.is_empty() {
            let before = now;
            parked.go_on();
            now = Instant::now();
            look_again = now + (now - before).min(TURN_OF_OTHERS);
        }
        if let Some((run, task)) = queue.take() {
            let begun = attempt(run, task, now, &glance);
            let mut attempt: Pin<Box<_>> = match spare.take() {
                Some(mut ended) => {
                    Pin::set(&mut ended, begun);
                    ended
                }
                None => Box::pin(begun),
            };
            match futures::poll!(&mut attempt) {
                Poll::Ready(ended) => {
                    now = ended;
                    spare = Some(attempt);
                }
                Poll::Pending => {
                    parked.push(attempt);
                    now = Instant::now();
                }
            }
            if now.saturating_duration_since(turn) <= TURN {
                continue;
            }
            tokio::task::yield_now().await;
        } else if !queue.turn() {
            if queue.called_lately(now) && now.saturating_duration_since(turn) <= TURN {
                thread::yield_now();
                now = Instant::now();
                continue;
            }
            if !wait(queue, &mut parked).await {
                return;
            }
        }
        now = Instant::now();
        turn = now;
    }
}

/// Waits until there may be something to do; false when the executor is gone.
async fn wait<F: Future>(queue: &Queue, parked: &mut Parked<F>) -> bool {
    let mut work = pin!(queue.wait());
    poll_fn(|cx| {
        if let Poll::Ready(open) = work.as_mut().poll(cx) {
            return Poll::Ready(open);
        }
        // What they reported may be what this worker waits for.
        if parked.poll(cx).is_ready() || queue.turn() {
            return Poll::Ready(true);
        }
        Poll::Pending
    })
    .await
}

/// One attempt, from its first report to its last; says when it ended.
async fn attempt(run: Arc<RunState>, task: Task, started: Instant, glance: &Glance) -> Instant {
    let begun = Arc::new(Begun::default());
    let span = {
        let Attempt { step, number, settings, .. } = &*task.attempt;
        run.inbox.span().of_attempt(&settings.run, step, *number)
    };
    let mut guest = pin!(bounded(&run, &task, (&begun, glance)));
    let (outcome, used) = poll_fn(|cx| span.inside(|| guest.as_mut().poll(cx))).await;
    let now = Instant::now();
    span.attempt_ended(&outcome, used);
    drop(span);
    let took = now - started;
    let handed_back = task.spec.handed_back_after.is_some_and(|least| took >= least);
    let attempt = handed_back.then(|| Arc::clone(&task.attempt));
    let what = ReportKind::Ended { outcome, took, attempt, used };
    let (id, attempt) = (task.id, task.attempt.number);
    let begun = begun.report(id, attempt);
    run.inbox.push(begun.chain([Report { id, attempt, what }]), now);
    // After the report, so that no step that takes its place is reported before.
    run.end(id, &task);
    now
}

/// An attempt of which nothing is known but its end.
fn unused(outcome: Outcome) -> (Outcome, Used) {
    (outcome, Used::default())
}

/// Runs a guest until it ends, its time is over, or it is interrupted.
async fn bounded(
    run: &Arc<RunState>,
    task: &Task,
    (begun, glance): (&Arc<Begun>, &Glance),
) -> (Outcome, Used) {
    let port = LocalPort::new(run, task, Arc::clone(begun));
    let fuel = task.attempt.limits().fuel.is_some();
    let guest = match task.spec.component.runner(fuel) {
        Ok(Runner::Wasm(code)) => Either::Left(instance::run(code, &task.attempt, Box::new(port))),
        Ok(Runner::Native(code)) => {
            let attempt = Arc::clone(&task.attempt);
            let (emits, says) = (Box::new(port.clone()), Box::new(port));
            Either::Right(code.run(Ports { attempt, emits, says }).map(unused))
        }
        Err(message) => return unused(Outcome::Failed(Failure::Host { message })),
    };
    let mut guest = pin!(std::panic::AssertUnwindSafe(guest).catch_unwind());
    let finish = |ended: Result<(Outcome, Used), Box<dyn Any + Send>>| {
        ended.unwrap_or_else(|panic| {
            let words = panic_words(&*panic).map_or_else(String::new, |words| format!(": {words}"));
            let message = format!("the host panicked while it ran this step{words}; this is a bug");
            unused(Outcome::Failed(Failure::Host { message }))
        })
    };
    // Most guests end here, without a timer.
    if let Poll::Ready(ended) = futures::poll!(&mut guest) {
        return finish(ended);
    }
    run.inbox.push(begun.report(task.id, task.attempt.number), Instant::now());
    let timeout = task.attempt.limits().timeout;
    // A timeout that the clock cannot count is one of years; where a test has another clock, it looks at that itself.
    let now = tokio::time::Instant::now();
    let real = task.attempt.settings.clock.fake().is_none();
    let deadline = now.checked_add(timeout).filter(|_| real).unwrap_or(now + FAR);
    let mut time_over = pin!(tokio::time::sleep_until(deadline));
    let mut interrupted = pin!(run.interrupted(task.id));
    poll_fn(|cx| {
        if interrupted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(unused(Outcome::Cancelled));
        }
        // A guest that computes is polled at every tick, and the clock may be ahead of the timer.
        let now = tokio::time::Instant::now();
        let over = now >= deadline;
        if time_over.as_mut().poll(cx).is_ready() || over {
            let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            return Poll::Ready(unused(Outcome::Failed(Failure::TimedOut { after_ms })));
        }
        if glance.is_all() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // Other workers may have no time to look at what was reported before.
        run.inbox.push(None, now.into_std());
        guest.as_mut().poll(cx).map(finish)
    })
    .await
}
