//! Several stores on the same folder, as several processes have them.

use super::*;

#[test]
fn two_writers_take_turns() {
    let folder = Folder::new();
    drop(folder.open());
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for run in ["01A", "01B", "01C"] {
            let folder = &folder;
            scope.spawn(move || {
                let store = folder.open();
                keep(&store, run, vec![began(run)]);
                for number in 0..100 {
                    keep(&store, run, vec![succeeded(&format!("size[{number}]"))]);
                }
                keep(&store, run, vec![finished(RunStatus::Succeeded)]);
            });
        }
    });
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    let store = folder.open();
    for run in ["01A", "01B", "01C"] {
        assert_eq!(events(&store, run, 0).unwrap().len(), 102);
        assert_eq!(store.run(run).unwrap().steps.succeeded, 100);
    }
}

#[test]
fn a_new_folder_may_be_opened_by_several_at_once() {
    for _ in 0..10 {
        let folder = Folder::new();
        std::thread::scope(|scope| {
            for run in ["01A", "01B", "01C", "01D"] {
                let folder = &folder;
                scope.spawn(move || keep(&folder.open(), run, vec![began(run)]));
            }
        });
        assert_eq!(folder.open().runs(&RunFilter { limit: 9, ..<_>::default() }).unwrap().len(), 4);
    }
}

#[test]
fn two_writers_of_one_run_are_noticed() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    keep(&one, "01A", vec![began("01A")]);
    keep(&other, "01A", vec![started("list", 1)]);
    let error = append(&one, "01A", vec![at(1, started("list", 1))]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert_eq!(events(&other, "01A", 0).unwrap().len(), 2);
}

#[test]
fn a_run_is_kept_to_one_process() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    keep(&one, "01A", vec![began("01A")]);
    assert_eq!(one.run("01A").unwrap().status, RunState::Interrupted);
    let lock = one.lock("01A").unwrap();
    for store in [&one, &other] {
        assert_eq!(store.run("01A").unwrap().status, RunState::Running);
        let error = store.lock("01A").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy);
        let held = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(held, format!("process {} holds it", std::process::id()));
    }
    let read_only = SqliteStore::open_read_only(folder.path()).unwrap();
    assert_eq!(read_only.run("01A").unwrap().status, RunState::Running);
    drop(lock);
    assert_eq!(other.run("01A").unwrap().status, RunState::Interrupted);
    drop(other.lock("01A").unwrap());
    for bad in ["../01A", "", "a/b", "."] {
        assert_eq!(one.lock(bad).unwrap_err().kind(), StoreErrorKind::Unknown, "{bad}");
    }
}

#[test]
fn whoever_looks_does_not_keep_others_from_the_lock() {
    let folder = Folder::new();
    let store = folder.open();
    keep(&store, "01A", vec![began("01A")]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    store.run("01A").unwrap();
                }
            });
        }
        for _ in 0..200 {
            drop(store.lock("01A").unwrap());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_run_is_asked_to_cancel() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    assert!(!other.request_cancel("01A").unwrap());
    let lock = one.lock("01A").unwrap();
    assert!(!lock.cancel_requested());
    assert!(other.request_cancel("01A").unwrap());
    assert!(lock.cancel_requested());
    drop(lock);
    assert!(!one.lock("01A").unwrap().cancel_requested());
    // One that was asked when its process died does not end what is resumed.
    std::fs::write(folder.path().join("locks/01A.cancel"), "").unwrap();
    assert!(!one.lock("01A").unwrap().cancel_requested());
    assert_eq!(std::fs::read_dir(folder.path().join("locks")).unwrap().count(), 0);
}
