//! Takes away scopes and collects that were resolved for an output of a graph which nothing
//! uses.

use crate::job::{CollectId, Job, Origin, ScopeId, Source};

/// Which scopes and collects are needed.
struct Needed {
    scopes: Vec<bool>,
    collects: Vec<bool>,
}

/// Keeps what a node stands in, reads, or gives out.
pub(super) fn prune(job: &mut Job) {
    let mut needed =
        Needed { scopes: vec![false; job.scopes.len()], collects: vec![false; job.collects.len()] };
    needed.scope(ScopeId::ROOT, job);
    for node in &job.nodes {
        needed.scope(node.scope, job);
        node.inputs.iter().flatten().for_each(|source| needed.source(source, job));
    }
    job.outputs.iter().for_each(|output| needed.source(&output.source, job));
    needed.renumber(job);
}

impl Needed {
    fn scope(&mut self, id: ScopeId, job: &Job) {
        if std::mem::replace(&mut self.scopes[id.index()], true) {
            return;
        }
        let scope = job.scope(id);
        scope.parent.into_iter().for_each(|parent| self.scope(parent, job));
        match &scope.origin {
            Origin::Zip { parts, .. } => parts.iter().for_each(|part| self.scope(*part, job)),
            Origin::Cross { of } => self.scope(*of, job),
            Origin::Root | Origin::FanOut(_) | Origin::Batch { .. } => {}
        }
    }

    fn source(&mut self, source: &Source, job: &Job) {
        match source {
            Source::Value(_) | Source::Output(_) => {}
            Source::Element(scope) => self.scope(*scope, job),
            Source::List(list) => list.iter().for_each(|one| self.source(one, job)),
            Source::Collect(id) => {
                if !std::mem::replace(&mut self.collects[id.index()], true) {
                    let collect = job.collect(*id);
                    self.scope(collect.scope, job);
                    self.source(&collect.of, job);
                }
            }
        }
    }

    fn renumber(&self, job: &mut Job) {
        let scopes = numbers(&self.scopes);
        let collects = numbers(&self.collects);
        let scope = |id: &mut ScopeId| id.0 = scopes[id.index()];
        keep(&mut job.scopes, &self.scopes);
        keep(&mut job.collects, &self.collects);
        for one in &mut job.scopes {
            one.parent.iter_mut().for_each(scope);
            match &mut one.origin {
                Origin::Zip { parts, .. } => parts.iter_mut().for_each(scope),
                Origin::Cross { of } => scope(of),
                Origin::Root | Origin::FanOut(_) | Origin::Batch { .. } => {}
            }
        }
        for collect in &mut job.collects {
            scope(&mut collect.scope);
            renumber_source(&mut collect.of, &scopes, &collects);
        }
        for node in &mut job.nodes {
            scope(&mut node.scope);
            for source in node.inputs.iter_mut().flatten() {
                renumber_source(source, &scopes, &collects);
            }
        }
        for output in &mut job.outputs {
            renumber_source(&mut output.source, &scopes, &collects);
        }
    }
}

fn renumber_source(source: &mut Source, scopes: &[u32], collects: &[u32]) {
    match source {
        Source::Value(_) | Source::Output(_) => {}
        Source::Element(scope) => *scope = ScopeId(scopes[scope.index()]),
        Source::Collect(collect) => *collect = CollectId(collects[collect.index()]),
        Source::List(list) => {
            for one in list {
                renumber_source(one, scopes, collects);
            }
        }
    }
}

/// The new position of each kept element.
fn numbers(kept: &[bool]) -> Vec<u32> {
    let mut next = 0;
    let number = |kept: &bool| {
        let here = next;
        next += u32::from(*kept);
        here
    };
    kept.iter().map(number).collect()
}

fn keep<T>(list: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    list.retain(|_| *kept.next().expect("one mark per element"));
}
