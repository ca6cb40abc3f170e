//! `dynhost call`.

mod arguments;
mod single;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use dynhost::graph::definition::OpDefinition;
use dynhost::graph::event::{Event, Recorded};
use dynhost::graph::scheduler::{Collection, Element, JobOutputValue};
use dynhost::{Component, RunOptions};

use self::arguments::{Argument, Grant};
use super::drive::{How, Start, drive};
use super::ending::Report;
use super::guard::PolicyArgs;
use crate::cli::{LogLevel, Progress, Watch};
use crate::error::Error;
use crate::report::failures::Places;
use crate::report::narrator::Show;
use crate::report::outputs::{self, Outputs, Save};
use crate::report::progress::Reader;
use crate::report::{Console, words};

/// Run one op once
///
/// Elements of dynamic outputs are printed as they come, one `name[key]: value` each; the other outputs
/// at the end.
#[derive(Debug, Args)]
#[command(after_help = "\
Inputs:
  NAME=VALUE   VALUE is JSON, or plain text where the op takes a string
  NAME=@FILE   the contents of a file: JSON where the op takes JSON, otherwise bytes with the
               media type of the file's extension, or the one given as NAME=TYPE@FILE
  A collected input takes a JSON array, or one --input for each of its elements.

Examples:
  dynhost call ops/text.wasm count --input text='to be or not to be'
  dynhost call ops/files.wasm files_in_directory --grant-read .::/data --config '{\"recursive\": true}'
  dynhost call ops/pictures.wasm resize --input picture=@cat.jpg --save picture=small.png
  dynhost call ops/stats.wasm sum --input sizes='[1, 2, 3]' -o json")]
pub(crate) struct CallArgs {
    /// The component, a .wasm file
    component: PathBuf,
    /// The op; may be left out where the component has only one
    op: Option<String>,
    /// Give an input; see below
    #[arg(short, long, value_name = "NAME=VALUE")]
    input: Vec<Argument>,
    /// The configuration
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Let the op read a folder of this machine under a path of its own
    #[arg(long, value_name = "HOST::GUEST")]
    grant_read: Vec<Grant>,
    /// Let the op read and write a folder
    #[arg(long, value_name = "HOST::GUEST")]
    grant_write: Vec<Grant>,
    /// Write an output to a file as it is; `-` is stdout. A dynamic output whose values are not
    /// JSON becomes a folder with a file for each
    #[arg(long, value_name = "NAME=FILE")]
    save: Vec<Save>,
    /// Show what the op logs from this level on
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "debug")]
    log: LogLevel,
}

pub(super) fn execute(arguments: &CallArgs, console: Console) -> Result<u8, Error> {
    let host = arguments.policy.host()?;
    let component = host.load(&arguments.component)?;
    let op = find_op(&component, arguments.op.as_deref())?;
    let names: Vec<&str> = op.outputs.iter().map(|output| output.name.as_str()).collect();
    outputs::check_saves(&arguments.save, &names, console.is_json())?;
    let prepared = single::job(&component, &op, arguments)?;

    let quiet = console.is_json() || !arguments.save.is_empty();
    let emitted = Emitted::new(&op, console, !quiet);
    let watch = Watch { progress: Progress::Plain, log: arguments.log };
    let reader = Box::new(emitted.clone());
    let (options, how) = (RunOptions::default(), How::New);
    let start = Start { host: &host, prepared: &prepared, options, how, lock: None };
    let ended = drive(start, (&watch, Show::Logs), vec![reader])?;
    let mut result = ended.result.clone();
    let dynamic = emitted.take();
    let (mut present, _) = Outputs::present(std::mem::take(&mut result.outputs));
    if !quiet {
        console.print(&present.to_text())?;
    }
    present.0.extend(dynamic);
    ended.say(Places { manifest: None }, &watch, console);
    let to_stdout = present.save(&arguments.save, console)?;
    if console.is_json() {
        let steps = (result.steps, &*result.failures);
        let report = Report::new(&result.run, result.status, steps, &present);
        console.print_json(&report.with_keys(&present))?;
    } else if quiet && !to_stdout {
        console.print(&present.to_text())?;
    }
    let code = ended.exit_code();
    ended.written.map(|()| code)
}

fn find_op(component: &Component, name: Option<&str>) -> Result<Arc<OpDefinition>, Error> {
    let ops = component.ops();
    let found = match name {
        Some(name) => ops.iter().find(|op| op.name == name),
        None => ops.first().filter(|_| ops.len() == 1),
    };
    if let Some(op) = found {
        return Ok(Arc::clone(op));
    }
    let path = component.path().display();
    let message = match name {
        Some(name) => format!("`{path}` has no op `{name}`"),
        None => format!("`{path}` has several ops: name one"),
    };
    let names = words::listed(ops.iter().map(|op| op.name.as_str()));
    Err(Error::usage(message).with_help(format!("ops: {names}")))
}

/// What an op emits, printed as it comes and kept for the end.
#[derive(Clone)]
struct Emitted {
    lists: Arc<Mutex<Vec<(String, Collection)>>>,
    console: Console,
    print: bool,
}

impl Emitted {
    fn new(op: &OpDefinition, console: Console, print: bool) -> Self {
        let dynamic = op.outputs.iter().filter(|output| output.dynamic);
        let lists = dynamic.map(|output| (output.name.clone(), Collection::default())).collect();
        Self { lists: Arc::new(Mutex::new(lists)), console, print }
    }

    fn take(&self) -> Vec<(String, JobOutputValue)> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = std::mem::take(&mut *lists).into_iter();
        lists.map(|(name, list)| (name, JobOutputValue::Many(Arc::new(list)))).collect()
    }
}

impl Reader for Emitted {
    fn read(&mut self, recorded: &Recorded) -> Result<(), Error> {
        let Event::OutputEmitted { output, key, value, .. } = &recorded.event else {
            return Ok(());
        };
        if self.print {
            self.console.print(&format!("{output}[{key}]: {}\n", outputs::to_line(value)))?;
            // Printed once; it need not be kept.
            return Ok(());
        }
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, list)) = lists.iter_mut().find(|(name, _)| **name == **output) {
            list.elements.push(Element { key: key.clone(), value: value.clone() });
        }
        Ok(())
    }
}
