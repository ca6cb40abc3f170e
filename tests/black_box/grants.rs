//! What a node is granted beyond folders that are the same for all of its steps: nothing that the
//! manifest does not say.

mod keys;
mod machine;
mod network;
mod secrets;
mod server;

use dynhost::graph::event::{Event, Level};

use crate::job::Ran;

/// The warnings in the log of a run.
fn warnings(ran: &Ran) -> Vec<&str> {
    let warning = |event: &'_ Event| matches!(event, Event::LogWritten { level: Level::Warn, .. });
    ran.events
        .iter()
        .filter(|event| warning(event))
        .filter_map(|event| match event {
            Event::LogWritten { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect()
}

/// The one warning of a run.
fn warning(ran: &Ran) -> &str {
    let [only] = warnings(ran)[..] else { panic!("one warning: {:?}", warnings(ran)) };
    only
}
