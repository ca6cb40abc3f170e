//! One attempt at an op that is code of this process: what it gives goes through the same gate as what a guest
//! gives.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dynhost_graph::event::{Failure, Level};
use dynhost_graph::value::Value;
use futures::future::LocalBoxFuture;
use tokio::sync::Mutex;

use super::gate::{Offer, OutputGate};
use super::words::Words;
use super::{Asked, Attempt, Outcome, Port, cut};

/// Ops that are code of this process.
pub(crate) trait NativeCode: Send + Sync {
    /// Runs one attempt to its end. Interrupting it is dropping this future.
    fn run(&self, ports: Ports) -> LocalBoxFuture<'_, Outcome>;
    /// Whether what an op gives follows from its configuration and inputs.
    fn is_pure(&self, op: &str) -> bool;
}

/// One attempt, with its ways out.
pub(crate) struct Ports {
    pub(crate) attempt: Arc<Attempt>,
    /// For what is emitted; it is taken while the op waits for credit.
    pub(crate) emits: Box<dyn Port>,
    /// For everything else.
    pub(crate) says: Box<dyn Port>,
}

/// Why something that an op gave was refused. The attempt fails with this reason, whatever the op does next.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(Failure);

/// How long an op that emits may keep its worker from others.
const TURN: Duration = Duration::from_millis(10);

/// What an op sees of its attempt.
pub(crate) struct Stage {
    attempt: Arc<Attempt>,
    /// Absent when the attempt has ended.
    gate: RefCell<Option<OutputGate>>,
    emits: Mutex<Box<dyn Port>>,
    says: Box<dyn Port>,
    words: RefCell<Words>,
    turn: Cell<Instant>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stage").field(&self.attempt.step).field(&self.attempt.number).finish()
    }
}

impl Stage {
    pub(crate) fn new(ports: Ports) -> Self {
        let Ports { attempt, emits, says } = ports;
        let gate = OutputGate::new(&attempt.settings.op, attempt.limits());
        Self {
            gate: RefCell::new(Some(gate)),
            emits: Mutex::new(emits),
            says,
            words: RefCell::new(Words::new(attempt.limits())),
            turn: Cell::new(Instant::now()),
            attempt,
        }
    }

    pub(crate) fn attempt(&self) -> &Arc<Attempt> {
        &self.attempt
    }

    /// As [`Stage::attempt`], for an op that looks at which step it is.
    pub(crate) fn identity(&self) -> &Arc<Attempt> {
        self.attempt.asked.note(Asked::STEP);
        &self.attempt
    }

    /// The run, for an op that looks at it.
    pub(crate) fn run(&self) -> &str {
        self.attempt.asked.note(Asked::RUN);
        &self.attempt.settings.run
    }

    pub(crate) fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        if let Some(report) = self.words.borrow_mut().log(level, message, fields) {
            self.says.report(report);
        }
    }

    pub(crate) fn progress(&self, done: u64, total: Option<u64>) {
        if let Some(report) = self.words.borrow_mut().progress(done, total) {
            self.says.report(report);
        }
    }

    /// Takes an output; an element of a dynamic one comes back as a report with its size.
    fn accept(
        &self,
        output: &str,
        key: Option<&str>,
        value: Value,
    ) -> Result<Option<(super::ReportKind, u64)>, Refused> {
        let settings = &self.attempt.settings;
        let op = &settings.op;
        let mut gate = self.gate.borrow_mut();
        let Some(gate) = gate.as_mut() else {
            let message = "the attempt has ended".to_owned();
            return Err(Refused(Failure::Host { message }));
        };
        let bytes = value.data.len() as u64;
        let Value { media_type, data } = value;
        // Bytes that nobody else holds are not copied.
        let data = Cow::Owned(Vec::from(data));
        let offer = Offer { name: output, key, media_type: media_type.as_str(), data };
        match gate.check(settings, offer).and_then(|checked| gate.accept(op, checked)) {
            Ok(emitted) => Ok(emitted.map(|emitted| (emitted.into(), bytes))),
            Err(refusal) => {
                let why = Refused(refusal.failure().clone());
                gate.refuse(refusal);
                Err(why)
            }
        }
    }

    /// Gives a static output.
    pub(crate) fn give(&self, output: &str, value: Value) -> Result<(), Refused> {
        self.accept(output, None, value).map(drop)
    }

    /// Emits an element of a dynamic output, and waits while its clones are behind.
    pub(crate) async fn emit(&self, output: &str, key: &str, value: Value) -> Result<(), Refused> {
        // First, so that elements are passed on in the order in which they are accepted.
        let mut port = self.emits.lock().await;
        if let Some((report, bytes)) = self.accept(output, Some(key), value)?
            && let Some(wait) = port.emitted(report, bytes)
        {
            wait.await;
            self.turn.set(Instant::now());
        } else if self.turn.get().elapsed() >= TURN {
            tokio::task::yield_now().await;
            self.turn.set(Instant::now());
        }
        Ok(())
    }

    /// How the attempt ended, when the op has.
    pub(crate) fn finish(&self, ended: Result<(), Failure>) -> Outcome {
        if let Some(report) = self.words.borrow_mut().rest() {
            self.says.report(report);
        }
        let Some(mut gate) = self.gate.borrow_mut().take() else { return Outcome::Cancelled };
        let finished = match ended {
            Ok(()) => gate.finish(&self.attempt.settings.op),
            Err(failure) => Err(gate.take_fault().unwrap_or(failure)),
        };
        finished.map_or_else(Outcome::Failed, Outcome::Succeeded)
    }
}

/// What a panic said.
pub(crate) fn panic_words(payload: &(dyn std::any::Any + Send)) -> Option<&str> {
    let words = payload.downcast_ref::<&str>().copied();
    words.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// The failure of an op that panicked.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Failure {
    let words = panic_words(payload).unwrap_or("without a message");
    Failure::Trap { message: format!("the op panicked: {}", cut(words, super::MESSAGE_BYTES)) }
}
