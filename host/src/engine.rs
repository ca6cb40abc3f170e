//! The wasmtime engine: which features guests may use, and where their memory comes from.
//!
//! Every setting here is a decision about isolation or about the price of a clone; the reasons
//! stand beside them. `pagemap_scan` stays off: with wasmtime 48 it lets a clone read
//! bytes of an earlier one.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often running guests are interrupted to look at their deadline: the finest grain of
/// timeouts and of cancelling, and how long a guest computes before others get their turn.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Instances alive at once in one engine. Each reserves address space, not memory.
pub(crate) const INSTANCES: u32 = 1000;

/// What is tried instead, one after the other, where the machine does not give that much address space.
pub(crate) const FEWER: [u32; 3] = [250, 64, 16];

/// Memories that each instance may have: JavaScript has two empty ones beside its own.
const MEMORIES: u32 = 3;

/// Bytes of address space that one engine reserves for so many instances, nearly all of it for memories: each can grow
/// to 4 GiB, and behind it lies a guard.
pub(crate) fn address_space(instances: u32) -> u64 {
    u64::from(instances * MEMORIES) * ((4 << 30) + (32 << 20))
}

/// Whether an engine could not be had since there is too little address space.
pub(crate) fn lacks_space(error: &wasmtime::Error) -> bool {
    error.root_cause().downcast_ref() == Some(&rustix::io::Errno::NOMEM)
}

/// Bytes of a memory that are wiped in place for the next clone. What lies behind goes back to the kernel: a call, for
/// which the other cores are interrupted, and a fault for each page that the next clone touches.
const RESIDENT: usize = 256 << 10;

/// The same for guests that begin with a large image. They touch pages all over it, and a first write to each of them
/// interrupts the other cores as well: to copy the image afresh is several times as fast.
const RESIDENT_OF_LARGE: usize = 16 << 20;

/// What an engine is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EngineSettings {
    /// Whether compiled code counts fuel, which costs a third of its speed.
    pub(crate) fuel: bool,
    /// Whether its guests begin with a large image ([`has_large_image`]). Compiled code is the same.
    pub(crate) large_image: bool,
}

impl EngineSettings {
    /// For code that counts no fuel and guests with a small image.
    pub(crate) const PLAIN: Self = Self { fuel: false, large_image: false };
}

/// Whether the memory that a component or core module begins with is filled with more than [`RESIDENT`] bytes: an
/// interpreter after its start-up, say.
pub(crate) fn has_large_image(wasm: &[u8]) -> bool {
    let data = |payload| match payload {
        Ok(wasmparser::Payload::DataSection(section)) => section.range().len(),
        // What is malformed is refused by those who compile it.
        _ => 0,
    };
    wasmparser::Parser::new(0).parse_all(wasm).map(data).sum::<usize>() > RESIDENT
}

/// Whether clones see nothing of each other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Isolation {
    #[default]
    Kept,
    /// Only where a test shows that it would see a break: with `pagemap_scan`, and with more memory kept for the next
    /// clone, so that it shows sooner.
    Broken,
}

/// The wasmtime configuration of a host, for those who compile or measure components with wasmtime
/// itself.
#[must_use]
pub fn engine_config() -> Config {
    config(EngineSettings::PLAIN, Isolation::Kept, INSTANCES)
}

/// The wasmtime configuration in which a host runs this component or core module: as [`engine_config`], but for how much
/// of a memory is kept for the next clone. Code that is compiled for one fits the other.
#[must_use]
pub fn engine_config_for(wasm: &[u8]) -> Config {
    let large_image = has_large_image(wasm);
    config(EngineSettings { large_image, ..EngineSettings::PLAIN }, Isolation::Kept, INSTANCES)
}

/// The configuration of an engine that compiles for those of [`config`] and runs nothing.
#[cfg(feature = "compile")]
pub(crate) fn compiling(settings: EngineSettings) -> Config {
    let mut config = config(settings, Isolation::Kept, INSTANCES);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

/// The configuration of an engine with room for so many instances.
pub(crate) fn config(settings: EngineSettings, isolation: Isolation, instances: u32) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(settings.fuel)
        // Guests are called on fibers, which are never reused before their owner is gone.
        .async_stack_zeroing(false)
        // Component-model async is not offered, and its bookkeeping doubles the price of a clone.
        .concurrency_support(false)
        // Results must not depend on the machine (op-interface, principle 1).
        .relaxed_simd_deterministic(true)
        .memory_init_cow(true)
        .wasm_memory64(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(
            settings, isolation, instances,
        )));
    // So is this; code that was compiled elsewhere has it.
    #[cfg(feature = "compile")]
    config.cranelift_nan_canonicalization(true);
    config
}

fn pool(settings: EngineSettings, isolation: Isolation, instances: u32) -> PoolingAllocationConfig {
    let (resident, pagemap_scan) = match isolation {
        Isolation::Kept if settings.large_image => (RESIDENT_OF_LARGE, Enabled::No),
        Isolation::Kept => (RESIDENT, Enabled::No),
        Isolation::Broken => (4 << 20, Enabled::Yes),
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Whatever a component may have, there is for each instance.
        .total_core_instances(instances * 64)
        .total_memories(instances * MEMORIES)
        .total_tables(instances * 16)
        .total_stacks(instances)
        .max_unused_warm_slots(instances * 2)
        // Python is linked out of 38 core instances, which cost nothing by themselves.
        .max_core_instances_per_component(64)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(16)
        .max_tables_per_module(8)
        .table_elements(100_000)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(resident)
        .table_keep_resident(64 << 10)
        // A slot that waits for others to be decommitted with is not the next one, and the next one has left the
        // processor's caches.
        .decommit_batch_size(1)
        .pagemap_scan(pagemap_scan);
    pool
}

/// Advances the epoch of an engine until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let engine = engine.weak();
        let (stop, stopped) = mpsc::channel();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("dynhost-ticker".to_owned()).spawn(tick)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the ticker has been reported on its own thread.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_nested_modules_counts() {
        let component = |bytes: usize| {
            let data = "x".repeat(bytes / 2);
            let module = format!(
                "(memory 8) (data (i32.const 8) \"{data}\") (data (i32.const 262144) \"{data}\")"
            );
            wat::parse_str(format!("(component (component (core module {module})))"))
                .expect("the text is right")
        };
        assert!(has_large_image(&component(RESIDENT)));
        assert!(!has_large_image(&component(RESIDENT - 1000)));
        assert!(!has_large_image(&component(RESIDENT)[..RESIDENT / 2]));
    }
}
