//! Traces and metrics for a collector of OpenTelemetry, by OTLP over HTTP.
//!
//! A run is a trace, and each attempt at a step a span in it. What cannot be sent is dropped: a run never waits for its
//! collector.

use std::env;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use dynhost_graph::event::{Event, RunStatus};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::executor::Outcome;
use crate::executor::local::Load;
use crate::run::EndedAttempt;

/// How long the end of a host waits for what is still to be sent.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Sends traces and metrics of the runs of a host to a collector. A clone is the same; when the last one is dropped, what
/// is left is sent, for some seconds at most.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    meter: Meter,
    steps: Counter<u64>,
    durations: Histogram<f64>,
}

/// Why there can be no telemetry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The collector is to be reached by something else than OTLP over plain HTTP.
    #[error(
        "the collector `{endpoint}` cannot be reached: traces and metrics are sent as OTLP over http only"
    )]
    Transport {
        /// Where it is, or by what it is to be reached.
        endpoint: String,
    },
    /// The endpoint or another setting is malformed.
    #[error("telemetry cannot be set up")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Telemetry {
    /// To the collector that the standard variables name (`OTEL_EXPORTER_OTLP_ENDPOINT` and those beside it); `None` where
    /// they name none.
    ///
    /// # Errors
    /// They ask for what there is not, such as gRPC or TLS.
    pub fn from_env() -> Result<Option<Self>, TelemetryError> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let endpoints = ["", "TRACES_", "METRICS_"]
            .map(|kind| set(&format!("OTEL_EXPORTER_OTLP_{kind}ENDPOINT")));
        let disabled = set("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        if disabled || endpoints.iter().all(Option::is_none) {
            return Ok(None);
        }
        let protocols = ["", "TRACES_", "METRICS_"]
            .map(|kind| set(&format!("OTEL_EXPORTER_OTLP_{kind}PROTOCOL")));
        let other = protocols.into_iter().flatten().find(|protocol| protocol != "http/protobuf");
        if let Some(endpoint) = other {
            return Err(TelemetryError::Transport { endpoint });
        }
        for endpoint in endpoints.into_iter().flatten() {
            plain(&endpoint)?;
        }
        let (spans, metrics) =
            (SpanExporter::builder().with_http(), MetricExporter::builder().with_http());
        let (spans, metrics) =
            (spans.build().map_err(settings)?, metrics.build().map_err(settings)?);
        Ok(Some(Self::new(spans, metrics)))
    }

    /// To a collector such as `http://localhost:4318`.
    ///
    /// # Errors
    /// That is not the address of one.
    pub fn to(endpoint: &str) -> Result<Self, TelemetryError> {
        plain(endpoint)?;
        let at = |what: &str| format!("{}/v1/{what}", endpoint.trim_end_matches('/'));
        let spans = SpanExporter::builder().with_http().with_endpoint(at("traces"));
        let metrics = MetricExporter::builder().with_http().with_endpoint(at("metrics"));
        Ok(Self::new(spans.build().map_err(settings)?, metrics.build().map_err(settings)?))
    }

    fn new(spans: SpanExporter, metrics: MetricExporter) -> Self {
        let mut resource = Resource::builder();
        if env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("dynhost");
        }
        let resource = resource.build();
        let spans = SdkTracerProvider::builder()
            .with_batch_exporter(spans)
            .with_resource(resource.clone())
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_periodic_exporter(metrics)
            .with_resource(resource)
            .build();
        let (tracer, meter) = (spans.tracer("dynhost"), metrics.meter("dynhost"));
        let steps = meter.u64_counter("dynhost.steps").with_description("Steps, by how they ended");
        let durations = meter.f64_histogram("dynhost.attempt.duration").with_unit("s");
        let durations = durations.with_description("How long attempts at steps took");
        // Attempts take microseconds to minutes.
        let bounds = (-5..=2).flat_map(|n| [1.0, 3.0].map(|m| m * 10_f64.powi(n))).collect();
        let durations = durations.with_boundaries(bounds).build();
        let steps = steps.build();
        Self(Arc::new(Inner { spans, metrics, tracer, meter, steps, durations }))
    }

    /// Shows how much is going on in an executor.
    pub(crate) fn observe(&self, load: Load) {
        let (meter, waiting) = (&self.0.meter, load.clone());
        meter
            .u64_observable_gauge("dynhost.queue.depth")
            .with_description("Steps that wait for a worker")
            .with_callback(move |gauge| gauge.observe(waiting.waiting(), &[]))
            .build();
        meter
            .u64_observable_gauge("dynhost.instances")
            .with_description("Instances in use: attempts that have begun and not ended")
            .with_callback(move |gauge| gauge.observe(load.instances(), &[]))
            .build();
    }

    /// Begins the trace of a run; inside of the span that is current, if there is one.
    pub(crate) fn run(&self, run: &str, job: &str) -> RunTelemetry {
        let (run, job) = (KeyValue::new("dynhost.run", run.to_owned()), job.to_owned());
        let job = KeyValue::new("dynhost.job", job);
        let attributes = [run.clone(), job.clone()];
        let span = self.0.tracer.span_builder("run").with_attributes(attributes);
        let span = Context::current_with_span(span.start(&self.0.tracer));
        RunTelemetry { telemetry: Arc::clone(&self.0), span, run, job }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (spans, metrics) = (self.spans.clone(), self.metrics.clone());
        let (sender, done) = mpsc::channel();
        // On a thread of its own, since a collector that does not answer keeps it for long.
        let sending =
            thread::Builder::new().name("dynhost-telemetry".to_owned()).spawn(move || {
                // What cannot be sent is lost, and nobody is left to tell.
                let _ = spans.shutdown_with_timeout(LAST_WORDS);
                let _ = metrics.shutdown_with_timeout(LAST_WORDS);
                let _ = sender.send(());
            });
        if sending.is_ok() {
            let _ = done.recv_timeout(LAST_WORDS);
        }
    }
}

fn plain(endpoint: &str) -> Result<(), TelemetryError> {
    if endpoint.starts_with("http://") {
        return Ok(());
    }
    Err(TelemetryError::Transport { endpoint: endpoint.to_owned() })
}

fn settings(error: impl std::error::Error + Send + Sync + 'static) -> TelemetryError {
    TelemetryError::Settings(Box::new(error))
}

/// The trace of one run. Ends its span when it is dropped, however the run came to its end.
pub(crate) struct RunTelemetry {
    telemetry: Arc<Inner>,
    span: Context,
    run: KeyValue,
    job: KeyValue,
}

impl RunTelemetry {
    /// Adds the span of an attempt that has just ended.
    pub(crate) fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        let EndedAttempt { node, step, number, outcome, took, used } = attempt;
        let (took, status) = (*took, outcome.status());
        let seconds = took.as_secs_f64();
        let ended = SystemTime::now();
        let ways = [self.job.clone(), KeyValue::new("dynhost.outcome", status)];
        self.telemetry.durations.record(seconds, &ways);
        let keys = step.keys.keys().iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut attributes = vec![
            self.run.clone(),
            KeyValue::new("dynhost.op", node.op.name.clone()),
            KeyValue::new("dynhost.step", step.node.to_string()),
            KeyValue::new("dynhost.key", keys),
            KeyValue::new("dynhost.attempt", i64::from(*number)),
            KeyValue::new("dynhost.outcome", status),
            KeyValue::new("dynhost.output.bytes", whole(used.output)),
        ];
        attributes.extend(used.memory.map(|b| KeyValue::new("dynhost.memory.peak", whole(b))));
        attributes.extend(used.fuel.map(|fuel| KeyValue::new("dynhost.fuel", whole(fuel))));
        let tracer = &self.telemetry.tracer;
        let span = tracer.span_builder(step.node.to_string()).with_kind(SpanKind::Internal);
        let span = span.with_start_time(ended - took).with_attributes(attributes);
        let mut span = span.start_with_context(tracer, &self.span);
        if let Outcome::Failed(failure) = outcome {
            span.set_status(Status::error(failure.to_string()));
        }
        span.end_with_timestamp(ended);
    }

    /// Counts the end of a step.
    pub(crate) fn event(&self, event: &Event) {
        let outcome = match event {
            Event::StepSucceeded { reused: None, .. } => "succeeded",
            Event::StepSucceeded { reused: Some(_), .. } => "cached",
            Event::StepFailed { retry_in_ms: None, .. } => "failed",
            Event::StepSkipped { .. } => "skipped",
            Event::StepCancelled { .. } => "cancelled",
            _ => return,
        };
        self.telemetry.steps.add(1, &[self.job.clone(), KeyValue::new("dynhost.outcome", outcome)]);
    }

    pub(crate) fn run_ended(&self, status: RunStatus) {
        let span = self.span.span();
        span.set_attribute(KeyValue::new("dynhost.status", status.to_string()));
        if status == RunStatus::Failed {
            span.set_status(Status::error("steps failed"));
        }
        span.end();
    }
}
