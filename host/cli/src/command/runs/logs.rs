//! `dynhost runs logs`.

use clap::{Args, ValueEnum};
use dynhost::graph::event::Level;
use dynhost::store::history::{LogFilter, LogLine};
use dynhost::store::sqlite::SqliteStore;
use serde_json::{Map, Value as Json, json};

use super::say_more;
use crate::error::Error;
use crate::report::{Console, time, words};

/// Print what the ops of a run logged
///
/// With `-o json`, one object per line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost runs logs last --level warn
  dynhost runs logs last --step 'size[readme_md]'
  dynhost runs logs last --node size -o json | jq -r .message")]
pub(super) struct LogsArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Only of this step
    #[arg(long)]
    step: Option<String>,
    /// Only of the steps of this node
    #[arg(long)]
    node: Option<String>,
    /// Only from this level on
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<LogLevel>,
    /// So many lines at most; default: all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Begin behind this place, where the page before ended
    #[arg(long, value_name = "N")]
    after: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::Trace,
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
        }
    }
}

/// Lines that are asked for at once.
const PAGE: usize = 1000;

pub(super) fn execute(
    arguments: &LogsArgs,
    store: &SqliteStore,
    console: Console,
) -> Result<(), Error> {
    let run = super::resolve(store, &arguments.run)?;
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut filter = LogFilter {
        step: arguments.step.clone(),
        node: arguments.node.clone(),
        level: arguments.level.map(Into::into),
        after: arguments.after,
        limit: 0,
    };
    let mut lines = console.lines();
    let mut open = true;
    while open && left > 0 {
        filter.limit = left.min(PAGE);
        let page = store.logs(&run, &filter)?;
        left -= page.items.len();
        for line in &page.items {
            open = if console.is_json() {
                lines.json(&object(line))?
            } else {
                lines.text(&text(line))?
            };
        }
        filter.after = page.next;
        if page.next.is_none() {
            open = false;
        }
    }
    lines.end()?;
    if let Some(next) = filter.after.filter(|_| open) {
        say_more(console, &format!("`--after {next}` goes on"));
    }
    Ok(())
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn text(line: &LogLine) -> String {
    let fields = line.fields.iter().map(|(name, value)| format!(" {name}={value}"));
    let message = words::one_line(&format!("{}{}", line.message, fields.collect::<String>()));
    let attempt =
        if line.attempt > 1 { format!(" (attempt {})", line.attempt) } else { String::new() };
    let (at, level) = (time::precise(line.at_us), level(line.level));
    format!("{at}  {level:5}  {}{attempt}: {message}", line.step)
}

fn object(line: &LogLine) -> Json {
    let fields = line.fields.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str())));
    json!({
        "at": time::rfc3339(line.at_us),
        "step": line.step,
        "attempt": line.attempt,
        "level": level(line.level),
        "message": line.message,
        "fields": Json::Object(fields.collect::<Map<_, _>>()),
    })
}
