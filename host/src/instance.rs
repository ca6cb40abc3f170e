//! One attempt at a step, in a fresh instance in a store of its own.
//!
//! Nothing here knows the graph. A guest's failure is data ([`Outcome`]); what it may use is
//! bounded before its first instruction runs, a start function included.

mod describe;
mod gate;
mod imports;
mod limits;
mod native;
mod report;
mod wasi;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::{Failure, Level, LimitKind, ReportedRetry};
use dynhost_graph::grant::Grants;
use dynhost_graph::name::StepKey;
use dynhost_graph::scheduler::{Collection, Input};
use dynhost_graph::value::Value;
use futures::future::BoxFuture;
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, Resource, ResourceTableError,
};
use wasmtime::{Store, Trap};

use crate::capability::{Granted, States};
use crate::clock::RunClock;
use crate::large::LargeValues;
use crate::secret::Secrets;
use crate::wit::{CollectedMarker, FailureOut, InputIn, OP, OutputOut, ValueIn};

pub(crate) use describe::describe;
use gate::{Offer, OutputGate};
pub(crate) use imports::link;
use limits::Meter;
pub use limits::StepLimits;
pub use native::Refused;
pub(crate) use native::{NativeCode, Ports, Stage, panic_words, panicked};
pub use report::{Outcome, ReportKind, Used};
pub(crate) use wasi::Tls;
use wasi::Wasi;
use words::Words;

/// The guest's stack, in bytes (wasmtime's `max_wasm_stack`).
pub(crate) const STACK: u64 = 512 << 10;

/// Where an attempt's reports go, and where it waits for credit.
pub(crate) trait Port: Send {
    /// Passes a report on.
    fn report(&self, what: ReportKind);
    /// Passes an element on. Where the guest may not go on at once, it waits for what this gives.
    fn emitted(&mut self, what: ReportKind, bytes: u64) -> Option<BoxFuture<'_, ()>>;
}

/// Compiled code with all that an instantiation needs.
pub(crate) struct Linked {
    pre: InstancePre<State>,
    run: ComponentExportIndex,
    describe: ComponentExportIndex,
    wants_wasi: bool,
    tls: Tls,
}

impl Linked {
    /// Resolves the imports of compiled code, and looks up the functions that the host calls.
    pub(crate) fn new(
        linker: &Linker<State>,
        code: &Component,
        wants_wasi: bool,
        tls: &Tls,
    ) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(code)?;
        let interface = code
            .get_export_index(None, OP)
            .ok_or_else(|| wasmtime::Error::msg(format!("it does not export `{OP}`")))?;
        let function = |name: &str| {
            code.get_export_index(Some(&interface), name)
                .ok_or_else(|| wasmtime::Error::msg(format!("`{OP}` has no `{name}`")))
        };
        let (run, describe) = (function("run")?, function("describe")?);
        Ok(Self { pre, run, describe, wants_wasi, tls: tls.clone() })
    }
}

/// What all attempts at the steps of a node have in common.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The run.
    pub run: Arc<str>,
    /// The op.
    pub op: Arc<OpDefinition>,
    /// The op's configuration as JSON text.
    pub config: Arc<str>,
    /// Bounds on the first attempt, the second and so on; the last ones hold for all that follow. At least one.
    pub limits: Vec<StepLimits>,
    /// What the op may reach.
    pub grants: Grants,
    /// What the placeholders in its environment stand for.
    pub secrets: Secrets,
    /// Where its large outputs go; `None`: they stay in memory.
    pub large_values: Option<Arc<LargeValues>>,
    /// What it is granted of the capabilities of the program that embeds the host.
    pub granted: Granted,
    /// What time it is.
    pub(crate) clock: RunClock,
}

impl Settings {
    /// The bounds on an attempt; 1 is the first.
    ///
    /// # Panics
    /// There are none.
    #[must_use]
    pub fn limits(&self, attempt: u32) -> &StepLimits {
        let last = self.limits.len() - 1;
        &self.limits[last.min(attempt.saturating_sub(1) as usize)]
    }
}

/// One attempt at a step, as it is given to a guest.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The step.
    pub step: StepKey,
    /// 1 is the first.
    pub number: u32,
    /// What it has in common with others.
    pub settings: Arc<Settings>,
    /// One for each input of the op's definition.
    pub inputs: Vec<Input>,
    /// What the guest asked for beside its inputs.
    pub asked: Asked,
}

/// Whether a guest asked what its step is called, so that what it gave may depend on that.
#[derive(Debug, Default)]
pub struct Asked(AtomicU8);

impl Settings {
    /// Bytes of memory that an attempt may have at most.
    pub(crate) fn largest_memory(&self) -> u64 {
        self.limits.iter().map(|limits| limits.memory).max().unwrap_or(0)
    }
}

impl Attempt {
    /// The bounds on it.
    #[must_use]
    pub fn limits(&self) -> &StepLimits {
        self.settings.limits(self.number)
    }
}

impl Asked {
    const RUN: u8 = 1;
    const STEP: u8 = 2;

    fn note(&self, what: u8) {
        self.0.fetch_or(what, Ordering::Relaxed);
    }

    /// Whether it asked for the id of its run.
    #[must_use]
    pub fn for_run(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::RUN != 0
    }

    /// Whether it asked for its step key, its mapping keys or the attempt.
    #[must_use]
    pub fn for_step(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::STEP != 0
    }
}

/// The data of a store: one attempt.
pub struct State {
    gate: OutputGate,
    meter: Meter,
    port: Box<dyn Port>,
    attempt: Arc<Attempt>,
    collected: Vec<Cursor>,
    words: Words,
    /// The last message that the guest called an error: the words of a panic, in front of its trap.
    last_words: Option<String>,
    wasi: Option<Box<Wasi>>,
    capabilities: States,
}

/// Characters of a guest's last words that are kept.
const LAST_WORDS: usize = 500;

/// A collected input, and how far the guest has pulled it.
struct Cursor {
    list: Arc<Collection>,
    next: usize,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attempt { step, number, .. } = &*self.attempt;
        f.debug_struct("State").field("step", step).field("attempt", number).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn capabilities(&mut self) -> &mut States {
        &mut self.capabilities
    }

    /// Passes a message of the guest on, as long as its log has room.
    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) {
        if level == Level::Error {
            self.last_words = Some(message.chars().take(LAST_WORDS).collect());
        }
        if let Some(report) = self.words.log(level, message, fields) {
            self.port.report(report);
        }
    }

    fn progress(&mut self, done: u64, total: Option<u64>) {
        if let Some(report) = self.words.progress(done, total) {
            self.port.report(report);
        }
    }

    fn pass_on_progress(&mut self) {
        if let Some(report) = self.words.rest() {
            self.port.report(report);
        }
    }

    /// Passes on what the guest printed, and how far it said last that it is.
    fn pass_on(&mut self) {
        if let Some(wasi) = self.wasi.take() {
            wasi.flush(self);
        }
        self.pass_on_progress();
    }
}

impl Drop for State {
    /// An attempt that is interrupted ends here.
    fn drop(&mut self) {
        self.pass_on();
    }
}

/// Runs one attempt to its end. Interrupting it is dropping this future; wasmtime yields to
/// its caller at every tick of the epoch.
pub(crate) async fn run(
    code: &Linked,
    attempt: &Arc<Attempt>,
    port: Box<dyn Port>,
) -> (Outcome, Used) {
    let mut store = match new_store(code, attempt, port) {
        Ok(store) => store,
        Err(message) => return (Outcome::Failed(Failure::Host { message }), Used::default()),
    };
    let called = call(code, attempt, &mut store).await;
    let fuel = attempt.limits().fuel;
    let fuel = fuel.and_then(|all| Some(all.saturating_sub(store.get_fuel().ok()?)));
    let mut state = store.into_data();
    state.pass_on();
    let memory = Some(state.meter.memory());
    let failure = match called {
        Ok(Ok(outputs)) => {
            let (outcome, output) = finish(state, outputs);
            return (outcome, Used { memory, fuel, output });
        }
        Ok(Err(failure)) => reported(failure),
        Err(error) => trapped(&error, &state, attempt.limits()),
    };
    // What broke the contract first is the reason for what came after.
    let used = Used { memory, fuel, output: state.gate.taken() };
    (Outcome::Failed(state.gate.take_fault().unwrap_or(failure)), used)
}

/// A store whose bounds are set before the first instruction of a guest, which may stand in a
/// start function.
fn new_store(
    code: &Linked,
    attempt: &Arc<Attempt>,
    port: Box<dyn Port>,
) -> Result<Store<State>, String> {
    let limits = attempt.limits();
    let wasi = if code.wants_wasi { Some(Box::new(Wasi::new(attempt, &code.tls)?)) } else { None };
    let state = State {
        gate: OutputGate::new(&attempt.settings.op, limits),
        meter: Meter::new(limits),
        port,
        attempt: Arc::clone(attempt),
        collected: Vec::new(),
        words: Words::new(limits),
        last_words: None,
        wasi,
        capabilities: attempt.settings.granted.states(attempt)?,
    };
    let mut store = Store::new(code.pre.engine(), state);
    store.limiter(|state| &mut state.meter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(usize::try_from(limits.host_allocation).unwrap_or(usize::MAX));
    store.set_max_component_handles(usize::try_from(limits.resources).unwrap_or(usize::MAX));
    if let Some(fuel) = limits.fuel {
        store.set_fuel(fuel).map_err(|error| error.to_string())?;
    }
    Ok(store)
}

/// What `op.run` takes and gives.
type RunParams<'a> = (&'a str, &'a [(&'a str, InputIn<'a>)]);
type RunResults = (Result<Vec<OutputOut>, FailureOut>,);

async fn call(
    code: &Linked,
    attempt: &Attempt,
    store: &mut Store<State>,
) -> wasmtime::Result<Result<Vec<OutputOut>, FailureOut>> {
    let instance = code.pre.instantiate_async(&mut *store).await?;
    let run = instance.get_typed_func::<RunParams<'_>, RunResults>(&mut *store, &code.run)?;
    let op = &attempt.settings.op;
    let mut inputs = Vec::with_capacity(op.inputs.len());
    for (definition, input) in op.inputs.iter().zip(&attempt.inputs) {
        let lowered = match input {
            Input::Absent => InputIn::Absent,
            Input::Single(value) => InputIn::Single(ValueIn::new(value)),
            Input::Many(list) if definition.collected => {
                let collected = &mut store.data_mut().collected;
                let place = u32::try_from(collected.len())?;
                collected.push(Cursor { list: Arc::clone(list), next: 0 });
                InputIn::Collected(Resource::<CollectedMarker>::new_own(place))
            }
            Input::Many(list) => InputIn::Many(
                list.elements.iter().map(|element| ValueIn::new(&element.value)).collect(),
            ),
        };
        inputs.push((definition.name.as_str(), lowered));
    }
    let (result,) = run.call_async(&mut *store, (&op.name, &inputs)).await?;
    Ok(result)
}

/// Takes the outputs that a guest returned; dynamic ones are passed on like emitted ones. Gives the bytes of all outputs
/// as well.
fn finish(mut state: State, returned: Vec<OutputOut>) -> (Outcome, u64) {
    let settings = &state.attempt.settings;
    let op = &settings.op;
    for output in returned {
        let offer = Offer {
            name: &output.name,
            key: output.mapping_key.as_deref(),
            media_type: &output.value.media_type,
            data: Cow::Owned(output.value.data),
        };
        match state.gate.check(settings, offer).and_then(|checked| state.gate.accept(op, checked)) {
            Ok(None) => {}
            Ok(Some(emitted)) => state.port.report(emitted.into()),
            Err(refusal) => {
                state.gate.refuse(refusal);
                break;
            }
        }
    }
    let taken = state.gate.taken();
    match state.gate.finish(op) {
        Ok(outputs) => (Outcome::Succeeded(outputs), taken),
        Err(failure) => (Outcome::Failed(failure), taken),
    }
}

/// Bytes of a failure's message, and of its data, that are kept; larger data is left out.
const MESSAGE_BYTES: usize = 16 << 10;
const DETAIL_BYTES: usize = 1 << 20;

/// A guest's text, cut to so many bytes.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}

fn reported(failure: FailureOut) -> Failure {
    let (detail, retry) = match failure {
        FailureOut::Permanent(detail) => (detail, ReportedRetry::Permanent),
        FailureOut::Transient(detail) => (detail, ReportedRetry::Transient),
        FailureOut::RetryAfter((detail, ms)) => (detail, ReportedRetry::After(ms)),
    };
    // What is kept of a failure lasts as long as the run.
    let data = detail.detail.filter(|value| value.data.len() <= DETAIL_BYTES);
    let data = data.map(|value| Value::bytes(&cut(&value.media_type, 255), value.data));
    Failure::Reported { message: cut(&detail.message, MESSAGE_BYTES), detail: data, retry }
}

fn trapped(error: &wasmtime::Error, state: &State, limits: &StepLimits) -> Failure {
    let exceeded = |limit, value| Failure::LimitExceeded { limit, value, detail: String::new() };
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Failure::Host { message: format!("it runs too many steps at once: {error}") };
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        let message = format!("it exited with code {} instead of returning", exit.0);
        return Failure::Trap { message };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => return exceeded(LimitKind::Stack, STACK),
        Some(Trap::OutOfFuel) => return exceeded(LimitKind::Fuel, limits.fuel.unwrap_or(0)),
        _ => {}
    }
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return exceeded(LimitKind::HostAllocation, limits.host_allocation);
    }
    let full = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(ResourceTableError::Full))
            || cause.to_string().contains("store handle limit exceeded")
    };
    if error.chain().any(full) {
        return exceeded(LimitKind::Resources, limits.resources);
    }
    // A guest that is refused memory commonly gives up with a trap of its own.
    if let Some(failure) = state.meter.denied() {
        return failure;
    }
    Failure::Trap { message: trap_in_words(error, state.last_words.as_deref()) }
}

/// The reason of a trap on one line, then what the guest said before, and where in it the trap
/// happened, innermost first.
fn trap_in_words(error: &wasmtime::Error, last_words: Option<&str>) -> String {
    const FRAMES: usize = 12;
    let cause = error.root_cause().to_string();
    let mut words = cause.strip_prefix("wasm trap: ").unwrap_or(&cause).to_owned();
    push_lines(&mut words, last_words.unwrap_or_default());
    if let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() {
        for frame in backtrace.frames().iter().take(FRAMES) {
            if let Some(name) = frame.func_name() {
                words.push_str("\n  in ");
                words.push_str(&cut(&rustc_demangle::demangle(name).to_string(), 300));
            }
        }
    }
    words
}

/// Puts the lines of a text under what was said before.
fn push_lines(words: &mut String, text: &str) {
    for line in text.lines() {
        words.push_str("\n  ");
        words.push_str(line);
    }
}
