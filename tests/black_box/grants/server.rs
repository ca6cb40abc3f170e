//! Servers in the process of the tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// An HTTP server. It says `hello` unless the path asks for something else: `/to/URL` is a redirect
/// there, `/hang` never answers, `/slow` stops in the middle of its answer, `/echo` gives back what came in.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::at("127.0.0.1")
    }

    pub(super) fn at(host: &str) -> Self {
        let host: IpAddr = host.parse().expect("an address");
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || answer(stream, &seen));
            }
        });
        Self { address, requests }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The head and body of each request that came in since it was asked last.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().expect("no thread panicked"))
    }
}

/// Reads a request from a stream, whole.
pub(super) fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
        text += &line;
        if line == "\r\n" {
            break;
        }
    }
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut part = vec![0; size + 2];
        reader.read_exact(&mut part).ok()?;
        text += &String::from_utf8_lossy(&part[..size]);
        chunked = size > 0;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8_lossy(&body))
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let Some(request) = read_request(&mut stream) else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("no thread panicked").push(request.clone());
    let whole = |status: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let text = match path.as_str() {
        "/hang" | "/slow" => {
            if path == "/slow" {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
            }
            // Until the other side gives up.
            let _ = stream.read(&mut [0]);
            seen.lock().expect("no thread panicked").push("closed".to_owned());
            return;
        }
        "/echo" => whole("200 OK", "", &request),
        path => match path.strip_prefix("/to/") {
            Some(url) => whole("302 Found", &format!("location: {url}\r\n"), ""),
            None => whole("200 OK", "", "hello"),
        },
    };
    let _ = stream.write_all(text.as_bytes());
}
