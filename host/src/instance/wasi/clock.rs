//! Time: a virtual clock, or that of the machine where it is granted. A test may stand in for the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable};

use super::super::{Attempt, State};
use crate::clock::FakeClock;

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

/// The clock of a test, as an attempt sees it.
#[derive(Debug, Clone)]
pub(super) struct TestClock {
    clock: FakeClock,
    attempt: Arc<Attempt>,
}

impl TestClock {
    pub(super) fn new(clock: &FakeClock, attempt: &Arc<Attempt>) -> Self {
        Self { clock: clock.clone(), attempt: Arc::clone(attempt) }
    }

    fn passed_ns(&self) -> u64 {
        u64::try_from(self.clock.passed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl HostWallClock for TestClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.clock.since_1970()
    }
}

impl HostMonotonicClock for TestClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.passed_ns()
    }
}

/// What is there instead of the machine's clock.
#[derive(Clone)]
pub(super) enum GuestClock {
    Virtual(VirtualClock),
    Test(TestClock),
}

/// Puts the clock that sleeps without waiting in place of the one that waits.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    monotonic_clock::add_to_linker::<State, Sleeping>(linker, |state| {
        match state.wasi().clock.clone() {
            Some(clock) => {
                let table = &mut state.wasi().table;
                match clock {
                    GuestClock::Virtual(clock) => Sleeper::Virtual { clock, table },
                    GuestClock::Test(clock) => Sleeper::Test { clock, table },
                }
            }
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
    Test { clock: TestClock, table: &'a mut ResourceTable },
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

/// What a sleep by the clock of a test waits for.
struct Until {
    clock: TestClock,
    passed_ns: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Until {
    async fn ready(&mut self) {
        let TestClock { clock, attempt } = &self.clock;
        clock.sleep_until(attempt, Duration::from_nanos(self.passed_ns)).await;
    }
}

impl monotonic_clock::Host for Sleeper<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Virtual { clock, .. } => Ok(clock.look()),
            Self::Test { clock, .. } => Ok(clock.passed_ns()),
            Self::Real(real) => monotonic_clock::Host::now(real),
        }
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Virtual { .. } => Ok(STEP_NS),
            Self::Test { clock, .. } => Ok(HostMonotonicClock::resolution(clock)),
            Self::Real(real) => monotonic_clock::Host::resolution(real),
        }
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        match self {
            Self::Virtual { clock, .. } => {
                let left = when.saturating_sub(clock.look());
                self.subscribe_duration(left)
            }
            Self::Test { clock, table } => {
                let until = table.push(Until { clock: clock.clone(), passed_ns: when })?;
                wasmtime_wasi::p2::subscribe(table, until)
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
            Self::Test { clock, .. } => {
                let when = clock.passed_ns().saturating_add(duration);
                self.subscribe_instant(when)
            }
            Self::Real(real) => real.subscribe_duration(duration),
        }
    }
}
