//! What calls the loop of a run: reports to be taken, and answers of the store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Calls a run's own task, at most once for all that has come since it last looked, and not for what a turn of the
/// loop finds by itself. To wake a task costs as much as a small step.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The task is called.
    called: bool,
    /// A turn of the loop is under way, on whatever thread.
    turning: bool,
    /// The bell was rung in this turn.
    rung: bool,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the task; during a turn, once it is over.
    pub(crate) fn ring(&self) {
        let mut state = self.lock();
        if state.turning {
            state.rung = true;
        } else {
            self.call(state);
        }
    }

    /// Calls the task for an answer of the store. A turn looks for answers when it has ended.
    pub(crate) fn answered(&self) {
        let state = self.lock();
        if !state.turning {
            self.call(state);
        }
    }

    fn call(&self, mut state: MutexGuard<'_, State>) {
        let was_called = std::mem::replace(&mut state.called, true);
        drop(state);
        if !was_called {
            self.heard.notify_one();
        }
    }

    /// Waits to be called.
    pub(crate) async fn heard(&self) {
        self.heard.notified().await;
    }

    /// A turn begins.
    pub(crate) fn turn_begins(&self) {
        *self.lock() = State { turning: true, ..State::default() };
    }

    /// A turn ends; answers that came before are seen by who asks for them now.
    pub(crate) fn turn_ends(&self) {
        let mut state = self.lock();
        state.turning = false;
        if state.rung {
            self.call(state);
        }
    }
}
