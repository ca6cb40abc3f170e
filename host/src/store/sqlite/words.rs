//! What stands in the tables in words.

use dynhost_graph::event::SkipReason;

/// Why a step did not run.
pub(super) fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::NotEmitted { input } => {
            format!("what its input `{input}` refers to was not emitted")
        }
        SkipReason::Upstream { node } => {
            format!("`{node}`, which it depends on, failed or was not run")
        }
        _ => "there was nothing to run it on".to_owned(),
    }
}
