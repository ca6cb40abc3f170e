//! A run under way.

use std::time::Duration;

use dynhost_graph::event::Event;

use super::Ran;
use crate::run::{Events, Run};

/// How long a run may give no event before the test gives up: it is not meant to be reached.
const STUCK: Duration = Duration::from_mins(4);

/// A run under way, with the events so far.
#[derive(Debug)]
pub struct Watched {
    /// The run.
    pub run: Run,
    receiver: Events,
    /// The events so far.
    pub events: Vec<Event>,
}

impl Watched {
    /// Watches a run, such as [`Host::watch`](crate::Host::watch) gives.
    #[must_use]
    pub fn new((run, receiver): (Run, Events)) -> Self {
        Self { run, receiver, events: Vec::new() }
    }

    /// Takes the next events; false when there are none any more.
    ///
    /// # Panics
    /// The run is stuck.
    pub async fn next(&mut self) -> bool {
        let batch = tokio::time::timeout(STUCK, self.receiver.next()).await;
        let Some(batch) = batch.unwrap_or_else(|_| panic!("the run is stuck: {:?}", self.tail()))
        else {
            return false;
        };
        self.events.extend(batch.iter().map(|recorded| recorded.event.clone()));
        true
    }

    /// Waits until so many events are as wanted.
    ///
    /// # Panics
    /// The run ends before, or is stuck.
    pub async fn until(&mut self, count: usize, wanted: impl Fn(&Event) -> bool) {
        while self.events.iter().filter(|event| wanted(event)).count() < count {
            assert!(self.next().await, "the run ended before: {:?}", self.tail());
        }
    }

    /// The run's end; what happened meanwhile is among the events.
    ///
    /// # Panics
    /// The host failed, or the run is stuck.
    pub async fn ended(mut self) -> Ran {
        while self.next().await {}
        let result = self.run.finished().await.expect("the host does not fail");
        Ran { result, events: self.events }
    }

    /// All events, when the run itself is dropped here.
    pub async fn dropped(self) -> Vec<Event> {
        let Self { run, mut receiver, mut events } = self;
        drop(run);
        while let Ok(Some(batch)) = tokio::time::timeout(STUCK, receiver.next()).await {
            events.extend(batch.iter().map(|recorded| recorded.event.clone()));
        }
        events
    }

    /// Tears the run down where it stands, as the end of the process would: nothing more is recorded. It can be resumed
    /// from its store. Gives its id.
    ///
    /// ```no_run
    /// # async fn example(host: dynhost::Host, job: dynhost::PreparedJob, options: dynhost::RunOptions) {
    /// use dynhost::graph::event::Event;
    /// use dynhost::testing::Watched;
    ///
    /// let mut watched = Watched::new(host.watch(&job, options.clone()));
    /// watched.until(5, |event| matches!(event, Event::StepSucceeded { .. })).await;
    /// let id = watched.torn_down().await;
    /// let resumed = host.resume(&job, &id, options, false).expect("nothing has changed");
    /// Watched::new(resumed).ended().await.succeeded();
    /// # }
    /// ```
    pub async fn torn_down(self) -> String {
        let Self { run, mut receiver, .. } = self;
        let id = run.id().to_owned();
        run.tear_down();
        // The loop is gone when its events end.
        while receiver.next().await.is_some() {}
        id
    }

    fn tail(&self) -> &[Event] {
        &self.events[self.events.len().saturating_sub(5)..]
    }
}
