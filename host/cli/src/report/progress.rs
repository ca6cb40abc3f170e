//! Watching a run: its events to the terminal, to a file, to whoever else reads them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::Term;
use dynhost::Events;
use dynhost::graph::event::{Event, Recorded};
use dynhost::graph::job::Job;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::live::{self, Picture};
use super::narrator::{Narrator, Show};
use super::tally::Tally;
use crate::cli::{Progress, Watch};
use crate::error::Error;

/// How often the picture is redrawn.
const REDRAW: Duration = Duration::from_millis(100);
/// How often a plain report says that the run goes on.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);

/// Lines from elsewhere that are to be shown between those of the run.
#[derive(Debug, Clone)]
pub(crate) struct Messages(Option<mpsc::UnboundedSender<String>>);

impl Messages {
    pub(crate) fn send(&self, line: &str) {
        match &self.0 {
            Some(sender) => drop(sender.send(line.to_owned())),
            None => say(line),
        }
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// One who reads what happens in a run.
pub(crate) trait Reader: Send {
    /// Takes in what happened.
    ///
    /// # Errors
    /// It cannot be written; the reader is then asked no more, and the run goes on.
    fn read(&mut self, recorded: &Recorded) -> Result<(), Error>;

    /// There is nothing more.
    ///
    /// # Errors
    /// As [`Reader::read`].
    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Whether anyone looks at the events of a run.
pub(crate) fn is_wanted(watch: &Watch, readers: &[Box<dyn Reader>]) -> bool {
    watch.progress != Progress::None || !readers.is_empty()
}

/// What is known of a run before it is watched: nothing of a new one, its history of one that goes
/// on.
pub(crate) struct Known {
    tally: Tally,
    narrator: Narrator,
    picture: bool,
}

impl Known {
    pub(crate) fn new(job: &Arc<Job>, (watch, show): (&Watch, Show)) -> Self {
        let picture = match watch.progress {
            Progress::Auto | Progress::Live => Term::stderr().is_term(),
            Progress::Plain | Progress::None => false,
        };
        let nodes = job.nodes.len() as u64;
        let narrator = Narrator::new(nodes, (watch.log, show, !picture));
        Self { tally: Tally::new(job), narrator, picture }
    }

    /// Takes in what happened before; nothing is shown of it.
    pub(crate) fn pass(&mut self, event: &Event) {
        self.tally.apply(event);
        self.narrator.pass(event);
    }
}

/// Watches a run; the task ends after it. `readers` see every event.
pub(crate) fn watch(
    events: Option<Events>,
    known: Known,
    watch: &Watch,
    readers: Vec<Box<dyn Reader>>,
) -> (JoinHandle<Result<(), Error>>, Messages) {
    let Some(events) = events else {
        return (tokio::spawn(async { Ok(()) }), Messages(None));
    };
    let (sender, messages) = mpsc::unbounded_channel();
    let watcher = Watcher {
        tally: known.tally,
        narrator: known.narrator,
        picture: known.picture.then(Picture::new),
        silent: watch.progress == Progress::None,
        readers,
        started: Instant::now(),
    };
    (tokio::spawn(watcher.run(events, messages)), Messages(Some(sender)))
}

struct Watcher {
    tally: Tally,
    narrator: Narrator,
    picture: Option<Picture>,
    silent: bool,
    readers: Vec<Box<dyn Reader>>,
    started: Instant,
}

impl Watcher {
    async fn run(
        mut self,
        mut events: Events,
        mut messages: mpsc::UnboundedReceiver<String>,
    ) -> Result<(), Error> {
        let mut outcome = Ok(());
        let mut ticks = interval(if self.picture.is_some() { REDRAW } else { HEARTBEAT });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                batch = events.next() => match batch {
                    Some(batch) => {
                        batch.iter().for_each(|recorded| self.take(recorded, &mut outcome));
                        // A long queue of events must not keep the signals waiting.
                        tokio::task::yield_now().await;
                    }
                    None => break,
                },
                Some(line) = messages.recv() => self.line(&line),
                _ = ticks.tick() => self.tick(),
            }
        }
        for reader in &mut self.readers {
            outcome = outcome.and(reader.end());
        }
        self.finish();
        outcome
    }

    fn take(&mut self, recorded: &Recorded, outcome: &mut Result<(), Error>) {
        self.tally.apply(&recorded.event);
        self.readers.retain_mut(|reader| match reader.read(recorded) {
            Ok(()) => true,
            Err(error) => {
                *outcome = Err(error);
                false
            }
        });
        if !self.silent
            && let Some(line) = self.narrator.tell(&recorded.event)
        {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        match &mut self.picture {
            Some(picture) => picture.print(line),
            None => say(line),
        }
    }

    fn tick(&mut self) {
        let elapsed = self.started.elapsed();
        if let Some(picture) = &mut self.picture {
            picture.draw(&live::frame(&self.tally, elapsed));
        } else if !self.silent {
            self.line(&self.narrator.heartbeat(elapsed));
        }
    }

    /// The last picture stays, without the time.
    fn finish(&mut self) {
        if let Some(picture) = &mut self.picture {
            let mut lines = live::frame(&self.tally, self.started.elapsed());
            lines.pop();
            picture.draw(&lines);
        }
    }
}

/// Keeps the events in a file, one JSON object per line in the stored format.
pub(crate) struct EventFile {
    path: String,
    file: BufWriter<File>,
}

impl EventFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| Error::usage(format!("`{shown}` cannot be written: {error}")))?;
        Ok(Self { path: shown, file: BufWriter::new(file) })
    }

    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::failed(format!("the events cannot be written to `{}`: {error}", self.path))
    }
}

impl Reader for EventFile {
    fn read(&mut self, recorded: &Recorded) -> Result<(), Error> {
        let written = serde_json::to_writer(&mut self.file, recorded)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| self.failed(error))
    }

    fn end(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|error| self.failed(error))
    }
}
