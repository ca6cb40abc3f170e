//! Why a step was skipped: the chain of what it depends on, down to what failed or gave nothing.

use std::collections::BTreeMap;

use dynhost::graph::event::{Event, SkipReason};
use dynhost::graph::manifest::{Manifest, NodeTarget, Target};
use dynhost::graph::name::StepKey;
use serde::Serialize;

use super::skipped;
use crate::report::past;

/// Causes that are followed at most.
const MOST: usize = 20;
/// Failures of one node that are named.
const MOST_FAILURES: usize = 3;

/// The steps of a run that did not succeed, by node.
#[derive(Debug, Default)]
pub(super) struct Unsuccessful(BTreeMap<String, Vec<(StepKey, Why)>>);

#[derive(Debug, Clone)]
enum Why {
    Failed(String),
    Skipped(SkipReason),
    Interrupted,
}

/// What causes are looked up in.
pub(super) struct Places<'a> {
    pub(super) manifest: Option<&'a Manifest>,
    /// Whether the run has a step.
    pub(super) is_there: &'a dyn Fn(&StepKey) -> bool,
}

impl Places<'_> {
    /// The step of a node that another step has to do with, or else the node.
    fn step_of(&self, node: &str, step: &StepKey) -> String {
        let keys = step.keys.keys();
        let steps = (0..=keys.len())
            .rev()
            .map(|n| StepKey { node: node.into(), keys: keys[..n].iter().cloned().collect() });
        let found = steps.into_iter().find(|step| (self.is_there)(step));
        found.map_or_else(|| node.to_owned(), |step| step.to_string())
    }
}

/// One cause on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cause {
    /// The step, or the node where it had none.
    step: String,
    /// What became of it, and why.
    why: String,
}

impl Cause {
    pub(super) fn to_text(&self) -> String {
        format!("`{}`: {}", self.step, crate::report::words::one_line(&self.why))
    }
}

impl Unsuccessful {
    pub(super) fn take(&mut self, event: &Event) {
        let (step, why) = match event {
            Event::StepFailed { step, failure, retry_in_ms: None, .. } => {
                (step, Why::Failed(failure.to_string()))
            }
            Event::StepSkipped { step, reason } => (step, Why::Skipped(reason.clone())),
            Event::StepCancelled { step, .. } => (step, Why::Interrupted),
            Event::RunResumed { .. } => {
                let lasting = |why: &Why| !matches!(why, Why::Interrupted);
                self.0.values_mut().for_each(|steps| steps.retain(|(_, why)| lasting(why)));
                return;
            }
            Event::ClonesDropped { nodes, keys } => {
                for node in nodes {
                    if let Some(steps) = self.0.get_mut(&**node) {
                        steps.retain(|(step, _)| !step.keys.keys().starts_with(keys));
                    }
                }
                return;
            }
            _ => return,
        };
        self.0.entry(step.node.to_string()).or_default().push((step.clone(), why));
    }

    /// What made a step be skipped, the nearest cause first.
    pub(super) fn causes(
        &self,
        step: &StepKey,
        reason: &SkipReason,
        places: &Places<'_>,
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        self.follow(step, reason, places, &mut causes);
        causes
    }

    fn follow(
        &self,
        step: &StepKey,
        reason: &SkipReason,
        places: &Places<'_>,
        causes: &mut Vec<Cause>,
    ) {
        if causes.len() >= MOST {
            return;
        }
        match reason {
            SkipReason::Upstream { node } => {
                self.of_node(step, node, places, causes);
            }
            SkipReason::NotEmitted { input } => {
                for target in targets(places.manifest, &step.node, input) {
                    let found = causes.len();
                    self.of_node(step, &target.node, places, causes);
                    if causes.len() == found {
                        let why = match target.output {
                            Some(output) => format!("it gave nothing for `{output}`"),
                            None => "it gave no output".to_owned(),
                        };
                        let step = places.step_of(&target.node, step);
                        causes.push(Cause { step, why });
                    }
                }
            }
            _ => {}
        }
    }

    /// The causes among the steps of a node that a step has to do with.
    fn of_node(&self, step: &StepKey, node: &str, places: &Places<'_>, causes: &mut Vec<Cause>) {
        let Some(steps) = self.0.get(node) else { return };
        let keys = step.keys.keys();
        let related = steps.iter().filter(|(other, _)| {
            let other = other.keys.keys();
            keys.starts_with(&other) || other.starts_with(&keys)
        });
        let mut failures = 0;
        let mut first_skipped = None;
        for (other, why) in related {
            let why = match why {
                Why::Failed(why) => why.clone(),
                Why::Interrupted => "it was interrupted".to_owned(),
                Why::Skipped(reason) => {
                    first_skipped = first_skipped.or(Some((other, reason)));
                    continue;
                }
            };
            failures += 1;
            if failures <= MOST_FAILURES {
                causes.push(Cause { step: other.to_string(), why });
            }
        }
        if let Some(more @ 1..) = usize::checked_sub(failures, MOST_FAILURES) {
            let why = format!("{more} more of its steps failed");
            causes.push(Cause { step: node.to_owned(), why });
        }
        if let (0, Some((other, reason))) = (failures, first_skipped) {
            let why = format!("it was skipped: {}", skipped(reason));
            let cause = Cause { step: other.to_string(), why };
            if !causes.contains(&cause) {
                causes.push(cause);
                self.follow(other, reason, places, causes);
            }
        }
    }
}

/// What an input of a node of the job refers to, with the node's name in the job.
fn targets(manifest: Option<&Manifest>, node: &str, input: &str) -> Vec<Target> {
    let Some((entry, body)) = manifest.and_then(|manifest| past::find_node(manifest, node)) else {
        return Vec::new();
    };
    let path = node.rsplit_once('/').map(|(path, _)| format!("{path}/")).unwrap_or_default();
    let wiring = entry.inputs.iter().filter(|wiring| wiring.name.value == input);
    let references = wiring.flat_map(|wiring| wiring.feed.references());
    let target = |target: &Target| {
        let used = body.nodes.iter().find(|one| one.name.value == target.node)?;
        // What is behind the output of a graph is another node's.
        matches!(used.target, NodeTarget::Op(_)).then(|| Target {
            node: format!("{path}{}", target.node),
            output: target.output.clone(),
        })
    };
    references.filter_map(|reference| target(reference.target()?)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dynhost::graph::event::Failure;

    use super::*;

    fn step(text: &str) -> StepKey {
        text.parse().unwrap()
    }

    fn skip(text: &str, reason: &SkipReason) -> Event {
        Event::StepSkipped { step: step(text), reason: reason.clone() }
    }

    fn places(manifest: Option<&Manifest>) -> Places<'_> {
        Places { manifest, is_there: &|step| step.to_string() == "list[a]" }
    }

    fn upstream(node: &str) -> SkipReason {
        SkipReason::Upstream { node: node.into() }
    }

    #[test]
    fn a_chain_ends_at_what_failed() {
        let mut unsuccessful = Unsuccessful::default();
        for key in ["a", "b"] {
            unsuccessful.take(&Event::StepFailed {
                step: step(&format!("size[{key}]")),
                attempt: 1,
                failure: Failure::Trap { message: format!("in {key}") },
                retry_in_ms: None,
                took_us: 1,
            });
        }
        unsuccessful.take(&skip("describe[a]", &upstream("size")));
        unsuccessful.take(&skip("total", &upstream("describe")));
        let causes = |text: &str, reason: &SkipReason| -> Vec<String> {
            let causes = unsuccessful.causes(&step(text), reason, &places(None));
            causes.into_iter().map(|cause| cause.step).collect()
        };
        assert_eq!(causes("describe[a]", &upstream("size")), ["size[a]"]);
        assert_eq!(causes("total", &upstream("describe")), ["describe[a]", "size[a]"]);
    }

    #[test]
    fn an_input_that_got_nothing_leads_to_what_it_refers_to() {
        let text = r#"
[job]
name = "j"
[components]
c = "c.wasm"
[nodes.list]
op = "c/list"
[nodes.size]
op = "c/size"
inputs.file = { from = "list.first" }
[outputs]
size = { from = "size" }
"#;
        let manifest = Manifest::parse(Path::new("job.toml"), text).unwrap();
        let reason = SkipReason::NotEmitted { input: "file".to_owned() };
        let causes =
            Unsuccessful::default().causes(&step("size[a]"), &reason, &places(Some(&manifest)));
        assert_eq!(causes[0].to_text(), "`list[a]`: it gave nothing for `first`");
    }
}
