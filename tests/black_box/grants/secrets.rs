//! Secrets: the server sees the value, and nobody else.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value as Json;

use super::server::{Server, read_request};
use crate::command::Workshop;
use crate::job::{Job, component};

/// What must be nowhere.
const VALUE: &str = "hunter2-correct-horse";

/// A folder with a job of one request, whose secret is `KEY`.
fn workshop(url: &str, network: &str, secret: &str, headers: &str) -> Workshop {
    let workshop = Workshop::new();
    let ops = component("network");
    let ops = ops.display();
    let manifest = format!(
        r#"
job.name = "secret"
components.network = '{ops}'

[nodes.ask]
op = "network/request"
config = {{ url = "{url}", headers = {headers} }}
grants.network = [{network}]
grants.secrets = [{{ name = "KEY", {secret} }}]

[outputs]
answer.from = "ask"
"#
    );
    workshop.write("job.toml", manifest);
    workshop
}

fn command(workshop: &Workshop, arguments: &[&str]) -> Command {
    let mut command = workshop.dynhost(arguments);
    command.env("HOST_KEY", VALUE);
    command
}

fn run(workshop: &Workshop) -> Output {
    let mut command =
        command(workshop, &["run", "job.toml", "-o", "json", "--events", "events.jsonl"]);
    command.output().expect("the binary can be started")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Every file of a folder that holds these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else {
            let content = fs::read(&path).expect("a file");
            let here = content.windows(bytes.len()).any(|window| window == bytes);
            found.extend(here.then(|| path.display().to_string()));
        }
    }
    found
}

/// Asserts that nothing that is kept or shown of the run holds the value.
fn assert_hidden(workshop: &Workshop, output: &Output) {
    assert!(!text(output).contains(VALUE), "{}", text(output));
    assert_eq!(files_with(workshop.path(), VALUE.as_bytes()), [""; 0]);
    let what = [
        &["runs", "show", "last", "-o", "json"][..],
        &["runs", "events", "last"],
        &["runs", "logs", "last"],
        &["explain", "last", "ask"],
        &["validate", "job.toml"],
        &["validate", "job.toml", "-o", "json"],
    ];
    for arguments in what {
        let shown = command(workshop, arguments).output().expect("the binary can be started");
        assert!(!text(&shown).contains(VALUE), "{arguments:?}: {}", text(&shown));
    }
}

fn plain(server: &Server, secret: &str, headers: &str) -> Workshop {
    let port = server.port();
    let network = format!("{{ host = \"127.0.0.1\", port = {port}, scheme = \"http\" }}");
    workshop(&format!("http://127.0.0.1:{port}/"), &network, secret, headers)
}

const HEADERS: &str = r#"{ authorization = "Bearer ${KEY}", x-twice = "${KEY},${KEY}" }"#;

#[test]
fn the_server_sees_the_value_and_nobody_else() {
    for secret in ["env = \"HOST_KEY\"", "file = \"key.txt\""] {
        let server = Server::start();
        let all = format!("{secret}, hosts = [\"127.0.0.1\"], scheme = \"http\"");
        let workshop = plain(&server, &all, HEADERS);
        // Beside the folder that is searched.
        let key = tempfile::NamedTempFile::new().expect("a file");
        fs::write(key.path(), format!("{VALUE}\n")).expect("a file");
        let manifest = fs::read_to_string(workshop.path().join("job.toml")).expect("a file");
        let key = key.path().to_str().expect("UTF-8");
        workshop.write("job.toml", manifest.replace("key.txt", key));
        let output = run(&workshop);
        assert!(output.status.success(), "{}", text(&output));
        let [seen] = &server.requests()[..] else { panic!("one request") };
        assert!(seen.contains(&format!("authorization: Bearer {VALUE}\r\n")), "{seen}");
        assert!(seen.contains(&format!("x-twice: {VALUE},{VALUE}\r\n")), "{seen}");
        assert_hidden(&workshop, &output);
    }
}

/// What the guest has is a placeholder: new in each run, and of one shape.
#[test]
fn a_guest_has_a_placeholder() {
    let job = Job::new(
        "[nodes.one]\nop = \"machine/variables\"\ngrants.network = [{ host = \"a.org\" }]\ngrants.secrets = [{ name = \"KEY\", env = \"CARGO_MANIFEST_DIR\", hosts = [\"a.org\"] }]\n[outputs]\nout.from = \"one\"\n",
    );
    let error = job.try_prepare().expect_err("`machine` makes no requests").to_string();
    assert!(error.contains("does not import `wasi:http/outgoing-handler`"), "{error}");
    let seen = || {
        let server = Server::start();
        let port = server.port();
        let job = Job::new(&format!(
            r#"
[nodes.one]
op = "network/request"
config = {{ url = "http://127.0.0.1:{port}/echo", method = "POST", body = "${{KEY}}" }}
grants.network = [{{ host = "127.0.0.1", port = {port}, scheme = "http" }}]
grants.secrets = [{{ name = "KEY", env = "CARGO_MANIFEST_DIR", hosts = ["127.0.0.1"], scheme = "http" }}]
[outputs]
out.from = "one"
"#
        ));
        let ran = job.run().succeeded();
        let out = ran.output("out").expect("the op succeeded");
        let body = out["body"].as_str().expect("a body");
        body.rsplit_once("\r\n\r\n").expect("a head").1.to_owned()
    };
    let (one, two) = (seen(), seen());
    assert_ne!(one, two);
    for placeholder in [one, two] {
        let digits = placeholder.strip_prefix("dynhost-secret-").expect("the prefix");
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    }
}

/// Another host, a request without TLS, and a URL are no places for a secret.
#[test]
fn a_secret_goes_nowhere_else() {
    let cases = [
        ("hosts = [\"127.0.0.1\"]", HEADERS, "", "is not sent to 127.0.0.1 without TLS"),
        (
            "hosts = [\"a.org\"]",
            HEADERS,
            "",
            "the secret `KEY` is not for 127.0.0.1; what would grant that to node `ask`: hosts = ",
        ),
        (
            "hosts = [\"127.0.0.1\"], scheme = \"http\"",
            "{}",
            "?key=${KEY}",
            "stands in the URL of a request to 127.0.0.1; it can only stand in a header",
        ),
    ];
    for (secret, headers, query, why) in cases {
        let server = Server::start();
        let workshop = plain(&server, &format!("env = \"HOST_KEY\", {secret}"), headers);
        let manifest = fs::read_to_string(workshop.path().join("job.toml")).expect("a file");
        let manifest = manifest
            .replace("/\", headers", &format!("/{query}\", headers"))
            // So that the secret can be sent somewhere.
            .replace(
                "grants.network = [",
                "grants.network = [{ host = \"a.org\" }, { host = \"127.0.0.1\" }, ",
            );
        workshop.write("job.toml", manifest);
        let output = run(&workshop);
        assert!(output.status.success(), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
        assert_eq!(server.requests(), [""; 0]);
        assert_hidden(&workshop, &output);
    }
}

/// A server with TLS, whose authority is in the file `ca.pem`; gives what it was sent.
fn tls_server(folder: &Path) -> (u16, Receiver<String>) {
    let signed =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("ca.pem"), signed.cert.pem()).expect("a file");
    let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .expect("the certificate has its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            let Some(request) = read_request(&mut stream) else { continue };
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret",
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
            let _ = stream.sock.read(&mut [0]);
            let _ = sender.send(request);
        }
    });
    (port, receiver)
}

/// Over TLS, with a certificate that the system trusts; without that, nothing is sent.
#[test]
fn a_secret_is_sent_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, seen) = tls_server(folder.path());
    let network = format!(
        "{{ host = \"localhost\", port = {port} }}, {{ host = \"127.0.0.1\", port = {port} }}"
    );
    let secret = "env = \"HOST_KEY\", hosts = [\"localhost\"]";
    let workshop = workshop(&format!("https://localhost:{port}/"), &network, secret, HEADERS);
    let run = |authorities: &Path| -> Json {
        let mut command = command(&workshop, &["run", "job.toml", "-o", "json"]);
        let output = command.env("SSL_CERT_FILE", authorities).output().expect("it can be started");
        assert!(output.status.success(), "{}", text(&output));
        assert_hidden(&workshop, &output);
        let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
        result["outputs"]["answer"].clone()
    };
    let answer = run(&folder.path().join("ca.pem"));
    assert!(answer.to_string().contains("secret"), "{answer}");
    let request = seen.recv().expect("a request");
    assert!(request.contains(&format!("authorization: Bearer {VALUE}\r\n")), "{request}");
    fs::write(folder.path().join("none.pem"), "").expect("a file");
    let answer = run(&folder.path().join("none.pem"));
    assert!(answer.to_string().contains("Tls"), "{answer}");
    assert!(seen.try_recv().is_err(), "nothing is sent");
}

/// What is not there, or cannot stand in a header, is an error before the run that does not show it.
#[test]
fn a_secret_that_cannot_be_had_is_an_error_before_the_run() {
    let server = Server::start();
    let secret = |source: &str| format!("{source}, hosts = [\"127.0.0.1\"], scheme = \"http\"");
    let words = |source: &str| {
        let workshop = plain(&server, &secret(source), HEADERS);
        workshop.write("two-lines.txt", "one\ntwo\n");
        let output = run(&workshop);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        text(&output)
    };
    assert!(words("env = \"NO_SUCH_VARIABLE\"").contains(
        "the secret `KEY` cannot be had: the host has no environment variable `NO_SUCH_VARIABLE`"
    ));
    assert!(words("file = \"none.txt\"").contains("none.txt cannot be read: No such file"));
    let lines = words("file = \"two-lines.txt\"");
    assert!(lines.contains("has several lines, or characters that no header takes"), "{lines}");
    assert!(!lines.contains("one\\ntwo"), "{lines}");
    assert_eq!(server.requests(), [""; 0]);
}
