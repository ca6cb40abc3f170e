//! What became of one step, and why.

use std::ops::ControlFlow;
use std::time::Duration;

use dynhost::graph::event::{Event, Recorded, Reused, ReusedFrom, SkipReason};
use dynhost::graph::name::StepKey;
use dynhost::store::RunStore;
use dynhost::store::history::{StepFilter, StepSummary};
use dynhost::store::sqlite::SqliteStore;
use serde::Serialize;

use super::causes::{Cause, Places, Unsuccessful};
use super::origin::{self, Origin, Seen};
use super::{NoCache, skipped};
use crate::error::Error;
use crate::report::past::Past;
use crate::report::{Console, words};

/// An attempt that failed.
#[derive(Debug, Serialize)]
struct FailedAttempt {
    attempt: u32,
    kind: &'static str,
    message: String,
    took_us: u64,
    retry_in_ms: Option<u64>,
}

/// How a step stands.
#[derive(Debug, Clone)]
enum State {
    Running { attempt: u32 },
    Waiting,
    Ran { took: Duration, left_alone: bool },
    Reused(Reused),
    Failed,
    Skipped(SkipReason),
    Cancelled,
    Dropped,
}

/// The events of a step, and what else may be the cause of what became of it.
struct Facts<'a> {
    step: &'a StepKey,
    past: Past,
    state: Option<State>,
    attempts: Vec<FailedAttempt>,
    unsuccessful: Unsuccessful,
    left_alone: bool,
}

/// The object that `-o json` gives.
#[derive(Serialize)]
struct Explained<'a> {
    run: &'a str,
    step: String,
    status: &'static str,
    #[serde(flatten)]
    origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    reused: Option<Reused>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Cause>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<FailedAttempt>,
}

pub(super) fn explain(
    store: &SqliteStore,
    run: &str,
    text: &str,
    console: Console,
) -> Result<(), Error> {
    let step: StepKey = text.parse().map_err(|error| {
        Error::usage(format!("`{text}` names no step: {error}"))
            .with_help("a step is called `size`, or `size[readme_md]` where it is a clone")
    })?;
    let mut facts = Facts::new(&step);
    store.read(run, &mut |recorded| {
        facts.take(&recorded);
        ControlFlow::Continue(())
    })?;
    let Some(state) = facts.state.clone() else { return Err(unknown(store, run, &step)) };
    let explained = facts.explained(store, run, state)?;
    if console.is_json() {
        return console.print_json(&explained);
    }
    console.print(&explained.to_text())
}

fn unknown(store: &SqliteStore, run: &str, step: &StepKey) -> Error {
    let node = Some(step.node.to_string());
    let filter = StepFilter { node, limit: 1, ..StepFilter::default() };
    let near = store.steps(run, &filter).ok().and_then(|page| page.items.into_iter().next());
    let help = match near {
        Some(near) => format!(
            "did you mean a step such as `{}`? `dynhost runs show {run} --steps --node {}` lists them",
            near.step, near.node
        ),
        None => format!("`dynhost runs show {run} --steps` lists its steps"),
    };
    Error::usage(format!("run `{run}` has no step `{step}`, or it has not begun")).with_help(help)
}

impl<'a> Facts<'a> {
    fn new(step: &'a StepKey) -> Self {
        Self {
            step,
            past: Past::default(),
            state: None,
            attempts: Vec::new(),
            unsuccessful: Unsuccessful::default(),
            left_alone: false,
        }
    }

    fn take(&mut self, recorded: &Recorded) {
        self.past.take(recorded);
        self.unsuccessful.take(&recorded.event);
        match &recorded.event {
            Event::StepStarted { step, attempt } if step == self.step => {
                self.state = Some(State::Running { attempt: *attempt });
            }
            Event::StepSucceeded { step, reused, took_us, .. } if step == self.step => {
                self.state = Some(match reused {
                    Some(reused) => State::Reused(reused.clone()),
                    None => State::Ran {
                        took: Duration::from_micros(*took_us),
                        left_alone: self.left_alone,
                    },
                });
            }
            Event::StepFailed { step, attempt, failure, retry_in_ms, took_us }
                if step == self.step =>
            {
                self.attempts.push(FailedAttempt {
                    attempt: *attempt,
                    kind: failure.kind(),
                    message: failure.to_string(),
                    took_us: *took_us,
                    retry_in_ms: *retry_in_ms,
                });
                let waits = retry_in_ms.is_some();
                self.state = Some(if waits { State::Waiting } else { State::Failed });
            }
            Event::StepSkipped { step, reason } if step == self.step => {
                self.state = Some(State::Skipped(reason.clone()));
            }
            Event::StepCancelled { step, .. } if step == self.step => {
                self.state = Some(State::Cancelled);
            }
            Event::ClonesDropped { nodes, keys }
                if self.state.is_some()
                    && nodes.contains(&self.step.node)
                    && self.step.keys.keys().starts_with(keys) =>
            {
                self.state = Some(State::Dropped);
                self.attempts.clear();
            }
            Event::CacheLeftAlone { node, .. } if *node == self.step.node => {
                self.left_alone = true;
            }
            // The cache is asked anew.
            Event::RunResumed { .. } => self.left_alone = false,
            _ => {}
        }
    }

    fn explained<'r>(
        self,
        store: &SqliteStore,
        run: &'r str,
        state: State,
    ) -> Result<Explained<'r>, Error> {
        let manifest = self.past.parsed();
        let why = |why: &str| Origin { why: vec![why.to_owned()], ..Origin::default() };
        let (mut reused, mut causes) = (None, Vec::new());
        let (status, origin) = match state {
            State::Running { attempt } => {
                ("running", why(&format!("attempt {attempt} has begun and has not ended")))
            }
            State::Waiting => {
                ("waiting", why("its last attempt failed, and it waits for the next"))
            }
            State::Failed => ("failed", Origin::default()),
            State::Cancelled => ("cancelled", why("the run was cancelled while it ran")),
            State::Dropped => (
                "dropped",
                why(
                    "the last attempt of the step that yields it did not give its mapping key again, or with another value",
                ),
            ),
            State::Skipped(reason) => {
                let is_there =
                    |step: &StepKey| find(store, run, step).is_ok_and(|step| step.is_some());
                let places = Places { manifest: manifest.as_ref(), is_there: &is_there };
                causes = self.unsuccessful.causes(self.step, &reason, &places);
                ("skipped", why(&skipped(&reason)))
            }
            State::Reused(origin) => {
                let words = of_reused(&origin);
                reused = Some(origin);
                ("cached", why(&words))
            }
            State::Ran { took, left_alone } => {
                let step = self.step.to_string();
                let seen = Seen {
                    run,
                    step: &step,
                    took,
                    parent: self.past.parent.as_deref(),
                    no_cache: NoCache::of(&self.past.settings, manifest.as_ref(), &self.step.node),
                    left_alone,
                };
                ("succeeded", origin::of(store, &seen)?)
            }
        };
        let step = self.step.to_string();
        Ok(Explained { run, step, status, origin, reused, causes, attempts: self.attempts })
    }
}

/// A step, where the run has it.
fn find(store: &SqliteStore, run: &str, step: &StepKey) -> Result<Option<StepSummary>, Error> {
    let step = Some(step.to_string());
    let page = store.steps(run, &StepFilter { step, limit: 1, ..StepFilter::default() })?;
    Ok(page.items.into_iter().next())
}

fn of_reused(reused: &Reused) -> String {
    let Reused { from, run, step } = reused;
    match from {
        ReusedFrom::Parent => format!(
            "it is taken over from `{step}` of run {run}, which this one is a rerun of: its inputs were the same"
        ),
        ReusedFrom::Cache => format!(
            "it is taken from `{step}` of run {run}: component, op, config and inputs were the same"
        ),
    }
}

impl Explained<'_> {
    fn to_text(&self) -> String {
        let what = match self.status {
            "succeeded" => "ran",
            "cached" => "was not run",
            "skipped" => "was skipped",
            "cancelled" => "was interrupted",
            "running" => "is under way",
            "waiting" => "is to be run again",
            "dropped" => "no longer counts",
            other => other,
        };
        let mut lines = vec![format!("step `{}` {what}", self.step)];
        lines.extend(self.origin.why.iter().map(|why| format!("  {}", words::one_line(why))));
        if let Some(why) = lines.last_mut().filter(|_| !self.origin.differences.is_empty()) {
            why.push_str(", which differs in");
        }
        let differences = self.origin.differences.iter();
        lines.extend(differences.map(|difference| format!("    {}", difference.to_text())));
        lines.extend(self.causes.iter().map(|cause| format!("  {}", cause.to_text())));
        lines.extend(self.attempts.iter().map(FailedAttempt::to_text));
        lines.join("\n") + "\n"
    }
}

impl FailedAttempt {
    fn to_text(&self) -> String {
        let took = words::duration(Duration::from_micros(self.took_us));
        let head = match self.attempt {
            0 => "  it could not be run".to_owned(),
            n => format!("  attempt {n} failed after {took}"),
        };
        let then = match self.retry_in_ms {
            Some(0) => "; the next began at once".to_owned(),
            Some(ms) => {
                format!("; the next was due {} later", words::duration(Duration::from_millis(ms)))
            }
            None => String::new(),
        };
        format!("{head}: {}{then}", words::one_line(&self.message))
    }
}
