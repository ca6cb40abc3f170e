//! What a step that yields may emit before it waits (`semantics.md` rule 12).

use super::Credit;

/// One in so many elements of the window may be unfinished whatever their size, so that large ones keep as many steps
/// busy as small ones do.
const FEW: u64 = 64;
/// The bytes at which that ends, as a multiple of those of the window.
const MANY: i128 = 16;

/// What a step that yields may still emit in one attempt: every executor counts with it.
///
/// At first it is the window, which [`Dispatch::credit`](super::Dispatch) names. Each element takes from it, and what is
/// granted is added.
#[derive(Debug, Clone)]
pub struct Allowance {
    window: Credit,
    granted: u64,
    items: u64,
    /// Below zero where the last element was larger than what was left.
    bytes: i128,
}

impl Allowance {
    /// That of an attempt that begins.
    #[must_use]
    pub fn new(window: Credit) -> Self {
        Self { window, granted: window.items, items: window.items, bytes: window.bytes.into() }
    }

    /// Adds what was granted.
    pub fn grant(&mut self, credit: Credit) {
        self.granted = self.granted.saturating_add(credit.items);
        self.items = self.items.saturating_add(credit.items);
        self.bytes += i128::from(credit.bytes);
    }

    /// Takes an element whose value has so many bytes.
    pub fn spend(&mut self, bytes: u64) {
        self.items = self.items.saturating_sub(1);
        self.bytes -= i128::from(bytes);
    }

    /// Whether the step has to wait before it emits the next element, however small that is.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        if self.items == 0 {
            return true;
        }
        let Credit { items, bytes } = self.window;
        let few = items.saturating_sub(self.items) < items / FEW;
        let least = if few { i128::from(bytes) * (1 - MANY) } else { 0 };
        self.bytes <= least
    }

    /// Elements granted in this attempt, in all, as [`Scheduler::suspended`](super::Scheduler::suspended) takes them.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted
    }
}
