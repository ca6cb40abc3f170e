//! What a subscriber of `tracing` hears of a run, and that one which panics disturbs none.
//!
//! A program of its own, with one test, since its subscriber is that of the whole process.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use dynhost::graph::event::RunStatus;
use dynhost::graph::manifest::Manifest;
use dynhost::{Host, RunOptions, RunResult};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const NODES: &str = r#"
job.name = "observed"
components.basics = "basics.wasm"
components.hostile = "hostile.wasm"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 2 }
nodes.echo = { op = "basics/echo", inputs.value.map = "numbers" }
nodes.log = { op = "hostile/flood_log", config = { count = 1, size = 4 } }
nodes.fail = { op = "hostile/fail", config.message = "no" }
nodes.after = { op = "basics/echo", inputs.value.from = "fail" }
"#;

/// Whether the subscriber panics at everything that it is asked.
static PANICS: AtomicBool = AtomicBool::new(false);
static HEARD: Mutex<Heard> = Mutex::new(Heard { spans: BTreeMap::new(), events: Vec::new() });

thread_local! {
    /// The spans that this thread is in.
    static INSIDE: std::cell::RefCell<Vec<u64>> = const { std::cell::RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Heard {
    spans: BTreeMap<u64, Spanned>,
    events: Vec<String>,
}

#[derive(Debug)]
struct Spanned {
    name: &'static str,
    parent: Option<u64>,
    fields: Fields,
    closed: bool,
}

#[derive(Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

struct Listener;

impl Listener {
    fn heard() -> std::sync::MutexGuard<'static, Heard> {
        assert!(!PANICS.load(Ordering::SeqCst), "as the test wants it");
        HEARD.lock().expect("it panics before it locks")
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dynhost::")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut heard = Self::heard();
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = attributes.parent().map(Id::into_u64);
        let id = heard.spans.len() as u64 + 1;
        let name = attributes.metadata().name();
        heard.spans.insert(id, Spanned { name, parent, fields, closed: false });
        Id::from_non_zero_u64(NonZeroU64::new(id).expect("counted from 1"))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut heard = Self::heard();
        values.record(&mut heard.spans.get_mut(&span.into_u64()).expect("known").fields);
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut heard = Self::heard();
        let inside = INSIDE.with_borrow(|inside| inside.last().copied());
        let span = event.parent().map(Id::into_u64).or(inside).and_then(|id| heard.spans.get(&id));
        let metadata = event.metadata();
        let mut line = format!("{} {}", metadata.level(), metadata.target());
        let _ = write!(line, " in {}", span.map_or_else(|| "nothing".to_owned(), Spanned::place));
        for (name, value) in fields.0 {
            let _ = write!(line, " {name}={value}");
        }
        heard.events.push(line);
    }

    fn enter(&self, span: &Id) {
        drop(Self::heard());
        INSIDE.with_borrow_mut(|inside| inside.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        drop(Self::heard());
        let left = INSIDE.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()), "spans are left in the order of their entering");
    }

    fn try_close(&self, span: Id) -> bool {
        Self::heard().spans.get_mut(&span.into_u64()).expect("known").closed = true;
        true
    }
}

impl Spanned {
    fn place(&self) -> String {
        let step = self.fields.0.get("step").map(|step| step.trim_matches('"'));
        step.unwrap_or(self.name).to_owned()
    }
}

fn run(host: &Host) -> RunResult {
    let ops = Path::new(env!("EXAMPLE_OPS")).join("wasm32-unknown-unknown/release/job.toml");
    let manifest = Manifest::parse(&ops, NODES).expect("it is well-formed");
    let job = host.prepare(&manifest, &[].into()).expect("it can be prepared");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let options = RunOptions { id: Some("run-1".to_owned()), ..RunOptions::default() };
    let ended = runtime.block_on(async { host.start(&job, options).finished().await });
    ended.expect("the host does not fail")
}

#[test]
fn a_subscriber_hears_of_runs_attempts_and_logs_and_disturbs_none() {
    let code = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    let host = Host::builder().code_cache(code).build().expect("a host can be built");
    let unobserved = run(&host);

    tracing::subscriber::set_global_default(Listener).expect("there is none");
    assert_eq!(run(&host).steps, unobserved.steps);
    let heard = std::mem::replace(
        &mut *HEARD.lock().expect("nobody panicked"),
        Heard { spans: BTreeMap::new(), events: Vec::new() },
    );
    let runs: Vec<u64> =
        heard.spans.iter().filter(|(_, it)| it.name == "run").map(|(id, _)| *id).collect();
    let [run_span] = runs.as_slice() else { panic!("{heard:?}") };
    let mut lines = Vec::new();
    for (id, span) in &heard.spans {
        assert!(span.closed, "{span:?}");
        assert_eq!(span.parent, (id != run_span).then_some(*run_span), "{span:?}");
        let mut line = span.name.to_owned();
        for (name, value) in &span.fields.0 {
            let _ = write!(line, " {name}={value}");
        }
        lines.push(line);
    }
    lines.sort();
    let mut events = heard.events;
    events.sort();
    insta::assert_snapshot!(format!("{}\n\n{}", lines.join("\n"), events.join("\n")));

    PANICS.store(true, Ordering::SeqCst);
    let disturbed = run(&host);
    assert_eq!(disturbed.steps, unobserved.steps);
    assert_eq!((disturbed.status, unobserved.status), (RunStatus::Failed, RunStatus::Failed));
    // One that begins in the midst of a run: spans that it never saw are left and closed.
    PANICS.store(false, Ordering::SeqCst);
    assert_eq!(run(&host).steps, unobserved.steps);
    code_that_is_not_used_is_told();
}

/// Code that others could have written is compiled anew, and a subscriber hears why.
fn code_that_is_not_used_is_told() {
    let told = |folder: &Path| {
        HEARD.lock().expect("nobody panicked").events.clear();
        let host = Host::builder().code_cache(folder).build().expect("a host can be built");
        let basics =
            Path::new(env!("EXAMPLE_OPS")).join("wasm32-unknown-unknown/release/basics.wasm");
        host.load(&basics).expect("it can be loaded");
        std::mem::take(&mut HEARD.lock().expect("nobody panicked").events)
    };
    let set_mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!([told(folder.path()), told(folder.path())], [[""; 0]; 2], "it is used");
    let files = fs::read_dir(folder.path()).expect("the folder is there");
    let files: Vec<_> = files.map(|entry| entry.expect("it can be read").path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let line = |path: &Path, why: &str| {
        let path = path.display();
        format!(
            "WARN dynhost::code in nothing message=compiled code is not used path={path} why={why:?}"
        )
    };
    let foreign = "it belongs to another user, or others may write to it";
    set_mode(file, 0o666);
    assert_eq!(told(folder.path()), [line(file, foreign)]);
    fs::write(file, "no code").expect("it is ours");
    assert_eq!(told(folder.path()), [line(file, "it is damaged")]);
    assert_eq!(told(folder.path()), [""; 0], "it was compiled anew");
    if fs::metadata(folder.path()).is_ok_and(|it| it.uid() == 0) {
        chown(file, Some(65534), None).expect("root may");
        assert_eq!(told(folder.path()), [line(file, foreign)]);
    }
    set_mode(folder.path(), 0o777);
    assert_eq!(told(folder.path()), [line(folder.path(), foreign)]);
    PANICS.store(true, Ordering::SeqCst);
    Host::builder().code_cache(folder.path()).build().expect("a host can be built");
    PANICS.store(false, Ordering::SeqCst);
}
