//! How much a yielding step must be allowed to emit so that its batches become whole.

use super::Wiring;
use crate::job::{Job, Origin};
use crate::scheduler::Credit;

impl Wiring {
    /// Twice the largest batch of each output: one runs while the next is gathered. A byte more,
    /// because a batch full of bytes is known to be whole by the element behind it.
    pub(super) fn find_windows(&mut self, job: &Job) {
        for wired in &mut self.nodes {
            for scopes in &wired.fan_outs {
                let (mut items, mut bytes) = (0, 0);
                for scope in scopes {
                    if let Origin::Batch { bounds, .. } = &job.scope(*scope).origin {
                        items = items.max(bounds.max_items.unwrap_or(0));
                        bytes = bytes.max(bounds.max_bytes.unwrap_or(0));
                    }
                }
                let least = wired.least_window;
                wired.least_window = Credit {
                    items: least.items.saturating_add(items.saturating_mul(2)),
                    bytes: least
                        .bytes
                        .saturating_add(bytes.saturating_mul(2).saturating_add(bytes.min(1))),
                };
            }
        }
    }
}
