//! Components of ops that are written by hand, in the text form of WebAssembly: for what no compiler makes.
//!
//! A guest is one core module with one memory, into which the definitions of its ops are laid as the canonical ABI wants
//! them. `cabi_realloc` hands out what lies behind them and never takes anything back.

use std::fmt::Write;

/// Where the definitions lie; what is below is the guest's own.
pub(crate) const DEFINITIONS: u32 = 1024;
/// Where the heap of `cabi_realloc` begins.
pub(crate) const HEAP: u32 = 4096;

/// A guest to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'a> {
    /// The names of its ops. Each takes an optional `value`, and may give a dynamic output `out` and an output `result`.
    pub(crate) ops: &'a [&'a str],
    /// Imports, which come first in a module.
    pub(crate) imports: &'a str,
    /// The memory, as it is exported, without its name.
    pub(crate) memory: &'a str,
    /// Further fields of the module. `$realloc` and `$next` are there.
    pub(crate) fields: &'a str,
    /// Instructions of `cabi_realloc` before its own.
    pub(crate) realloc: &'a str,
    /// The instructions of `describe`; the definitions are at `DEFINED`.
    pub(crate) describe: &'a str,
    /// The instructions of `run`, with the parameters `$op`, `$op_len`, `$inputs` and `$count`: they leave the address of
    /// the result. Sixteen bytes of zero mean success without further outputs.
    pub(crate) run: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self {
            ops: &["bad"],
            imports: "",
            memory: "2",
            fields: "",
            realloc: "",
            describe: "(i32.const DEFINED)",
            run: "(i32.const 0)",
        }
    }
}

impl Guest<'_> {
    /// What lies in the memory below the heap.
    pub(crate) fn below_heap(&self) -> Vec<u8> {
        let mut bytes = vec![0; DEFINITIONS as usize];
        bytes.extend(definitions(self.ops).0);
        assert!(bytes.len() <= HEAP as usize, "the definitions reach into the heap");
        bytes.resize(HEAP as usize, 0);
        bytes
    }

    /// The text of the module.
    pub(crate) fn text(&self) -> String {
        let (_, defined) = definitions(self.ops);
        let data = escaped(&self.below_heap());
        format!(
            r#"(module
{imports}
(memory (export "memory") {memory})
(data (i32.const 0) "{data}")
(global $next (mut i32) (i32.const {HEAP}))
(func $realloc (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    {realloc}
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
    (local.get $at))
(func (export "dynhost:op/op@0.1.0#describe") (result i32) {describe})
(func $run (export "dynhost:op/op@0.1.0#run")
    (param $op i32) (param $op_len i32) (param $inputs i32) (param $count i32) (result i32)
    {run})
{fields})"#,
            imports = self.imports,
            memory = self.memory,
            realloc = self.realloc,
            fields = self.fields,
            describe = self.describe.replace("DEFINED", &defined.to_string()),
            run = self.run,
        )
    }

    /// The module, which a host takes as it is.
    pub(crate) fn module(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Bytes as a string of the text form has them.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

/// What `describe` gives, to lie at [`DEFINITIONS`], and the address of its result.
fn definitions(ops: &[&str]) -> (Vec<u8>, u32) {
    let mut data = Data(Vec::new());
    let none = [0; 3];
    let value = data.text("value");
    let inputs = data.words(&[&value, &[0, 0, 0], &none]);
    let (out, result) = (data.text("out"), data.text("result"));
    // Not required; the one is dynamic, the other is not.
    let outputs = data.words(&[&out, &[0, 0, 1 << 8], &none, &result, &[0, 0, 0], &none]);
    let names: Vec<[u32; 2]> = ops.iter().map(|op| data.text(op)).collect();
    let records: Vec<u32> = names
        .into_iter()
        .flat_map(|[at, len]| [at, len, 0, 0, inputs, 1, outputs, 2, 0, 0, 0])
        .collect();
    let list = data.words(&[&records]);
    let count = u32::try_from(ops.len()).expect("a few ops");
    let defined = data.words(&[&[list, count]]);
    (data.0, defined)
}

/// Bytes that lie at [`DEFINITIONS`].
struct Data(Vec<u8>);

impl Data {
    fn end(&self) -> u32 {
        DEFINITIONS + u32::try_from(self.0.len()).expect("a few bytes")
    }

    /// A string: where it is, and how long.
    fn text(&mut self, text: &str) -> [u32; 2] {
        let at = self.end();
        self.0.extend_from_slice(text.as_bytes());
        [at, self.end() - at]
    }

    /// Words, aligned; gives their address.
    fn words(&mut self, words: &[&[u32]]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let at = self.end();
        self.0.extend(words.iter().copied().flatten().flat_map(|word| word.to_le_bytes()));
        at
    }
}
