//! Who runs the loop of a run: its own task, or a worker that has nothing else to do.
//!
//! The loop goes on by turns, one at a time. To wake the task costs as much as several small steps, so a worker that finds
//! no step looks itself whether what was reported gives some.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use dynhost_graph::event::CancelReason;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Driver;
use crate::executor::{Inbox, Turn};
use crate::run::{RunError, RunResult};

/// The driver of a run, for whose turn it is. There is none once the task has ended.
struct Shared {
    inbox: Arc<Inbox>,
    driver: Mutex<Option<Driver>>,
}

/// The task's hold on the driver: dropped with it, so that no turn outlives the task.
struct Held(Arc<Shared>);

/// What the task waits for after a turn.
enum Next {
    Turn {
        /// The next timer, if there is one.
        due: Option<Instant>,
        /// How many steps hold a place at the executor.
        places: u32,
    },
    End(Result<RunResult, RunError>),
}

/// Runs the job to its end.
pub(in crate::run) async fn drive(
    mut driver: Driver,
    cancel: Arc<Notify>,
) -> Result<RunResult, RunError> {
    if let Some(why) = driver.refused.take() {
        return Err(RunError::Refused(why));
    }
    driver.reuse.open(driver.scheduler.job())?;
    let (inbox, clock) = (Arc::clone(&driver.inbox), driver.clock.clone());
    let shared = Shared { inbox: Arc::clone(&inbox), driver: Mutex::new(Some(driver)) };
    let held = Held(Arc::new(shared));
    let run = Arc::downgrade(&held.0);
    inbox.serve(run);
    let mut next = held.turn(Driver::begin);
    loop {
        let (due, places) = match next {
            Next::Turn { due, places } => (due, places),
            Next::End(ended) => return ended,
        };
        next = tokio::select! {
            () = inbox.bell().heard() => held.turn(Driver::take_reports),
            () = cancel.notified() => held.turn(|driver| driver.cancel(CancelReason::Requested)),
            () = clock.reached(due, places, || !inbox.has_reports()) => held.turn(Driver::wake),
        };
    }
}

impl Held {
    /// A turn of the task.
    fn turn(&self, what: impl FnOnce(&mut Driver)) -> Next {
        let Ok(mut slot) = self.0.driver.lock() else {
            resume_unwind(Box::new("the loop of the run panicked on the thread of a worker"));
        };
        // It is there for as long as the task goes on.
        if let Some(driver) = &mut *slot {
            driver.turn(what);
            if !driver.is_over() {
                return Next::Turn { due: driver.due(), places: driver.places() };
            }
        }
        slot.take().map_or(Next::Turn { due: None, places: 0 }, |driver| Next::End(driver.end()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A panic that is on its way needs no other.
        drop(self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Turn for Shared {
    fn turn(&self) -> bool {
        // A driver that panics takes its run with it, not the worker.
        let turn = || {
            let mut slot = self.driver.try_lock().ok()?;
            slot.as_mut().map(Driver::turn_elsewhere)
        };
        let turned = catch_unwind(AssertUnwindSafe(turn)).unwrap_or_else(|_| {
            self.inbox.bell().turn_ends();
            None
        });
        turned.unwrap_or(false)
    }
}

impl Driver {
    /// Does something, and what follows from it.
    fn turn(&mut self, what: impl FnOnce(&mut Self)) {
        let bell = Arc::clone(self.inbox.bell());
        bell.turn_begins();
        self.settle();
        what(self);
        self.act();
        bell.turn_ends();
        self.settle();
    }

    /// A turn on the thread of a worker; false where it is the task's.
    fn turn_elsewhere(&mut self) -> bool {
        if self.clock.fake().is_some() {
            // It moves when nothing happens, which the task sees as long as it does all that happens.
            return false;
        }
        let due = self.due();
        self.settle();
        let possible = self.takes_reports();
        if possible {
            self.turn(Self::take_reports);
        }
        if self.is_over() || self.due() != due {
            self.inbox.bell().ring();
        }
        possible
    }

    /// Shows what has been kept in the meantime.
    fn settle(&mut self) {
        if let Err(error) = self.journal.settle() {
            self.failed.get_or_insert(error);
        }
    }

    fn takes_reports(&self) -> bool {
        self.finished.is_none() && self.failed.is_none() && !self.journal.is_behind()
    }

    fn take_reports(&mut self) {
        if self.takes_reports() {
            let mut reports = std::mem::take(&mut self.reports);
            self.inbox.take(&mut reports);
            self.take(&mut reports);
            self.reports = reports;
        }
    }

    /// When the next timer is due.
    fn due(&self) -> Option<Instant> {
        self.timers.keys().next().map(|(at, _)| *at).filter(|_| self.finished.is_none())
    }

    /// Steps that hold a place at the executor: of those that it was handed, only those that may run at once do.
    fn places(&self) -> u32 {
        self.scheduler.steps_placed().min(self.max_concurrency)
    }

    fn is_over(&self) -> bool {
        self.failed.is_some() || (self.finished.is_some() && !self.journal.waits())
    }

    fn end(mut self) -> Result<RunResult, RunError> {
        match self.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(self.result()),
        }
    }
}
