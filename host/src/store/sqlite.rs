//! The run store in a folder: `SQLite` for events and what is asked of them, files for large values.
//!
//! `docs/store.md` describes the folder. What is written goes through one thread (`writer.rs`), which keeps
//! everything that waits in one transaction; what is asked is read beside it.

mod connect;
mod decode;
mod encode;
mod entries;
#[cfg(feature = "fail-points")]
mod fail_point;
#[cfg(not(feature = "fail-points"))]
mod fail_point {
    pub(super) fn reached(_: &str) {}
}
mod fault;
mod locks;
mod objects;
mod pages;
mod prune;
mod query;
mod read;
mod rows;
mod statements;
#[cfg(test)]
mod tests;
mod words;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dynhost_graph::event::Recorded;
use rusqlite::Connection;

#[cfg(feature = "fail-points")]
pub use fail_point::FAIL_POINTS;

use self::connect::{Identity, Paths, Tuning};
use self::fault::{Fault, Result};
use self::objects::Objects;
use self::read::Reading;
use self::writer::{Desk, Order, Queue};
use super::history::{
    LogFilter, LogLine, NodeSummary, Page, Prune, Pruned, RunFilter, RunSummary, StepFilter,
    StepSummary,
};
use super::{LargeValues, Receipt, RunStore, StoreError, StoreErrorKind};
use crate::cache::{Cache, CacheEntry, CacheKey, CachedSuccess, Digest, Holdings};

/// A state folder. Cheap to clone; any number of processes may use the same folder.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

/// What all clones of a store have in common. The last of them lets the writer end, and waits for it.
#[derive(Debug)]
struct Shared {
    paths: Paths,
    objects: Arc<Objects>,
    large_values: Arc<LargeValues>,
    /// For questions of people.
    reader: Mutex<Connection>,
    /// For questions of runs, which must not wait for those of people.
    finder: Mutex<Connection>,
    /// `None` where nothing is to be written.
    queue: Option<Arc<Queue>>,
    /// Dropped behind the connections that read: only one that writes, if it is the last to close,
    /// moves what is in the write-ahead log to its place.
    writer: Mutex<Writer>,
    tuning: Tuning,
}

/// The writer before and after its first order.
#[derive(Debug)]
enum Writer {
    Idle(Option<(Connection, Identity)>),
    /// The thread gives the connection back when it ends.
    Working(Option<JoinHandle<(Connection, Identity)>>),
}

/// Keeps a run to this process until it is dropped. The operating system releases it when the process
/// ends, however it does.
#[derive(Debug)]
pub struct RunLock {
    lock: locks::Lock,
}

/// A cache entry beside another that it differs from.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What the step was made of.
    pub key: CacheKey,
    /// The entry that is most like it, of an earlier run: its key, and who made it.
    pub closest: Option<(CacheKey, CachedBy)>,
}

/// Who made an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedBy {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// Microseconds since 1970-01-01 UTC.
    pub at_us: u64,
}

impl SqliteStore {
    /// Opens the state folder for reading and writing, and makes it where it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to, or is damaged or of a later version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, Tuning::default())
    }

    fn open_with(folder: &Path, tuning: Tuning) -> Result<Self, StoreError> {
        let paths = Paths::new(folder);
        let opened = (|| {
            for folder in [&paths.folder, &paths.objects, &paths.locks] {
                std::fs::create_dir_all(folder).map_err(Fault::file(folder))?;
            }
            let connection = connect::writing(&paths.database, tuning)?;
            let identity = Identity::of(&paths.database).map_err(Fault::file(&paths.database))?;
            objects::sync_folder(&paths.folder)?;
            let writer = Writer::Idle(Some((connection, identity)));
            Self::new(paths.clone(), Some(Arc::new(Queue::default())), writer, tuning)
        })();
        opened.map_err(|fault: Fault| fault.during("be opened", &paths.database))
    }

    /// Opens a state folder that is there, to be read only. One that cannot be written to will do.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is damaged or of a later version.
    pub fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let paths = Paths::new(folder);
        let opened = Self::new(paths.clone(), None, Writer::Idle(None), Tuning::default());
        opened.map_err(|fault| fault.during("be opened", &paths.database))
    }

    fn new(
        paths: Paths,
        queue: Option<Arc<Queue>>,
        writer: Writer,
        tuning: Tuning,
    ) -> Result<Self> {
        let large_values = Arc::new(LargeValues::new(paths.folder.clone()));
        let objects = Arc::new(Objects::new(paths.objects.clone(), Arc::clone(&large_values)));
        let connect = if queue.is_some() { connect::beside } else { connect::reading };
        let reader = Mutex::new(connect(&paths.database)?);
        let finder = Mutex::new(connect(&paths.database)?);
        let writer = Mutex::new(writer);
        let shared = Shared { paths, objects, large_values, reader, finder, queue, writer, tuning };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.shared.paths.folder
    }

    /// Keeps a run to this process. `cancel_run` then reaches it.
    ///
    /// # Errors
    /// Another process, or another part of this one, is at the run.
    pub fn lock(&self, run: &str) -> Result<RunLock, StoreError> {
        let what = format!("lock the run `{run}`");
        let lock = locks::Lock::take(&self.shared.paths.locks, run);
        Ok(RunLock { lock: lock.map_err(self.failed(&what))? })
    }

    /// Asks the process that is at a run to cancel it; false where none is.
    ///
    /// # Errors
    /// The request cannot be written.
    pub fn request_cancel(&self, run: &str) -> Result<bool, StoreError> {
        let asked = locks::request_cancel(&self.shared.paths.locks, run);
        asked.map_err(self.failed("ask for a run to be cancelled"))
    }

    /// The id that a text means: a run's id, the beginning of exactly one, or `last`.
    ///
    /// # Errors
    /// It means none, or several.
    pub fn resolve(&self, text: &str) -> Result<String, StoreError> {
        self.ask("look for a run", |connection| query::resolve(connection, text))
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let locks = &self.shared.paths.locks;
        self.ask("list the runs", |connection| query::runs(connection, locks, filter))
    }

    /// One run.
    ///
    /// # Errors
    /// There is no such run, or the store cannot be read.
    pub fn run(&self, run: &str) -> Result<RunSummary, StoreError> {
        let locks = &self.shared.paths.locks;
        self.ask("read a run", |connection| query::run(connection, locks, run))
    }

    /// The nodes of a run that have steps, in the order in which their first ended.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn nodes(&self, run: &str) -> Result<Vec<NodeSummary>, StoreError> {
        self.ask("read the nodes of a run", |connection| query::nodes(connection, run))
    }

    /// Steps of a run, in the order in which they ended; those under way stand where they began.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn steps(&self, run: &str, filter: &StepFilter) -> Result<Page<StepSummary>, StoreError> {
        self.ask("read the steps of a run", |connection| pages::steps(connection, run, filter))
    }

    /// What the ops of a run logged, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn logs(&self, run: &str, filter: &LogFilter) -> Result<Page<LogLine>, StoreError> {
        self.ask("read the log of a run", |connection| pages::logs(connection, run, filter))
    }

    /// Events of a run from the one at place `from` on, until `each` breaks off. The first event has the
    /// place 0. None where the run is not known.
    ///
    /// # Errors
    /// They cannot be read, or are damaged.
    pub fn read_from(
        &self,
        run: &str,
        from: u64,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let what = "read the events of a run";
        let from = rows::whole(from);
        let reading = self.ask(what, |connection| Reading::begin(connection, run, from))?;
        let Some(mut reading) = reading else { return Ok(()) };
        let objects = &self.shared.objects;
        let fetch = |digest: &Digest| {
            let found = objects.find(&locked(&self.shared.reader), digest)?;
            found.read()
        };
        // Whoever is given an event may ask the store something: nothing is locked then.
        while let Some(batch) = self.ask(what, |connection| reading.batch(connection))? {
            let given = reading.give(&batch, &fetch, each);
            if given.map_err(self.failed(what))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Removes runs, cache entries, and the objects that nothing uses any more.
    ///
    /// # Errors
    /// A run that is named is not there or is running, or the store cannot be written to.
    pub fn prune(&self, what: &Prune) -> Result<Pruned, StoreError> {
        let shared = &self.shared;
        if shared.queue.is_none() {
            return Err(self.read_only("be pruned"));
        }
        self.flush();
        let pruned = connect::writing(&shared.paths.database, shared.tuning)
            .and_then(|connection| prune::prune(&connection, &shared.paths, &shared.objects, what));
        pruned.map_err(self.failed("be pruned"))
    }

    /// What a step of a run that was kept in the cache was made of, beside the most similar entry
    /// of an earlier run; `None` where the step was not kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn compare(&self, run: &str, step: &str) -> Result<Option<Comparison>, StoreError> {
        self.ask("compare cache entries", |connection| entries::compare(connection, run, step))
    }

    /// Waits until all that was handed over is kept, or cannot be.
    pub fn flush(&self) {
        let Some(queue) = &self.shared.queue else { return };
        if matches!(&*self.writer(), Writer::Idle(_)) {
            return;
        }
        let (done, waiting) = std::sync::mpsc::sync_channel(1);
        queue.push(Order::Flush(done));
        // It is dropped when nothing is written any more.
        let _ = waiting.recv();
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        locked(&self.shared.writer)
    }

    /// Asks on the connection for people.
    fn ask<T>(
        &self,
        what: &str,
        question: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T, StoreError> {
        self.ask_on(&self.shared.reader, what, question)
    }

    fn ask_on<T>(
        &self,
        connection: &Mutex<Connection>,
        what: &str,
        question: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T, StoreError> {
        question(&locked(connection))
            .map_err(|fault| fault.during(what, &self.shared.paths.database))
    }

    fn failed(&self, what: &str) -> impl Fn(Fault) -> StoreError {
        let path = self.shared.paths.database.clone();
        let what = what.to_owned();
        move |fault| fault.during(&what, &path)
    }

    fn read_only(&self, what: &str) -> StoreError {
        StoreError::new(StoreErrorKind::ReadOnly, what).at(&self.shared.paths.database)
    }

    /// Hands something to the writer, which is started first where it was not yet.
    fn order(&self, order: Order) {
        let Some(queue) = &self.shared.queue else {
            if let Order::Append(_, receipt) = order {
                receipt.failed(self.read_only("keep events"));
            }
            return;
        };
        let started = self.start(queue);
        queue.push(order);
        if let Err(error) = started {
            queue.fail(&error);
        }
    }

    fn start(&self, queue: &Arc<Queue>) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let Writer::Idle(idle) = &mut *writer else { return Ok(()) };
        let Some((connection, identity)) = idle.take() else { return Ok(()) };
        let (paths, objects) = (self.shared.paths.clone(), Arc::clone(&self.shared.objects));
        let desk = Desk { queue: Arc::clone(queue), connection, paths, objects, identity };
        let thread = std::thread::Builder::new().name("dynhost-store".to_owned());
        let work = move || {
            writer::work(&desk);
            (desk.connection, desk.identity)
        };
        let thread = thread.spawn(work).map_err(|error| {
            let what = "start the thread that writes";
            StoreError::new(StoreErrorKind::Other, what).because(error)
        })?;
        *writer = Writer::Working(Some(thread));
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(queue) = &self.queue else { return };
        queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Writer::Working(thread) = writer
            && let Some(thread) = thread.take()
        {
            // If it panicked, whoever waited for it has heard that nothing was kept.
            *writer = Writer::Idle(thread.join().ok());
        }
    }
}

impl RunLock {
    /// Whether another process asked to cancel the run. Looks for a file, so that it may be asked often.
    #[must_use]
    pub fn cancel_requested(&self) -> bool {
        self.lock.cancel_requested()
    }
}

impl RunStore for SqliteStore {
    fn append(&self, run: &Arc<str>, receipt: Receipt) {
        self.order(Order::Append(Arc::clone(run), receipt));
    }

    fn read(
        &self,
        run: &str,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read_from(run, 0, each)
    }

    fn large_values(&self) -> Option<Arc<LargeValues>> {
        Some(Arc::clone(&self.shared.large_values))
    }
}

impl Cache for SqliteStore {
    fn holdings(&self, component: &str, op: &str) -> Result<Holdings, StoreError> {
        self.ask_on(&self.shared.finder, "look into the cache", |connection| {
            entries::holdings(connection, component, op)
        })
    }

    fn find(&self, key: &Digest) -> Result<Option<CachedSuccess>, StoreError> {
        let objects = &self.shared.objects;
        let hit = self.ask_on(&self.shared.finder, "look into the cache", |connection| {
            entries::find(connection, objects, key)
        })?;
        let Some(hit) = hit else { return Ok(None) };
        if let Some(at_us) = hit.note_at_us {
            self.order(Order::Used(hit.entry, at_us));
        }
        Ok(Some(hit.success))
    }

    fn keep(&self, entry: CacheEntry) {
        self.order(Order::Keep(Box::new(entry)));
    }
}

/// How long a process waits for another that writes to the same store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
