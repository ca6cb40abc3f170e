//! Bounds on what an attempt may use: as a manifest sets them for a node, and the operator for all.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::event::LimitKind;

/// A bound, one value for each attempt; the last value holds for all later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound<T> {
    /// At least one.
    values: Vec<T>,
    /// Where the manifest has it: the bytes of the value.
    pub span: Range<usize>,
}

impl<T: Copy + Ord> Bound<T> {
    /// A bound that begins with `first`, and has one of `later` for each attempt after it.
    #[must_use]
    pub fn new(first: T, later: &[T], span: Range<usize>) -> Self {
        let mut values = vec![first];
        values.extend_from_slice(later);
        Self { values, span }
    }

    /// The value for an attempt; 1 is the first.
    #[must_use]
    pub fn at(&self, attempt: u32) -> T {
        let last = self.values.len() - 1;
        self.values[last.min(attempt.saturating_sub(1) as usize)]
    }

    /// How many attempts have a value of their own.
    #[must_use]
    pub const fn attempts(&self) -> usize {
        self.values.len()
    }

    /// The largest value.
    #[must_use]
    pub fn most(&self) -> T {
        self.values.iter().copied().max().unwrap_or_else(|| self.at(1))
    }
}

/// The bounds that a node sets; what it does not set is the host's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<LimitKind, Bound<u64>>);

impl Limits {
    /// The bound of this kind, if it is set.
    #[must_use]
    pub fn get(&self, kind: LimitKind) -> Option<&Bound<u64>> {
        self.0.get(&kind)
    }

    /// Sets a bound.
    pub fn set(&mut self, kind: LimitKind, bound: Bound<u64>) {
        self.0.insert(kind, bound);
    }

    /// All bounds that are set.
    pub fn iter(&self) -> impl Iterator<Item = (LimitKind, &Bound<u64>)> {
        self.0.iter().map(|(kind, bound)| (*kind, bound))
    }

    /// Takes from `defaults` what is not set here.
    pub(crate) fn fill(&mut self, defaults: &Self) {
        for (kind, bound) in defaults.iter() {
            self.0.entry(kind).or_insert_with(|| bound.clone());
        }
    }

    /// For how many attempts the bounds have values of their own.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.0.values().map(Bound::attempts).max().unwrap_or(1)
    }

    /// Whether the attempt after this one has more of what this limit bounds.
    #[must_use]
    pub fn grow_after(&self, kind: LimitKind, attempt: u32) -> bool {
        self.get(kind).is_some_and(|bound| bound.at(attempt + 1) > bound.at(attempt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_holds_for_later_attempts() {
        let bound = Bound::new(64, &[128, 256], 0..0);
        let values: Vec<u64> = (1..=5).map(|attempt| bound.at(attempt)).collect();
        assert_eq!(values, [64, 128, 256, 256, 256]);
        assert_eq!((bound.attempts(), bound.most()), (3, 256));
    }

    #[test]
    fn limits_grow_while_there_is_a_larger_value() {
        let mut limits = Limits::default();
        limits.set(LimitKind::Memory, Bound::new(1, &[2], 0..0));
        let grow = |attempt| limits.grow_after(LimitKind::Memory, attempt);
        assert_eq!([grow(1), grow(2), limits.grow_after(LimitKind::Fuel, 1)], [true, false, false]);
    }
}
