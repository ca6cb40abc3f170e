//! `dynhost new`.

mod embedded;
mod name;
mod project;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use self::name::Name;
use self::project::{Contents, Sdk};
use crate::error::Error;
use crate::language::Language;
use crate::report::{Console, yellow};
use crate::toolchain::Machine;

/// Begin a project: an op, or a job with its ops, with unit tests and a build command
///
/// The project holds all it needs: the SDK of its language is copied into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost new job word-count
  dynhost new op resize --lang python
  cd word-count && dynhost run --build job.toml")]
pub(crate) struct NewArgs {
    #[command(subcommand)]
    what: What,
}

/// What is begun.
#[derive(Debug, Clone, Subcommand)]
enum What {
    /// An op with its unit tests, and a small job that uses it
    Op(ProjectArgs),
    /// A job with three ops: one splits, one is cloned for each part, one adds up
    Job(ProjectArgs),
}

#[derive(Debug, Clone, Args)]
struct ProjectArgs {
    /// Its name, and that of the new folder
    name: String,
    /// The language of its ops
    #[arg(short, long, value_enum, value_name = "LANG", default_value = "rust")]
    lang: Language,
    /// Use the SDK of a checkout of dynhost instead of a copy in the project
    #[arg(long, value_name = "CHECKOUT")]
    sdk: Option<PathBuf>,
}

pub(super) fn execute(arguments: &NewArgs, console: Console) -> Result<u8, Error> {
    let (kind, given) = match &arguments.what {
        What::Op(given) => (Contents::Op, given),
        What::Job(given) => (Contents::Job, given),
    };
    let project = given.lang.project();
    let name = Name::new(&given.name, kind, given.lang)?;
    let sdk = Sdk::find(given.sdk.as_deref(), project.sdk)?;
    let files = project::files(kind, given.lang, &name, &sdk);
    project::write(&name, &files)?;

    let next = next(kind, given.lang, &name);
    if console.is_json() {
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let object = json!({ "folder": name.as_str(), "files": paths, "next": next });
        console.print_json(&object)?;
        return Ok(0);
    }
    console.say(&format!("made `{}`, {kind} in {}\n", name.as_str(), project.language));
    for command in next {
        console.say(&format!("  {command}"));
    }
    say_what_is_missing(given.lang, console);
    Ok(0)
}

/// The commands that one tries first.
fn next(kind: Contents, lang: Language, name: &Name) -> Vec<String> {
    let project = lang.project();
    let call = match kind {
        Contents::Op => format!("dynhost call {} --input text='to be or not'", project.component),
        Contents::Job => "dynhost explain last".to_owned(),
    };
    vec![
        format!("cd {}", name.as_str()),
        "dynhost run --build job.toml".to_owned(),
        call,
        project.test.to_owned(),
    ]
}

fn say_what_is_missing(lang: Language, console: Console) {
    let readiness = Machine::default().readiness(lang);
    for sentence in readiness.missing() {
        console.say(&yellow(&format!("\n{sentence}")));
    }
}
