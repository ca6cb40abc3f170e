//! Traces and metrics as a collector gets them: an OTLP server in this process, which decodes what is really sent.

mod collector;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use dynhost::graph::event::RunStatus;
use dynhost::{Host, Telemetry, TelemetryError};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::command::binary;
use crate::job::{Job, component};
use collector::{Collector, attribute};

/// Ten clones of which one fails at first, and one for good; what is collected is skipped.
const NODES: &str = r#"
nodes.numbers = { op = "basics/numbers", inputs.n.value = 10 }
nodes.echo = { op = "basics/echo", inputs.value.map = "numbers" }
nodes.retried = { op = "hostile/fail", config = { kind = "transient", until = 1 }, retry.max_attempts = 2, limits.fuel = 100_000_000 }
nodes.failed = { op = "hostile/trap" }
nodes.after = { op = "basics/echo", inputs.value.from = "failed" }
"#;

fn host(telemetry: Telemetry) -> Host {
    let code = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    let host = Host::builder().workers(2.try_into().expect("not zero")).code_cache(code);
    host.telemetry(telemetry).build().expect("a host can be built")
}

#[test]
fn a_run_is_a_trace_and_the_metrics_add_up_to_its_steps() {
    let collector = Collector::start();
    let host = host(Telemetry::to(&collector.address()).expect("a collector"));
    let ran = Job::new(NODES).host(&host).run();
    // The last handle sends what is left.
    drop(host);
    let got = collector.stop();

    let (roots, attempts): (Vec<&Span>, Vec<&Span>) =
        got.spans().partition(|span| span.parent_span_id.is_empty());
    let [run] = roots.as_slice() else { panic!("{roots:?}") };
    assert_eq!(attribute(&run.attributes, "dynhost.status"), "failed");
    let run_id = attribute(&run.attributes, "dynhost.run");
    assert_eq!(run_id.len(), 26, "{run_id}");
    let mut seen = BTreeSet::new();
    for span in &attempts {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&run.trace_id, &run.span_id));
        assert!(run.start_time_unix_nano <= span.start_time_unix_nano + 1_000_000);
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
        assert!(span.end_time_unix_nano <= run.end_time_unix_nano);
        let of = |name| attribute(&span.attributes, name);
        assert_eq!(of("dynhost.run"), run_id);
        let failed = span.status.as_ref().is_some_and(|it| it.code() == StatusCode::Error);
        assert_eq!(of("dynhost.outcome") == "failed", failed, "{span:?}");
        assert_ne!(of("dynhost.memory.peak"), "0", "{span:?}");
        let (step, key, attempt) = (of("dynhost.step"), of("dynhost.key"), of("dynhost.attempt"));
        seen.insert(format!(
            "{step} {key} {attempt} {} {}",
            of("dynhost.op"),
            of("dynhost.outcome")
        ));
        if step == "echo" {
            assert_ne!(of("dynhost.output.bytes"), "0");
        }
        let fuel = span.attributes.iter().any(|it| it.key == "dynhost.fuel");
        assert_eq!(fuel, step == "retried", "only what is metered has fuel");
    }
    assert_eq!(seen.len(), attempts.len(), "no attempt is there twice");
    insta::assert_snapshot!(seen.into_iter().collect::<Vec<_>>().join("\n"));

    let steps = ran.counts();
    for (outcome, count) in [
        ("succeeded", steps.succeeded),
        ("failed", steps.failed),
        ("skipped", steps.skipped),
        ("cancelled", steps.cancelled),
        ("cached", steps.cached),
    ] {
        assert_eq!(got.sum("dynhost.steps", outcome), count, "{outcome}");
    }
    assert_eq!(got.observations("dynhost.attempt.duration"), attempts.len() as u64);
    assert_eq!(got.gauge("dynhost.queue.depth"), 0);
    assert_eq!(got.gauge("dynhost.instances"), 0);
}

#[test]
fn the_binary_sends_where_the_standard_variables_say() {
    let collector = Collector::start();
    let mut call = Command::new(binary());
    call.args(["call", "--input", "x=21"]).arg(component("basics")).arg("multiply_by_two");
    call.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address());
    call.env("OTEL_SERVICE_NAME", "from the test");
    let output = call.output().expect("the binary can be started");
    assert!(output.status.success(), "{output:?}");
    let got = collector.stop();
    assert_eq!(got.spans().count(), 2);
    assert_eq!(got.service(), "from the test");
    assert_eq!(got.sum("dynhost.steps", "succeeded"), 1);
}

#[test]
fn a_collector_that_is_away_disturbs_no_run() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", closed.local_addr().expect("an address"));
    // Connections are taken by the system, and nobody ever answers.
    let silent = host(Telemetry::to(&address).expect("an address"));
    assert_eq!(Job::new(NODES).host(&silent).run().status(), RunStatus::Failed);
    let begun = std::time::Instant::now();
    drop(silent);
    assert!(begun.elapsed().as_secs() < 10, "the end of a host is bounded");
    drop(closed);
    let gone = host(Telemetry::to(&address).expect("an address"));
    assert_eq!(Job::new(NODES).host(&gone).run().counts().succeeded, 12);
}

#[test]
fn what_cannot_be_sent_to_is_refused() {
    let error = Telemetry::to("https://localhost").expect_err("there is no TLS");
    assert!(matches!(error, TelemetryError::Transport { .. }), "{error:?}");
    let mut doctor = Command::new(binary());
    doctor.arg("inspect").arg(component("basics"));
    doctor.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");
    doctor.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let output = doctor.output().expect("the binary can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("OTLP over http only"), "{said}");
}
