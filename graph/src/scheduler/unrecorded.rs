//! What the scheduler finds while it replays that the history does not have yet.

use std::collections::VecDeque;

use super::Action;
use crate::event::Event;

/// What [`Scheduler::replay`] found, less what has been recorded: to be recorded when the run
/// goes on (`semantics.md` rule 19). An event and what followed from it are not recorded
/// together, so that the last of it may be missing.
///
/// [`Scheduler::replay`]: super::Scheduler::replay
// Mostly recorded in the order in which it is found: the first is taken out again and again.
#[derive(Debug, Default)]
pub struct Unrecorded(VecDeque<Action>);

impl Unrecorded {
    /// Notes what follows from an event, if it is something that is recorded: a step that is
    /// skipped or cannot run, or clones that are dropped.
    pub fn found(&mut self, action: Action) {
        if matches!(action, Action::Skip { .. } | Action::Fail { .. } | Action::Drop { .. }) {
            self.0.push_back(action);
        }
    }

    /// Notes a stored event.
    pub fn recorded(&mut self, event: &Event) {
        let place = self.0.iter().position(|action| is_record_of(event, action));
        let Some(place) = place else { return };
        if matches!(self.0.remove(place), Some(Action::Drop { .. })) {
            self.forget_dropped(place, event);
        }
    }

    /// What is missing in the history, in order.
    #[must_use]
    pub fn into_actions(mut self) -> Vec<Action> {
        let mut place = 0;
        while let Some(action) = self.0.get(place) {
            place += 1;
            if let Action::Drop { nodes, keys } = action {
                let (nodes, keys) = (nodes.clone(), keys.clone());
                place -= self.forget_dropped(place - 1, &Event::ClonesDropped { nodes, keys });
            }
        }
        self.0.into()
    }

    /// Forgets what was found before `end` of clones that were then dropped: in the run itself they
    /// may have come to nothing, because it waited with them for others to end. Says how much
    /// it was.
    fn forget_dropped(&mut self, end: usize, event: &Event) -> usize {
        let Event::ClonesDropped { nodes, keys } = event else { return 0 };
        let before = self.0.len();
        let mut place = 0;
        self.0.retain(|action| {
            place += 1;
            let (Action::Skip { step, .. } | Action::Fail { step, .. }) = action else {
                return true;
            };
            place > end || !(nodes.contains(&step.node) && step.begins_with(keys))
        });
        before - self.0.len()
    }
}

fn is_record_of(event: &Event, action: &Action) -> bool {
    match (event, action) {
        (Event::StepSkipped { step, .. }, Action::Skip { step: of, .. })
        | (Event::StepFailed { step, attempt: 0, .. }, Action::Fail { step: of, .. }) => step == of,
        (Event::ClonesDropped { nodes, keys }, Action::Drop { nodes: of, keys: inside }) => {
            nodes == of && keys == inside
        }
        _ => false,
    }
}
