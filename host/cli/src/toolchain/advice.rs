//! What a build command that failed was missing, from what it printed.

use super::{CARGO, Kind, RUST_TARGET, TOOLS, Tool, VENV};

/// What npm installs into a project, which shells miss there.
const PACKAGES: [&str; 5] = ["dynhost-sdk", "dynhost-sdk-assemblyscript", "esbuild", "tsc", "asc"];

/// What is missing and how it is installed, if what a command printed tells.
pub(crate) fn advice(printed: &str) -> Option<String> {
    printed.lines().find_map(of_line)
}

fn of_line(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some((_, reason)) = line.split_once("skipped: ").filter(|(before, _)| before.is_empty())
    {
        let reason = reason.split_once(" (").map_or(reason, |(_, reason)| reason);
        return Some(reason.trim_end_matches(')').to_owned());
    }
    if line.contains("target may not be installed") {
        let target = quoted(line, '`')?;
        let known = matches!(RUST_TARGET.kind, Kind::Target(name) if name == target);
        let install = if known { RUST_TARGET.install() } else { "" };
        let install = if install.is_empty() {
            format!("rustup target add {target}")
        } else {
            install.to_owned()
        };
        return Some(format!("the target `{target}` of Rust is missing: {install}"));
    }
    if line.contains("ensurepip is not available") || line.contains("No module named venv") {
        return Some(format!("the module `venv` of Python is missing: {}", VENV.install()));
    }
    let rust = line.contains("requires rustc")
        || line.contains(" is not supported by the following package");
    if rust && line.contains("rustc ") {
        return Some(format!("Rust is too old: {}", CARGO.install()));
    }
    program(line).map(of_program)
}

/// The program that a shell, `env` or a compiler says it did not find.
fn program(line: &str) -> Option<&str> {
    // `sh: 1: npm: not found`, `bash: line 1: npm: command not found`
    let shell =
        line.strip_suffix(": not found").or_else(|| line.strip_suffix(": command not found"));
    if let Some(before) = shell {
        return before.rsplit(": ").next().filter(|name| is_program(name));
    }
    // `zsh: command not found: npm`
    if let Some((_, name)) = line.split_once("command not found: ") {
        return Some(name).filter(|name| is_program(name));
    }
    // `/usr/bin/env: 'node': No such file or directory`
    if let Some(name) = line.strip_suffix("': No such file or directory") {
        return name.rsplit_once("env: '").map(|(_, name)| name);
    }
    // error: linker `cc` not found
    let linker = line.strip_prefix("error: linker `")?.strip_suffix("` not found")?;
    Some(linker).filter(|name| is_program(name))
}

fn is_program(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_whitespace)
}

fn of_program(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_it = |tool: &&&Tool| matches!(tool.kind, Kind::Program { name, .. } if name == file);
    match TOOLS.iter().find(is_it) {
        Some(tool) => format!("`{name}` is missing: {}", tool.install()),
        None if PACKAGES.contains(&name) => {
            format!("`{name}` is missing: `npm install` in the folder of package.json")
        }
        None => format!("`{name}` is missing on this machine: install it"),
    }
}

fn quoted(line: &str, mark: char) -> Option<&str> {
    line.split(mark).nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for (printed, what) in [
            ("sh: 1: npm: not found", "`npm` is missing: "),
            ("/bin/sh: line 1: npm: command not found", "`npm` is missing: "),
            ("zsh: command not found: node", "`node` is missing: "),
            ("/usr/bin/env: 'node': No such file or directory", "`node` is missing: "),
            ("sh: 1: dynhost-sdk: not found", "`dynhost-sdk` is missing: `npm install`"),
            ("build: 7: frobnicate: not found", "`frobnicate` is missing on this machine"),
            ("error: linker `cc` not found", "`cc` is missing: "),
            (
                "skipped: c (python3 has no venv: apt-get install python3-venv)",
                "python3 has no venv: apt-get install",
            ),
            ("/usr/bin/python3: No module named venv", "the module `venv` of Python is missing: "),
            (
                "error[E0463]: can't find crate for `core`\n  = note: the `wasm32-unknown-unknown` target may not be installed",
                "the target `wasm32-unknown-unknown` of Rust is missing: ",
            ),
            (
                "  = note: the `wasm32-wasip2` target may not be installed",
                "the target `wasm32-wasip2` of Rust is missing: rustup target add wasm32-wasip2",
            ),
            ("error: rustc 1.80.0 is not supported by the following package:", "Rust is too old: "),
        ] {
            let found = advice(printed);
            assert!(
                found.as_ref().is_some_and(|found| found.starts_with(what)),
                "{printed}: {found:?}"
            );
        }
    }

    #[test]
    fn other_failures_are_left_as_they_are() {
        for printed in [
            "error: expected `;`, found `}`",
            "ops.c:3:10: fatal error: 'words.h' file not found",
            "Error: page /x not found",
            "ModuleNotFoundError: No module named 'numpy'",
        ] {
            assert_eq!(advice(printed), None, "{printed}");
        }
    }
}
