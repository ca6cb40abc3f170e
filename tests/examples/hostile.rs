//! What hostile guests cost the host: `cargo run -p dynhost-tests --example hostile`, with names of guests for these alone.
//!
//! Each guest has a process of its own, and innocent siblings in it. What is measured begins when the components that
//! come with the project are compiled, and ends with the run; the memory is that of the process, the guest's included,
//! above what it had before.

#[path = "../hand_made/mod.rs"]
mod hand_made;
#[path = "../hostile/mod.rs"]
mod hostile;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use hostile::{CASES, Case, Ended, host, known, lay_out, run};

/// Tells a process that it is one for a single guest, in a folder that is laid out.
const SINGLE: &str = "--single";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [single, name, folder, code] = arguments.as_slice()
        && single == SINGLE
    {
        let case = CASES.iter().find(|case| case.name == name).expect("there is such a guest");
        measure(case, folder.as_ref(), code.as_ref());
        return ExitCode::SUCCESS;
    }
    // What the project compiles is compiled before anything is measured.
    let code = tempfile::tempdir().expect("a folder");
    let compiling = host(code.path());
    for (name, path) in known() {
        compiling.load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    println!("| what the guest does | how it ends | after | memory |");
    println!("|---|---|---|---|");
    let wanted = |case: &&Case| arguments.is_empty() || arguments.iter().any(|it| it == case.name);
    let mut survived = true;
    for case in CASES.iter().filter(wanted) {
        let folder = tempfile::tempdir().expect("a folder");
        lay_out(case, folder.path());
        let this = std::env::current_exe().expect("the program is a file");
        let mut child = Command::new(this);
        child
            .args([SINGLE, case.name])
            .arg(folder.path())
            .arg(code.path())
            .stderr(Stdio::inherit());
        let output = child.output().expect("it can be started");
        survived &= output.status.success();
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    if survived { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(case: &Case, folder: &Path, code: &Path) {
    let host = host(code);
    let before = status("VmRSS:");
    // Forgets the peak so far.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let ended = run(case, &host, folder);
    assert!(case.is_right(&ended), "{}: {}", case.name, ended.words);
    let Ended { words, took } = ended;
    let peak = status("VmHWM:").saturating_sub(before);
    let words = words.lines().next().unwrap_or_default().replace('|', "\\|");
    let file = folder.join("made.wasm");
    let words = words.replace(file.to_str().expect("the path is UTF-8"), "FILE");
    println!("| {} | {words} | {:.1} s | {} MiB |", case.name, took.as_secs_f64(), peak >> 20);
}

/// A line of what the kernel says of this process, in bytes; 0 where it says nothing.
fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
