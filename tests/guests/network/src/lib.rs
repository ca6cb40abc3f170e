//! Ops that speak to hosts, as far as they are let. What goes wrong is what they give.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use dynhost_sdk::prelude::*;
use dynhost_sdk::schemars::JsonSchema;
use dynhost_sdk::serde::Deserialize;
use dynhost_sdk::serde_json::{Value as Json, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// A request. `${NAME}` in a header, the path or the body stands for a variable of the environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Order {
    url: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// How many redirects are followed.
    #[serde(default)]
    redirects: u32,
}

fn filled(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, value) in std::env::vars() {
        text = text.replace(&["${", &name, "}"].concat(), &value);
    }
    text
}

/// Sends a request, and gives status and body, or the error.
#[op]
fn request(#[config] order: Order) -> Json {
    let mut url = order.url.clone();
    let mut left = order.redirects;
    loop {
        match send(&url, &order) {
            Ok((_, Some(location), _)) if left > 0 => {
                left -= 1;
                url = location;
            }
            Ok((status, _, body)) => return json!({ "status": status, "body": body }),
            Err(error) => return json!({ "error": error }),
        }
    }
}

type Answer = (u16, Option<String>, String);

fn send(url: &str, order: &Order) -> std::result::Result<Answer, String> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let headers = Fields::new();
    for (name, value) in &order.headers {
        headers
            .append(name, filled(value).as_bytes())
            .map_err(|error| format!("header `{name}`: {error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match order.method.as_deref() {
        None | Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("CONNECT") => Method::Connect,
        Some(other) => Method::Other(other.to_owned()),
    };
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let path = filled(path);
    request.set_method(&method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "authority")?;
    request
        .set_path_with_query(Some(if path.is_empty() { "/" } else { &path }))
        .map_err(|()| "path")?;
    let body = request.body().map_err(|()| "body")?;
    let future = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    {
        let stream = body.write().map_err(|()| "stream")?;
        let text = filled(&order.body);
        if !text.is_empty() {
            let written = stream.blocking_write_and_flush(text.as_bytes());
            written.map_err(|error| format!("{error:?}"))?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|error| format!("{error:?}"))?;
    future.subscribe().block();
    let answer = future.get().ok_or("no answer")?.map_err(|()| "taken")?;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    let location = answer.headers().get("location").into_iter().next();
    let location = location.map(|value| String::from_utf8_lossy(&value).into_owned());
    Ok((answer.status(), location, text(&answer)?))
}

fn text(answer: &IncomingResponse) -> std::result::Result<String, String> {
    let body = answer.consume().map_err(|()| "consume")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn said(result: std::io::Result<Json>) -> Json {
    result.unwrap_or_else(|error| json!({ "error": format!("{:?}", error.kind()) }))
}

/// Connects, says `ping`, and gives the answer.
#[op]
fn connect(address: String) -> Json {
    let connect = || {
        let mut stream = TcpStream::connect(&address)?;
        stream.write_all(b"ping")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(json!({ "answer": answer }))
    };
    said(connect())
}

/// Sends the datagram `ping`, and gives the answer.
#[op]
fn datagram(address: String) -> Json {
    let exchange = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(b"ping", &address)?;
        let mut answer = [0; 100];
        let (length, _) = socket.recv_from(&mut answer)?;
        Ok(json!({ "answer": String::from_utf8_lossy(&answer[..length]) }))
    };
    said(exchange())
}

/// Listens at an address.
#[op]
fn listen(address: String) -> Json {
    said(TcpListener::bind(&address).map(|_| json!({ "listens": true })))
}

/// The addresses that a name stands for.
#[op]
fn resolve(address: String) -> Json {
    let addresses = (address.as_str(), 1).to_socket_addrs();
    said(addresses.map(|found| found.map(|address| json!(address.ip().to_string())).collect()))
}

export_ops!(request, connect, datagram, listen, resolve);
