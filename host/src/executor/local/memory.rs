//! The memory for all guests at once, of which each attempt holds its limit.
//!
//! A step that yields keeps its part while it is suspended, until its clones have caught up. Clones that do not yield end by
//! themselves, and there is always room for the largest of them; of clones that yield in turn, each level may take more
//! than the one around it, so that the deepest can always go on.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{Serving, Task};

/// What the attempts hold that have begun and not ended.
#[derive(Debug)]
pub(super) struct Memory {
    /// Bytes for all of them.
    bytes: u64,
    held: AtomicU64,
    /// By steps that yield.
    held_yielding: AtomicU64,
}

/// What runs may need, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    /// One step that does not yield.
    one: u64,
    /// As many of them as run at once.
    all: u64,
}

impl Needs {
    pub(super) fn of(run: &Serving) -> Self {
        let all = run.largest.saturating_mul(run.max_concurrency.into());
        Self { one: run.largest, all }
    }

    /// What any of several runs may need.
    pub(super) fn or(self, other: Self) -> Self {
        Self { one: self.one.max(other.one), all: self.all.max(other.all) }
    }
}

impl Memory {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, held: AtomicU64::new(0), held_yielding: AtomicU64::new(0) }
    }

    /// Whether an attempt can begin, in a run that yields on so many levels.
    pub(super) fn fits(&self, task: &Task, levels: u32, needs: Needs) -> bool {
        let own = task.attempt.limits().memory;
        let with = |held: &AtomicU64| held.load(Ordering::SeqCst).saturating_add(own);
        let Some(level) = task.spec.level else { return with(&self.held) <= self.bytes };
        let part = |room: u64| room / u64::from(levels.max(1));
        let up_to = |room: u64| part(room).saturating_mul(u64::from(level) + 1);
        let beside_one = self.bytes.saturating_sub(needs.one);
        if with(&self.held) > up_to(beside_one) {
            return false;
        }
        // Those that yield should leave room for as many others as run at once.
        let beside_all = beside_one.min(self.bytes - needs.all.min(self.bytes / 2));
        own > part(beside_all) || with(&self.held_yielding) <= up_to(beside_all)
    }

    pub(super) fn take(&self, task: &Task) {
        self.each(task, |held, bytes| {
            held.fetch_add(bytes, Ordering::SeqCst);
        });
    }

    pub(super) fn give_back(&self, task: &Task) {
        self.each(task, |held, bytes| {
            held.fetch_sub(bytes, Ordering::SeqCst);
        });
    }

    fn each(&self, task: &Task, change: impl Fn(&AtomicU64, u64)) {
        let bytes = task.attempt.limits().memory;
        change(&self.held, bytes);
        if task.spec.level.is_some() {
            change(&self.held_yielding, bytes);
        }
    }
}
