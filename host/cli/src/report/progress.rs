//! Watching a run: its events to the terminal, to a file, to whoever else reads them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::Term;
use dynhost::Events;
use dynhost::graph::event::{Event, Level, Recorded};
use dynhost::graph::job::Job;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::live::{self, Picture};
use super::tally::Tally;
use super::{dim, red, words, yellow};
use crate::cli::{LogLevel, Progress, Watch};
use crate::error::Error;

/// How often the picture is redrawn.
const REDRAW: Duration = Duration::from_millis(100);
/// How often a plain report says that the run goes on.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Lines of logs that are shown; a run with 100,000 clones must not flood a terminal.
const MOST_LOGS: u64 = 200;
/// Failures that are shown while they happen.
const MOST_FAILURES: u64 = 20;
/// The longest message that is shown while it happens.
const MOST_CHARACTERS: usize = 400;

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

/// What of a run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Everything worth knowing.
    All,
    /// What ops log.
    Logs,
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

/// Watches a run from its start; the task ends after it. `readers` see every event.
pub(crate) fn watch(
    events: Option<Events>,
    job: &Arc<Job>,
    (watch, show): (&Watch, Show),
    readers: Vec<Box<dyn Reader>>,
) -> (JoinHandle<Result<(), Error>>, Messages) {
    let silent = watch.progress == Progress::None;
    let Some(events) = events else {
        return (tokio::spawn(async { Ok(()) }), Messages(None));
    };
    let (sender, messages) = mpsc::unbounded_channel();
    let live = match watch.progress {
        Progress::Auto | Progress::Live => Term::stderr().is_term(),
        Progress::Plain | Progress::None => false,
    };
    let watcher = Watcher {
        tally: Tally::new(job),
        picture: live.then(Picture::new),
        silent,
        show,
        log: watch.log,
        readers,
        logs: 0,
        failures: 0,
        started: Instant::now(),
    };
    (tokio::spawn(watcher.run(events, messages)), Messages(Some(sender)))
}

struct Watcher {
    tally: Tally,
    picture: Option<Picture>,
    silent: bool,
    show: Show,
    log: LogLevel,
    readers: Vec<Box<dyn Reader>>,
    logs: u64,
    failures: u64,
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
        if !self.silent {
            self.show(&recorded.event);
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::RunStarted { job, .. } if self.picture.is_none() && self.show == Show::All => {
                let nodes = words::count(self.tally.job().nodes.len() as u64, "node");
                self.line(&format!("{job}: {nodes}"));
            }
            Event::LogWritten { step, level, message, fields, .. } if self.log.shows(*level) => {
                let fields = fields.iter().map(|(name, value)| format!(" {name}={value}"));
                let text = format!("{message}{}", fields.collect::<String>());
                self.logged(&step.to_string(), *level, &text);
            }
            Event::StepFailed { step, attempt, failure, retry_in_ms, .. }
                if self.show == Show::All =>
            {
                let then = retry_in_ms.map(|ms| {
                    let delay = words::duration(Duration::from_millis(ms));
                    if ms == 0 {
                        "next attempt at once".to_owned()
                    } else {
                        format!("next attempt in {delay}")
                    }
                });
                self.failure(&step.to_string(), *attempt, &failure.to_string(), then);
            }
            _ => {}
        }
    }

    fn logged(&mut self, step: &str, level: Level, text: &str) {
        self.logs += 1;
        if self.logs > MOST_LOGS {
            if self.logs == MOST_LOGS + 1 {
                self.line(&dim("further log lines are not shown; `--events FILE` keeps them all"));
            }
            return;
        }
        let text = words::short(&words::one_line(text), MOST_CHARACTERS);
        let level = match level {
            Level::Trace => dim("trace: "),
            Level::Debug => dim("debug: "),
            Level::Info => String::new(),
            Level::Warn => yellow("warn: "),
            Level::Error => red("error: "),
        };
        self.line(&format!("{} {level}{text}", dim(&format!("{step}:"))));
    }

    fn failure(&mut self, step: &str, attempt: u32, why: &str, then: Option<String>) {
        self.failures += 1;
        if self.failures > MOST_FAILURES {
            if self.failures == MOST_FAILURES + 1 {
                self.line(&dim("further failures are counted, and not shown as they happen"));
            }
            return;
        }
        // All of it stands in the report at the end.
        let why = why.lines().next().unwrap_or_default();
        let why = words::short(&words::one_line(why), MOST_CHARACTERS);
        let head = if then.is_some() { yellow("failed") } else { red("failed") };
        let then = then.map(|then| dim(&format!(" ({then})"))).unwrap_or_default();
        let attempt = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        self.line(&format!("{head} {step}{attempt}: {why}{then}"));
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
            let ended = words::count(self.tally.ended(), "step");
            self.line(&format!("{ended} done after {}", words::duration(elapsed)));
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
