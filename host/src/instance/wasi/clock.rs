//! Time: a virtual clock, or that of the machine where it is granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable};

use super::super::State;

/// Where the virtual clock starts: 2000-01-01 UTC, in nanoseconds since 1970.
const EPOCH_NS: u64 = 946_684_800_000_000_000;
/// How far a look at the virtual clock advances it.
const STEP_NS: u64 = 1_000;

/// A clock that stands still but for the calls that look at it, and those that sleep.
#[derive(Debug, Clone)]
pub(super) struct VirtualClock {
    start_ns: u64,
    passed_ns: Arc<AtomicU64>,
}

impl VirtualClock {
    /// A clock that starts so many nanoseconds after 1970.
    pub(super) fn new(start_ns: Option<u64>) -> Self {
        Self { start_ns: start_ns.unwrap_or(EPOCH_NS), passed_ns: Arc::default() }
    }

    fn look(&self) -> u64 {
        self.passed_ns.fetch_add(STEP_NS, Ordering::Relaxed)
    }

    fn advance(&self, by_ns: u64) {
        // Sleeping for ever must not turn the clock back.
        let later = |now: u64| Some(now.saturating_add(by_ns).min(u64::MAX / 2));
        let _ = self.passed_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(STEP_NS)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.start_ns.saturating_add(self.look()))
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        STEP_NS
    }

    fn now(&self) -> u64 {
        self.look()
    }
}

/// Puts the clock that sleeps without waiting in place of the one that waits.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    monotonic_clock::add_to_linker::<State, Sleeping>(linker, |state| {
        match state.wasi().clock.clone() {
            Some(clock) => Sleeper::Virtual { clock, table: &mut state.wasi().table },
            None => Sleeper::Real(state.clocks()),
        }
    })
}

struct Sleeping;

impl HasData for Sleeping {
    type Data<'a> = Sleeper<'a>;
}

/// Who answers the calls of `wasi:clocks/monotonic-clock`.
enum Sleeper<'a> {
    Virtual { clock: VirtualClock, table: &'a mut ResourceTable },
    Real(WasiClocksCtxView<'a>),
}

/// What a virtual sleep waits for.
struct AtOnce;

#[wasmtime_wasi::async_trait]
impl Pollable for AtOnce {
    async fn ready(&mut self) {
        // A guest that polls in a loop lets others have their turn.
        tokio::task::yield_now().await;
    }
}

impl monotonic_clock::Host for Sleeper<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Virtual { clock, .. } => Ok(clock.look()),
            Self::Real(real) => monotonic_clock::Host::now(real),
        }
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Virtual { .. } => Ok(STEP_NS),
            Self::Real(real) => monotonic_clock::Host::resolution(real),
        }
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        match self {
            Self::Virtual { clock, .. } => {
                let left = when.saturating_sub(clock.look());
                self.subscribe_duration(left)
            }
            Self::Real(real) => real.subscribe_instant(when),
        }
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        match self {
            Self::Virtual { clock, table } => {
                clock.advance(duration);
                let at_once = table.push(AtOnce)?;
                wasmtime_wasi::p2::subscribe(table, at_once)
            }
            Self::Real(real) => real.subscribe_duration(duration),
        }
    }
}
