//! Named places at which a test has the process killed, to see what it leaves behind: the feature `fail-points`.
//!
//! `DYNHOST_FAIL_POINT=store.before_commit:3` kills the process with SIGKILL when it comes to that
//! place for the third time. Without the variable nothing happens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// All places, before and after each thing that is to last.
pub const FAIL_POINTS: &[&str] = &[
    "store.before_begin",
    "store.after_begin",
    "pack.before_write",
    "pack.after_write",
    "object.before_write",
    "object.after_write",
    "object.after_rename",
    "store.before_commit",
    "store.after_commit",
    "store.before_answer",
    "prune.before_runs",
    "prune.after_runs",
    "prune.before_objects",
    "prune.after_object",
    "prune.before_commit",
    "prune.after_commit",
];

struct Wanted {
    name: String,
    left: AtomicU64,
}

/// The process comes to a place.
pub(super) fn reached(name: &str) {
    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
    let Some(wanted) = WANTED.get_or_init(wanted) else { return };
    if wanted.name == name && wanted.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        let this = rustix::process::getpid();
        // Where it fails the test sees a process that lives.
        let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
    }
}

fn wanted() -> Option<Wanted> {
    parse(&std::env::var("DYNHOST_FAIL_POINT").ok()?)
}

fn parse(text: &str) -> Option<Wanted> {
    let (name, times) = text.split_once(':').unwrap_or((text, "1"));
    Some(Wanted { name: name.to_owned(), left: AtomicU64::new(times.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_have_a_number() {
        let wanted = parse("store.before_commit:3").unwrap();
        assert_eq!(wanted.name, "store.before_commit");
        assert_eq!(wanted.left.into_inner(), 3);
        assert_eq!(parse("store.before_commit").unwrap().left.into_inner(), 1);
        assert!(parse("store.before_commit:x").is_none());
    }
}
