//! Ops that look at the machine that they run on, as far as they are let.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use dynhost_sdk::prelude::*;
use dynhost_sdk::schemars::JsonSchema;
use dynhost_sdk::serde::Deserialize;
use dynhost_sdk::serde_json::{Value as Json, json};

/// Says all that can be found out without a grant. The value is only there to make a difference.
#[op]
fn look(value: Json) -> Json {
    let start = Instant::now();
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|at| at.as_secs());
    sleep(Duration::from_hours(1));
    println!("printed with {value}");
    eprint!("printed without an end of line");
    json!({
        "days": today.unwrap_or(0) / 86_400,
        "slept_seconds": start.elapsed().as_secs(),
        "random": RandomState::new().hash_one("seed").to_string(),
        "environment": std::env::vars().count(),
        "arguments": std::env::args().count(),
        "root": fs::read_dir("/").map(Iterator::count).ok(),
        "here": fs::read_dir(".").map(Iterator::count).ok(),
        "connected": TcpStream::connect("127.0.0.1:1").is_ok(),
        "passwd": fs::read("/etc/passwd").is_ok(),
    })
}

/// What to do with a file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde", rename_all = "snake_case")]
#[schemars(crate = "dynhost_sdk::schemars")]
enum Deed {
    Read,
    Write,
    Remove,
    Rename,
    Link,
    Folder,
}

/// A deed and the path that it is done to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Order {
    deed: Deed,
    path: String,
}

/// Does one thing to one file, and gives what it read, or fails with the kind of the error.
#[op]
fn touch(#[config] order: Order) -> Result<String> {
    let path = &order.path;
    let beside = format!("{path}.new");
    let done = match order.deed {
        Deed::Read => fs::read_to_string(path),
        Deed::Write => fs::write(path, "written by a guest").map(|()| String::new()),
        Deed::Remove => fs::remove_file(path).map(|()| String::new()),
        Deed::Rename => fs::rename(path, beside).map(|()| String::new()),
        Deed::Link => fs::hard_link(path, beside).map(|()| String::new()),
        Deed::Folder => fs::create_dir(path).map(|()| String::new()),
    };
    done.map_err(|error| Failure::permanent(format!("{:?}", error.kind())))
}

export_ops!(look, touch);
