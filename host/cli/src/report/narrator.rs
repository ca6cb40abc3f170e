//! A run told line by line: in the same words whether it is under way or stands in the history.

use std::time::Duration;

use dynhost::graph::event::{Event, Level};

use super::{dim, red, words, yellow};
use crate::cli::LogLevel;

/// Lines of logs that are shown; a run with 100,000 clones must not flood a terminal.
const MOST_LOGS: u64 = 200;
/// Failures that are shown while they happen.
const MOST_FAILURES: u64 = 20;
/// The longest message that is shown while it happens.
const MOST_CHARACTERS: usize = 400;

/// What of a run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Everything worth knowing.
    All,
    /// What ops log.
    Logs,
}

/// Tells of a run.
#[derive(Debug)]
pub(crate) struct Narrator {
    nodes: u64,
    log: LogLevel,
    show: Show,
    /// Whether there is no picture beside the lines.
    plain: bool,
    ended: u64,
    cancelled: u64,
    logs: u64,
    failures: u64,
}

impl Narrator {
    /// For a job of so many nodes.
    pub(crate) fn new(nodes: u64, (log, show, plain): (LogLevel, Show, bool)) -> Self {
        Self { nodes, log, show, plain, ended: 0, cancelled: 0, logs: 0, failures: 0 }
    }

    /// The same for a run of which so many steps were done before.
    pub(crate) fn going_on(self, ended: u64) -> Self {
        Self { ended, ..self }
    }

    /// Takes in what happened without a word.
    pub(crate) fn pass(&mut self, event: &Event) {
        match event {
            Event::StepSucceeded { .. }
            | Event::StepSkipped { .. }
            | Event::StepFailed { retry_in_ms: None, .. } => self.ended += 1,
            Event::StepCancelled { .. } => self.cancelled += 1,
            // What was interrupted runs again.
            Event::RunResumed { .. } => self.cancelled = 0,
            _ => {}
        }
    }

    /// What is to be said of what happened.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<String> {
        self.pass(event);
        match event {
            Event::RunStarted { job, .. } if self.plain && self.show == Show::All => {
                Some(format!("{job}: {}", words::count(self.nodes, "node")))
            }
            Event::RunResumed { .. } if self.plain && self.show == Show::All => {
                Some(format!("going on; {} done before", words::count(self.ended, "step")))
            }
            Event::LogWritten { step, level, message, fields, .. } if self.log.shows(*level) => {
                let fields = fields.iter().map(|(name, value)| format!(" {name}={value}"));
                let text = format!("{message}{}", fields.collect::<String>());
                self.logged(&step.to_string(), *level, &text)
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
                self.failure(&step.to_string(), *attempt, &failure.to_string(), then)
            }
            _ => None,
        }
    }

    /// Says that the run goes on.
    pub(crate) fn heartbeat(&self, elapsed: Duration) -> String {
        let ended = words::count(self.ended + self.cancelled, "step");
        format!("{ended} done after {}", words::duration(elapsed))
    }

    fn logged(&mut self, step: &str, level: Level, text: &str) -> Option<String> {
        self.logs += 1;
        if self.logs > MOST_LOGS {
            let further =
                "further log lines are not shown here; `dynhost runs logs` and `--events` have all";
            return (self.logs == MOST_LOGS + 1).then(|| dim(further));
        }
        let text = words::short(&words::one_line(text), MOST_CHARACTERS);
        let level = match level {
            Level::Trace => dim("trace: "),
            Level::Debug => dim("debug: "),
            Level::Info => String::new(),
            Level::Warn => yellow("warn: "),
            Level::Error => red("error: "),
        };
        Some(format!("{} {level}{text}", dim(&format!("{step}:"))))
    }

    fn failure(
        &mut self,
        step: &str,
        attempt: u32,
        why: &str,
        then: Option<String>,
    ) -> Option<String> {
        self.failures += 1;
        if self.failures > MOST_FAILURES {
            let further = "further failures are counted, and not shown as they happen";
            return (self.failures == MOST_FAILURES + 1).then(|| dim(further));
        }
        // All of it stands in the report at the end.
        let why = why.lines().next().unwrap_or_default();
        let why = words::short(&words::one_line(why), MOST_CHARACTERS);
        let head = if then.is_some() { yellow("failed") } else { red("failed") };
        let then = then.map(|then| dim(&format!(" ({then})"))).unwrap_or_default();
        let attempt = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        Some(format!("{head} {step}{attempt}: {why}{then}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::{failed, started, succeeded};
    use super::*;

    fn going_on() -> Event {
        Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None }
    }

    #[test]
    fn a_run_that_goes_on_begins_with_what_it_had() {
        console::set_colors_enabled_stderr(false);
        let mut narrator = Narrator::new(2, (LogLevel::Info, Show::All, true));
        for event in [started("list", 1), succeeded("list"), failed("size[a]", None)] {
            narrator.pass(&event);
        }
        assert_eq!(narrator.tell(&going_on()).unwrap(), "going on; 2 steps done before");
        let line = narrator.tell(&failed("size[b]", Some(1500))).unwrap();
        assert!(line.starts_with("failed size[b]: ") && line.ends_with("(next attempt in 1.5 s)"));
        assert_eq!(narrator.heartbeat(Duration::from_secs(30)), "2 steps done after 30.0 s");
    }

    #[test]
    fn a_flood_of_failures_is_cut() {
        let mut narrator = Narrator::new(2, (LogLevel::Info, Show::All, true));
        let lines = (0..100).filter_map(|_| narrator.tell(&failed("size[a]", None)));
        assert_eq!(lines.count() as u64, MOST_FAILURES + 1);
    }
}
