//! Runs that last: `semantics.md` rules 19 to 21.

mod cache;
mod crash;
mod damage;
mod defects;
mod large;
mod rerun;
mod resume;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dynhost::graph::event::{Event, Recorded};
use dynhost::store::RunStore;
use dynhost::store::memory::MemoryStore;
use tempfile::TempDir;

/// The files that the ops of `scripted` obey.
struct Script(TempDir);

impl Script {
    fn new(files: &[(&str, &str)]) -> Self {
        let script = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            script.set(name, text);
        }
        script
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("it was there");
    }

    /// The steps that were executed since it was asked last, in the order of their keys.
    fn ran(&self) -> Vec<String> {
        let path = self.path().join("ran");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let mut steps: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        steps.sort();
        steps
    }

    /// A manifest in which `SCRIPT` stands for the grant of the folder.
    fn manifest(&self, nodes: &str) -> String {
        let folder = self.path().to_str().expect("the path is UTF-8");
        let grant = format!(
            "grants.fs = [{{ host = '{folder}', guest = '/script', access = 'read_write' }}]"
        );
        nodes.replace("SCRIPT", &grant)
    }
}

/// The history of a run.
pub(crate) fn history(store: &dyn RunStore, run: &str) -> Vec<Recorded> {
    let mut events = Vec::new();
    let each = &mut |event| {
        events.push(event);
        ControlFlow::Continue(())
    };
    store.read(run, each).expect("the history can be read");
    events
}

/// A store that holds these events of a run, and nothing else.
fn store_of(run: &str, events: &[Recorded]) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    store.insert(run, events.to_vec());
    store
}

/// How many events are as wanted.
fn count(events: &[Event], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}
