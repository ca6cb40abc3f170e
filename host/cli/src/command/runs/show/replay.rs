//! A run told again from its history.

use std::ops::ControlFlow;
use std::time::Duration;

use dynhost::graph::event::{Event, Recorded};
use dynhost::graph::manifest::Manifest;
use dynhost::store::RunStore;
use dynhost::store::sqlite::SqliteStore;

use crate::cli::LogLevel;
use crate::error::Error;
use crate::report::failures::{self, Places};
use crate::report::narrator::{Narrator, Show};
use crate::report::past::{Past, node_count};
use crate::report::progress::HEARTBEAT;
use crate::report::{Console, Lines, summary};

pub(super) fn replay(
    store: &SqliteStore,
    run: &str,
    log: LogLevel,
    console: Console,
) -> Result<(), Error> {
    console.color_like_stdout();
    let mut replay = Replay {
        run,
        log,
        past: Past::default(),
        manifest: None,
        narrator: Narrator::new(0, (log, Show::All, true)),
        next_beat: Duration::MAX,
        lines: console.lines(),
    };
    let mut written = Ok(true);
    store.read(run, &mut |recorded| {
        written = replay.take(&recorded);
        if let Ok(true) = written { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    replay.lines.end()
}

struct Replay<'a> {
    run: &'a str,
    log: LogLevel,
    past: Past,
    manifest: Option<Manifest>,
    narrator: Narrator,
    /// When it is said next that the run goes on.
    next_beat: Duration,
    lines: Lines,
}

impl Replay<'_> {
    /// Tells of an event; false where nobody listens any more.
    fn take(&mut self, recorded: &Recorded) -> Result<bool, Error> {
        let mut listened = true;
        let elapsed = recorded.at_us.saturating_sub(self.past.began_us);
        while Duration::from_micros(elapsed) >= self.next_beat {
            // Between two runs nobody was there to say it.
            if !matches!(recorded.event, Event::RunResumed { .. }) {
                listened &= self.lines.text(&self.narrator.heartbeat(self.next_beat))?;
            }
            self.next_beat += HEARTBEAT;
        }
        self.past.take(recorded);
        if let Event::RunStarted { .. } | Event::RunResumed { .. } = recorded.event {
            self.begin(&recorded.event);
        }
        if let Some(line) = self.narrator.tell(&recorded.event) {
            listened &= self.lines.text(&line)?;
        }
        if let Event::RunFinished { status, .. } = &recorded.event {
            let Past { failures, steps, .. } = &self.past;
            if !failures.is_empty() {
                let places = Places { manifest: self.manifest.as_ref() };
                listened &= self.lines.text(failures::report(failures, places).trim_end())?;
            }
            let line = summary::line(self.run, *status, steps, self.past.took());
            listened &= self.lines.text(&line)?;
            self.next_beat = Duration::MAX;
        }
        Ok(listened)
    }

    /// A process began to tell of the run, with its own count of lines.
    fn begin(&mut self, event: &Event) {
        self.manifest = self.past.parsed();
        let nodes = self.manifest.as_ref().map_or(0, node_count);
        let before = (self.past.steps.succeeded + self.past.steps.cached)
            + (self.past.steps.failed + self.past.steps.skipped);
        let how = (self.log, Show::All, true);
        self.narrator = match event {
            Event::RunResumed { .. } => Narrator::new(nodes, how).going_on(before),
            _ => Narrator::new(nodes, how),
        };
        self.next_beat = HEARTBEAT;
    }
}
