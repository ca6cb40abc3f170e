//! Ctrl-C and SIGTERM: the first cancels the run, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dynhost::Canceller;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::report::progress::Messages;

/// What the process ends with after an interruption.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether the run was interrupted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// Whether a signal came.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Listens from now on, for as long as the runtime lives.
pub(crate) fn listen(run: Canceller, messages: Messages) -> Interrupted {
    let interrupted = Interrupted::default();
    let Ok(mut signals) = Signals::open() else { return interrupted };
    let flag = interrupted.clone();
    tokio::spawn(async move {
        signals.next().await;
        flag.0.store(true, Ordering::SeqCst);
        messages.send("cancelling the run; once more ends it at once");
        run.cancel();
        signals.next().await;
        std::process::exit(EXIT_CODE.into());
    });
    interrupted
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn open() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
