//! Looking for a tool on this machine.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Finding, Kind, State, Tool};

/// Looks for a tool.
pub(super) fn probe(tool: &'static Tool) -> Finding {
    let (path, version) = match tool.kind {
        Kind::Program { name, variable } => program(&named(name, variable)),
        Kind::Target(target) => {
            let said = said("rustc", &["--print", "sysroot"]).unwrap_or_default();
            let folder = Path::new(said.trim()).join("lib/rustlib").join(target);
            (folder.join("lib").is_dir().then_some(folder), None)
        }
        Kind::Module(module) => {
            let code = format!("import {module}, os; print(os.path.dirname({module}.__file__))");
            let said = said(&named("python3", "PYTHON"), &["-c", &code]);
            (said.map(|said| PathBuf::from(said.trim())), None)
        }
        Kind::Fetched(name) => {
            let folder = tools().map(|tools| tools.join(name));
            (folder.filter(|folder| folder.join("installed").is_file()), None)
        }
    };
    let state = match (&path, &version) {
        (None, _) if matches!(tool.kind, Kind::Fetched(_)) => State::FetchedByBuild,
        (None, _) => State::Missing,
        (Some(_), Some(version)) if older(version, tool.needed) => State::TooOld,
        (Some(_), _) => State::Found,
    };
    Finding { tool, path, version, state }
}

/// Where build scripts keep what they fetch for all projects.
fn tools() -> Option<PathBuf> {
    let set = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = || cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    set("DYNHOST_TOOLS").map(PathBuf::from).or_else(|| Some(cache()?.join("dynhost/tools")))
}

/// What scripts run for a program.
fn named(name: &str, variable: &str) -> String {
    let variable = if variable.is_empty() { None } else { std::env::var(variable).ok() };
    variable.filter(|value| !value.is_empty()).unwrap_or_else(|| name.to_owned())
}

/// A program that runs: where it is, and its version.
fn program(name: &str) -> (Option<PathBuf>, Option<String>) {
    // It may be written with arguments.
    let mut words = name.split_whitespace();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.chain(["--version"]).collect();
    // What is in the path may be no more than the shim of a version manager.
    match (in_path(name), said(name, &arguments)) {
        (Some(path), Some(said)) => (Some(path), version(&said)),
        _ => (None, None),
    }
}

/// What a program prints, if it runs and succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where a program is.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| runs(path));
    }
    let path = std::env::var_os("PATH")?;
    let name = OsStr::new(name);
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| runs(path))
}

/// The first number with a dot, or the first number, in what a program says of its version.
fn version(said: &str) -> Option<String> {
    let digits = |word: &str| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        word[..end].trim_end_matches('.').to_owned()
    };
    let numbers: Vec<String> =
        said.split_whitespace().map(digits).filter(|n| !n.is_empty()).collect();
    numbers.iter().find(|number| number.contains('.')).or(numbers.first()).cloned()
}

/// Whether a version is older than another.
fn older(version: &str, needed: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        text.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    parts(version) < parts(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, found) in [
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", "1.95.0"),
            ("v20.20.2\n", "20.20.2"),
            ("Python 3.11.7", "3.11.7"),
            ("cc (Debian 12.2.0-14) 12.2.0", "12.2.0"),
            ("go version go1.27.0 linux/amd64", "1.27.0"),
            ("tool 7", "7"),
        ] {
            assert_eq!(version(said).as_deref(), Some(found), "{said}");
        }
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(older("3.9.2", "3.10") && older("1.94.9", "1.95") && older("18.20.4", "20"));
        assert!(!older("3.10.0", "3.10") && !older("20.1", "20") && !older("2.0", "1.95"));
        assert!(!older("1.0", ""), "any will do");
    }

    #[test]
    fn a_program_that_is_there_is_found() {
        let (path, _) = program("sh");
        // Not every `sh` has a version to tell.
        assert!(path.is_some() || in_path("sh").is_some());
        assert_eq!(program("no-such-program"), (None, None));
        assert_eq!(in_path("/etc/passwd"), None);
    }
}
