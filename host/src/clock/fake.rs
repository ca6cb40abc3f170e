//! A clock that a test moves, or that moves on by itself when a run waits for nothing else.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::instance::Attempt;

/// How far it goes at most: later than anything that is waited for.
const MOST: Duration = Duration::from_hours(24 * 365 * 1000);

/// 2000-01-01 UTC, where the virtual clock of guests starts as well.
const START: Duration = Duration::from_hours(262_968);

/// A clock for runs under test, so that no test waits for real time.
///
/// It stands still until [`FakeClock::advance`] moves it. A [jumping](FakeClock::jumping) one moves by itself: when all that
/// a run still does is to wait for time to pass, it is at once as late as the first thing that the run waits for. While a
/// step does anything else, it stands still.
///
/// [`Doubles::clock`](crate::testing::Doubles::clock) gives it to a job. Of a run of that job these then go by it:
///
/// - the delays before retries, those that an op asks for included;
/// - the delays that [`Doubles::delay`](crate::testing::Doubles::delay) makes;
/// - the timeouts of steps: a guest that computes for ever is stopped when the clock is moved, not before;
/// - what a guest sees that is granted `clock = "real"`, and how long it sleeps;
/// - the times of the events in its history.
///
/// How long an attempt took (`took_us`), what native ops ask of the machine or of tokio, and the network are real. A guest that
/// waits for the network and for time at once counts as one that waits for time. A jumping clock stands still as well while steps
/// wait for memory of the host that steps which sleep hold. A clock is for one run at a time; clones are the same clock.
///
/// ```
/// use std::time::Duration;
///
/// use dynhost::graph::job::Retry;
/// use dynhost::native::{NativeOps, Op, OpFailure};
/// use dynhost::testing::{self, Doubles, FakeClock};
/// use dynhost::{Component, GivenParams, Host, JobBuilder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = Host::builder().build()?;
/// let shop = Component::native(NativeOps::new("shop").op(Op::new("price", |n: u32| Ok(n * 3))))?;
/// let job = JobBuilder::new("prices");
/// let retry = Retry { max_attempts: 3, delay: Duration::from_hours(1), ..Retry::default() };
/// job.node("price").op(&shop, "price").value("value", 7).retry(&retry);
///
/// let clock = FakeClock::new().jumping();
/// let job = Doubles::new()
///     .fail("price", 2, OpFailure::transient("the shop is closed"))
///     .clock(&clock)
///     .apply(&host.prepare_built(&job, &GivenParams::new())?);
/// let ran = testing::block_on(testing::run(&host, &job)).succeeded();
/// let hour = Some(3_600_000);
/// assert_eq!(ran.step("price").attempts(3).failed_attempts(), [(1, hour), (2, hour)]);
/// assert_eq!(clock.passed(), Duration::from_hours(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FakeClock {
    jumps: bool,
    shared: Arc<Shared>,
}

struct Shared {
    /// The moment of its start, as the machine's clock has it and as people do.
    base: Instant,
    start: Duration,
    time: Mutex<Time>,
    /// Something was moved, or has begun to wait.
    changed: Notify,
}

#[derive(Default)]
struct Time {
    passed: Duration,
    waits: BTreeMap<(Duration, u64), Wait>,
    waits_made: u64,
    attempts: HashMap<AttemptId, Presence>,
}

/// An attempt, for as long as it is there.
type AttemptId = usize;

/// Somebody who is told when it is late enough.
struct Wait {
    attempt: AttemptId,
    tell: oneshot::Sender<()>,
}

/// An attempt that is under way.
#[derive(Default)]
struct Presence {
    /// For how many moments it waits.
    sleeps: u32,
    /// One has come, and the attempt may not have noticed.
    stirs: bool,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeClock")
            .field("passed", &self.passed())
            .field("jumps", &self.jumps)
            .finish_non_exhaustive()
    }
}

impl FakeClock {
    /// A clock that stands still at 2000-01-01 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::since(START)
    }

    /// A clock that stands still at this time; no earlier than 1970.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self::since(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn since(start: Duration) -> Self {
        let (time, changed) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { base: Instant::now(), start, time, changed });
        Self { jumps: false, shared }
    }

    /// The same clock, which moves on by itself when a run waits for nothing else.
    #[must_use]
    pub fn jumping(self) -> Self {
        Self { jumps: true, ..self }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.since_1970()
    }

    /// How far it has moved.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.time().passed
    }

    /// Moves it. What has become due happens at once.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time();
        let to = time.passed.saturating_add(by);
        time.move_to(to);
        drop(time);
        self.shared.changed.notify_waiters();
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.shared.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn since_1970(&self) -> Duration {
        self.shared.start.saturating_add(self.passed())
    }

    pub(super) fn instant(&self) -> Instant {
        self.shared.base + self.passed()
    }

    /// Waits until a run has something to do that is due, or a step of it has begun to wait.
    pub(super) async fn reached(
        &self,
        due: Option<Instant>,
        places: u32,
        rests: impl Fn() -> bool,
    ) {
        let due = due.map(|due| due.saturating_duration_since(self.shared.base).min(MOST));
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            {
                let mut time = self.time();
                // What steps reported before they began to wait is there when they are seen to wait.
                if self.jumps && time.sleepers() == places && rests() {
                    let first = time.waits.keys().next().map(|(at, _)| *at);
                    let next = first.into_iter().chain(due).min();
                    time.move_to(next.unwrap_or_default());
                }
                if due.is_some_and(|due| due <= time.passed) {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Runs an attempt as long as it has time for; `None`: it has run out of it.
    pub(crate) async fn bounded<T>(
        &self,
        (attempt, timeout): (&Arc<Attempt>, Duration),
        run: impl Future<Output = T>,
    ) -> Option<T> {
        let id = id(attempt);
        self.time().attempts.insert(id, Presence::default());
        let _present = Present { clock: self, id };
        let deadline = self.passed().saturating_add(timeout).min(MOST);
        // First, so that time cannot pass before it counts.
        tokio::select! {
            biased;
            () = self.wait(deadline, (id, false)) => None,
            ended = run => Some(ended),
        }
    }

    /// Lets so much time pass for an attempt.
    pub(crate) async fn sleep(&self, attempt: &Arc<Attempt>, duration: Duration) {
        let until = self.passed().saturating_add(duration);
        self.sleep_until(attempt, until).await;
    }

    /// As [`FakeClock::sleep`], until so much time has passed since the clock's start.
    pub(crate) async fn sleep_until(&self, attempt: &Arc<Attempt>, passed: Duration) {
        self.wait(passed.min(MOST), (id(attempt), true)).await;
    }

    /// Waits for a moment after the start, as an attempt that is told of it, or that sleeps until then.
    async fn wait(&self, at: Duration, (attempt, sleeps): (AttemptId, bool)) {
        let (tell, told) = oneshot::channel();
        let entry = {
            let mut time = self.time();
            if at <= time.passed {
                return;
            }
            time.waits_made += 1;
            let key = (at, time.waits_made);
            time.waits.insert(key, Wait { attempt, tell });
            if let Some(presence) = time.attempts.get_mut(&attempt).filter(|_| sleeps) {
                presence.sleeps += 1;
                presence.stirs = false;
            }
            Entry { clock: self, key, attempt, sleeps }
        };
        if sleeps {
            self.shared.changed.notify_waiters();
        }
        let _ = told.await;
        drop(entry);
    }
}

fn id(attempt: &Arc<Attempt>) -> AttemptId {
    Arc::as_ptr(attempt).addr()
}

impl Time {
    /// Makes it so late, if it is not later already.
    fn move_to(&mut self, to: Duration) {
        self.passed = self.passed.max(to.min(MOST));
        while let Some(first) = self.waits.first_entry()
            && first.key().0 <= self.passed
        {
            let Wait { attempt, tell } = first.remove();
            if let Some(presence) = self.attempts.get_mut(&attempt) {
                presence.stirs = true;
            }
            let _ = tell.send(());
        }
    }

    /// Attempts that do nothing but wait for time to pass.
    fn sleepers(&self) -> u32 {
        let asleep = self.attempts.values().filter(|it| it.sleeps > 0 && !it.stirs);
        u32::try_from(asleep.count()).unwrap_or(u32::MAX)
    }
}

/// Takes a wait back.
struct Entry<'a> {
    clock: &'a FakeClock,
    key: (Duration, u64),
    attempt: AttemptId,
    sleeps: bool,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut time = self.clock.time();
        time.waits.remove(&self.key);
        if let Some(presence) = time.attempts.get_mut(&self.attempt).filter(|_| self.sleeps) {
            presence.sleeps -= 1;
        }
    }
}

/// Takes an attempt away.
struct Present<'a> {
    clock: &'a FakeClock,
    id: AttemptId,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.clock.time().attempts.remove(&self.id);
    }
}
