//! Values that are too large to add up in memory.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dynhost::graph::event::{Event, Recorded};
use dynhost::graph::scheduler::JobOutputValue;
use dynhost::store::sqlite::SqliteStore;
use dynhost::store::{Receipt, RunStore, StoreError};

use crate::job::Job;

const MIB: usize = 1 << 20;
const LARGE: &str = r#"
nodes.blobs = { op = "basics/blobs", inputs.count.value = 150, inputs.bytes.value = 1048576 }
nodes.same = { op = "basics/payload", inputs.data.map = "blobs" }
nodes.count = { op = "basics/count", inputs.values.collect = "same" }
outputs.count.from = "count"
outputs.all.collect = "same"
"#;

/// Bytes of files without a name in a folder that this process has mapped.
fn mapped(folder: &Path) -> u64 {
    let folder = folder.to_str().expect("the path is UTF-8");
    let maps = fs::read_to_string("/proc/self/maps").expect("there is /proc");
    let ours = maps.lines().filter(|line| line.contains(folder) && line.contains("(deleted)"));
    ours.map(|line| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let (begin, end) = range.expect("a range of addresses");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        address(end) - address(begin)
    })
    .sum()
}

/// Both while they are collected and when the run is taken up by another one.
#[test]
fn what_is_collected_does_not_add_up_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
    let job = Job::new(LARGE).store(&store);
    let first = job.run();
    let again = job.rerun(&first.result.run, &["count"]).expect("it can be run again");
    for ran in [&first, &again] {
        assert_eq!(ran.output("count"), Some(150.into()));
        let all = ran.result.outputs.iter().find(|(name, _)| name == "all");
        let Some((_, JobOutputValue::Many(all))) = all else { panic!("{:?}", ran.result) };
        assert_eq!(all.elements.len(), 150);
        assert!(all.elements.iter().all(|element| element.value.data[8..] == vec![b'y'; MIB - 8]));
    }
    assert_eq!(again.result.steps.cached, 151, "{:?}", again.result.steps);
    assert!(mapped(folder.path()) > 0, "150 MiB are more than the bound");
    drop((first, again, job));
    drop(store);
    assert_eq!(mapped(folder.path()), 0);
}

/// A store that answers only when nothing has come for a second.
#[derive(Default)]
struct Stalling {
    waiting: Mutex<Vec<Receipt>>,
    /// The most bytes of elements that waited at a time.
    most: AtomicUsize,
}

impl Stalling {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Receipt>> {
        self.waiting.lock().expect("no panic")
    }
}

impl RunStore for Stalling {
    fn append(&self, _: &Arc<str>, receipt: Receipt) {
        let mut waiting = self.waiting();
        waiting.push(receipt);
        let elements = waiting.iter().flat_map(|receipt| receipt.events().iter());
        let bytes = elements.map(|recorded| match &recorded.event {
            Event::OutputEmitted { value, .. } => value.data.len(),
            _ => 0,
        });
        self.most.fetch_max(bytes.sum(), Ordering::Relaxed);
    }

    fn read(
        &self,
        _: &str,
        _: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What waits to be kept does not add up in memory either, however slow the store is.
#[test]
fn a_slow_store_is_waited_for() {
    let store = Arc::new(Stalling::default());
    let job = Job::new(&LARGE.replace("count.value = 150", "count.value = 400")).store(&store);
    let ran = std::thread::scope(|scope| {
        let run = scope.spawn(|| job.run());
        let (mut before, mut silent) = (0, 0);
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            let mut waiting = store.waiting();
            silent = if waiting.len() == before { silent + 1 } else { 0 };
            if silent == 10 {
                waiting.drain(..).for_each(Receipt::kept);
            }
            before = waiting.len();
        }
        run.join().expect("no panic")
    });
    assert_eq!(ran.output("count"), Some(400.into()));
    let most = store.most.load(Ordering::Relaxed) / MIB;
    assert!((32..200).contains(&most), "{most} MiB of 400 waited");
}
