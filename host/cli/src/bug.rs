//! Panics: a bug in dynhost, said so.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the process ends with after a panic.
pub(crate) const EXIT_CODE: u8 = 70;

static SEEN: AtomicBool = AtomicBool::new(false);

/// Words a panic, wherever it happens, as what it is; the first one only.
pub(crate) fn watch() {
    std::panic::set_hook(Box::new(|panic| {
        if SEEN.swap(true, Ordering::SeqCst) {
            return;
        }
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => backtrace.to_string(),
            _ => "(set RUST_BACKTRACE=1 for a backtrace)".to_owned(),
        };
        let _ = writeln!(
            std::io::stderr().lock(),
            "\nThis is a bug in dynhost, not in your job: {panic}\n\n\
             Please report it with the command you ran, the manifest and these lines:\n  \
             dynhost {}, {} {}\n{backtrace}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
        );
    }));
}

/// Whether there was a panic.
pub(crate) fn seen() -> bool {
    SEEN.load(Ordering::SeqCst)
}
