//! A collector of OpenTelemetry, as far as OTLP over HTTP goes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A server on a port of its own.
pub(super) struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Got>>,
    accepting: JoinHandle<()>,
}

/// What a collector was sent.
#[derive(Debug, Default)]
pub(super) struct Got {
    traces: Vec<ExportTraceServiceRequest>,
    /// The last one holds all sums.
    metrics: Vec<ExportMetricsServiceRequest>,
    stopped: bool,
}

impl Collector {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let got = Arc::new(Mutex::new(Got::default()));
        let shared = Arc::clone(&got);
        let accepting = thread::spawn(move || {
            let mut serving = Vec::new();
            for connection in listener.incoming() {
                if shared.lock().expect("no panic").stopped {
                    break;
                }
                let (connection, got) = (connection.expect("a connection"), Arc::clone(&shared));
                serving.push(thread::spawn(move || serve(connection, &got)));
            }
            for serving in serving {
                serving.join().expect("a request is well-formed");
            }
        });
        Self { address, got, accepting }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was sent by now. Whoever sends has closed its connections.
    pub(super) fn stop(self) -> Got {
        self.got.lock().expect("no panic").stopped = true;
        drop(TcpStream::connect(self.address).expect("it listens"));
        self.accepting.join().expect("requests are well-formed");
        std::mem::take(&mut *self.got.lock().expect("no panic"))
    }
}

/// Answers requests until the client has none.
fn serve(connection: TcpStream, got: &Mutex<Got>) {
    let mut reader = BufReader::new(connection);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).expect("it can be read") == 0 {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("post ") {
                rest.split(' ').next().unwrap_or_default().clone_into(&mut path);
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let mut got = got.lock().expect("no panic");
        match path.as_str() {
            "/v1/traces" => {
                got.traces.push(Message::decode(&*body).expect("the protobuf of traces"));
            }
            "/v1/metrics" => {
                got.metrics.push(Message::decode(&*body).expect("the protobuf of metrics"));
            }
            other => panic!("a request to `{other}`"),
        }
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).expect("the client waits");
    }
}

impl Got {
    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans)
    }

    /// The name of the service that all spans are from.
    pub(super) fn service(&self) -> String {
        let resource = self.traces[0].resource_spans[0].resource.as_ref().expect("a resource");
        attribute(&resource.attributes, "service.name")
    }

    /// The data of a metric in the last report.
    fn metric(&self, name: &str) -> &Data {
        let resources = &self.metrics.last().expect("metrics were sent").resource_metrics;
        let scopes = resources.iter().flat_map(|resource| &resource.scope_metrics);
        let metric = scopes.flat_map(|scope| &scope.metrics).find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("there is no metric `{name}`"));
        metric.data.as_ref().expect("it has data")
    }

    /// A counter, of one outcome.
    pub(super) fn sum(&self, name: &str, outcome: &str) -> u64 {
        let Data::Sum(sum) = self.metric(name) else { panic!("`{name}` is no counter") };
        let points = sum.data_points.iter();
        let points = points.filter(|it| attribute(&it.attributes, "dynhost.outcome") == outcome);
        points.map(|point| number(point.value)).sum()
    }

    /// How often a histogram was recorded to.
    pub(super) fn observations(&self, name: &str) -> u64 {
        let Data::Histogram(it) = self.metric(name) else { panic!("`{name}` is no histogram") };
        it.data_points.iter().map(|point| point.count).sum()
    }

    pub(super) fn gauge(&self, name: &str) -> u64 {
        let Data::Gauge(it) = self.metric(name) else { panic!("`{name}` is no gauge") };
        it.data_points.iter().map(|point| number(point.value)).sum()
    }
}

fn number(value: Option<number_data_point::Value>) -> u64 {
    match value {
        Some(number_data_point::Value::AsInt(n)) => n.try_into().expect("it counts"),
        other => panic!("{other:?} is no count"),
    }
}

/// An attribute as text.
pub(super) fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(n)) => n.to_string(),
        other => panic!("`{name}` is {other:?}"),
    }
}
