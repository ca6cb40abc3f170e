//! Hosts: every way out of a guest, and every way that is refused.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use dynhost::graph::event::Failure;
use serde_json::{Value as Json, json};

use super::server::Server;
use super::{warning, warnings};
use crate::job::{Job, Ran, Watched, block_on, host, is_start, run};

/// Runs one op of `network` with grants: a text is its address, a table its config.
fn ran(op: &str, given: &Json, grants: &str) -> Ran {
    let key = if given.is_string() { "inputs.address.value" } else { "config" };
    let given = toml(given);
    run(&format!(
        "[nodes.one]\nop = \"network/{op}\"\n{key} = {given}\n{grants}\n[outputs]\nout.from = \"one\"\n"
    ))
    .succeeded()
}

fn toml(json: &Json) -> String {
    match json {
        Json::Object(object) => {
            let entries = object.iter().map(|(key, value)| format!("{key:?} = {}", toml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn out(ran: &Ran) -> Json {
    ran.output("out").expect("the op succeeded")
}

/// Sends a request; gives what the guest has of it.
fn request(url: &str, grants: &str) -> Ran {
    ran("request", &json!({ "url": url }), grants)
}

/// Asserts that a request was refused, to the guest and in the log, and gives the words.
fn refused(ran: &Ran) -> String {
    let words = warning(ran).to_owned();
    let error = out(ran)["error"].as_str().expect("an error").to_owned();
    let expected = format!("{:?}", words.trim_start_matches("refused: "));
    assert!(error.contains(expected.trim_matches('"')), "{error}\n{words}");
    words.strip_prefix("refused: ").expect("a refusal").to_owned()
}

fn grant(host: &str, port: u16, scheme: &str) -> String {
    format!("{{ host = \"{host}\", port = {port}, scheme = \"{scheme}\" }}")
}

fn network(entries: &[String]) -> String {
    format!("grants.network = [{}]", entries.join(", "))
}

#[test]
fn a_granted_host_answers() {
    let server = Server::start();
    let port = server.port();
    let granted = network(&[grant("127.0.0.1", port, "http")]);
    let answer = request(&format!("http://127.0.0.1:{port}/path?q=1"), &granted);
    assert_eq!(out(&answer), json!({ "status": 200, "body": "hello" }));
    assert_eq!(warnings(&answer), [""; 0]);
    let [seen] = &server.requests()[..] else { panic!("one request") };
    assert!(seen.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{seen}");
}

#[test]
fn a_body_is_sent_and_comes_back() {
    let server = Server::start();
    let port = server.port();
    let order = json!({
        "url": format!("http://127.0.0.1:{port}/echo"), "method": "POST",
        "headers": { "x-one": "1" }, "body": "the body",
    });
    let answer = ran("request", &order, &network(&[grant("127.0.0.1", port, "http")]));
    let body = out(&answer)["body"].as_str().expect("a body").to_owned();
    assert!(body.contains("x-one: 1\r\n") && body.ends_with("the body"), "{body}");
}

/// Without a grant the component loads and runs, and every request is refused.
#[test]
fn without_a_grant_nothing_is_reached() {
    let server = Server::start();
    let port = server.port();
    let words = refused(&request(&format!("http://127.0.0.1:{port}/"), ""));
    assert_eq!(
        words,
        format!(
            "GET http://127.0.0.1:{port} is not granted; what would grant it to node `one`: grants.network = [{{ host = \"127.0.0.1\", port = {port}, scheme = \"http\", methods = [\"GET\"] }}]"
        )
    );
    refused(&request("https://api.example.org/", ""));
    for (op, address) in [("connect", &*format!("127.0.0.1:{port}")), ("connect", "localhost:1")] {
        let ran = ran(op, &json!(address), "");
        assert!(out(&ran)["error"].is_string(), "{:?}", out(&ran));
        assert!(warning(&ran).starts_with("refused: "), "{}", warning(&ran));
    }
    for op in ["datagram", "listen"] {
        let ran = ran(op, &json!(format!("127.0.0.1:{port}")), "");
        assert!(out(&ran)["error"].is_string(), "{:?}", out(&ran));
        assert!(!warnings(&ran).is_empty(), "{op}");
    }
    let resolved = ran("resolve", &json!("localhost"), "");
    assert!(out(&resolved)["error"].is_string());
    assert!(warning(&resolved).contains("the addresses of `localhost` are not granted"));
    assert_eq!(server.requests(), [""; 0]);
}

/// Another host, port, scheme or method than the one that is granted.
#[test]
fn a_grant_is_for_one_host_port_scheme_and_method() {
    let (server, other) = (Server::start(), Server::start());
    let port = server.port();
    let granted = format!(
        "grants.network = [{{ host = \"127.0.0.1\", port = {port}, scheme = \"http\", methods = [\"GET\"] }}]"
    );
    for url in [
        format!("http://127.0.0.1:{}/", other.port()),
        format!("https://127.0.0.1:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://localhost:{port}/"),
        "http://127.0.0.1/".to_owned(),
    ] {
        assert!(refused(&request(&url, &granted)).contains("is not granted"), "{url}");
    }
    let with = |method: &str| {
        let order = json!({ "url": format!("http://127.0.0.1:{port}/"), "method": method });
        ran("request", &order, &granted)
    };
    assert!(refused(&with("POST")).contains("methods = [\"POST\"]"));
    assert!(refused(&with("DELETE")).contains("is not granted"));
    for method in ["CONNECT", "TRACE", "BREW"] {
        let words = refused(&with(method));
        assert_eq!(
            words,
            format!("a request that has the method `{method}`, which cannot be granted")
        );
    }
    assert_eq!(out(&with("GET"))["status"], 200);
    assert_eq!((server.requests().len(), other.requests().len()), (1, 0));
    // A grant of requests is none of connections.
    let connected = ran("connect", &json!(format!("127.0.0.1:{port}")), &granted);
    assert!(out(&connected)["error"].is_string());
}

/// A name does not grant what is not public, wherever it leads; the address beside it does.
#[test]
fn a_name_grants_public_addresses_only() {
    let server = Server::start();
    let port = server.port();
    let url = format!("http://localhost:{port}/");
    let by_name = network(&[grant("localhost", port, "http")]);
    let ran = request(&url, &by_name);
    // There may be two addresses of this machine, each of which is refused.
    let words = warnings(&ran);
    assert!(!words.is_empty(), "it is refused");
    assert!(
        words.iter().all(|words| words
            .contains("which is this machine (loopback), and a name does not grant that")),
        "{words:?}"
    );
    assert!(words.iter().any(|words| words.contains("host = \"127.0.0.1\"")), "{words:?}");
    assert!(out(&ran)["error"].as_str().expect("an error").contains("loopback"));
    assert_eq!(server.requests(), [""; 0]);
    let both = network(&[grant("localhost", port, "http"), grant("127.0.0.1", port, "http")]);
    assert_eq!(out(&request(&url, &both))["status"], 200);
    let upper = format!("http://LOCALHOST.:{port}/");
    assert_eq!(out(&request(&upper, &both))["status"], 200);
    let by_address = network(&[grant("127.0.0.1", port, "http")]);
    assert!(refused(&request(&url, &by_address)).contains("is not granted"));
    // A wildcard is a name too.
    let below = network(&[grant("*.localhost", port, "http")]);
    let ran = request(&format!("http://a.localhost:{port}/"), &below);
    assert!(out(&ran)["error"].is_string());
    assert_eq!(server.requests().len(), 2);
}

/// However an address is written, it is that address.
#[test]
fn forms_of_an_address_are_the_address() {
    let server = Server::start();
    let port = server.port();
    let granted = network(&[grant("example.org", port, "http"), grant("*.org", port, "http")]);
    for form in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0",
        "[::]",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let words = refused(&request(&format!("http://{form}:{port}/"), &granted));
        assert!(
            words.contains("is not granted") || words.contains("is no host"),
            "{form}: {words}"
        );
    }
    let loopback = network(&[grant("127.0.0.1", port, "http")]);
    let words = refused(&request(&format!("http://[::ffff:127.0.0.1]:{port}/"), &loopback));
    assert!(words.contains("host = \"::ffff:127.0.0.1\""), "{words}");
    let user = refused(&request(&format!("http://example.org@127.0.0.1:{port}/"), &loopback));
    assert!(user.contains("has a user in its URL"), "{user}");
    assert_eq!(server.requests(), [""; 0]);
}

/// The host follows no redirect; the request that a guest makes of one is checked like the first.
#[test]
fn a_redirect_is_a_new_request() {
    let (server, inside) = (Server::start(), Server::start());
    let port = server.port();
    let granted = network(&[grant("127.0.0.1", port, "http")]);
    let url = format!("http://127.0.0.1:{port}/to/http://127.0.0.1:{}/", inside.port());
    let order = |redirects: u32| json!({ "url": url, "redirects": redirects });
    assert_eq!(out(&ran("request", &order(0), &granted))["status"], 302);
    let words = refused(&ran("request", &order(1), &granted));
    assert!(
        words.contains(&format!("http://127.0.0.1:{} is not granted", inside.port())),
        "{words}"
    );
    assert_eq!(inside.requests(), [""; 0]);
    let url = format!("http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/there");
    let followed = ran("request", &json!({ "url": url, "redirects": 1 }), &granted);
    assert_eq!(out(&followed), json!({ "status": 200, "body": "hello" }));
}

#[test]
fn connections_are_granted_by_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut said = [0; 4];
            let _ = stream.read_exact(&mut said);
            let _ = stream.write_all(&[&said[..], b" pong"].concat());
        }
    });
    let address = |host: &str| json!(format!("{host}:{port}"));
    let by_address = network(&[grant("127.0.0.1", port, "tcp")]);
    let both = network(&[grant("localhost", port, "tcp"), grant("127.0.0.1", port, "tcp")]);
    let answer = json!({ "answer": "ping pong" });
    assert_eq!(out(&ran("connect", &address("127.0.0.1"), &by_address)), answer);
    assert_eq!(out(&ran("connect", &address("localhost"), &both)), answer);
    let by_name =
        ran("connect", &address("localhost"), &network(&[grant("localhost", port, "tcp")]));
    assert!(out(&by_name)["error"].is_string());
    assert!(warnings(&by_name).iter().any(|words| words.contains("(loopback)")), "{by_name:?}");
    let other_name = ran("connect", &address("localhost"), &by_address);
    assert!(warning(&other_name).contains("the addresses of `localhost` are not granted"));
    let other_port = ran("connect", &json!("127.0.0.1:1"), &by_address);
    let words = "refused: tcp://127.0.0.1:1 is not granted; what would grant it to node `one`: grants.network = [{ host = \"127.0.0.1\", port = 1, scheme = \"tcp\" }]";
    assert_eq!(warning(&other_port), words);
    // A number is an address here too, and a lookup of an address asks nobody.
    let number = ran("connect", &address("2130706434"), &by_address);
    assert!(out(&number)["error"].is_string());
    assert!(warning(&number).contains("tcp://127.0.0.2:"), "{}", warning(&number));
}

#[test]
fn nothing_listens() {
    let granted = network(&[grant("127.0.0.1", 1, "tcp"), grant("127.0.0.1", 1, "udp")]);
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let ran = ran("listen", &json!(address), &granted);
        assert_eq!(out(&ran), json!({ "error": "PermissionDenied" }));
        assert!(
            warnings(&ran)
                .iter()
                .any(|words| words.contains("cannot be granted: ops only speak to others"))
        );
    }
}

#[test]
fn datagrams_are_granted_by_host_and_port() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let mut said = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut said) {
            let _ = socket.send_to(&[&said[..length], b" pong"].concat(), from);
        }
    });
    let address = json!(format!("127.0.0.1:{port}"));
    let answer = ran("datagram", &address, &network(&[grant("127.0.0.1", port, "udp")]));
    assert_eq!(out(&answer), json!({ "answer": "ping pong" }));
    for granted in [grant("127.0.0.1", port, "tcp"), grant("127.0.0.1", 1, "udp")] {
        let ran = ran("datagram", &address, &network(&[granted]));
        assert!(out(&ran)["error"].is_string());
        assert!(warning(&ran).contains("scheme = \"udp\""), "{}", warning(&ran));
    }
}

/// A request that nobody answers ends with the step's time, and with the run.
#[test]
fn a_hanging_request_ends_with_its_step() {
    for path in ["hang", "slow"] {
        let server = Server::start();
        let port = server.port();
        let node = |more: &str| {
            format!(
                "[nodes.one]\nop = \"network/request\"\nconfig.url = \"http://127.0.0.1:{port}/{path}\"\n{more}{}\n",
                network(&[grant("127.0.0.1", port, "http")])
            )
        };
        let ran = run(&node("timeout = \"300ms\"\n"));
        assert_eq!(*ran.failure("one"), Failure::TimedOut { after_ms: 300 });
        let began = Instant::now();
        let job = Job::new(&node(""));
        let ran = block_on(async {
            let mut watched = Watched::new(job.start());
            watched.until(1, is_start).await;
            watched.run.cancel();
            watched.ended().await
        });
        assert_eq!(ran.status().to_string(), "cancelled");
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}

/// What the guest asks for is loaded whether it is granted or not, and is no authority by itself.
#[test]
fn a_component_that_imports_requests_is_loaded() {
    let network = host().load(&crate::job::component("network")).expect("it can be loaded");
    assert!(network.imports().iter().any(|name| name.starts_with("wasi:http/outgoing-handler")));
    assert!(!network.is_pure());
}
