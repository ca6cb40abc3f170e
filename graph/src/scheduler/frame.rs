//! The state of one frame: one element of a fan-out, with all the steps that run for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batch::Gathering;
use super::flow::Flow;
use super::tree::NewFrame;
use super::{Collection, Input};
use crate::job::{NodeId, Origin, ScopeId};
use crate::name::{KeyPath, MappingKey};
use crate::value::Value;

/// The place of a frame in the scheduler's slab.
pub(super) type FrameIndex = u32;

/// One frame of a scope. The root frame is the only one of its scope.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) scope: ScopeId,
    /// The frame around this one; itself for the root.
    pub(super) parent: FrameIndex,
    /// Told apart from the frames that had this place before it.
    pub(super) generation: u32,
    /// Its place among the elements of its fan-out; [`STALE`] while a retry may drop it.
    pub(super) ordinal: u32,
    pub(super) keys: KeyPath,
    /// The element or batch that the frame was made for; absent in the root.
    pub(super) element: Option<Input>,
    /// The place of its element, or of the first of its batch, among all that the attempt emitted.
    pub(super) first: u32,
    /// The attempt of the yielding step that emitted it.
    pub(super) attempt: u32,
    /// One for each node of the scope.
    pub(super) steps: Box<[Step]>,
    /// One for each child of the scope.
    pub(super) fan_outs: Box<[FanOut]>,
    /// The frames that this one is made of, where its scope is one in which others meet; it keeps
    /// them alive.
    pub(super) parts: Box<[FrameIndex]>,
    /// Steps and fan-outs that have not ended, and what else keeps the frame; at zero it is freed.
    pub(super) open: u32,
    /// Those of them that back-pressure waits for; at zero the credit goes back.
    pub(super) eager_open: u32,
    /// Dropped by a retry of the yielding step: what still runs in it no longer counts.
    pub(super) discarded: bool,
}

/// The ordinal of an element that a failed attempt emitted and the next has not emitted yet.
pub(super) const STALE: u32 = u32::MAX;

/// One execution of a node in a frame.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) phase: Phase,
    /// The attempts begun so far.
    pub(super) attempt: u32,
    /// Given by the step that succeeded: the outputs that something reads.
    pub(super) outputs: Box<[Option<Value>]>,
    /// Present while a step with dynamic outputs is under way.
    pub(super) flow: Option<Box<Flow>>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for so many dependencies.
    Waiting(u32),
    /// May run as soon as there is a place.
    Ready,
    /// Handed to the executor.
    Running,
    /// Waits in `emit` and holds no place.
    Suspended,
    /// Has credit again and goes on as soon as there is a place.
    Resumable,
    /// Waits for the delay before its next attempt.
    Delayed,
    Succeeded,
    Skipped,
    Failed,
    /// Does not run because this node failed.
    Blocked(NodeId),
    /// Interrupted by cancelling, or dropped with its frame.
    Gone,
}

impl Phase {
    pub(super) const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Skipped | Self::Failed | Self::Blocked(_) | Self::Gone
        )
    }

    /// Whether the executor has the step.
    pub(super) const fn is_out(self) -> bool {
        matches!(self, Self::Running | Self::Suspended | Self::Resumable)
    }
}

/// Whether a fan-out has all its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// More may come.
    Open,
    /// The yielding step succeeded.
    Complete,
    /// The yielding step was skipped.
    Skipped,
    /// The yielding step failed, or did not run because this node failed.
    Blocked(NodeId),
}

/// What one dynamic output has given so far in one frame.
#[derive(Debug)]
pub(super) struct FanOut {
    pub(super) closing: Closing,
    /// How many elements there are, or batches of them.
    pub(super) elements: u32,
    /// What the next batch has so far; present where elements come in batches.
    pub(super) gathering: Option<Box<Gathering>>,
    /// The mapping keys in the order of emission, as long as something needs them.
    pub(super) keys: Vec<MappingKey>,
    /// The frames that are alive, by the place of their element; stale ones are not here.
    pub(super) frames: BTreeMap<u32, FrameIndex>,
    /// The elements themselves; kept only where a retry may have to compare them.
    pub(super) values: Vec<Input>,
    /// Frames alive, stale ones included.
    pub(super) live: u32,
    /// Whether the frame around it has been told that all of this has ended.
    pub(super) ended: bool,
    /// One for each fan-in that removes this level.
    pub(super) fan_ins: Box<[FanInState]>,
    /// What failed inside, by the key of this level: places in the run's list of failures.
    pub(super) failures: BTreeMap<MappingKey, Vec<u32>>,
    /// What a failed attempt emitted and the current one has not emitted yet.
    pub(super) stale: BTreeMap<MappingKey, Stale>,
    /// Dropped frames in which something still runs.
    pub(super) leaving: BTreeMap<MappingKey, Leaving>,
    /// Present where the elements are made of those of other fan-outs.
    pub(super) meeting: Option<Box<Meeting>>,
    /// Present where the elements are repeated in frames that may yet come.
    pub(super) repeated: Option<Box<Repeated>>,
}

impl FanOut {
    pub(super) fn new(fan_ins: impl Iterator<Item = u32>, origin: &Origin) -> Self {
        Self {
            closing: Closing::Open,
            elements: 0,
            gathering: matches!(origin, Origin::Batch { .. }).then(Box::default),
            keys: Vec::new(),
            frames: BTreeMap::new(),
            values: Vec::new(),
            live: 0,
            ended: false,
            fan_ins: fan_ins
                .map(|users| FanInState { given: Vec::new(), ended: 0, users, settled: None })
                .collect(),
            failures: BTreeMap::new(),
            stale: BTreeMap::new(),
            leaving: BTreeMap::new(),
            meeting: matches!(origin, Origin::Zip { .. } | Origin::Cross { .. }).then(Box::default),
            repeated: None,
        }
    }

    /// Whether a frame is still to be made for an element that has been emitted.
    pub(super) fn is_behind(&self) -> bool {
        self.leaving.values().any(|leaving| leaving.next.is_some())
    }

    /// The frames that are alive, stale ones included.
    pub(super) fn alive(&self) -> impl Iterator<Item = FrameIndex> {
        let stale = self.stale.values().filter_map(|stale| stale.frame);
        self.frames.values().copied().chain(stale)
    }
}

/// How far the elements of other fan-outs have met (`semantics.md` rule 4).
#[derive(Debug, Default)]
pub(super) struct Meeting {
    pub(super) met: BTreeMap<MappingKey, Met>,
    /// The keys that a part lacks, where that is a failure of this node.
    pub(super) unmatched: Vec<MappingKey>,
}

/// One key of a meeting.
#[derive(Debug)]
pub(super) struct Met {
    /// The frames that wait to meet, or that may have to meet again, by part.
    pub(super) parts: Box<[Option<FrameIndex>]>,
    /// The place of the element that they make, once all are there.
    pub(super) ordinal: Option<u32>,
}

/// What keeps the frames of a fan-out for those in which they are still to be repeated.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    /// The fan-outs not yet closed that may bring frames to repeat these in.
    pub(super) open: u32,
    pub(super) held: BTreeSet<FrameIndex>,
}

/// Frames of one key that were dropped while something ran in them. The frame of the same key
/// that follows waits for them, so that two steps of one name never run at once.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    pub(super) frames: u32,
    pub(super) next: Option<Box<NewFrame>>,
}

/// An element of an earlier attempt, waiting to be emitted again (`semantics.md` rule 17).
#[derive(Debug)]
pub(super) struct Stale {
    /// Absent where it was not kept; then it counts as changed.
    pub(super) value: Option<Input>,
    pub(super) frame: Option<FrameIndex>,
    /// What its frame gave to each fan-in.
    pub(super) given: Vec<Given>,
}

/// What a frame gives to a fan-in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// Not known yet.
    Pending,
    Value(Value),
    /// Skipped, or an optional output that was not emitted.
    Absent,
    /// This node failed.
    Failed(NodeId),
}

/// What the frame of a key gives to a fan-in. As large as an [`Element`](super::Element), so that the list of a
/// fan-in takes the place of this one in memory.
#[derive(Debug)]
pub(super) struct GivenBy {
    pub(super) key: MappingKey,
    pub(super) given: Given,
}

/// A fan-in on its way.
#[derive(Debug)]
pub(super) struct FanInState {
    /// What each element gave, in the order of emission; taken when the fan-in is settled.
    pub(super) given: Vec<GivenBy>,
    /// Elements that are not pending.
    pub(super) ended: u32,
    /// Who has yet to read the list; at zero it is dropped.
    pub(super) users: u32,
    pub(super) settled: Option<Settled>,
}

/// How a fan-in came out.
#[derive(Debug, Clone)]
pub(super) enum Settled {
    List(Arc<Collection>),
    /// A list that nothing needs any more.
    Used,
    Skipped,
    Blocked(NodeId),
}
