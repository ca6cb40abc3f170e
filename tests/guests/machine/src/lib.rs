//! Ops that look at the machine that they run on, as far as they are let.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::hint::black_box;
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
    Symlink,
    Folder,
    /// Opens it again and again, and never closes it.
    Hoard,
    /// Opens it, and panics while it is open.
    Panic,
}

/// A deed and the path that it is done to; `target` is what a symbolic link says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Order {
    deed: Deed,
    path: String,
    #[serde(default)]
    target: String,
    /// Turns of a loop, in thousands, before the deed.
    #[serde(default)]
    thousands: u64,
}

fn work(thousands: u64) {
    black_box((0..thousands * 1000).fold(0_u64, |count, _| black_box(count) + 1));
}

/// Does one thing to one file, and gives what it read, or fails with the kind of the error. The
/// element is only there to be mapped.
#[op]
fn touch(element: Option<Json>, #[config] order: Order) -> Result<String> {
    drop(element);
    work(order.thousands);
    let path = &order.path;
    let beside = format!("{path}.new");
    let done = match order.deed {
        Deed::Read => fs::read_to_string(path),
        Deed::Write => fs::write(path, "written by a guest").map(|()| String::new()),
        Deed::Remove => fs::remove_file(path).map(|()| String::new()),
        Deed::Rename => fs::rename(path, beside).map(|()| String::new()),
        Deed::Link => fs::hard_link(path, beside).map(|()| String::new()),
        Deed::Symlink => symbolic_link(&order.target, path).map(|()| String::new()),
        Deed::Folder => fs::create_dir(path).map(|()| String::new()),
        Deed::Hoard => loop {
            match File::open(path) {
                Ok(file) => std::mem::forget(file),
                Err(error) => break Err(error),
            }
        },
        Deed::Panic => {
            let file = File::open(path);
            panic!("this op panics, and holds {file:?}");
        }
    };
    done.map_err(|error| Failure::permanent(format!("{:?}", error.kind())))
}

#[expect(deprecated, reason = "the function for this target alone is not stable")]
fn symbolic_link(target: &str, path: &str) -> std::io::Result<()> {
    fs::soft_link(target, path)
}

/// The whole environment.
#[op]
fn variables() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

/// How long a sleep of 30 ms takes, in milliseconds by the guest's own clock, and the time since 1970
/// in seconds.
#[op]
fn sleep_a_little() -> Json {
    let start = Instant::now();
    sleep(Duration::from_millis(30));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|at| at.as_secs());
    json!({ "slept_ms": start.elapsed().as_millis(), "now": now.unwrap_or(0) })
}

/// Yields the same element for each key.
#[op(output(dynamic))]
fn keys(keys: Vec<String>, out: &mut Emitter<u32>) -> Result<()> {
    keys.into_iter().try_for_each(|key| out.emit(key, 1))
}

/// Takes its time.
#[op]
fn toil(thousands: u64) -> u64 {
    work(thousands);
    thousands
}

/// How a program ends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Exit {
    code: i32,
}

/// Ends as a program does, and not as an op does.
#[op]
fn exit(#[config] exit: Exit) -> Json {
    std::process::exit(exit.code)
}

/// Sleeps for ever, again and again.
#[op]
fn sleep_for_ever() -> Json {
    loop {
        sleep(Duration::MAX);
    }
}

/// Prints for ever.
#[op]
fn print_for_ever() -> Json {
    loop {
        println!("{}", "x".repeat(1000));
    }
}

export_ops!(
    exit,
    keys,
    look,
    print_for_ever,
    sleep_a_little,
    sleep_for_ever,
    toil,
    touch,
    variables,
);
