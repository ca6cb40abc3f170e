//! What a machine needs to make components: the one table behind `dynhost doctor`, the advice of `dynhost build`, and what
//! `dynhost new` says at its end.

mod advice;
mod probe;

use std::path::PathBuf;

pub(crate) use self::advice::advice;
use self::probe::{in_path, probe};
use crate::language::Language;

/// Something that a machine has or lacks.
#[derive(Debug)]
pub(crate) struct Tool {
    /// What people call it.
    pub(crate) name: &'static str,
    /// How it is looked for.
    kind: Kind,
    /// The oldest version that will do, or the only one.
    pub(crate) needed: &'static str,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// How it is installed: by the first of these programs that is there; the last one needs none.
    install: &'static [(&'static str, &'static str)],
}

#[derive(Debug)]
enum Kind {
    /// A program, which an environment variable may name.
    Program { name: &'static str, variable: &'static str },
    /// A target of Rust.
    Target(&'static str),
    /// A module of Python.
    Module(&'static str),
    /// What build scripts fetch into the folder for tools, under this name.
    Fetched(&'static str),
}

/// What a tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing can be built without it.
    Build,
    /// Only the unit tests need it.
    Test,
}

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Of what.
    pub(crate) tool: &'static Tool,
    /// Where it is.
    pub(crate) path: Option<PathBuf>,
    /// Its version, if it says one.
    pub(crate) version: Option<String>,
    /// Whether it will do.
    pub(crate) state: State,
}

/// Whether a tool will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is there.
    Found,
    /// The first build fetches it.
    FetchedByBuild,
    /// It is older than what is needed.
    TooOld,
    /// It is not there, or does not run.
    Missing,
}

impl State {
    /// As it stands in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::FetchedByBuild => "fetched_by_build",
            Self::TooOld => "too_old",
            Self::Missing => "missing",
        }
    }
}

const RUSTUP: &str = "install Rust by rustup: https://rustup.rs";
const NODE_20: &str =
    "install Node.js 20 or newer, which npm comes with: https://nodejs.org/en/download";
const TO_TEST: &str = "install a C compiler";

static CARGO: Tool = Tool {
    name: "cargo",
    kind: Kind::Program { name: "cargo", variable: "" },
    needed: "1.95",
    purpose: Purpose::Build,
    install: &[("rustup", "rustup update stable"), ("", RUSTUP)],
};
static RUST_TARGET: Tool = Tool {
    name: "wasm32-unknown-unknown",
    kind: Kind::Target("wasm32-unknown-unknown"),
    needed: "",
    purpose: Purpose::Build,
    install: &[("rustup", "rustup target add wasm32-unknown-unknown"), ("", RUSTUP)],
};
/// What cargo links build scripts and macros with.
static LINKER: Tool = Tool {
    name: "cc",
    kind: Kind::Program { name: "cc", variable: "" },
    needed: "",
    purpose: Purpose::Build,
    install: COMPILER,
};
const COMPILER: &[(&str, &str)] = &[
    ("apt-get", "apt-get install gcc g++ libc6-dev"),
    ("dnf", "dnf install gcc gcc-c++"),
    ("xcode-select", "xcode-select --install"),
    ("", TO_TEST),
];
static CC: Tool = Tool {
    name: "cc",
    kind: Kind::Program { name: "cc", variable: "CC" },
    needed: "",
    purpose: Purpose::Test,
    install: COMPILER,
};
static CXX: Tool = Tool {
    name: "c++",
    kind: Kind::Program { name: "c++", variable: "CXX" },
    needed: "",
    purpose: Purpose::Test,
    install: COMPILER,
};
static CLANG: Tool = Tool {
    name: "clang",
    kind: Kind::Program { name: "clang", variable: "DYNHOST_CLANG" },
    needed: "",
    purpose: Purpose::Build,
    install: &[
        ("apt-get", "apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32"),
        ("", "unset DYNHOST_CLANG, so that zig is used"),
    ],
};
static ZIG: Tool = Tool {
    name: "zig",
    kind: Kind::Fetched("zig-0.15.2"),
    needed: "0.15.2",
    purpose: Purpose::Build,
    install: &[("", "the first build fetches it")],
};
const PYTHON_3: &[(&str, &str)] = &[
    ("apt-get", "apt-get install python3 python3-venv"),
    ("dnf", "dnf install python3"),
    ("brew", "brew install python"),
    ("", "install Python 3.10 or newer: https://www.python.org/downloads"),
];
static PYTHON: Tool = Tool {
    name: "python3",
    kind: Kind::Program { name: "python3", variable: "PYTHON" },
    needed: "3.10",
    purpose: Purpose::Build,
    install: PYTHON_3,
};
/// What compilers are fetched with, whatever `PYTHON` says.
static PYTHON_TO_FETCH: Tool = Tool {
    name: "python3",
    kind: Kind::Program { name: "python3", variable: "" },
    needed: "3.8",
    purpose: Purpose::Build,
    install: PYTHON_3,
};
static VENV: Tool = Tool {
    name: "python3 venv",
    kind: Kind::Module("ensurepip"),
    needed: "",
    purpose: Purpose::Build,
    install: &[
        ("apt-get", "apt-get install python3-venv"),
        (
            "",
            "install the module `venv` of Python, which some systems have as a package of its own",
        ),
    ],
};
static NODE: Tool = Tool {
    name: "node",
    kind: Kind::Program { name: "node", variable: "" },
    needed: "20",
    purpose: Purpose::Build,
    install: &[("brew", "brew install node"), ("", NODE_20)],
};
static NPM: Tool = Tool {
    name: "npm",
    kind: Kind::Program { name: "npm", variable: "" },
    needed: "9",
    purpose: Purpose::Build,
    install: &[("brew", "brew install node"), ("", NODE_20)],
};

static GO: Tool = Tool {
    name: "go",
    kind: Kind::Program { name: "go", variable: "DYNHOST_GO" },
    needed: "1.25",
    purpose: Purpose::Build,
    install: &[("", "install Go 1.25 or newer: https://go.dev/doc/install")],
};
static GO_FETCHED: Tool = Tool {
    name: "go",
    kind: Kind::Fetched("go-1.27.3"),
    needed: "1.27.3",
    purpose: Purpose::Build,
    install: &[("", "the first build fetches it")],
};

/// All of them, for looking up one that a build command missed.
static TOOLS: [&Tool; 9] = [&CARGO, &LINKER, &CXX, &CLANG, &PYTHON, &VENV, &NODE, &NPM, &GO];

impl Tool {
    /// The command that installs it here, or what to do.
    pub(crate) fn install(&self) -> &'static str {
        let here = |(program, _): &&(&str, &str)| program.is_empty() || in_path(program).is_some();
        self.install.iter().find(here).map_or("install it", |(_, command)| command)
    }
}

impl Finding {
    /// What is wrong and what to do about it; nothing where it will do.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Tool { name, needed, .. } = self.tool;
        let what = match (self.state, &self.version) {
            (State::Found | State::FetchedByBuild, _) => return None,
            (State::Missing, _) => format!("`{name}` is missing"),
            (State::TooOld, Some(version)) => {
                format!("`{name}` is {version}, and {needed} or newer is needed")
            }
            (State::TooOld, None) => format!("`{name}` is older than {needed}"),
        };
        let tests = if self.tool.purpose == Purpose::Test { ", for unit tests" } else { "" };
        Some(format!("{what}{tests}: {}", self.tool.install()))
    }
}

/// What was found of what a language needs.
#[derive(Debug)]
pub(crate) struct Readiness {
    /// The tools, in the order in which they are needed.
    pub(crate) findings: Vec<Finding>,
}

impl Readiness {
    /// Whether a component can be built now.
    pub(crate) fn builds(&self) -> bool {
        let blocks = |finding: &Finding| {
            finding.tool.purpose == Purpose::Build && finding.complaint().is_some()
        };
        !self.findings.iter().any(blocks)
    }

    /// What is missing, a sentence each.
    pub(crate) fn missing(&self) -> impl Iterator<Item = String> {
        self.findings.iter().filter_map(Finding::complaint)
    }
}

/// This machine. Each tool is looked for once.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    found: Vec<Finding>,
}

impl Machine {
    /// What there is of what a language needs.
    pub(crate) fn readiness(&mut self, language: Language) -> Readiness {
        Readiness { findings: self.tools(language).into_iter().map(|t| self.find(t)).collect() }
    }

    fn find(&mut self, tool: &'static Tool) -> Finding {
        let known = self.found.iter().find(|finding| std::ptr::eq(finding.tool, tool));
        if let Some(finding) = known {
            return finding.clone();
        }
        self.found.push(probe(tool));
        self.found[self.found.len() - 1].clone()
    }

    fn has(&mut self, tool: &'static Tool) -> bool {
        self.find(tool).state == State::Found
    }

    /// What a language needs here.
    fn tools(&mut self, language: Language) -> Vec<&'static Tool> {
        let compiler: &[&Tool] = if std::env::var_os("DYNHOST_CLANG").is_some() {
            &[&CLANG]
        } else {
            &[&PYTHON_TO_FETCH, &VENV, &ZIG]
        };
        match language {
            Language::Rust => vec![&CARGO, &RUST_TARGET, &LINKER],
            Language::C => [compiler, &[&CC]].concat(),
            Language::Cpp => [compiler, &[&CXX]].concat(),
            Language::Js | Language::Ts | Language::As => vec![&NODE, &NPM],
            Language::Python => vec![&PYTHON, &VENV],
            // A build fetches it only with Python.
            Language::Go if !self.has(&GO) && self.has(&PYTHON_TO_FETCH) => {
                vec![&PYTHON_TO_FETCH, &VENV, &GO_FETCHED]
            }
            Language::Go => vec![&GO],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the SDKs themselves say is what this table says.
    #[test]
    fn versions_are_those_of_the_sdks() {
        for (tool, said, text) in [
            (&CARGO, "rust-version = \"", include_str!("../../../sdk/rust/Cargo.toml")),
            (&ZIG, "version=", include_str!("../../../sdk/c/toolchain")),
            (&GO, "\ngo ", include_str!("../../../sdk/go/go.mod")),
            (&GO_FETCHED, "version=", include_str!("../../../sdk/go/toolchain")),
            (&NODE, "\"node\": \">=", include_str!("../../../sdk/js/package.json")),
            (&PYTHON, "requires-python = \">=", include_str!("../../../sdk/python/pyproject.toml")),
        ] {
            let (_, version) = text.split_once(said).expect("the SDK says it");
            let end = version.find(|c: char| !c.is_ascii_digit() && c != '.');
            let end = end.unwrap_or(version.len());
            assert_eq!(&version[..end], tool.needed, "{}", tool.name);
        }
        let pinned = |text: &str| text.split("componentize-py==").nth(1).unwrap()[..6].to_owned();
        assert_eq!(
            pinned(include_str!("../templates/python/both/requirements.txt")),
            pinned(include_str!("../../../sdk/python/pyproject.toml"))
        );
    }

    #[test]
    fn what_only_tests_need_does_not_stand_in_the_way() {
        let finding = |tool, state| Finding { tool, path: None, version: None, state };
        let tests = Readiness { findings: vec![finding(&CC, State::Missing)] };
        assert!(tests.builds());
        assert!(tests.missing().next().unwrap().contains("`cc` is missing, for unit tests: "));
        assert!(!Readiness { findings: vec![finding(&NODE, State::TooOld)] }.builds());
        assert!(Readiness { findings: vec![finding(&ZIG, State::FetchedByBuild)] }.builds());
    }
}
