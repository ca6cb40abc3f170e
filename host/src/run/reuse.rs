//! Whether a step that is due has to be run: what the parent run or the cache has of it, and what of
//! this run is worth keeping (`semantics.md` rules 20 and 21).
//!
//! The cache is asked only where that can pay. It holds no success that took less than [`CHEAP`],
//! and nothing is looked up of an op of which it holds nothing. An op whose lookups take a good
//! part of the time that its steps take is left alone for the rest of the run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dynhost_graph::event::{Event, Level, Reused, ReusedFrom};
use dynhost_graph::job::{Job, Node, NodeId};
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::{Dispatch, StepId};
use dynhost_graph::value::Value;

use super::RunError;
use super::fingerprint::grants;
use super::parent::Parent;
use super::playback::Found;
use crate::cache::{
    Cache, CacheEntry, CacheKey, CachedSuccess, Digest, GivenOutput, Holdings, digest_input,
};
use crate::component::Component;
use crate::executor::Attempt;
use crate::store::StoreError;
use crate::wit::INTERFACE;

/// A success that took less is not kept: to look it up would take about as long as to run it again.
pub const CHEAP: Duration = Duration::from_micros(200);
/// A success that took this long is kept whatever the others of its op take. One that took less
/// may have been short work on a busy machine, and is kept only where the mean of its node is at
/// least half of [`CHEAP`].
const DEAR: Duration = Duration::from_millis(10);
/// Lookups, and steps that ran, before an op can be left alone.
const TRIALS: u64 = 64;
/// An op is left alone when more than one part in so many of the time of its steps is spent on
/// looking them up.
const MOST_SPENT: u64 = 20;
/// Bytes of what one step gave that are kept at most.
const MOST_KEPT: usize = 256 << 20;

pub(super) struct Reuse {
    parent: Option<Parent>,
    cache: Option<Arc<dyn Cache>>,
    /// By the position of the node.
    nodes: Vec<NodeCache>,
    /// What steps that may be kept have emitted so far.
    emitted: HashMap<StepId, Emitted>,
}

/// What the cache is to a node.
struct NodeCache {
    /// Whether its successes may be kept and reused.
    on: bool,
    component: String,
    config: Digest,
    /// The digest of all parts of a key but the inputs.
    base: Digest,
    holdings: Holdings,
    lookups: u64,
    hits: u64,
    /// Time spent on lookups, and time that hits saved.
    spent: Duration,
    saved: Duration,
    /// Steps that ran, and the time they took.
    ran: u64,
    ran_for: Duration,
}

#[derive(Default)]
struct Emitted {
    outputs: Vec<GivenOutput>,
    bytes: usize,
}

impl Reuse {
    pub(super) fn new(
        job: &Job,
        components: &[Component],
        parent: Option<Parent>,
        cache: Option<Arc<dyn Cache>>,
    ) -> Self {
        let node = |node: &Node| {
            let component = &components[node.component];
            let on = cache.is_some() && node.policy.cache.unwrap_or(is_pure(node, component));
            NodeCache::new(node, component, on)
        };
        let nodes = job.nodes.iter().map(node).collect();
        Self { parent, cache, nodes, emitted: HashMap::new() }
    }

    /// Asks what the cache has of each op.
    pub(super) fn open(&mut self, job: &Job) -> Result<(), RunError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        for (node, cached) in job.nodes.iter().zip(&mut self.nodes).filter(|(_, cached)| cached.on)
        {
            cached.holdings = cache.holdings(&cached.component, &node.op.name)?;
        }
        Ok(())
    }

    /// Whether successes of a node may be kept.
    pub(super) fn keeps(&self, node: NodeId) -> bool {
        self.nodes[node.index()].on
    }

    /// An earlier success that stands for a step; what is to be recorded of the search goes to
    /// `events`.
    pub(super) fn find(&mut self, dispatch: &Dispatch, events: &mut Vec<Event>) -> Option<Found> {
        if let Some(parent) = &self.parent {
            if parent.selects(&dispatch.step) {
                return None;
            }
            if let Some(found) = parent.find(dispatch) {
                return Some(found);
            }
        }
        let cache = self.cache.as_deref()?;
        let node = &mut self.nodes[dispatch.id.node().index()];
        if node.holdings == Holdings::default() {
            return None;
        }
        let began = Instant::now();
        let found = node.look_up(cache, dispatch);
        node.count_lookup(began.elapsed(), found.as_ref().ok().and_then(Option::as_ref));
        if node.is_in_vain() {
            node.holdings = Holdings::default();
            let (lookups, hits) = (node.lookups, node.hits);
            let node = Arc::clone(&dispatch.step.node);
            events.push(Event::CacheLeftAlone { node, lookups, hits });
        }
        match found {
            Ok(found) => found.map(|success| {
                let CachedSuccess { run, step, outputs, .. } = success;
                let reused = Reused { from: ReusedFrom::Cache, run, step };
                Found { reused, outputs: Arc::new(outputs) }
            }),
            Err(error) => {
                events.push(unreadable(dispatch, &error));
                None
            }
        }
    }

    /// Notes what a step emitted that may be kept.
    pub(super) fn emitted(
        &mut self,
        id: StepId,
        output: &Arc<str>,
        key: &MappingKey,
        value: &Value,
    ) {
        if !self.keeps(id.node()) {
            return;
        }
        let emitted = self.emitted.entry(id).or_default();
        emitted.bytes += value.data.len() + key.as_str().len();
        if emitted.bytes > MOST_KEPT {
            emitted.outputs = Vec::new();
            return;
        }
        let (output, key, value) = (Arc::clone(output), Some(key.clone()), value.clone());
        emitted.outputs.push(GivenOutput { output, key, value });
    }

    /// An attempt did not succeed.
    pub(super) fn forget(&mut self, id: StepId) {
        if !self.emitted.is_empty() {
            self.emitted.remove(&id);
        }
    }

    /// A step ran and succeeded: keeps what it gave if that is worth it. `attempt` is there where
    /// it took long enough.
    pub(super) fn succeeded(
        &mut self,
        (id, step): (StepId, &StepKey),
        outputs: &[(Arc<str>, Value)],
        took: Duration,
        attempt: Option<&Attempt>,
    ) {
        let node = &mut self.nodes[id.node().index()];
        if !node.on {
            return;
        }
        node.ran += 1;
        node.ran_for += took;
        let emitted = self.emitted.remove(&id).unwrap_or_default();
        let (Some(attempt), Some(cache)) = (attempt, &self.cache) else { return };
        if attempt.asked.for_run() || emitted.bytes > MOST_KEPT || !node.is_worth(took) {
            return;
        }
        let mut given = emitted.outputs;
        given.extend(outputs.iter().map(|(output, value)| {
            let (output, value) = (Arc::clone(output), value.clone());
            GivenOutput { output, key: None, value }
        }));
        let run = attempt.settings.run.to_string();
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let success =
            CachedSuccess { run: run.clone(), step: step.clone(), took_us, outputs: given };
        cache.keep(CacheEntry { key: node.key(attempt), run, success });
    }
}

impl NodeCache {
    fn new(node: &Node, component: &Component, on: bool) -> Self {
        // What a node may reach is as much a part of what it is told as its configuration.
        let mut config = blake3::Hasher::new();
        config.update(node.config.as_bytes());
        config.update(&grants(node));
        let config: Digest = config.finalize().into();
        let mut hash = blake3::Hasher::new();
        for part in [INTERFACE, component.digest(), &node.op.name] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&config);
        Self {
            on,
            component: component.digest().to_owned(),
            config,
            base: hash.finalize().into(),
            holdings: Holdings::default(),
            lookups: 0,
            hits: 0,
            spent: Duration::ZERO,
            saved: Duration::ZERO,
            ran: 0,
            ran_for: Duration::ZERO,
        }
    }

    fn look_up(
        &self,
        cache: &dyn Cache,
        dispatch: &Dispatch,
    ) -> Result<Option<CachedSuccess>, StoreError> {
        let inputs = dispatch.inputs.iter().map(digest_input);
        let digest = self.digest(inputs);
        if self.holdings.by_inputs
            && let Some(found) = cache.find(&digest)?
        {
            return Ok(Some(found));
        }
        if self.holdings.by_step {
            let asked = identity(&dispatch.step, dispatch.attempt);
            return cache.find(&with_identity(digest, &asked));
        }
        Ok(None)
    }

    fn digest(&self, inputs: impl Iterator<Item = Digest>) -> Digest {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.base);
        for input in inputs {
            hash.update(&input);
        }
        hash.finalize().into()
    }

    /// What a success of an attempt was made of.
    fn key(&self, attempt: &Attempt) -> CacheKey {
        let op = &attempt.settings.op;
        let inputs: Vec<Digest> = attempt.inputs.iter().map(digest_input).collect();
        let digest = self.digest(inputs.iter().copied());
        let step = attempt.asked.for_step().then(|| identity(&attempt.step, attempt.number));
        CacheKey {
            digest: step.as_deref().map_or(digest, |step| with_identity(digest, step)),
            component: self.component.clone(),
            op: op.name.clone(),
            interface: INTERFACE.into(),
            config: self.config,
            inputs: op.inputs.iter().map(|input| input.name.clone()).zip(inputs).collect(),
            step,
        }
    }

    fn count_lookup(&mut self, spent: Duration, found: Option<&CachedSuccess>) {
        self.lookups += 1;
        self.spent += spent;
        if let Some(found) = found {
            self.hits += 1;
            self.saved += Duration::from_micros(found.took_us);
        }
    }

    /// Whether looking up costs too much of what it can save.
    fn is_in_vain(&self) -> bool {
        let tried = self.lookups >= TRIALS && self.ran >= TRIALS;
        let most = u32::try_from(MOST_SPENT).unwrap_or(u32::MAX);
        tried && self.spent > self.saved && self.spent.saturating_mul(most) > self.ran_for
    }

    fn is_worth(&self, took: Duration) -> bool {
        let mean = self.ran_for.checked_div(u32::try_from(self.ran).unwrap_or(u32::MAX));
        took >= DEAR || (took >= CHEAP && mean.is_some_and(|mean| mean >= CHEAP / 2))
    }
}

/// Whether a step is a function of its configuration, inputs and what it is granted as a fixed value:
/// no authority is imported, or none is granted (op-interface, principle 1). A native op is what it is said to be.
pub(super) fn is_pure(node: &Node, component: &Component) -> bool {
    component.has_pure(&node.op.name, node.grants.are_pure())
}

fn identity(step: &StepKey, attempt: u32) -> String {
    format!("{step} attempt {attempt}")
}

fn with_identity(digest: Digest, identity: &str) -> Digest {
    let mut hash = blake3::Hasher::new();
    hash.update(&digest);
    hash.update(identity.as_bytes());
    hash.finalize().into()
}

fn unreadable(dispatch: &Dispatch, error: &StoreError) -> Event {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Event::LogWritten {
        step: dispatch.step.clone(),
        attempt: dispatch.attempt,
        level: Level::Warn,
        message: format!(
            "the step is run, because its earlier success cannot be read: {error}{}",
            cause.unwrap_or_default()
        ),
        fields: Vec::new(),
    }
}
