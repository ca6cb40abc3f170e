//! The service as its clients and its operator see it: over HTTP, by signals, and in /proc.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// A hundred clones, fanned in. A hostile step beside them, if there is one, is not waited for.
const CLONES: &str = r#"
components.basics = "basics.wasm"
components.hostile = "hostile.wasm"
params.n = { type = "integer", default = 100 }
nodes.numbers = { op = "basics/repeat", inputs.count.param = "n", inputs.number.value = 3 }
nodes.double = { op = "basics/multiply_by_two", inputs.x.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "double" }
outputs.sum.from = "sum"
"#;
const LOOPS: &str = r#"nodes.bad = { op = "hostile/loop", timeout = "100ms" }"#;
const ALLOCATES: &str = r#"nodes.bad = { op = "hostile/allocate" }"#;
/// Never ends by itself, but can be cancelled.
const WAITS: &str = r#"nodes.bad = { op = "hostile/loop", timeout = "10m" }"#;
/// Long enough to be interrupted in its midst.
const LONG: &str = r#"
job.name = "long"
job.max_concurrency = 1
components.basics = "basics.wasm"
nodes.numbers = { op = "basics/repeat", inputs.count.value = 100, inputs.number.value = 20_000_000 }
nodes.count = { op = "basics/sleepless", inputs.iterations.map = "numbers" }
nodes.sum = { op = "basics/sum", inputs.numbers.collect = "count" }
outputs.sum.from = "sum"
"#;

const POLICY: &str = "[limits]\nmemory = \"16MiB\"\ntimeout = \"10m\"\n";

/// The service in a process of its own.
struct Service {
    process: Child,
    out: BufReader<ChildStdout>,
    address: String,
    client: Client,
}

impl Service {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynhost-example-service"));
        command.arg(data).arg("127.0.0.1:0").stdout(Stdio::piped());
        let mut process = command.spawn().expect("the service can be started");
        let mut out = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("that is what it says");
        let address = address.to_owned();
        // A connection for each request, so that what the service holds open is of requests alone.
        let client = Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { process, out, address, client }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    async fn put(&self, path: &str, body: Vec<u8>) {
        let answer = self.client.put(self.at(path)).body(body).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
    }

    /// Starts a run; gives its path.
    async fn run(&self, tenant: &str, job: &str) -> String {
        let url = self.at(&format!("{tenant}/jobs/{job}/runs"));
        let answer = self.client.post(url).json(&json!({})).send().await.expect("an answer");
        let answer: Json = answer.json().await.expect("a JSON object");
        format!("{tenant}/runs/{}", answer["run"].as_str().unwrap_or_else(|| panic!("{answer}")))
    }

    /// Follows a run until `stop` says so, or it is over; gives the events from the one at `from` on.
    async fn follow(
        &self,
        run: &str,
        from: usize,
        mut stop: impl FnMut(&Json) -> bool,
    ) -> Vec<Json> {
        let mut request = self.client.get(self.at(&format!("{run}/events")));
        if let Some(last) = from.checked_sub(1) {
            request = request.header("last-event-id", last.to_string());
        }
        let mut answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{run}: {}", answer.status());
        let (mut events, mut text) = (Vec::new(), Vec::new());
        while let Some(chunk) = answer.chunk().await.expect("the stream ends well") {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                if let Some(data) = line.strip_prefix(b"data: ") {
                    let event = serde_json::from_slice(data).expect("an event is JSON");
                    let stops = stop(&event);
                    events.push(event);
                    if stops {
                        return events;
                    }
                }
            }
        }
        events
    }

    async fn cancel(&self, run: &str) {
        let answer = self.client.delete(self.at(run)).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{run}: {}", answer.status());
    }

    async fn show(&self, run: &str) -> Json {
        let answer = self.client.get(self.at(run)).send().await.expect("an answer");
        answer.json().await.expect("a JSON object")
    }

    /// Open file handles, and bytes of resident memory.
    fn usage(&self) -> (usize, u64) {
        let process = PathBuf::from(format!("/proc/{}", self.process.id()));
        let handles = fs::read_dir(process.join("fd")).expect("it runs").count();
        let pages = fs::read_to_string(process.join("statm")).expect("it runs");
        let pages = pages.split(' ').nth(1).expect("the second number").parse::<u64>();
        (handles, pages.expect("a number") * rustix::param::page_size() as u64)
    }

    /// Asks it to end, and waits until it has.
    fn terminate(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).expect("it runs");
        // Ends when the process does, and so does the wait for it.
        let rest = self.out.by_ref().lines().count();
        assert_eq!(rest, 0, "it says nothing more");
        self.process.wait().expect("it can be waited for")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Only where the test failed before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn op(target: &str, name: &str) -> Vec<u8> {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../example-ops");
    let file = ops.join(format!("target/{target}/release/{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; `sh example-ops/build` builds it", file.display())
    })
}

fn data() -> TempDir {
    let data = tempfile::tempdir().expect("a folder");
    for tenant in ["ann", "bob"] {
        let folder = data.path().join(tenant);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("policy.toml"), POLICY).expect("a file");
    }
    data
}

async fn upload(service: &Service, tenant: &str) {
    for name in ["basics", "hostile"] {
        let bytes = op("wasm32-unknown-unknown", name);
        service.put(&format!("{tenant}/components/{name}"), bytes).await;
    }
    for (name, bad) in [("good", ""), ("loops", LOOPS), ("allocates", ALLOCATES), ("waits", WAITS)]
    {
        let manifest = format!("job.name = \"{name}\"\n{CLONES}{bad}\n");
        service.put(&format!("{tenant}/jobs/{name}"), manifest.into_bytes()).await;
    }
    service.put(&format!("{tenant}/jobs/long"), LONG.into()).await;
}

fn count(events: &[Json], kind: &str) -> usize {
    events.iter().filter(|event| event["event"] == kind).count()
}

/// One run of a job of one tenant, as a client has it; the status that it ended with.
async fn client(service: &Service, n: usize) -> String {
    let tenant = ["ann", "bob"][n % 2];
    let (job, status) = match n % 20 {
        3 => ("loops", "failed"),
        7 => ("allocates", "failed"),
        11 => ("waits", "cancelled"),
        _ => ("good", "succeeded"),
    };
    let run = service.run(tenant, job).await;
    let mut events = Vec::new();
    if job == "waits" {
        events = service.follow(&run, 0, |event| event["event"] == "step_succeeded").await;
        service.cancel(&run).await;
    }
    let rest = service.follow(&run, events.len(), |_| false).await;
    events.extend(rest);
    let last = events.last().expect("a run has events");
    assert_eq!((&last["event"], &last["status"]), (&json!("run_finished"), &json!(status)));
    if job != "waits" {
        assert_eq!(count(&events, "step_succeeded"), 102, "{job}");
    }
    assert_eq!(service.show(&run).await["status"], status);
    status.to_owned()
}

/// A round of so many clients at once.
async fn round(service: &Service, clients: usize) -> [usize; 3] {
    let ended = futures::future::join_all((0..clients).map(|n| client(service, n))).await;
    ["succeeded", "failed", "cancelled"]
        .map(|status| ended.iter().filter(|ended| *ended == status).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_runs_of_two_tenants_do_not_disturb_each_other() {
    let data = data();
    let service = Service::start(data.path());
    upload(&service, "ann").await;
    upload(&service, "bob").await;
    // What is made once and stays: pools, caches, threads.
    assert_eq!(round(&service, 20).await, [17, 2, 1]);
    let (handles, memory) = service.usage();
    assert_eq!(round(&service, 200).await, [170, 20, 10]);
    let (handles_after, memory_after) = settled(&service, handles + 32).await;
    assert!(handles_after <= handles + 32, "{handles} handles, then {handles_after}");
    // A slot of the pool keeps up to 256 KiB once it was used, and there are a thousand.
    assert!(memory_after <= memory + (320 << 20), "{memory} bytes, then {memory_after}");
    assert!(service.terminate().success());
}

/// What the service uses once it holds at most so many handles, or has answered a thousand times since: a connection is
/// closed a moment after its answer.
async fn settled(service: &Service, handles: usize) -> (usize, u64) {
    let mut usage = service.usage();
    for _ in 0..1000 {
        if usage.0 <= handles {
            break;
        }
        service.show("ann/runs/none").await;
        usage = service.usage();
    }
    usage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_sigterm_interrupts_goes_on_with_the_next_start() {
    let data = data();
    let service = Service::start(data.path());
    upload(&service, "ann").await;
    let run = service.run("ann", "long").await;
    let mut left = 10;
    let some = |event: &Json| {
        left -= usize::from(event["event"] == "step_succeeded");
        left == 0
    };
    let before = service.follow(&run, 0, some).await;
    assert!(service.terminate().success());

    let service = Service::start(data.path());
    let mut events = before.clone();
    events.extend(service.follow(&run, before.len(), |_| false).await);
    assert_eq!(count(&events, "run_resumed"), 1);
    assert_eq!(count(&events, "cancel_requested"), 0);
    assert_eq!(count(&events, "step_succeeded"), 102, "none ran to its end twice");
    let last = events.last().expect("a run has events");
    assert_eq!((&last["event"], &last["status"]), (&json!("run_finished"), &json!("succeeded")));
    assert!(service.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_gets_what_its_policy_allows_and_nothing_of_the_others() {
    let data = data();
    let service = Service::start(data.path());
    upload(&service, "ann").await;
    let refused = async |method: Method, path: &str, body: &str| {
        let request = service.client.request(method, service.at(path)).body(body.to_owned());
        let answer = request.header("content-type", "application/json").send().await;
        let answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    let greedy = "job.name = \"j\"\ncomponents.b = \"basics.wasm\"\n\
                  nodes.n = { op = \"b/sleepless\", inputs.iterations.value = 1, limits.memory = \"1GiB\" }";
    let (status, words) = refused(Method::PUT, "ann/jobs/j", greedy).await;
    assert!(status == 422 && words.contains("policy allows 16 MiB"), "{status} {words}");
    service.put("ann/components/files", op("wasm32-wasip2", "files")).await;
    let granted = "job.name = \"j\"\ncomponents.f = \"files.wasm\"\n\
                   nodes.n = { op = \"f/files_in_directory\", grants.fs = [{ host = \"/etc\", guest = \"/data\", access = \"read\" }] }";
    let (status, words) = refused(Method::PUT, "ann/jobs/j", granted).await;
    assert!(status == 422 && words.contains("policy does not"), "{status} {words}");
    let others = greedy.replace("\"basics.wasm\"", "\"../ann/basics.wasm\"");
    let (status, words) = refused(Method::PUT, "bob/jobs/j", &others).await;
    assert!(status == 422 && words.contains("NAME.wasm"), "{status} {words}");
    let (status, words) = refused(Method::PUT, "ann/components/c", "no wasm").await;
    assert!(status == 422 && words.contains("not WebAssembly"), "{status} {words}");
    assert_eq!(refused(Method::PUT, "ann/components/policy", "").await.0, 422);
    assert_eq!(refused(Method::POST, "bob/jobs/good/runs", "{}").await.0, 404);
    assert_eq!(refused(Method::GET, "eve/runs/x", "").await.0, 404);
    let run = service.run("ann", "good").await;
    let run = run.strip_prefix("ann/").expect("its path");
    assert_eq!(refused(Method::GET, &format!("bob/{run}"), "").await.0, 404);
    assert_eq!(refused(Method::GET, &format!("bob/{run}/events"), "").await.0, 404);
    assert_eq!(refused(Method::DELETE, &format!("bob/{run}"), "").await.0, 404);
    assert!(service.terminate().success());
}
