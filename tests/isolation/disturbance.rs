//! What makes the kernel move the pages of this process while clones run.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

const COMPACT: &str = "/proc/sys/vm/compact_memory";
/// Bytes that are dirtied and given back at a time: the allocator takes so much from the kernel each time.
const DIRTIED: usize = 48 << 20;

/// How often memory is compacted before it is dirtied again.
const COMPACTIONS: u64 = 50;

/// Memory is compacted, dirtied and given back until this ends.
pub(crate) struct Disturbance {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

/// Why memory cannot be compacted here, if it cannot.
pub(crate) fn impossible() -> Option<String> {
    let error = fs::write(COMPACT, "1").err()?;
    Some(format!("memory cannot be compacted: {COMPACT}: {error}"))
}

impl Disturbance {
    pub(crate) fn begin() -> Self {
        let can_compact = impossible().map(|why| eprintln!("skipped: compaction: {why}")).is_none();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut compactions = 0;
            while !ends.load(Ordering::Relaxed) {
                std::hint::black_box(vec![1_u8; DIRTIED]);
                while can_compact && !ends.load(Ordering::Relaxed) {
                    fs::write(COMPACT, "1").expect("it could be done before");
                    compactions += 1;
                    if compactions % COMPACTIONS == 0 {
                        break;
                    }
                }
            }
            compactions
        });
        Self { over, thread }
    }

    /// Ends it, and says what it was.
    pub(crate) fn end(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        let compactions: u64 = self.thread.join().expect("it does not panic");
        format!("memory compacted {compactions} times")
    }
}
