//! What happened, in words, in JSON and in pictures. Pure readers: nothing here decides anything.

pub(crate) mod diagnosis;
pub(crate) mod drawing;
pub(crate) mod failures;
pub(crate) mod json;
pub(crate) mod live;
pub(crate) mod outputs;
pub(crate) mod progress;
pub(crate) mod schema;
pub(crate) mod tally;
pub(crate) mod words;

use std::io::{ErrorKind, Write};

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
