//! Which frames there are.

use dynhost_graph::job::{Job, Origin, OutputRef, ScopeId};

use super::{End, Interpreter, Path, join};

impl Interpreter<'_> {
    /// The frame of scope `to` that is around the frame `path` of scope `from`.
    pub(super) fn locate(&self, from: ScopeId, path: &[String], to: ScopeId) -> Option<Path> {
        locate(self.job, from, path, to)
    }

    /// The frames of a scope, in order, whose keys begin with `inside`.
    pub(super) fn frames(&self, scope: ScopeId, inside: &[String]) -> Vec<Path> {
        let Some(parent) = self.job.scope(scope).parent else { return vec![Vec::new()] };
        let depth = self.job.scope(parent).depth as usize;
        let outer = &inside[..inside.len().min(depth)];
        let mut frames = Vec::new();
        for path in self.frames(parent, outer) {
            frames.extend(self.keys(scope, &path).into_iter().map(|key| join(&path, &key)));
        }
        frames.retain(|path| path.starts_with(inside));
        frames
    }

    /// The keys of the frames of `scope` in the frame `path` of its parent, in order.
    pub(super) fn keys(&self, scope: ScopeId, path: &Path) -> Vec<String> {
        match &self.job.scope(scope).origin {
            Origin::Root => unreachable!("the root has no parent"),
            Origin::FanOut(of) | Origin::Batch { of, .. } => {
                let elements = self.done[&(of.node, path.clone())].elements.get(&scope);
                elements.into_iter().flatten().map(|(key, _)| key.clone()).collect()
            }
            Origin::Zip { parts, .. } => {
                let mut keys = self.keys(parts[0], path);
                for part in &parts[1..] {
                    let others = self.keys(*part, path);
                    keys.retain(|key| others.contains(key));
                }
                keys
            }
            Origin::Cross { of } => {
                let parent = self.job.scope(scope).parent.expect("a cross has a parent");
                self.keys(*of, &self.around_part(parent, path, *of))
            }
        }
    }

    pub(super) fn around_part(&self, scope: ScopeId, path: &Path, part: ScopeId) -> Path {
        let outer = self.job.scope(part).parent.expect("a part has a parent");
        self.locate(scope, path, outer).expect("a part is in reach")
    }

    /// The outputs whose elements make the frames of a scope.
    pub(super) fn yielders(&self, scope: ScopeId) -> Vec<OutputRef> {
        match &self.job.scope(scope).origin {
            Origin::Root => Vec::new(),
            Origin::FanOut(of) | Origin::Batch { of, .. } => vec![*of],
            Origin::Zip { parts, .. } => {
                parts.iter().flat_map(|part| self.yielders(*part)).collect()
            }
            Origin::Cross { of } => self.yielders(*of),
        }
    }

    /// Whether all elements of `scope` in the frame `path` of its parent are there.
    pub(super) fn closing(&self, scope: ScopeId, path: &Path) -> End {
        let parts = match &self.job.scope(scope).origin {
            Origin::Root => unreachable!("the root is not closed"),
            Origin::FanOut(of) | Origin::Batch { of, .. } => {
                return self.done[&(of.node, path.clone())].end;
            }
            Origin::Zip { parts, .. } => parts.clone(),
            Origin::Cross { of } => vec![*of],
        };
        let parent = self.job.scope(scope).parent.expect("not the root");
        let mut end = End::Well;
        for part in parts {
            let path = self.around_part(parent, path, part);
            end = match (end, self.closing(part, &path)) {
                (End::Blocked(by), _) | (_, End::Blocked(by)) => End::Blocked(by),
                (End::Well, End::Well) if self.was_emitted(part, &path) => End::Well,
                _ => End::Skipped,
            };
        }
        end
    }

    /// Rule 14: an optional dynamic output without elements counts as not emitted.
    pub(super) fn was_emitted(&self, scope: ScopeId, path: &Path) -> bool {
        match self.job.scope(scope).origin {
            Origin::FanOut(output) | Origin::Batch { of: output, .. } => {
                let op = &self.job.node(output.node).op;
                op.outputs[output.output as usize].required || !self.keys(scope, path).is_empty()
            }
            _ => true,
        }
    }

    /// The keys that some part of a zip lacks, in order, where that is an error.
    pub(super) fn unmatched(&self, scope: ScopeId, path: &Path) -> Vec<String> {
        let Origin::Zip { parts, drop_missing: false } = &self.job.scope(scope).origin else {
            return Vec::new();
        };
        if self.closing(scope, path) != End::Well {
            return Vec::new();
        }
        let met = self.keys(scope, path);
        let mut keys = Vec::new();
        for key in parts.iter().flat_map(|part| self.keys(*part, path)) {
            if !met.contains(&key) && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

/// The frame of scope `to` that is around, or a part of, the frame `path` of scope `from`.
pub(crate) fn locate(job: &Job, from: ScopeId, path: &[String], to: ScopeId) -> Option<Path> {
    if from == to {
        return Some(path.to_vec());
    }
    let (key, outer) = path.split_last()?;
    let scope = job.scope(from);
    let found = match &scope.origin {
        Origin::Zip { parts, .. } => parts.iter().find_map(|part| locate(job, *part, path, to)),
        Origin::Cross { of } => {
            let depth = job.scope(*of).depth as usize;
            locate(job, *of, &join(&path[..depth - 1], key), to)
        }
        Origin::Root | Origin::FanOut(_) | Origin::Batch { .. } => None,
    };
    found.or_else(|| locate(job, scope.parent?, outer, to))
}
