//! Compiling a component, in this process or in one of its own that can be ended.
//!
//! Compiling a hostile component can take minutes and gigabytes, and cannot be interrupted. In a process of its own it is
//! bounded in both, and what it takes is given back.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dynhost_graph::event::bytes_in_words;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::{self, EngineSettings};
use crate::machine;

/// Compiles components in a process of its own, which calls [`compile_in_child`].
#[derive(Debug, Clone)]
pub struct ChildCompiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; `fuel` follows where the code is to count fuel.
    pub arguments: Vec<OsString>,
    /// How long compiling one component may take.
    pub time: Duration,
    /// Bytes of memory that it may take.
    pub memory: u64,
}

impl ChildCompiler {
    /// A compiler that may take two minutes and 2 GiB, several times what the largest interpreters need.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            time: Duration::from_mins(2),
            memory: 2 << 30,
        }
    }

    /// Compiles a component for this engine.
    pub(super) fn compile(
        &self,
        (engine, settings): (&Engine, EngineSettings),
        wasm: &[u8],
    ) -> Result<Component, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        if settings.fuel {
            command.arg("fuel");
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| {
            format!("the compiler `{}` cannot be started: {error}", self.program.display())
        })?;
        let code = self.talk(&mut child, wasm);
        let _ = child.kill();
        let _ = child.wait();
        #[expect(
            unsafe_code,
            reason = "the code comes from a process of the host's own program, over a pipe that nobody else can write \
                      to, and wasmtime checks that it fits the engine"
        )]
        unsafe {
            Component::deserialize(engine, code?).map_err(|error| error.to_string())
        }
    }

    /// Hands the component over and takes what comes back, until it ends or its time is over.
    fn talk(&self, child: &mut Child, wasm: &[u8]) -> Result<Vec<u8>, String> {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err("the compiler has no pipes".to_owned());
        };
        thread::scope(|scope| {
            // One that ends early has said why.
            scope.spawn(move || drop(stdin.write_all(wasm)));
            let code = scope.spawn(move || read(stdout));
            let said = scope.spawn(move || read(stderr));
            let status = self.wait(child)?;
            let said = said.join().unwrap_or_default();
            if status.success() {
                return Ok(code.join().unwrap_or_default());
            }
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            Err(if said.is_empty() { format!("the compiler ended with {status}") } else { said })
        })
    }

    fn wait(&self, child: &mut Child) -> Result<ExitStatus, String> {
        const LOOK: Duration = Duration::from_millis(2);
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            let beyond = if begun.elapsed() > self.time {
                format!("longer than {} s", self.time.as_secs())
            } else if machine::memory_of(child.id()).is_some_and(|bytes| bytes > self.memory) {
                format!("more than {} of memory", bytes_in_words(self.memory))
            } else {
                thread::sleep(LOOK);
                continue;
            };
            let _ = child.kill();
            return Err(format!("compiling it takes {beyond}, and no component is given more"));
        }
    }
}

fn read(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What breaks off is not code, and is refused as that.
    let _ = from.read_to_end(&mut bytes);
    bytes
}

/// What the program of a [`ChildCompiler`] has to do: takes a component from stdin and gives code to stdout. `arguments` are those behind [`ChildCompiler::arguments`].
///
/// # Errors
/// In words, to be written to stderr before the process ends with another code than 0.
pub fn compile_in_child(arguments: &[String]) -> Result<(), String> {
    let fuel = match arguments {
        [] => false,
        [fuel] if fuel == "fuel" => true,
        _ => return Err("the only argument is `fuel`".to_owned()),
    };
    let wasm = read(std::io::stdin().lock());
    let engine = Engine::new(&engine::compiling(EngineSettings { fuel, ..EngineSettings::PLAIN }))
        .map_err(|error| error.to_string())?;
    let code = engine.precompile_component(&wasm).map_err(|error| format!("{error:#}"))?;
    std::io::stdout().lock().write_all(&code).map_err(|error| error.to_string())
}
