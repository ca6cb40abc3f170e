//! WASI for guests whose toolchain imports it. What is not granted is virtual and deterministic
//! (op-interface, principle 1): clocks start at a fixed time and advance by calls, sleeps return
//! at once, randomness is a sequence seeded from the step's inputs, the file system, environment and
//! arguments are empty, sockets and requests are refused, and what is printed goes to the step's log.

mod address;
mod clock;
mod folders;
#[cfg(feature = "wasi-http")]
mod http;
mod network;
mod printed;
mod sockets;
mod tls;

use std::sync::Arc;

use dynhost_graph::event::Level;
use dynhost_graph::grant::{Clock, Random};
use dynhost_graph::scheduler::Input;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::{Asked, Attempt, State};
use clock::{GuestClock, TestClock, VirtualClock};
use network::Network;
use printed::Printed;
pub(crate) use tls::Tls;

/// The WASI side of one attempt.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    /// `None`: time is real.
    clock: Option<GuestClock>,
    printed: [Printed; 2],
    network: Arc<Network>,
    #[cfg(feature = "wasi-http")]
    http: http::Http,
}

impl Wasi {
    /// What an attempt sees of the machine: nothing but its grants.
    ///
    /// # Errors
    /// In words: a granted folder cannot be opened.
    pub(super) fn new(attempt: &Arc<Attempt>, tls: &Tls) -> Result<Self, String> {
        // Only requests need it.
        #[cfg(not(feature = "wasi-http"))]
        let _ = tls;
        let grants = &attempt.settings.grants;
        let printed = [Printed::default(), Printed::default()];
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(printed[0].clone()).stderr(printed[1].clone());
        let network = Arc::new(Network::new(attempt, printed[1].clone()));
        sockets::allow(&mut builder, &network);
        let clock = clock(&mut builder, attempt);
        random(&mut builder, attempt);
        for variable in &grants.env {
            // One that is not there is found before the run.
            builder.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        for (name, placeholder) in attempt.settings.secrets.placeholders() {
            builder.env(name, placeholder);
        }
        if grants.use_keys() {
            attempt.asked.note(Asked::STEP);
        }
        for folder in &grants.fs {
            folders::preopen(&mut builder, folder, &attempt.step)?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(attempt.limits().resources).unwrap_or(usize::MAX));
        Ok(Self {
            ctx: builder.build(),
            table,
            clock,
            printed,
            #[cfg(feature = "wasi-http")]
            http: http::Http::new(&network, tls),
            network,
        })
    }

    /// Passes what was printed without a line's end to the log.
    pub(super) fn flush(&self, state: &mut State) {
        for (printed, level) in self.printed.iter().zip([Level::Info, Level::Warn]) {
            for line in printed.take_lines(true) {
                state.log(level, line, Vec::new());
            }
        }
    }
}

/// Sets the clocks; gives what they are unless time is real, which the builder's clocks are.
fn clock(builder: &mut WasiCtxBuilder, attempt: &Arc<Attempt>) -> Option<GuestClock> {
    let settings = &attempt.settings;
    let clock = match settings.grants.clock.as_ref().map(|grant| grant.clock) {
        Some(Clock::Real) => {
            let clock = TestClock::new(settings.clock.fake()?, attempt);
            builder.wall_clock(clock.clone()).monotonic_clock(clock.clone());
            return Some(GuestClock::Test(clock));
        }
        Some(Clock::StartsAt(ns)) => VirtualClock::new(Some(ns)),
        None => VirtualClock::new(None),
    };
    builder.wall_clock(clock.clone()).monotonic_clock(clock.clone());
    Some(GuestClock::Virtual(clock))
}

/// Makes randomness a function of the inputs, unless it is real, which the builder's is.
fn random(builder: &mut WasiCtxBuilder, attempt: &Attempt) {
    let number = match attempt.settings.grants.random.as_ref().map(|grant| grant.random) {
        Some(Random::Real) => return,
        Some(Random::Seed(number)) => Some(number),
        None => None,
    };
    let seed = seed(attempt, number);
    builder
        .secure_random(StdRng::from_seed(seed))
        .insecure_random(StdRng::from_seed(seed))
        .insecure_random_seed(u128::from_le_bytes(seed[..16].try_into().unwrap_or_default()));
}

/// A seed made of all that the step is given.
fn seed(attempt: &Attempt, number: Option<u64>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    if let Some(number) = number {
        part(&number.to_le_bytes());
    }
    part(attempt.settings.op.name.as_bytes());
    part(attempt.settings.config.as_bytes());
    for input in &attempt.inputs {
        match input {
            Input::Absent => part(b"absent"),
            Input::Single(value) => part(&value.data),
            Input::Many(list) => {
                for element in &list.elements {
                    part(element.key.as_str().as_bytes());
                    part(&element.value.data);
                }
            }
        }
    }
    hash.finalize().into()
}

impl State {
    /// The WASI side, which every guest that imports WASI has.
    fn wasi(&mut self) -> &mut Wasi {
        self.wasi.as_deref_mut().expect("a guest that imports WASI has its context")
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// Adds WASI preview 2, with sleeps that return at once.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    clock::link(linker)?;
    sockets::link(linker)?;
    linker.allow_shadowing(false);
    #[cfg(feature = "wasi-http")]
    http::link(linker)?;
    Ok(())
}
