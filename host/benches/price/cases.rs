//! What is measured: shapes of jobs over ops, and what their clones are given.

use std::path::{Path, PathBuf};

use dynhost::graph::manifest::Manifest;
use dynhost::graph::params::GivenParams;
use dynhost::{Host, PreparedJob};

/// One line of the table.
pub(crate) struct Shaped {
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) words: &'static str,
    /// Elements of the outermost dynamic output.
    elements: u64,
    shape: Shape,
    guest: Guest,
    pub(crate) op: &'static str,
    /// The input of the op.
    pub(crate) input: &'static str,
    pub(crate) feed: Feed,
    /// Pairs of measurements.
    pub(crate) rounds: usize,
}

/// One measurement: a line of the table, somewhere.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) shaped: &'static Shaped,
    pub(crate) place: Place,
}

/// What it runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Two workers.
    Two,
    /// One worker.
    One,
    /// Two workers, and the history is kept in `SQLite`.
    Sqlite,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Two, Self::One, Self::Sqlite];

    pub(crate) fn workers(self) -> u32 {
        if self == Self::One { 1 } else { 2 }
    }

    /// What it adds to the name of a case.
    fn suffix(self) -> &'static str {
        match self {
            Self::Two => "",
            Self::One => "-1-worker",
            Self::Sqlite => "-sqlite",
        }
    }
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

const TRIVIAL: Shaped = Shaped {
    name: "trivial",
    words: "100 B in and out",
    elements: 20_000,
    shape: Shape::Map,
    guest: Guest::Rust,
    op: "trivial",
    input: "data",
    feed: Feed::Blob(100),
    rounds: 15,
};

const ECHO: Shaped = Shaped { op: "echo", input: "value", ..TRIVIAL };

/// All lines, in the order of the table.
pub(crate) static ALL: &[Shaped] = &[
    TRIVIAL,
    Shaped {
        name: "payload-64k",
        words: "64 KiB in and out",
        elements: 5_000,
        op: "payload",
        feed: Feed::Blob(64 << 10),
        ..TRIVIAL
    },
    Shaped {
        name: "clone-1ms",
        words: "a clone of 1 ms",
        elements: 400,
        op: "sleepless",
        input: "iterations",
        feed: Feed::Number(8_000_000),
        ..TRIVIAL
    },
    Shaped {
        name: "chain",
        words: "three clones in a chain",
        elements: 7_000,
        shape: Shape::Chain,
        ..TRIVIAL
    },
    Shaped {
        name: "nested-1m",
        words: "1,000 × 1,000 clones, nested",
        elements: 1_000,
        shape: Shape::Nested,
        rounds: 3,
        ..TRIVIAL
    },
    Shaped {
        name: "collect-1m",
        words: "1,000,000 clones, collected",
        elements: 1_000_000,
        shape: Shape::Collect,
        rounds: 3,
        ..TRIVIAL
    },
    Shaped { name: "clones-10k", words: "10,000 clones", elements: 10_000, ..TRIVIAL },
    Shaped {
        name: "clones-100k",
        words: "100,000 clones",
        elements: 100_000,
        rounds: 7,
        ..TRIVIAL
    },
    Shaped {
        name: "clones-1m",
        words: "1,000,000 clones",
        elements: 1_000_000,
        rounds: 3,
        ..TRIVIAL
    },
    Shaped {
        name: "guest-rust-wasi",
        words: "an op in Rust with WASI",
        guest: Guest::RustWasi,
        ..TRIVIAL
    },
    Shaped {
        name: "guest-c",
        words: "an op in C",
        guest: Guest::Sdk("c"),
        elements: 5_000,
        ..ECHO
    },
    Shaped {
        name: "guest-go",
        words: "an op in Go",
        guest: Guest::Sdk("go"),
        elements: 1_000,
        ..ECHO
    },
    Shaped {
        name: "guest-javascript",
        words: "an op in JavaScript",
        guest: Guest::Sdk("js"),
        elements: 1_000,
        ..ECHO
    },
    Shaped {
        name: "guest-python",
        words: "an op in Python",
        guest: Guest::Sdk("python"),
        elements: 200,
        rounds: 9,
        ..ECHO
    },
];

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.shaped.name, self.place.suffix())
    }
}

impl Shaped {
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
