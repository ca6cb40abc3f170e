//! The languages that `dynhost new` makes projects in, and what such a project looks like.

use clap::ValueEnum;

/// A language that ops are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Language {
    /// Rust
    Rust,
    /// C
    C,
    /// C++
    #[value(alias = "c++")]
    Cpp,
    /// JavaScript
    #[value(alias = "javascript")]
    Js,
    /// TypeScript
    #[value(alias = "typescript")]
    Ts,
    /// Python
    Python,
    /// Go
    Go,
    /// `AssemblyScript`
    #[value(alias = "assemblyscript")]
    As,
}

/// What a project in a language looks like.
#[derive(Debug)]
pub(crate) struct Project {
    /// The language's name in a sentence.
    pub(crate) language: &'static str,
    /// Its folder under `sdk/` of a checkout.
    pub(crate) sdk: &'static str,
    /// Where the ops are written.
    pub(crate) source: &'static str,
    /// The command that makes the component.
    pub(crate) build: &'static str,
    /// The component.
    pub(crate) component: &'static str,
    /// What the component is made of, beside the SDK.
    pub(crate) sources: &'static [&'static str],
    /// The command that runs the unit tests.
    pub(crate) test: &'static str,
    /// What git ignores, beside `target` and `.dynhost`.
    pub(crate) ignored: &'static [&'static str],
    /// What the first build fetches, in a sentence.
    pub(crate) tools: &'static str,
    /// Names that an op cannot have, since the source means something else by them.
    pub(crate) reserved: &'static [&'static str],
}

const RUST: Project = Project {
    language: "Rust",
    sdk: "rust",
    source: "src/lib.rs",
    build: "cargo build --release --target wasm32-unknown-unknown --target-dir target",
    component: "target/wasm32-unknown-unknown/release/ops.wasm",
    sources: &["src", "Cargo.toml", ".cargo"],
    test: "cargo test",
    ignored: &[],
    tools: "It needs the target, once per machine: `rustup target add wasm32-unknown-unknown`.",
    reserved: &[
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
        "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
        "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
        "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ],
};

const C: Project = Project {
    language: "C",
    sdk: "c",
    source: "ops.c",
    build: "sh build",
    component: "target/ops.wasm",
    sources: &["ops.c", "words.c", "words.h", "build"],
    test: "sh test",
    ignored: &[],
    tools: "The first build on a machine fetches the compiler zig (410 MB in the user's cache folder, for all projects) and \
            compiles its libc, which takes a minute.",
    reserved: &[],
};

const CPP: Project = Project {
    language: "C++",
    source: "ops.cpp",
    sources: &["ops.cpp", "words.cpp", "words.hpp", "build"],
    ..C
};

const JS: Project = Project {
    language: "JavaScript",
    sdk: "js",
    source: "ops.js",
    build: "npm install --no-audit --no-fund && npm run build",
    component: "target/ops.wasm",
    sources: &["ops.js", "package.json"],
    test: "npm install && npm test",
    ignored: &["node_modules/"],
    tools: "`npm install` fetches what makes the component, 40 MB.",
    reserved: &[
        "arguments",
        "assert",
        "await",
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "debugger",
        "default",
        "delete",
        "do",
        "else",
        "enum",
        "eval",
        "export",
        "extends",
        "false",
        "finally",
        "for",
        "function",
        "if",
        "implements",
        "import",
        "in",
        "instanceof",
        "interface",
        "let",
        "new",
        "null",
        "op",
        "package",
        "private",
        "protected",
        "public",
        "return",
        "run",
        "static",
        "super",
        "switch",
        "t",
        "test",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "with",
        "yield",
    ],
};

const TS: Project = Project {
    language: "TypeScript",
    source: "ops.ts",
    sources: &["ops.ts", "package.json", "tsconfig.json"],
    tools: "`npm install` fetches the type checker and what makes the component.",
    ..JS
};

const PYTHON: Project = Project {
    language: "Python",
    sdk: "python",
    source: "src/ops.py",
    build: "sh build",
    component: "target/ops.wasm",
    sources: &["src", "build", "requirements.txt"],
    test: "sh test",
    ignored: &["__pycache__/"],
    tools: "The first build installs what `requirements.txt` names (46 MB) into `target/venv`.",
    reserved: &[
        "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "int",
        "is", "lambda", "len", "nonlocal", "not", "op", "or", "pass", "raise", "return", "str",
        "testing", "try", "unittest", "while", "with", "yield",
    ],
};

const GO: Project = Project {
    language: "Go",
    sdk: "go",
    source: "ops.go",
    build: "sh build",
    component: "target/ops.wasm",
    sources: &["ops.go", "go.mod", "build"],
    test: "sh test",
    ignored: &[],
    tools: "Where the machine has no Go 1.25 or newer, the first build fetches one (250 MB in the user's cache folder, for all \
            projects).",
    reserved: &[],
};

const AS: Project = Project {
    language: "AssemblyScript",
    sdk: "assemblyscript",
    source: "ops.ts",
    sources: &["ops.ts", "words.ts", "package.json"],
    tools: "`npm install` fetches the compiler.",
    reserved: &[],
    ..JS
};

impl Language {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::Js => "js",
            Self::Ts => "ts",
            Self::Python => "python",
            Self::Go => "go",
            Self::As => "as",
        }
    }

    /// What a project in it looks like.
    pub(crate) fn project(self) -> &'static Project {
        match self {
            Self::Rust => &RUST,
            Self::C => &C,
            Self::Cpp => &CPP,
            Self::Js => &JS,
            Self::Ts => &TS,
            Self::Python => &PYTHON,
            Self::Go => &GO,
            Self::As => &AS,
        }
    }
}
