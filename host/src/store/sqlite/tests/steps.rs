//! Steps and how they stand.

use dynhost_graph::event::{Reused, ReusedFrom, SkipReason};

use super::*;
use crate::store::history::{StepFilter, StepState, StepSummary};

fn all(store: &SqliteStore, filter: StepFilter) -> Vec<StepSummary> {
    store.steps("01A", &StepFilter { limit: 1000, ..filter }).unwrap().items
}

fn states(store: &SqliteStore) -> Vec<(String, StepState)> {
    let steps = all(store, StepFilter::default());
    steps.into_iter().map(|step| (step.step, step.status)).collect()
}

fn named(states: &[(&str, StepState)]) -> Vec<(String, StepState)> {
    states.iter().map(|(step, state)| ((*step).to_owned(), *state)).collect()
}

fn cancelled(step: &str) -> Event {
    Event::StepCancelled { step: step.parse().unwrap(), attempt: 1 }
}

fn dropped(nodes: &[&str], keys: &[&str]) -> Event {
    Event::ClonesDropped {
        nodes: nodes.iter().map(|node| (*node).into()).collect(),
        keys: keys.iter().map(|key| (*key).to_owned().try_into().unwrap()).collect(),
    }
}

/// Every way in which a step can end.
fn story() -> Vec<Event> {
    let reused =
        Reused { from: ReusedFrom::Cache, run: "00Z".to_owned(), step: "size[x]".parse().unwrap() };
    let cached = Event::StepSucceeded {
        step: "size[c]".parse().unwrap(),
        attempt: 1,
        outputs: Vec::new(),
        took_us: 99,
        reused: Some(reused),
    };
    let reason = SkipReason::Upstream { node: "size".into() };
    let skipped = Event::StepSkipped { step: "sum".parse().unwrap(), reason };
    vec![
        began("01A"),
        started("list", 1),
        started("size[a]", 1),
        started("size[b]", 1),
        failed("size[b]", 1, Some(10)),
        succeeded("size[a]"),
        cached,
        started("size[b]", 2),
        failed("size[b]", 2, None),
        started("size[d]", 1),
        failed("size[d]", 1, Some(10)),
        started("size[e]", 1),
        cancelled("size[e]"),
        skipped,
    ]
}

#[test]
fn steps_stand_as_their_events_say() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", story());
    assert_eq!(
        states(&store),
        named(&[
            ("size[a]", StepState::Succeeded),
            ("size[c]", StepState::Cached),
            ("size[b]", StepState::Failed),
            ("size[e]", StepState::Cancelled),
            ("sum", StepState::Skipped),
            ("list", StepState::Running),
            ("size[d]", StepState::Waiting),
        ])
    );
    let of = |step: &str| all(&store, StepFilter { step: Some(step.into()), ..<_>::default() });
    let b = &of("size[b]")[0];
    assert_eq!((b.attempts, b.error.as_deref()), (2, Some("the guest trapped: attempt 2")));
    assert_eq!((b.node.as_str(), b.keys.as_slice()), ("size", &["b".to_owned()][..]));
    // Its last attempt says that it took longer than since its first event.
    assert_eq!(b.started_at_us, b.finished_at_us.map(|at| at - 10));
    assert_eq!(of("size[c]")[0].cached.as_deref(), Some("00Z size[x]"));
    assert_eq!(of("size[d]")[0].finished_at_us, None);
    assert!(of("sum")[0].error.as_deref().unwrap().contains("`size`"));
    assert!(of("nothing").is_empty() && of("[").is_empty());
    let counts = StepCounts { succeeded: 1, failed: 1, skipped: 1, cached: 1, cancelled: 1 };
    assert_eq!(store.run("01A").unwrap().steps, counts);
    let nodes = store.nodes("01A").unwrap();
    let names: Vec<_> = nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(names, ["size", "sum", "list"]);
    assert_eq!(nodes[0].took_us, 40);
    assert_eq!(nodes[0].steps.iter().map(|(_, count)| count).sum::<u64>(), 5);
}

/// However the events are cut into transactions, what is told of them is the same, but for the order of
/// rows of steps that were under way in between.
#[test]
fn transactions_leave_no_trace() {
    let mut all = story();
    all.extend([
        dropped(&["size"], &["a"]),
        started("size[a]", 1),
        succeeded("size[a]"),
        dropped(&["size"], &["d"]),
        started("size[d]", 1),
        started("size[f]", 1),
        dropped(&["size"], &["f"]),
        cancelled("size[f]"),
    ]);
    let mut told = Vec::new();
    for length in [1, 2, 3, 5, 100] {
        let folder = Folder::new();
        let store = folder.open();
        for part in all.chunks(length) {
            keep(&store, "01A", part.to_vec());
        }
        let nodes: Vec<_> = store.nodes("01A").unwrap();
        told.push(format!(
            "{:?} {nodes:?} {:?}",
            states(&store).len(),
            store.run("01A").unwrap().steps
        ));
        // A new process finds the same.
        let before = picture(&store, "01A");
        drop(store);
        assert_eq!(picture(&folder.open(), "01A"), before);
    }
    assert!(told.iter().all(|picture| *picture == told[0]), "{told:#?}");
}

#[test]
fn clones_that_no_longer_count_are_marked() {
    let folder = Folder::new();
    let store = folder.open();
    keep(
        &store,
        "01A",
        vec![
            began("01A"),
            succeeded("size[a]"),
            succeeded("size[ab]"),
            succeeded("count[a][1]"),
            succeeded("other[a]"),
            started("size[c]", 1),
            failed("size[c]", 1, Some(9)),
        ],
    );
    keep(
        &store,
        "01A",
        vec![
            succeeded("count[a][2]"),
            dropped(&["size", "count"], &["a"]),
            dropped(&["size", "count"], &["c"]),
            started("size[a]", 1),
            succeeded("size[a]"),
            started("size[c]", 1),
        ],
    );
    assert_eq!(
        states(&store),
        named(&[
            ("size[a]", StepState::Dropped),
            ("size[ab]", StepState::Succeeded),
            ("count[a][1]", StepState::Dropped),
            ("other[a]", StepState::Succeeded),
            ("size[c]", StepState::Dropped),
            ("count[a][2]", StepState::Dropped),
            ("size[a]", StepState::Succeeded),
            ("size[c]", StepState::Running),
        ])
    );
    let nodes = store.nodes("01A").unwrap();
    let size = nodes.iter().find(|node| node.node == "size").unwrap();
    assert_eq!(
        size.steps,
        [(StepState::Running, 1), (StepState::Succeeded, 2), (StepState::Dropped, 2)]
    );
    // The count of the run is that of its events.
    assert_eq!(store.run("01A").unwrap().steps.succeeded, 6);
}

#[test]
fn what_was_interrupted_runs_again() {
    let folder = Folder::new();
    {
        let store = folder.open();
        keep(
            &store,
            "01A",
            vec![
                began("01A"),
                started("list", 1),
                started("size[a]", 1),
                succeeded("size[a]"),
                started("size[b]", 1),
                failed("size[b]", 1, Some(9)),
                started("size[c]", 1),
                cancelled("size[c]"),
            ],
        );
    }
    let store = folder.open();
    let resumed = Event::RunResumed { components: Vec::new(), nodes: Vec::new(), manifest: None };
    keep(&store, "01A", vec![resumed, started("size[b]", 2)]);
    assert_eq!(
        states(&store),
        named(&[("size[a]", StepState::Succeeded), ("size[b]", StepState::Running)])
    );
    assert_eq!(store.run("01A").unwrap().steps.cancelled, 0);
    keep(
        &store,
        "01A",
        vec![
            started("list", 1),
            succeeded("size[b]"),
            started("size[c]", 1),
            succeeded("size[c]"),
            succeeded("list"),
            finished(RunStatus::Succeeded),
        ],
    );
    assert!(states(&store).iter().all(|(_, state)| *state == StepState::Succeeded));
    assert_eq!(states(&store).len(), 4);
    let run = store.run("01A").unwrap();
    assert_eq!((run.status, run.steps.succeeded), (RunState::Succeeded, 4));
    assert_eq!(events(&store, "01A", 0).unwrap().len(), 16);
}

#[test]
fn steps_are_read_in_pages() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    keep(&store, "01B", vec![began("01B")]);
    for number in 0..50 {
        let (one, other) = (format!("size[{number}]"), format!("deep[{number}][\"x,]"));
        let end = if number % 10 == 3 { failed(&one, 1, None) } else { succeeded(&one) };
        keep(&store, "01A", vec![end, succeeded(&other)]);
        keep(&store, "01B", vec![succeeded("size[0]")]);
    }
    let pages = |filter: StepFilter| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let filter = StepFilter { limit: 7, after, ..filter.clone() };
            let page = store.steps("01A", &filter).unwrap();
            assert!(page.items.len() == 7 || page.next.is_none());
            all.extend(page.items.into_iter().map(|step| step.step));
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    };
    assert_eq!(pages(StepFilter::default()).len(), 100);
    let node = Some("size".to_owned());
    let size = pages(StepFilter { node, ..StepFilter::default() });
    assert_eq!(size, (0..50).map(|number| format!("size[{number}]")).collect::<Vec<_>>());
    let status = vec![StepState::Failed];
    let failed = pages(StepFilter { status, ..StepFilter::default() });
    assert_eq!(failed, ["size[3]", "size[13]", "size[23]", "size[33]", "size[43]"]);
    let status = vec![StepState::Failed, StepState::Succeeded];
    assert_eq!(pages(StepFilter { status, ..StepFilter::default() }).len(), 100);
    let key = Some("13".to_owned());
    let by_key = pages(StepFilter { key, ..StepFilter::default() });
    assert_eq!(by_key, ["size[13]", "deep[13][\"x,]"]);
    let (status, key) = (vec![StepState::Failed], Some("13".to_owned()));
    let by_both = pages(StepFilter { status, key, ..StepFilter::default() });
    assert_eq!(by_both, ["size[13]"]);
    // A key that looks like what is between two keys.
    let key = Some(",".to_owned());
    assert!(pages(StepFilter { key, ..StepFilter::default() }).is_empty());
    let key = Some("\"x,".to_owned());
    assert_eq!(pages(StepFilter { key, ..StepFilter::default() }).len(), 50);
}
