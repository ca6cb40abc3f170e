//! The steps that wait for a worker, and the places of each run.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dynhost_graph::scheduler::{Credit, StepId};
use tokio::sync::{Notify, Semaphore};

use super::super::{Inbox, Serving, Task};
use super::idle::{Counted, IdleWorkers};
use super::memory::{Memory, Needs};
use super::port::Flow;

/// How often a step that was suspended finds a place taken by others before the next one is kept for it.
const MISSED_PLACES: u32 = 32;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    idle: Arc<IdleWorkers>,
    /// Attempts begun and not ended: each has an instance.
    live: Arc<AtomicUsize>,
    /// How many there may be.
    instances: u32,
    memory: Arc<Memory>,
}

#[derive(Debug, Default)]
struct State {
    runs: Vec<Waiting>,
    /// The run that is looked at first, so that all get their turn.
    turn: usize,
    /// What any of the runs may need.
    needs: Needs,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    run: Arc<RunState>,
    /// By rank.
    tasks: BTreeMap<u32, VecDeque<Task>>,
}

/// One run, as its steps see it.
#[derive(Debug)]
pub(super) struct RunState {
    pub(super) inbox: Arc<Inbox>,
    idle: Arc<IdleWorkers>,
    live: Arc<AtomicUsize>,
    memory: Arc<Memory>,
    /// One more than the highest rank of its steps.
    ranks: usize,
    levels: u32,
    needs: Needs,
    instances: u32,
    /// One permit for each step that may run now.
    places: Semaphore,
    /// A place was left.
    place_left: Notify,
    /// Steps that were suspended and wait for a place.
    returning: AtomicUsize,
    /// What the steps that yield may still emit.
    flows: Mutex<HashMap<StepId, Arc<Flow>>>,
    all_interrupted: AtomicBool,
    some_interrupted: Mutex<HashSet<StepId>>,
    interruption: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// An empty queue for workers that have room for so many guests, and so many bytes of memory for all of them.
    pub(super) fn new(instances: u32, memory: u64) -> Self {
        Self {
            state: Mutex::default(),
            idle: Arc::new(IdleWorkers::new()),
            live: Arc::default(),
            instances,
            memory: Arc::new(Memory::new(memory)),
        }
    }

    pub(super) fn add_run(&self, serving: Serving) -> Arc<RunState> {
        let run = Arc::new(RunState::new(serving, self));
        let waiting = Waiting { run: Arc::clone(&run), tasks: BTreeMap::new() };
        let mut state = lock(&self.state);
        state.runs.push(waiting);
        state.measure();
        run
    }

    pub(super) fn remove_run(&self, run: &Arc<RunState>) {
        let mut state = lock(&self.state);
        state.runs.retain(|waiting| !Arc::ptr_eq(&waiting.run, run));
        state.measure();
    }

    pub(super) fn push(&self, run: &Arc<RunState>, tasks: Vec<Task>) {
        let count = tasks.len();
        {
            let mut state = lock(&self.state);
            let Some(waiting) = state.runs.iter_mut().find(|it| Arc::ptr_eq(&it.run, run)) else {
                return;
            };
            for task in tasks {
                waiting.tasks.entry(task.spec.rank).or_default().push_back(task);
            }
        }
        self.idle.call_for(count);
    }

    /// The next step of a run that has a place for it; the place is taken.
    pub(super) fn take(&self) -> Option<(Arc<RunState>, Task)> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        let runs = state.runs.len();
        for offset in 0..runs {
            let index = (state.turn + offset) % runs;
            let needs = state.needs;
            let waiting = &mut state.runs[index];
            if !waiting.has_room(needs) {
                continue;
            }
            let Some(mut deepest) = waiting.tasks.last_entry() else { continue };
            let Ok(place) = waiting.run.places.try_acquire() else { continue };
            place.forget();
            let task = deepest.get_mut().pop_front();
            if deepest.get().is_empty() {
                deepest.remove();
            }
            let run = Arc::clone(&waiting.run);
            match task {
                Some(task) => {
                    state.turn = index + 1;
                    self.live.fetch_add(1, Ordering::SeqCst);
                    self.memory.take(&task);
                    // Room may have come back without anyone being told.
                    if self.idle.any() && state.has_work() {
                        self.idle.call();
                    }
                    return Some((run, task));
                }
                None => run.leave_place(),
            }
        }
        None
    }

    /// Steps that wait for a worker.
    #[cfg(feature = "otel")]
    pub(super) fn waiting(&self) -> u64 {
        let state = lock(&self.state);
        let tasks = state.runs.iter().flat_map(|waiting| waiting.tasks.values());
        tasks.map(|tasks| tasks.len() as u64).sum()
    }

    /// Attempts that have begun and not ended.
    #[cfg(feature = "otel")]
    pub(super) fn instances(&self) -> u64 {
        self.live.load(Ordering::SeqCst) as u64
    }

    /// Whether a step has just emitted something for which a worker without work was called.
    pub(super) fn called_lately(&self, now: Instant) -> bool {
        self.idle.called_lately(now)
    }

    /// Takes back steps that no worker has begun: one, or all of the run.
    pub(super) fn remove(&self, run: &Arc<RunState>, id: Option<StepId>) -> Vec<Task> {
        let mut state = lock(&self.state);
        let Some(waiting) = state.runs.iter_mut().find(|it| Arc::ptr_eq(&it.run, run)) else {
            return Vec::new();
        };
        let Some(id) = id else {
            return std::mem::take(&mut waiting.tasks).into_values().flatten().collect();
        };
        let mut removed = Vec::new();
        for tasks in waiting.tasks.values_mut() {
            if let Some(at) = tasks.iter().position(|task| task.id == id) {
                removed.extend(tasks.remove(at));
            }
        }
        waiting.tasks.retain(|_, tasks| !tasks.is_empty());
        removed
    }

    /// Lets every run take what its steps have reported; true where there may be steps now.
    pub(super) fn turn(&self) -> bool {
        let inboxes: Vec<Arc<Inbox>> = {
            let state = lock(&self.state);
            let inboxes = state.runs.iter().map(|waiting| &waiting.run.inbox);
            inboxes.filter(|inbox| inbox.has_reports()).cloned().collect()
        };
        inboxes.iter().fold(false, |turned, inbox| inbox.turn() | turned)
    }

    /// Waits for work; false when there will be none.
    pub(super) async fn wait(&self) -> bool {
        let (_idle, called) = self.idle.enter();
        // What was pushed before this worker counted as idle has woken nobody.
        {
            let state = lock(&self.state);
            if state.closed {
                return false;
            }
            if state.has_work() {
                return true;
            }
        }
        called.await;
        !lock(&self.state).closed
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.idle.call_all();
    }
}

impl State {
    fn has_work(&self) -> bool {
        self.runs.iter().any(|waiting| {
            waiting.has_room(self.needs) && waiting.run.places.available_permits() > 0
        })
    }

    fn measure(&mut self) {
        let needs = self.runs.iter().map(|waiting| waiting.run.needs);
        self.needs = needs.fold(Needs::default(), Needs::or);
    }
}

impl Waiting {
    /// Whether the next step of the run can begin: there is an instance for it, and memory.
    fn has_room(&self, needs: Needs) -> bool {
        let deepest = self.tasks.last_key_value();
        let next = deepest.and_then(|(rank, tasks)| Some((*rank, tasks.front()?)));
        next.is_some_and(|(rank, task)| {
            let waits = task.yields() && self.run.returning.load(Ordering::SeqCst) > 0;
            !waits && self.run.has_room(rank) && self.run.memory.fits(task, self.run.levels, needs)
        })
    }
}

impl RunState {
    fn new(serving: Serving, queue: &Queue) -> Self {
        let needs = Needs::of(&serving);
        let Serving { max_concurrency, ranks, levels, inbox, .. } = serving;
        Self {
            inbox,
            idle: Arc::clone(&queue.idle),
            live: Arc::clone(&queue.live),
            memory: Arc::clone(&queue.memory),
            ranks: ranks.max(1) as usize,
            levels,
            needs,
            instances: queue.instances,
            places: Semaphore::new(max_concurrency as usize),
            place_left: Notify::new(),
            returning: AtomicUsize::new(0),
            flows: Mutex::default(),
            all_interrupted: AtomicBool::new(false),
            some_interrupted: Mutex::default(),
            interruption: Notify::new(),
        }
    }

    fn leave_place(&self) {
        self.places.add_permits(1);
        if self.returning.load(Ordering::SeqCst) > 0 {
            self.place_left.notify_waiters();
        }
    }

    /// Leaves the place of a step that is suspended. Its worker may be about to sleep, so another
    /// look at the queue has to be asked for.
    pub(super) fn lend_place(&self) {
        self.leave_place();
        self.idle.call();
    }

    /// Workers that have nothing to do.
    pub(super) fn idle(&self) -> &IdleWorkers {
        &self.idle
    }

    /// Waits for a place. Steps that yield and have not begun come after those that wait here.
    ///
    /// The place is taken when the step is about to go on and not before: its worker may be at something else, and
    /// others can use the place until then. Where they do so again and again, one is kept for the step.
    pub(super) async fn enter_place(&self) {
        self.place_for_returning().await;
        // Others may begin steps that yield.
        self.idle.call();
    }

    async fn place_for_returning(&self) {
        let _returning = Counted::new(&self.returning);
        for _ in 0..MISSED_PLACES {
            let left = self.place_left.notified();
            if let Ok(place) = self.places.try_acquire() {
                return place.forget();
            }
            left.await;
        }
        if let Ok(place) = self.places.acquire().await {
            place.forget();
        }
    }

    pub(super) fn add_flow(&self, id: StepId, flow: Arc<Flow>) {
        lock(&self.flows).insert(id, flow);
    }

    pub(super) fn grant(&self, id: StepId, credit: Credit) {
        if let Some(flow) = lock(&self.flows).get(&id) {
            flow.grant(credit);
        }
    }

    /// The step has ended, and holds no place any more.
    pub(super) fn end(&self, id: StepId, task: &Task) {
        let flow = if task.yields() { lock(&self.flows).remove(&id) } else { None };
        if !flow.is_some_and(|flow| flow.is_suspended()) {
            self.leave_place();
        }
        self.memory.give_back(task);
        self.live.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether there is an instance left for a step of this rank.
    ///
    /// Steps that are suspended in `emit` hold no place but an instance, so that there may be
    /// many. Each rank may use more of the instances than the one before it: the clones of
    /// the deepest step that is suspended can always begin, and so it can always go on.
    fn has_room(&self, rank: u32) -> bool {
        let half = self.instances as usize / 2;
        let room = half + (half - 1) * (rank as usize + 1) / self.ranks;
        self.live.load(Ordering::SeqCst) < room
    }

    pub(super) fn interrupt(&self, id: StepId) {
        lock(&self.some_interrupted).insert(id);
        self.interruption.notify_waiters();
    }

    pub(super) fn interrupt_all(&self) {
        self.all_interrupted.store(true, Ordering::SeqCst);
        self.interruption.notify_waiters();
    }

    /// Waits until the step is to be interrupted.
    pub(super) async fn interrupted(&self, id: StepId) {
        loop {
            let mut again = std::pin::pin!(self.interruption.notified());
            again.as_mut().enable();
            if self.all_interrupted.load(Ordering::SeqCst)
                || lock(&self.some_interrupted).contains(&id)
            {
                return;
            }
            again.await;
        }
    }
}
