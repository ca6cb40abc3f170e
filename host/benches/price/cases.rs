//! What is measured: shapes of jobs over ops, and what their clones are given.

use std::path::{Path, PathBuf};

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::GivenParams;
use dynhost::{Host, PreparedJob};

/// One line of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) words: &'static str,
    pub(crate) workers: u32,
    /// Elements of the outermost dynamic output.
    pub(crate) elements: u64,
    pub(crate) shape: Shape,
    pub(crate) guest: Guest,
    pub(crate) op: &'static str,
    /// The input of the op.
    pub(crate) input: &'static str,
    pub(crate) feed: Feed,
    /// Whether the history is kept in `SQLite`.
    pub(crate) kept: bool,
    /// Pairs of measurements.
    pub(crate) rounds: usize,
}

/// How the clones are wired.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One clone per element.
    Map,
    /// Three clones per element, one after the other.
    Chain,
    /// As many clones per element again as there are elements.
    Nested,
    /// One clone per element, and all their values collected.
    Collect,
}

/// Where the op comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    /// `example-ops/basics`: Rust without WASI.
    Rust,
    /// Rust with WASI, which `wasm32-wasip2` imports.
    RustWasi,
    /// The conformance ops of this SDK.
    Sdk(&'static str),
}

/// What each clone is given.
#[derive(Clone, Copy)]
pub(crate) enum Feed {
    /// A blob of so many bytes.
    Blob(usize),
    /// A number, as JSON.
    Number(u64),
}

const TRIVIAL: Case = Case {
    name: "trivial",
    words: "100 B in and out",
    workers: 2,
    elements: 40_000,
    shape: Shape::Map,
    guest: Guest::Rust,
    op: "trivial",
    input: "data",
    feed: Feed::Blob(100),
    kept: false,
    rounds: 7,
};

const PAYLOAD: Case = Case {
    name: "payload-64k",
    words: "64 KiB in and out",
    elements: 10_000,
    op: "payload",
    feed: Feed::Blob(64 << 10),
    ..TRIVIAL
};

const MILLISECOND: Case = Case {
    name: "clone-1ms",
    words: "a clone of 1 ms",
    elements: 1_000,
    op: "sleepless",
    input: "iterations",
    feed: Feed::Number(8_000_000),
    ..TRIVIAL
};

const ECHO: Case = Case { op: "echo", input: "value", ..TRIVIAL };

/// All cases, in the order of the table.
pub(crate) const CASES: [Case; 18] = [
    TRIVIAL,
    Case {
        name: "trivial-1-worker",
        words: "the same on one worker",
        workers: 1,
        elements: 20_000,
        ..TRIVIAL
    },
    Case { name: "trivial-sqlite", words: "the same, kept on SQLite", kept: true, ..TRIVIAL },
    PAYLOAD,
    Case {
        name: "payload-64k-1-worker",
        words: "the same on one worker",
        workers: 1,
        elements: 5_000,
        ..PAYLOAD
    },
    Case {
        name: "payload-64k-sqlite",
        words: "the same, kept on SQLite",
        kept: true,
        rounds: 5,
        ..PAYLOAD
    },
    MILLISECOND,
    Case {
        name: "clone-1ms-1-worker",
        words: "the same on one worker",
        workers: 1,
        elements: 500,
        ..MILLISECOND
    },
    Case {
        name: "chain",
        words: "three clones in a chain",
        elements: 15_000,
        shape: Shape::Chain,
        ..TRIVIAL
    },
    Case {
        name: "nested-1m",
        words: "1,000 × 1,000 clones, nested",
        elements: 1_000,
        shape: Shape::Nested,
        rounds: 3,
        ..TRIVIAL
    },
    Case {
        name: "collect-1m",
        words: "1,000,000 clones, collected",
        elements: 1_000_000,
        shape: Shape::Collect,
        rounds: 3,
        ..TRIVIAL
    },
    Case { name: "clones-10k", words: "10,000 clones", elements: 10_000, ..TRIVIAL },
    Case { name: "clones-100k", words: "100,000 clones", elements: 100_000, rounds: 5, ..TRIVIAL },
    Case {
        name: "clones-1m",
        words: "1,000,000 clones",
        elements: 1_000_000,
        rounds: 3,
        ..TRIVIAL
    },
    Case {
        name: "guest-rust-wasi",
        words: "an op in Rust with WASI",
        guest: Guest::RustWasi,
        elements: 20_000,
        ..TRIVIAL
    },
    Case { name: "guest-c", words: "an op in C", guest: Guest::Sdk("c"), elements: 20_000, ..ECHO },
    Case {
        name: "guest-javascript",
        words: "an op in JavaScript",
        guest: Guest::Sdk("js"),
        elements: 4_000,
        ..ECHO
    },
    Case {
        name: "guest-python",
        words: "an op in Python",
        guest: Guest::Sdk("python"),
        elements: 500,
        rounds: 5,
        ..ECHO
    },
];

impl Case {
    /// How many clones a run of the case has.
    pub(crate) const fn clones(&self) -> u64 {
        match self.shape {
            Shape::Map | Shape::Collect => self.elements,
            Shape::Chain => self.elements * 3,
            Shape::Nested => self.elements * self.elements,
        }
    }

    /// How many steps it has: the clones, those that emit, and the one that collects.
    pub(crate) const fn steps(&self) -> u64 {
        match self.shape {
            Shape::Map | Shape::Chain => self.clones() + 1,
            Shape::Nested => self.clones() + self.elements + 1,
            Shape::Collect => self.clones() + 2,
        }
    }

    /// The component of its op; `None`: the machine has none.
    pub(crate) fn component(&self, basics: &Path) -> Option<PathBuf> {
        let path = match self.guest {
            Guest::Rust => return Some(basics.to_path_buf()),
            Guest::RustWasi => {
                let release = basics.parent()?;
                release.parent()?.with_file_name("wasm32-wasip2").join("release/basics.wasm")
            }
            Guest::Sdk(name) => Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../sdk")
                .join(name)
                .join("target/conformance.wasm"),
        };
        path.is_file().then_some(path)
    }

    /// The job, over the ops that emit and the component of its op.
    pub(crate) fn job(
        &self,
        host: &Host,
        (basics, wasm): (&Path, &Path),
    ) -> Result<PreparedJob, Box<dyn std::error::Error>> {
        let Self { elements, op, input, .. } = self;
        let source = |count: &str| match self.feed {
            Feed::Blob(bytes) => {
                format!("op = \"source/blobs\"\ninputs.bytes.value = {bytes}\n{count}\n")
            }
            Feed::Number(number) => {
                format!("op = \"source/repeat\"\ninputs.number.value = {number}\n{count}\n")
            }
        };
        let clone = |name: &str, of: &str| {
            format!("[nodes.{name}]\nop = \"guest/{op}\"\ninputs.{input}.map = \"{of}\"\n")
        };
        let count = format!("inputs.count.value = {elements}");
        let nodes = match self.shape {
            Shape::Map => format!("[nodes.source]\n{}{}", source(&count), clone("one", "source")),
            Shape::Chain => format!(
                "[nodes.source]\n{}{}{}{}",
                source(&count),
                clone("one", "source"),
                clone("two", "one"),
                clone("three", "two")
            ),
            Shape::Nested => format!(
                "[nodes.rows]\nop = \"source/repeat\"\ninputs.number.value = {elements}\n{count}\n\
                 [nodes.source]\n{}{}",
                source("inputs.count.map = \"rows\""),
                clone("one", "source")
            ),
            Shape::Collect => format!(
                "[nodes.source]\n{}{}[nodes.all]\nop = \"source/count\"\ninputs.values.collect = \"one\"\n",
                source(&count),
                clone("one", "source")
            ),
        };
        let text = format!(
            "[job]\nname = \"price\"\n[components]\nsource = '{}'\nguest = '{}'\n{nodes}",
            basics.display(),
            wasm.display()
        );
        let manifest = Manifest::parse("price.toml".as_ref(), &text)?;
        Ok(host.prepare(&manifest, &GivenParams::new())?)
    }
}
