//! The table of scopes: which is around which, and how unrelated ones meet.

use std::collections::BTreeSet;

use crate::job::{BatchBounds, Origin, OutputRef, Scope, ScopeId, met_in, reaches};

/// All scopes of a job, each once, a parent before its children.
#[derive(Debug)]
pub(super) struct Scopes(Vec<Scope>);

impl Default for Scopes {
    fn default() -> Self {
        Self(vec![Scope { parent: None, depth: 0, origin: Origin::Root }])
    }
}

impl Scopes {
    pub(super) fn into_list(self) -> Vec<Scope> {
        self.0
    }

    pub(super) fn get(&self, id: ScopeId) -> &Scope {
        &self.0[id.index()]
    }

    /// The scope without its innermost level; the root stays the root.
    pub(super) fn parent(&self, id: ScopeId) -> ScopeId {
        self.get(id).parent.unwrap_or(ScopeId::ROOT)
    }

    /// The scope one level inside `parent`, over a dynamic output (`semantics.md` rule 1).
    pub(super) fn fan_out(&mut self, parent: ScopeId, output: OutputRef) -> ScopeId {
        self.inside(parent, Origin::FanOut(output))
    }

    /// The scope one level inside `parent`, over a dynamic output in batches.
    pub(super) fn batch(&mut self, parent: ScopeId, of: OutputRef, bounds: BatchBounds) -> ScopeId {
        self.inside(parent, Origin::Batch { of, bounds })
    }

    fn inside(&mut self, parent: ScopeId, origin: Origin) -> ScopeId {
        let scope = Scope { parent: Some(parent), depth: self.get(parent).depth + 1, origin };
        let known = self.0.iter().position(|other| *other == scope);
        let position = known.unwrap_or_else(|| {
            self.0.push(scope);
            self.0.len() - 1
        });
        ScopeId(u32::try_from(position).expect("fewer than 2^32 scopes"))
    }

    /// Whether values of `outer` are handed to every clone in `inner` (`semantics.md` rule 3):
    /// it is `inner`, around it, or met in it by a zip or cross.
    pub(super) fn reaches(&self, outer: ScopeId, inner: ScopeId) -> bool {
        reaches(&self.0, outer, inner)
    }

    /// The scopes that meet in the innermost level of a scope; itself where none do.
    pub(super) fn met_in(&self, id: ScopeId) -> Vec<ScopeId> {
        met_in(&self.0, id)
    }

    /// Whether `inner` has at least one level more than `base`, which is around it.
    pub(super) fn is_inside(&self, inner: ScopeId, base: ScopeId) -> bool {
        inner != base && self.reaches(base, inner)
    }

    /// Those of `scopes` that no other of them extends, each once, in order.
    pub(super) fn innermost(&self, scopes: &[ScopeId]) -> Vec<ScopeId> {
        let mut seen = BTreeSet::new();
        let covered = |scope: ScopeId| {
            scopes.iter().any(|other| *other != scope && self.reaches(scope, *other))
        };
        scopes.iter().copied().filter(|scope| !covered(*scope) && seen.insert(*scope)).collect()
    }

    /// The scope in which `parts` meet by mapping key; `None` where their parents differ.
    pub(super) fn zip(&mut self, parts: &[ScopeId], drop_missing: bool) -> Option<ScopeId> {
        let parent = self.parent(*parts.first()?);
        if parts.iter().any(|part| self.parent(*part) != parent) {
            return None;
        }
        Some(self.inside(parent, Origin::Zip { parts: parts.to_vec(), drop_missing }))
    }

    /// The scope of every pair, the levels of earlier parts outermost where that can be;
    /// `None` where two parts have more than one level each that the other lacks.
    pub(super) fn cross(&mut self, parts: &[ScopeId]) -> Option<ScopeId> {
        let (&first, rest) = parts.split_first()?;
        let mut met = first;
        for &part in rest {
            met = if self.reaches(self.parent(part), met) {
                self.inside(met, Origin::Cross { of: part })
            } else if self.reaches(self.parent(met), part) {
                self.inside(part, Origin::Cross { of: met })
            } else {
                return None;
            };
        }
        Some(met)
    }
}
