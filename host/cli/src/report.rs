//! What happened, in words, in JSON and in pictures. Pure readers: nothing here decides anything.

mod changes;
pub(crate) mod diagnosis;
pub(crate) mod drawing;
pub(crate) mod failures;
pub(crate) mod json;
pub(crate) mod live;
pub(crate) mod narrator;
pub(crate) mod outputs;
pub(crate) mod past;
pub(crate) mod progress;
pub(crate) mod schema;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod tally;
pub(crate) mod time;
pub(crate) mod words;

use std::io::{BufWriter, ErrorKind, Stdout, Write};

use serde::Serialize;

use crate::cli::Form;
use crate::error::Error;

/// Where results and messages go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    form: Form,
}

#[expect(clippy::unused_self, reason = "what a command writes goes through its console")]
impl Console {
    pub(crate) const fn new(form: Form) -> Self {
        Self { form }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// Writes a result to stdout.
    pub(crate) fn print(self, text: &str) -> Result<(), Error> {
        self.print_bytes(text.as_bytes())
    }

    /// Writes the one JSON object of a command to stdout.
    pub(crate) fn print_json(self, object: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(object)
            .map_err(|error| Error::failed(format!("the result cannot be written: {error}")))?;
        self.print(&(text + "\n"))
    }

    /// Writes bytes to stdout. A reader that has seen enough is no failure.
    pub(crate) fn print_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::failed(format!("the result cannot be written to stdout: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Many lines on stdout, one after the other.
    pub(crate) fn lines(self) -> Lines {
        Lines(BufWriter::new(std::io::stdout()))
    }

    /// What is written for the eye goes to stdout here: with colours only where that is a terminal.
    pub(crate) fn color_like_stdout(self) {
        if !console::Term::stdout().is_term() {
            console::set_colors_enabled_stderr(false);
        }
    }

    /// Writes a line for the eye to stderr.
    pub(crate) fn say(self, line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Says why a command stopped; gives the exit code.
    pub(crate) fn failed(self, error: &Error) -> u8 {
        let _ = write!(std::io::stderr().lock(), "{}", diagnosis::render(error));
        if self.is_json() {
            let _ = self.print_json(&diagnosis::to_json(error));
        }
        error.exit_code()
    }
}

/// Lines on their way to stdout.
#[derive(Debug)]
pub(crate) struct Lines(BufWriter<Stdout>);

impl Lines {
    /// Writes a line; false where the reader has seen enough.
    pub(crate) fn text(&mut self, line: &str) -> Result<bool, Error> {
        unless_enough(writeln!(self.0, "{line}"))
    }

    /// Writes an object as a line; false where the reader has seen enough.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> Result<bool, Error> {
        let written = serde_json::to_writer(&mut self.0, object).map_err(std::io::Error::from);
        unless_enough(written.and_then(|()| self.0.write_all(b"\n")))
    }

    /// Writes what has not been written yet.
    pub(crate) fn end(mut self) -> Result<(), Error> {
        unless_enough(self.0.flush()).map(drop)
    }
}

/// Whether what was written was wanted; a reader that has seen enough is no failure.
fn unless_enough(written: std::io::Result<()>) -> Result<bool, Error> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Error::failed(format!("the result cannot be written to stdout: {error}")))
        }
    }
}

/// Red, for what failed.
pub(crate) fn red(text: &str) -> String {
    console::style(text).for_stderr().red().bold().to_string()
}

/// Green, for what succeeded.
pub(crate) fn green(text: &str) -> String {
    console::style(text).for_stderr().green().bold().to_string()
}

/// Yellow, for what asks for attention.
pub(crate) fn yellow(text: &str) -> String {
    console::style(text).for_stderr().yellow().to_string()
}

/// Cyan, for what to do.
pub(crate) fn cyan(text: &str) -> String {
    console::style(text).for_stderr().cyan().to_string()
}

/// Faint, for what matters less.
pub(crate) fn dim(text: &str) -> String {
    console::style(text).for_stderr().dim().to_string()
}
