//! Values that are too large to add up in memory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dynhost::graph::scheduler::JobOutputValue;
use dynhost::store::sqlite::SqliteStore;

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
