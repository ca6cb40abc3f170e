//! `dynhost conform`.

mod loading;
mod measure;
mod rules;
mod seen;
mod shown;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use dynhost::{Component, ComponentError, Host, HostError};

use self::measure::Numbers;
use self::rules::{Rule, Rules};
use crate::error::Error;
use crate::report::{Console, diagnosis};

/// Try whether components keep to the op interface
///
/// Every component is loaded, and what it says of its ops is checked. What ops have to do is tried on the conformance
/// ops, which each SDK has in a component of its own; a rule that needs an op which a component does not have is not
/// exercised. Then it is measured what the component costs.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0    no rule failed
  1    a rule failed
  3    a component cannot be loaded

Examples:
  dynhost conform ops/text.wasm
  dynhost conform --format markdown rust=a/conformance.wasm c=b/conformance.wasm > table.md
  dynhost conform ops/text.wasm -o json | jq '.components[].rules[] | select(.result == \"failed\")'")]
pub(crate) struct ConformArgs {
    /// The components, .wasm files; NAME=FILE gives one the name that it has in the table
    #[arg(required = true, value_name = "COMPONENT")]
    components: Vec<Subject>,
    /// How the table is written; `markdown` has a column for each component
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Only try the rules, with compiled code from the cache
    #[arg(long)]
    no_measure: bool,
}

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// One table for all components
    Markdown,
}

/// A component and what it is called.
#[derive(Debug, Clone)]
struct Subject {
    name: String,
    path: PathBuf,
}

impl FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        Ok(match text.split_once('=') {
            Some((name, file)) if !path.exists() => {
                Self { name: name.to_owned(), path: file.into() }
            }
            _ => Self { name: text.to_owned(), path },
        })
    }
}

/// What a rule says of a component.
#[derive(Debug, PartialEq)]
enum Verdict {
    Passed { seen: String },
    Failed { expected: String, seen: String },
    NotExercised { why: String },
}

/// A rule as it was tried on a component.
#[derive(Debug)]
struct Finding {
    rule: Words,
    verdict: Verdict,
}

/// A rule in words.
#[derive(Debug, Clone)]
struct Words {
    name: String,
    says: String,
    /// Where it stands: items of the WIT, or rules of `semantics.md`.
    cites: String,
}

/// All that is known of a component.
struct Conformity {
    subject: Subject,
    findings: Vec<Finding>,
    loaded: Result<Component, ComponentError>,
    numbers: Option<Numbers>,
}

impl Conformity {
    fn failed(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.verdict, Verdict::Failed { .. }))
    }
}

pub(super) fn execute(arguments: &ConformArgs, console: Console) -> Result<u8, Error> {
    let host = if arguments.no_measure { super::host()? } else { Host::builder().build()? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(HostError::Thread)?;
    let rules = Rules::read();
    let mut all = Vec::with_capacity(arguments.components.len());
    for subject in &arguments.components {
        let conformity =
            runtime.block_on(conformity(&host, &rules, subject, !arguments.no_measure))?;
        if !console.is_json() && arguments.format == Format::Text {
            console.print(&shown::to_text(&conformity))?;
        }
        all.push(conformity);
    }
    if console.is_json() {
        console.print_json(&shown::to_json(&all))?;
    } else if arguments.format == Format::Markdown {
        console.print(&shown::to_markdown(&all))?;
    }
    let code = exit_code(&all);
    let unloaded: Vec<_> = all.into_iter().filter_map(|one| one.loaded.err()).collect();
    if !unloaded.is_empty() {
        console.say(diagnosis::render(&Error::Components(unloaded, None)).trim_end());
    }
    Ok(code)
}

fn exit_code(all: &[Conformity]) -> u8 {
    if all.iter().any(|one| one.loaded.is_err()) {
        3
    } else {
        u8::from(all.iter().any(Conformity::failed))
    }
}

/// Tries every rule on a component, and measures it.
async fn conformity(
    host: &Host,
    rules: &Rules,
    subject: &Subject,
    measured: bool,
) -> Result<Conformity, Error> {
    let (loaded, took) = measure::timed(|| host.load(&subject.path));
    let mut findings = loading::findings(loaded.as_ref());
    let mut numbers = None;
    match &loaded {
        Err(_) => findings.extend(rules.all.iter().map(|rule| Finding {
            rule: rule.words(),
            verdict: Verdict::NotExercised { why: "it cannot be loaded".to_owned() },
        })),
        Ok(component) => {
            for rule in &rules.all {
                let verdict = tried(host, rules, rule, component).await?;
                findings.push(Finding { rule: rule.words(), verdict });
            }
            if measured {
                let trivial = rules.lacks(component, &measure::NEEDS).is_none();
                numbers = Some(measure::numbers(host, component, took, trivial).await?);
            }
        }
    }
    Ok(Conformity { subject: subject.clone(), findings, loaded, numbers })
}

async fn tried(
    host: &Host,
    rules: &Rules,
    rule: &Rule,
    component: &Component,
) -> Result<Verdict, Error> {
    if let Some(why) = rules.lacks(component, &rule.needs) {
        return Ok(Verdict::NotExercised { why });
    }
    let prepared = match rule.prepare(component) {
        Ok(prepared) => prepared,
        Err(why) => {
            return Ok(Verdict::Failed {
                expected: "a job that can be planned".to_owned(),
                seen: why,
            });
        }
    };
    let seen = seen::run(host, &prepared, rule.cancel.as_deref()).await?;
    Ok(rule.verdict(&seen))
}
