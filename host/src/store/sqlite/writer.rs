//! The thread that writes: it takes everything that waits, keeps it in one transaction, and answers.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dynhost_graph::event::Event;
use hashbrown::HashMap;
use rusqlite::{Connection, TransactionBehavior};

use super::connect::{Identity, Paths};
use super::encode::Encoder;
use super::entries::{self, Keeper};
use super::fail_point;
use super::fault::{Fault, Result};
use super::objects::{Objects, User, Wanted};
use super::rows::{RunRows, whole};
use super::statements::{BatchRow, Statements};
use crate::cache::CacheEntry;
use crate::store::{Receipt, StoreError, StoreErrorKind};

/// Something to be written.
#[derive(Debug)]
pub(super) enum Order {
    Append(Arc<str>, Receipt),
    Keep(Box<CacheEntry>),
    /// An entry of the cache was used at a time.
    Used(i64, u64),
    /// Somebody waits until all orders before are done.
    Flush(SyncSender<()>),
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    orders: Vec<Order>,
    /// How many events are in them.
    events: usize,
    /// Whether somebody waits for them.
    urgent: bool,
    closed: bool,
    /// Why nothing is written any more.
    failed: Option<StoreError>,
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.urgent || self.closed || self.failed.is_some() || self.events >= MANY
    }
}

/// Events that are worth a transaction of their own.
const MANY: usize = 4000;
/// How long fewer wait for others after a transaction. What comes after a longer silence is written
/// at once.
const PAUSE: Duration = Duration::from_millis(4);

impl Order {
    fn events(&self) -> usize {
        match self {
            Self::Append(_, receipt) => receipt.events().len(),
            _ => 1,
        }
    }

    /// Whether somebody waits for it: for the end of a run, or for all that is before.
    fn is_urgent(&self) -> bool {
        match self {
            Self::Append(_, receipt) => {
                let last = receipt.events().last();
                last.is_some_and(|last| matches!(last.event, Event::RunFinished { .. }))
            }
            Self::Flush(_) => true,
            Self::Keep(_) | Self::Used(..) => false,
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands something over; after a failure everything fails with the same error.
    pub(super) fn push(&self, order: Order) {
        let failed = {
            let mut waiting = self.lock();
            match &waiting.failed {
                None => {
                    let was_due = waiting.is_due();
                    let was_empty = waiting.orders.is_empty();
                    waiting.events += order.events();
                    waiting.urgent |= order.is_urgent();
                    waiting.orders.push(order);
                    // The writer that waits for more looks again by itself.
                    if was_empty || (!was_due && waiting.is_due()) {
                        self.more.notify_one();
                    }
                    return;
                }
                Some(error) => error.clone(),
            }
        };
        refuse(order, &failed);
    }

    /// Lets the writer end when all is done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_one();
    }

    /// Everything that waits, once it is due; false when nothing will come. `last` is when the
    /// transaction before ended.
    fn take(&self, orders: &mut Vec<Order>, last: Instant) -> bool {
        let mut waiting = self.lock();
        loop {
            if waiting.orders.is_empty() {
                if waiting.closed || waiting.failed.is_some() {
                    return false;
                }
                waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = PAUSE.saturating_sub(last.elapsed());
            if waiting.is_due() || left.is_zero() {
                break;
            }
            let waited = self.more.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(orders, &mut waiting.orders);
        (waiting.events, waiting.urgent) = (0, false);
        true
    }

    pub(super) fn fail(&self, error: &StoreError) {
        let orders = {
            let mut waiting = self.lock();
            waiting.failed.get_or_insert_with(|| error.clone());
            std::mem::take(&mut waiting.orders)
        };
        for order in orders {
            refuse(order, error);
        }
    }
}

fn refuse(order: Order, error: &StoreError) {
    if let Order::Append(_, receipt) = order {
        receipt.failed(error.clone());
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) queue: Arc<Queue>,
    pub(super) connection: Connection,
    pub(super) paths: Paths,
    pub(super) objects: Arc<Objects>,
    /// The file that the connection is to.
    pub(super) identity: Identity,
}

/// Says that nothing is written any more when the thread ends, however it does.
struct Leaving(Arc<Queue>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fail(&StoreError::gone());
    }
}

/// Writes until the queue is closed or something cannot be written.
pub(super) fn work(desk: &Desk) {
    let _leaving = Leaving(Arc::clone(&desk.queue));
    let refused = |fault: Fault| {
        desk.queue.fail(&fault.during("keep events", &desk.paths.database));
    };
    let statements = match Statements::prepare(&desk.connection) {
        Ok(statements) => statements,
        Err(fault) => return refused(fault),
    };
    let mut writer = Writer {
        desk,
        statements,
        runs: HashMap::new(),
        encoder: Encoder::default(),
        keeper: Keeper::default(),
        objects: Vec::new(),
    };
    let mut orders = Vec::new();
    // What comes first is written at once.
    let mut last = Instant::now().checked_sub(PAUSE).unwrap_or_else(Instant::now);
    while desk.queue.take(&mut orders, last) {
        if let Err(fault) = writer.transact(&orders) {
            let error = fault.during("keep events", &desk.paths.database);
            for order in orders.drain(..) {
                refuse(order, &error);
            }
            desk.queue.fail(&error);
            return;
        }
        fail_point::reached("store.before_answer");
        for order in orders.drain(..) {
            match order {
                Order::Append(_, receipt) => receipt.kept(),
                // Who waited may be gone.
                Order::Flush(done) => drop(done.send(())),
                Order::Keep(_) | Order::Used(..) => {}
            }
        }
        last = Instant::now();
    }
}

struct Writer<'c> {
    desk: &'c Desk,
    statements: Statements<'c>,
    runs: HashMap<Arc<str>, Writing>,
    encoder: Encoder,
    keeper: Keeper,
    /// The objects that the transaction refers to.
    objects: Vec<Wanted>,
}

/// A run that is being written.
#[derive(Debug)]
struct Writing {
    rows: RunRows,
    /// Events that do not stand in a row yet, as a JSON array without its end.
    text: Vec<u8>,
    first: i64,
    /// Whether anything happened in this transaction.
    changed: bool,
}

/// The bytes of a row of events beyond which another is begun.
const BATCH_BYTES: usize = 128 << 10;

impl Writer<'_> {
    /// Keeps all of it or nothing.
    fn transact(&mut self, orders: &[Order]) -> Result<()> {
        if orders.iter().all(|order| matches!(order, Order::Flush(_))) {
            return Ok(());
        }
        self.still_there()?;
        fail_point::reached("store.before_begin");
        let connection = &self.desk.connection;
        // Rolled back when it is dropped.
        let transaction =
            rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        fail_point::reached("store.after_begin");
        let writing = self.runs.values_mut();
        writing.for_each(|writing| writing.changed = false);
        for order in orders {
            match order {
                Order::Append(run, receipt) => self.append(run, receipt)?,
                Order::Keep(entry) => self.keep(entry)?,
                Order::Used(entry, at_us) => entries::used(connection, *entry, *at_us)?,
                Order::Flush(_) => {}
            }
        }
        let mut finished = Vec::new();
        for (run, writing) in self.runs.iter_mut().filter(|(_, writing)| writing.changed) {
            writing.row(&mut self.statements)?;
            writing.rows.settle(&mut self.statements)?;
            if writing.rows.status.is_some() {
                finished.push(Arc::clone(run));
            }
        }
        self.keeper.settle(connection)?;
        self.desk.objects.put(connection, &self.objects)?;
        self.objects.clear();
        fail_point::reached("store.before_commit");
        transaction.commit()?;
        fail_point::reached("store.after_commit");
        for run in finished {
            self.runs.remove(&run);
        }
        Ok(())
    }

    /// `SQLite` would go on writing to a file that was deleted.
    fn still_there(&self) -> Result<()> {
        let path = &self.desk.paths.database;
        let there = Identity::of(path).map_err(Fault::file(path))?;
        if there == self.desk.identity {
            return Ok(());
        }
        let what = "keep events, since its database was replaced by another";
        Err(StoreError::new(StoreErrorKind::Missing, what).at(path).into())
    }

    fn append(&mut self, run: &Arc<str>, receipt: &Receipt) -> Result<()> {
        let Some(first) = receipt.events().first() else { return Ok(()) };
        let connection = &self.desk.connection;
        let writing = match self.runs.entry(Arc::clone(run)) {
            hashbrown::hash_map::Entry::Occupied(known) => known.into_mut(),
            hashbrown::hash_map::Entry::Vacant(new) => {
                let rows = RunRows::load(connection, run, whole(first.at_us))?;
                let first = rows.events;
                new.insert(Writing { rows, text: Vec::new(), first, changed: false })
            }
        };
        writing.changed = true;
        for recorded in receipt.events().iter() {
            writing.text.push(if writing.text.is_empty() { b'[' } else { b',' });
            self.encoder.event(recorded, &mut writing.text).map_err(unwritten)?;
            writing.rows.take(&mut self.statements, recorded.at_us, &recorded.event)?;
            if writing.text.len() >= BATCH_BYTES {
                writing.row(&mut self.statements)?;
            }
        }
        let user = User::Run(writing.rows.number);
        self.put_aside(user);
        Ok(())
    }

    fn keep(&mut self, entry: &CacheEntry) -> Result<()> {
        let number = self.keeper.keep(&self.desk.connection, &mut self.encoder, entry)?;
        self.put_aside(User::Entry(number));
        Ok(())
    }

    fn put_aside(&mut self, user: User) {
        let objects = self.encoder.objects.drain(..);
        self.objects.extend(objects.map(|(digest, bytes)| Wanted { digest, bytes, user }));
    }
}

impl Writing {
    /// Puts the events that were written into a row.
    fn row(&mut self, statements: &mut Statements<'_>) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.text.push(b']');
        let (run, first) = (self.rows.number, self.first);
        let count = self.rows.events - first;
        statements.add_batch(&BatchRow { run, first, count, events: &self.text })?;
        self.text.clear();
        self.first = self.rows.events;
        Ok(())
    }
}

fn unwritten(error: serde_json::Error) -> Fault {
    StoreError::new(StoreErrorKind::Other, "put an event into words").because(error).into()
}
