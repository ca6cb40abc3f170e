//! Steps that were begun and wait, or have computed for long, on one worker.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};

/// The steps of one worker that were begun and have not ended.
pub(super) struct Parked<F> {
    attempts: FuturesUnordered<F>,
    glance: Glance,
    /// When all were last looked at.
    glanced: Instant,
}

/// Whether steps that are polled are only to look whether they must end, and not to go on.
#[derive(Clone, Default)]
pub(super) struct Glance(Rc<Cell<bool>>);

impl Glance {
    pub(super) fn is_all(&self) -> bool {
        self.0.get()
    }
}

impl<F: Future> Parked<F> {
    /// Between two looks at all of them. A step that computes keeps its worker for 10 ms when it is its turn: the time of
    /// one among many is over long before its next turn.
    const BETWEEN: Duration = Duration::from_millis(50);

    pub(super) fn new(glance: Glance) -> Self {
        Self { attempts: FuturesUnordered::new(), glance, glanced: Instant::now() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    pub(super) fn push(&self, attempt: F) {
        self.attempts.push(attempt);
    }

    /// Lets some go on that can; ready where one has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.attempts.len() > 1 && self.glanced.elapsed() >= Self::BETWEEN {
            self.look_at_all(cx);
        }
        match self.attempts.poll_next_unpin(cx) {
            Poll::Ready(Some(_)) => Poll::Ready(()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Lets those go on that can.
    pub(super) fn go_on(&mut self) {
        while self.poll(&mut Context::from_waker(Waker::noop())).is_ready() {}
    }

    /// Ends those whose time is over or that are interrupted.
    fn look_at_all(&mut self, cx: &mut Context<'_>) {
        self.glance.0.set(true);
        // Each time at least one is polled that has something to do, and then stands at the end of the row.
        for _ in 0..self.attempts.len() {
            let _ = self.attempts.poll_next_unpin(cx);
        }
        self.glance.0.set(false);
        self.glanced = Instant::now();
    }
}
