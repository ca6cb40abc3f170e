//! Ops that look at the machine that they run on, as far as they are let.

use std::collections::hash_map::RandomState;
use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File};
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
    Symlink,
    Folder,
    /// Opens it again and again, and never closes it.
    Hoard,
    /// Opens it, and panics while it is open.
    Panic,
}

/// A deed and the path that it is done to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "dynhost_sdk::serde")]
#[schemars(crate = "dynhost_sdk::schemars")]
struct Order {
    deed: Deed,
    path: String,
    /// Where a symbolic link leads.
    #[serde(default)]
    target: String,
}

/// Does one thing to one file, and gives what it read, or fails with the kind of the error. The value is ignored.
#[op]
fn touch(#[config] order: Order, value: Option<Json>) -> Result<String> {
    drop(value);
    let path = &order.path;
    let beside = format!("{path}.new");
    let done = match order.deed {
        Deed::Read => fs::read_to_string(path),
        Deed::Write => fs::write(path, "written by a guest").map(|()| String::new()),
        Deed::Remove => fs::remove_file(path).map(|()| String::new()),
        Deed::Rename => fs::rename(path, beside).map(|()| String::new()),
        Deed::Link => fs::hard_link(path, beside).map(|()| String::new()),
        Deed::Symlink => link(&order.target, path).map(|()| String::new()),
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

#[expect(unsafe_code, reason = "a function of the C library")]
unsafe extern "C" {
    /// Of the C library that the standard library is linked with, which has no name for it on this target.
    fn symlink(target: *const c_char, path: *const c_char) -> c_int;
}

#[expect(unsafe_code, reason = "a call of the C library")]
fn link(target: &str, path: &str) -> std::io::Result<()> {
    let (target, path) = (CString::new(target)?, CString::new(path)?);
    // SAFETY: both end with a zero, and are not kept.
    match unsafe { symlink(target.as_ptr(), path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
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
fn exit(#[config] exit: Exit, value: Option<Json>) -> Json {
    drop(value);
    std::process::exit(exit.code)
}

/// Sleeps for ever, again and again.
#[op]
fn sleep_for_ever(value: Option<Json>) -> Json {
    drop(value);
    loop {
        sleep(Duration::MAX);
    }
}

/// Prints for ever.
#[op]
fn print_for_ever(value: Option<Json>) -> Json {
    drop(value);
    loop {
        println!("{}", "x".repeat(1000));
    }
}

export_ops!(exit, look, print_for_ever, sleep_for_ever, touch);
