//! What can be written on the command line.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use dynhost::graph::event::Level;
use serde_json::json;

use crate::command::{
    build, call, componentize, conform, doctor, explain, graph, inspect, lock, new, precompile,
    rerun, resume, run, runs, validate,
};

const EXIT_CODES: &str = "\
Exit codes:
  0    succeeded
  1    the run failed
  2    the command line or the manifest is wrong
  3    a component cannot be loaded
  70   a bug in dynhost
  130  interrupted

Files:
  .dynhost beside a manifest keeps its runs and earlier successes (DYNHOST_STATE_DIR or
  --state-dir name another folder); `dynhost runs prune` makes it smaller.
  $XDG_CACHE_HOME/dynhost/code (or ~/.cache/dynhost/code) keeps compiled code between runs;
  it can be deleted at any time.";

/// Runs dynamic graphs of WebAssembly ops, each clone in its own sandbox.
#[derive(Debug, Parser)]
#[command(name = "dynhost", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
#[command(max_term_width = 100)]
pub(crate) struct Cli {
    /// Form of what goes to stdout
    #[arg(short, long, global = true, value_enum, value_name = "FORM", default_value = "text")]
    #[arg(help_heading = "Global options")]
    pub(crate) output: Form,
    /// Colours; `auto`: on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    #[arg(help_heading = "Global options")]
    color: When,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Form of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Resume(resume::ResumeArgs),
    Rerun(rerun::RerunArgs),
    Runs(runs::RunsArgs),
    Explain(explain::ExplainArgs),
    Validate(validate::ValidateArgs),
    Inspect(inspect::InspectArgs),
    Call(call::CallArgs),
    Graph(graph::GraphArgs),
    Build(build::BuildArgs),
    Lock(lock::LockArgs),
    Componentize(componentize::ComponentizeArgs),
    Precompile(precompile::PrecompileArgs),
    Conform(conform::ConformArgs),
    New(new::NewArgs),
    Doctor(doctor::DoctorArgs),
    /// Print the interface of ops as WIT, for bindings generators
    #[command(after_help = "\
Examples:
  dynhost wit > op.wit")]
    Wit,
    /// Print a script that completes commands and flags in a shell
    #[command(after_help = "\
Examples:
  dynhost completions bash > ~/.local/share/bash-completion/completions/dynhost
  dynhost completions fish > ~/.config/fish/completions/dynhost.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Compile the component on stdin; run by dynhost itself, so that compiling can be bounded
    #[command(hide = true)]
    CompileComponent {
        /// `fuel`, where the code is to count it
        arguments: Vec<String>,
    },
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder
        folder: PathBuf,
    },
}

/// How a run is watched.
#[derive(Debug, Clone, Args)]
pub(crate) struct Watch {
    /// Progress on stderr; `auto`: live on a terminal, plain lines elsewhere
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: Progress,
    /// Show what ops log from this level on
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: LogLevel,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    Auto,
    Live,
    Plain,
    None,
}

/// From which level on logs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    None,
}

impl LogLevel {
    /// Whether a message of `level` is shown.
    pub(crate) fn shows(self, level: Level) -> bool {
        let from = match self {
            Self::Trace => Level::Trace,
            Self::Debug => Level::Debug,
            Self::Info => Level::Info,
            Self::Warn => Level::Warn,
            Self::Error => Level::Error,
            Self::None => return false,
        };
        level >= from
    }
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("there is no name before `=`".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("write `{text}=VALUE`")),
    }
}

/// Turns colours on or off for the whole process. Asked of the bare arguments, since messages
/// about arguments have colours too.
pub(crate) fn settle_color(arguments: &[OsString]) {
    let on = match flag(arguments, None, "--color").as_deref() {
        Some("always") => true,
        Some("never") => false,
        _ => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let term = console::Term::stderr();
            !unwanted && term.is_term() && term.features().colors_supported()
        }
    };
    console::set_colors_enabled_stderr(on);
    // What is on stdout is to be read by programs as well.
    console::set_colors_enabled(false);
}

/// Says what is wrong with the command line, or prints the help that was asked for; gives the
/// exit code.
pub(crate) fn not_understood(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked {
        let _ = error.print();
        return 0;
    }
    let text = error.render();
    let on = console::colors_enabled_stderr();
    let shown = if on { text.ansi().to_string() } else { text.to_string() };
    let _ = write!(std::io::stderr().lock(), "{shown}");
    if flag(arguments, Some("-o"), "--output").as_deref() == Some("json") {
        let message = text.to_string();
        let message = message.trim().trim_start_matches("error: ");
        let object = json!({ "error": { "kind": "usage", "message": message, "problems": [] } });
        let _ = writeln!(std::io::stdout().lock(), "{object}");
    }
    2
}

/// The value of a flag among arguments that may be malformed.
fn flag(arguments: &[OsString], short: Option<&str>, long: &str) -> Option<String> {
    let mut found = None;
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str()).peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        }
        if argument == long || Some(argument) == short {
            found = arguments.peek().map(|value| (*value).to_owned());
        } else if let Some(value) = argument.strip_prefix(long).and_then(|v| v.strip_prefix('=')) {
            found = Some(value.to_owned());
        } else if let Some(value) = short.and_then(|short| argument.strip_prefix(short)) {
            found = Some(value.trim_start_matches('=').to_owned());
        }
    }
    found
}

/// The definitions, for completions and manual pages.
pub(crate) fn definitions() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_sound() {
        definitions().debug_assert();
    }

    #[test]
    fn flags_are_found_in_every_spelling() {
        for line in ["run -o json", "run -ojson", "--output=json run", "run --output json"] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = flag(&arguments, Some("-o"), "--output");
            assert_eq!(found.as_deref(), Some("json"), "{line}");
        }
    }

    #[test]
    fn a_pair_has_a_name_and_may_have_further_equal_signs() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("=b").is_err());
        assert!(pair("a").is_err());
    }
}
