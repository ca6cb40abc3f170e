//! Workers that have nothing to do, and how they are called.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Workers that have nothing to do.
#[derive(Debug)]
pub(super) struct IdleWorkers {
    count: AtomicUsize,
    work: Notify,
    begun: Instant,
    /// When one was last called for what a step emitted, in microseconds since `begun`.
    called: AtomicU64,
}

impl IdleWorkers {
    /// For so long after a call no other is made for what a step emits, and the worker that was called looks again instead
    /// of sleeping. A call costs as much as a small step on either side.
    const AWAKE: Duration = Duration::from_micros(50);

    pub(super) fn new() -> Self {
        let (count, work, called) = (AtomicUsize::new(0), Notify::new(), AtomicU64::new(0));
        Self { count, work, begun: Instant::now(), called }
    }

    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Calls one, if there is any, to look for steps and reports.
    pub(super) fn call(&self) {
        if self.any() {
            self.work.notify_one();
        }
    }

    /// Calls so many of them.
    pub(super) fn call_for(&self, steps: usize) {
        for _ in 0..steps.min(self.count.load(Ordering::SeqCst)) {
            self.work.notify_one();
        }
    }

    /// Calls one for what a step emitted at this time.
    pub(super) fn call_for_emitted(&self, now: Instant) {
        if self.any() && !self.called_lately(now) {
            let micros = now.saturating_duration_since(self.begun).as_micros();
            self.called.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.work.notify_one();
        }
    }

    /// Whether one was called for what a step emitted, and more of it may come without a call.
    pub(super) fn called_lately(&self, now: Instant) -> bool {
        let called = self.called.load(Ordering::Relaxed);
        called > 0 && now < self.begun + Duration::from_micros(called) + Self::AWAKE
    }

    /// Calls all of them, and whoever is about to wait.
    pub(super) fn call_all(&self) {
        self.work.notify_waiters();
        self.work.notify_one();
    }

    /// Counts the caller as idle for as long as it holds the first; the second is a call for it.
    pub(super) fn enter(&self) -> (Counted<'_>, Notified<'_>) {
        let called = self.work.notified();
        (Counted::new(&self.count), called)
    }
}

/// One that is counted until this is dropped.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
