//! What a step waits for, whether it runs, and what it is given.

use std::sync::Arc;

use super::frame::{FrameIndex, Phase, Settled};
use super::wiring::{Dependency, count, reaches, right_inside};
use super::{Action, Collection, Element, Input, Scheduler};
use crate::event::SkipReason;
use crate::job::{NodeId, ScopeId, Source};
use crate::name::MappingKey;

/// What is known of a source once all that it refers to has ended.
pub(super) enum Standing {
    There,
    Missing,
    Blocked(NodeId),
}

impl Scheduler {
    /// How many dependencies of a step have not ended.
    pub(super) fn missing(&self, frame: FrameIndex, node: NodeId) -> u32 {
        let dependencies = &self.wiring.nodes[node.index()].dependencies;
        count(dependencies.iter().filter(|&&on| !self.has_ended(frame, on)).count())
    }

    fn has_ended(&self, frame: FrameIndex, dependency: Dependency) -> bool {
        match dependency {
            Dependency::Step(on) => {
                let there = self.around(frame, self.job.node(on).scope);
                self.step(there, on).phase.has_ended()
            }
            Dependency::FanIn(on) => {
                let scope = self.wiring.fan_ins[on.index()].scope;
                let holder = self.holder(frame, scope);
                let slot = self.wiring.fan_ins[on.index()].slot;
                self.fan_out(holder, scope).fan_ins[slot].settled.is_some()
            }
        }
    }

    /// Counts down every step in or inside `frame` that waits for the dependency.
    pub(super) fn tell_readers(&mut self, frame: FrameIndex, ended: Dependency) {
        let readers = match ended {
            Dependency::Step(on) => &self.wiring.nodes[on.index()].readers,
            Dependency::FanIn(on) => &self.wiring.fan_ins[on.index()].readers,
        };
        for index in 0..readers.len() {
            let reader = match ended {
                Dependency::Step(on) => self.wiring.nodes[on.index()].readers[index],
                Dependency::FanIn(on) => self.wiring.fan_ins[on.index()].readers[index],
            };
            self.tell(frame, reader);
        }
    }

    fn tell(&mut self, frame: FrameIndex, reader: NodeId) {
        let scope = self.job.node(reader).scope;
        if self.frame(frame).scope == scope {
            self.count_down(frame, reader);
            return;
        }
        if self.job.is_around(self.frame(frame).scope, scope) {
            let level = right_inside(&self.job, self.frame(frame).scope, scope);
            let alive: Vec<FrameIndex> = self.fan_out(frame, level).alive().collect();
            for inner in alive {
                self.tell(inner, reader);
            }
            return;
        }
        for inner in self.made_of(frame, scope) {
            self.tell(inner, reader);
        }
    }

    /// The frames that `frame` is a part of, on the way to `scope`.
    fn made_of(&self, frame: FrameIndex, scope: ScopeId) -> Vec<FrameIndex> {
        let here = self.frame(frame);
        let meets = &self.wiring.scopes[here.scope.index()].meets;
        let on_way = |meeting: &&(ScopeId, usize)| reaches(&self.job, scope, meeting.0);
        let (Some((meeting, _)), Some(key)) = (meets.iter().find(on_way), here.keys.last()) else {
            return Vec::new();
        };
        let outer = self.job.scope(*meeting).parent.unwrap_or(ScopeId::ROOT);
        let made = |inside: FrameIndex| {
            let fan_out = self.fan_out(inside, *meeting);
            let ordinal = fan_out.meeting.as_deref()?.met.get(key)?.ordinal?;
            let made = *fan_out.frames.get(&ordinal)?;
            self.frame(made).parts.contains(&frame).then_some(made)
        };
        self.all_inside(here.parent, outer).into_iter().filter_map(made).collect()
    }

    fn count_down(&mut self, frame: FrameIndex, reader: NodeId) {
        let step = self.step_mut(frame, reader);
        if let Phase::Waiting(missing) = &mut step.phase {
            *missing = missing.saturating_sub(1);
            if *missing == 0 {
                self.judged_next.push_back((frame, reader));
            }
        }
    }

    /// Decides whether a step whose dependencies have all ended runs.
    pub(super) fn judge(&mut self, frame: FrameIndex, node: NodeId, actions: &mut Vec<Action>) {
        // A frame can be freed or dropped between a step's last dependency and its judgement.
        let waits = self.frames[frame as usize]
            .as_deref()
            .is_some_and(|here| !here.discarded && self.job.node(node).scope == here.scope)
            && self.step(frame, node).phase == Phase::Waiting(0);
        if !waits {
            return;
        }
        let job = Arc::clone(&self.job);
        let mut missing = None;
        let mut blocked = None;
        for (index, source) in job.node(node).inputs.iter().enumerate() {
            match source.as_ref().map_or(Standing::There, |source| self.standing(frame, source)) {
                Standing::There => {}
                Standing::Missing => missing = missing.or(Some(index)),
                Standing::Blocked(by) => blocked = blocked.or(Some(by)),
            }
        }
        for &dependency in &self.wiring.nodes[node.index()].order {
            blocked = blocked.or(self.blocked_by(frame, dependency));
        }
        if let Some(by) = blocked {
            let reason = SkipReason::Upstream { node: job.node(by).name.clone() };
            self.skip(frame, node, Phase::Blocked(by), reason, actions);
        } else if let Some(index) = missing {
            let input = job.node(node).op.inputs[index].name.clone();
            self.skip(frame, node, Phase::Skipped, SkipReason::NotEmitted { input }, actions);
        } else {
            let id = self.id(frame, node);
            self.make_ready(id);
        }
    }

    fn blocked_by(&self, frame: FrameIndex, dependency: Dependency) -> Option<NodeId> {
        match dependency {
            Dependency::Step(on) => {
                let there = self.around(frame, self.job.node(on).scope);
                match self.step(there, on).phase {
                    Phase::Failed => Some(on),
                    Phase::Blocked(by) => Some(by),
                    _ => None,
                }
            }
            Dependency::FanIn(on) => {
                let scope = self.wiring.fan_ins[on.index()].scope;
                let holder = self.holder(frame, scope);
                let slot = self.wiring.fan_ins[on.index()].slot;
                match self.fan_out(holder, scope).fan_ins[slot].settled {
                    Some(Settled::Blocked(by)) => Some(by),
                    _ => None,
                }
            }
        }
    }

    /// How a source came out, seen from `frame` (`semantics.md` rule 14).
    pub(super) fn standing(&self, frame: FrameIndex, source: &Source) -> Standing {
        match source {
            Source::Value(_) | Source::Element(_) => Standing::There,
            Source::Output(output) => {
                if let Some(by) = self.blocked_by(frame, Dependency::Step(output.node)) {
                    return Standing::Blocked(by);
                }
                let there = self.around(frame, self.job.node(output.node).scope);
                let outputs = &self.step(there, output.node).outputs;
                match outputs.get(output.output as usize) {
                    Some(Some(_)) => Standing::There,
                    _ => Standing::Missing,
                }
            }
            Source::Collect(collect) => {
                let scope = self.job.collect(*collect).scope;
                let holder = self.holder(frame, scope);
                let slot = self.wiring.fan_ins[collect.index()].slot;
                match &self.fan_out(holder, scope).fan_ins[slot].settled {
                    Some(Settled::List(_)) => Standing::There,
                    Some(Settled::Blocked(by)) => Standing::Blocked(*by),
                    Some(Settled::Skipped | Settled::Used) | None => Standing::Missing,
                }
            }
            Source::List(sources) => {
                // A list written empty is no skip.
                let mut standing =
                    if sources.is_empty() { Standing::There } else { Standing::Missing };
                for source in sources {
                    match self.standing(frame, source) {
                        Standing::There => standing = Standing::There,
                        Standing::Missing => {}
                        Standing::Blocked(by) => return Standing::Blocked(by),
                    }
                }
                standing
            }
        }
    }

    /// The inputs of a step that runs, in the order of its op's definition.
    pub(super) fn inputs(&self, frame: FrameIndex, node: NodeId) -> Vec<Input> {
        let sources = self.job.node(node).inputs.iter();
        sources
            .map(|source| {
                source
                    .as_ref()
                    .and_then(|source| self.fetch(frame, source))
                    .unwrap_or(Input::Absent)
            })
            .collect()
    }

    /// What a source gives, seen from `frame`; `None` where it was skipped or failed.
    pub(super) fn fetch(&self, frame: FrameIndex, source: &Source) -> Option<Input> {
        match source {
            Source::Value(value) => Some(Input::Single(value.clone())),
            Source::Element(scope) => self.frame(self.around(frame, *scope)).element.clone(),
            Source::Output(output) => {
                let there = self.around(frame, self.job.node(output.node).scope);
                let outputs = &self.step(there, output.node).outputs;
                outputs.get(output.output as usize)?.clone().map(Input::Single)
            }
            Source::Collect(collect) => {
                let scope = self.job.collect(*collect).scope;
                let holder = self.holder(frame, scope);
                let slot = self.wiring.fan_ins[collect.index()].slot;
                match &self.fan_out(holder, scope).fan_ins[slot].settled {
                    Some(Settled::List(list)) => Some(Input::Many(Arc::clone(list))),
                    _ => None,
                }
            }
            Source::List(sources) => self.fetch_list(frame, sources),
        }
    }

    fn fetch_list(&self, frame: FrameIndex, sources: &[Source]) -> Option<Input> {
        let mut list = Collection::default();
        for (index, source) in sources.iter().enumerate() {
            match self.fetch(frame, source) {
                Some(Input::Single(value)) => {
                    let key = MappingKey::new(&index.to_string())
                        .expect("a decimal number is a mapping key");
                    list.elements.push(Element { key, value });
                }
                Some(Input::Many(inner)) => list.elements.extend(inner.elements.iter().cloned()),
                Some(Input::Absent) | None => {}
            }
        }
        (sources.is_empty() || !list.elements.is_empty()).then(|| Input::Many(Arc::new(list)))
    }
}
