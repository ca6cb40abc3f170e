//! WASI for guests whose toolchain imports it. What is not granted is virtual and deterministic
//! (op-interface, principle 1): clocks start at a fixed time and advance by calls, sleeps return
//! at once, randomness is a sequence seeded from the step's inputs, the file system, environment and
//! arguments are empty, sockets are refused, and what is printed goes to the step's log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dynhost_graph::event::Level;
use dynhost_graph::job::Access;
use dynhost_graph::scheduler::Input;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::{Attempt, State};

/// Where the virtual clock starts: 2000-01-01 UTC, in nanoseconds since 1970.
const EPOCH_NS: u64 = 946_684_800_000_000_000;
/// How far a look at the virtual clock advances it.
const CLOCK_STEP_NS: u64 = 1_000;
/// Bytes of printed text that wait for the end of their line.
const LINE_BYTES: usize = 8 << 10;

/// The WASI side of one attempt.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    clock: VirtualClock,
    printed: [Printed; 2],
}

impl Wasi {
    /// What an attempt sees of the machine: nothing but its grants.
    ///
    /// # Errors
    /// In words: a granted folder cannot be opened.
    pub(super) fn new(attempt: &Attempt) -> Result<Self, String> {
        let clock = VirtualClock::default();
        let printed = [Printed::default(), Printed::default()];
        let seed = seed(attempt);
        let mut builder = WasiCtxBuilder::new();
        builder
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(StdRng::from_seed(seed))
            .insecure_random(StdRng::from_seed(seed))
            .insecure_random_seed(u128::from_le_bytes(seed[..16].try_into().unwrap_or_default()))
            .stdout(printed[0].clone())
            .stderr(printed[1].clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        for folder in &attempt.settings.grants.fs {
            let perms = match folder.access {
                Access::Read => FsPerms::ReadOnly,
                Access::ReadWrite => FsPerms::ReadWrite,
            };
            builder.preopened_dir(&folder.host, &folder.guest, perms).map_err(|error| {
                format!("the granted folder `{}` cannot be opened: {error}", folder.host.display())
            })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(attempt.limits().resources).unwrap_or(usize::MAX));
        Ok(Self { ctx: builder.build(), table, clock, printed })
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

/// A seed made of all that the step is given, so that randomness is a function of the inputs.
fn seed(attempt: &Attempt) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
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

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.as_deref_mut().expect("a guest that imports WASI has its context");
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// Adds WASI preview 2, with sleeps that return at once.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<State, VirtualSleep>(linker, |state| {
        let wasi = state.wasi.as_deref_mut().expect("a guest that imports WASI has its context");
        Sleeper { clock: &wasi.clock, table: &mut wasi.table }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A clock that stands still but for the calls that look at it.
#[derive(Debug, Clone, Default)]
struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    fn look(&self) -> u64 {
        self.0.fetch_add(CLOCK_STEP_NS, Ordering::Relaxed)
    }

    fn advance(&self, by_ns: u64) {
        // Sleeping for ever must not turn the clock back.
        let later = |now: u64| Some(now.saturating_add(by_ns).min(u64::MAX / 2));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(CLOCK_STEP_NS)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(EPOCH_NS.saturating_add(self.look()))
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        CLOCK_STEP_NS
    }

    fn now(&self) -> u64 {
        self.look()
    }
}

struct VirtualSleep;

impl HasData for VirtualSleep {
    type Data<'a> = Sleeper<'a>;
}

struct Sleeper<'a> {
    clock: &'a VirtualClock,
    table: &'a mut ResourceTable,
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
        Ok(self.clock.look())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.clock.look();
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.advance(duration);
        let at_once = self.table.push(AtOnce)?;
        wasmtime_wasi::p2::subscribe(self.table, at_once)
    }
}

/// What a guest printed, on its way to the log. Text beyond the line buffer is kept in lines of
/// that length; the log's own limit bounds how much is passed on.
#[derive(Debug, Clone, Default)]
struct Printed(Arc<Mutex<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<String>,
    rest: Vec<u8>,
    bytes: usize,
}

/// Bytes of printed text, and what its lines cost, that are kept for the end of the attempt.
const PRINTED_BYTES: usize = 1 << 20;
const LINE_COST: usize = 64;

impl Printed {
    fn take(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = PRINTED_BYTES.saturating_sub(buffer.bytes);
        let bytes = &bytes[..bytes.len().min(left)];
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if buffer.bytes > PRINTED_BYTES {
                return;
            }
            // A line costs more than its text.
            buffer.bytes += part.len() + LINE_COST;
            buffer.rest.extend_from_slice(part);
            if part.ends_with(b"\n") || buffer.rest.len() >= LINE_BYTES {
                let line = std::mem::take(&mut buffer.rest);
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                buffer.lines.push(text);
            }
        }
    }

    fn take_lines(&self, all: bool) -> Vec<String> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut buffer.lines);
        if all && !buffer.rest.is_empty() {
            let rest = std::mem::take(&mut buffer.rest);
            lines.push(String::from_utf8_lossy(&rest).into_owned());
        }
        lines
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only preview 3 asks for this form, which is not offered.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
