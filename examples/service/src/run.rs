//! A run that is under way, and those who follow it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use dynhost::graph::event::Recorded;
use dynhost::store::sqlite::{RunLock, SqliteStore};
use dynhost::{Events, Run};
use tokio::sync::watch;

use crate::refusal::Refusal;
use crate::tenant::Tenant;

/// A run that is under way. The last reader of `kept` hears of its end when this is dropped.
#[derive(Debug)]
pub(crate) struct Live {
    run: Mutex<Option<Run>>,
    /// Told each time that more events are in the store.
    kept: watch::Receiver<()>,
}

impl Live {
    /// Takes a run that begins; `events` are its own, and `lock` keeps it to this process.
    pub(crate) fn follow(
        tenant: &Arc<Tenant>,
        run: Run,
        events: Events,
        lock: RunLock,
    ) -> Arc<Self> {
        let (sender, kept) = watch::channel(());
        let id = run.id().to_owned();
        let live = Arc::new(Self { run: Mutex::new(Some(run)), kept });
        tokio::spawn(pass_on(Arc::clone(tenant), id, (events, sender), lock));
        live
    }

    /// Takes the run away from here, once.
    pub(crate) fn take(&self) -> Option<Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Cancels the run.
    pub(crate) fn cancel(&self) {
        if let Some(run) = &*self.run.lock().unwrap_or_else(PoisonError::into_inner) {
            run.cancel();
        }
    }

    /// Hears of events that are in the store, until the run is over.
    pub(crate) fn kept(&self) -> watch::Receiver<()> {
        self.kept.clone()
    }
}

/// Says that there is more to read in the store, until the run is over.
async fn pass_on(
    tenant: Arc<Tenant>,
    id: String,
    (mut events, sender): (Events, watch::Sender<()>),
    lock: RunLock,
) {
    while events.next().await.is_some() {
        sender.send_replace(());
    }
    // One that was left for the next start is not here any more.
    if let Some(run) = tenant.forget(&id).and_then(|live| live.take())
        && let Err(error) = run.finished().await
    {
        eprintln!("run {id} broke off: {error}");
    }
    drop(lock);
}

/// Events that are read from the store at once.
const PAGE: usize = 256;

/// The events of a run, from a place on, as long as it is under way: pages of them, with the place of the first.
pub(crate) struct Followed {
    store: SqliteStore,
    run: String,
    from: u64,
    /// `None`: the run is over, and what is in the store is all.
    kept: Option<watch::Receiver<()>>,
}

impl Followed {
    pub(crate) fn new(
        store: SqliteStore,
        run: String,
        from: u64,
        kept: Option<watch::Receiver<()>>,
    ) -> Self {
        Self { store, run, from, kept }
    }

    /// The next page; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<(u64, Vec<Recorded>)>, Refusal> {
        loop {
            // Before reading: what is kept from here on is told again.
            let is_over = match &mut self.kept {
                Some(kept) => {
                    kept.borrow_and_update();
                    kept.has_changed().is_err()
                }
                None => true,
            };
            let page = self.read().await?;
            if !page.is_empty() {
                let from = self.from;
                self.from += page.len() as u64;
                return Ok(Some((from, page)));
            }
            if is_over {
                return Ok(None);
            }
            if let Some(kept) = &mut self.kept
                && kept.changed().await.is_err()
            {
                self.kept = None;
            }
        }
    }

    async fn read(&self) -> Result<Vec<Recorded>, Refusal> {
        let (store, run, from) = (self.store.clone(), self.run.clone(), self.from);
        let reading = tokio::task::spawn_blocking(move || {
            let mut page = Vec::new();
            store.read_from(&run, from, &mut |recorded| {
                page.push(recorded);
                if page.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            Ok(page)
        });
        reading.await?
    }
}
