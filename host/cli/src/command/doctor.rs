//! `dynhost doctor`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dynhost::Host;
use serde_json::{Value as Json, json};

use super::{code_cache, state};
use crate::error::{Error, chain};
use crate::language::Language;
use crate::report::Console;
use crate::report::table::{Column, pairs, table};
use crate::toolchain::{Finding, Machine, Purpose, Readiness, State, Tool};

/// What the kernel of Linux allows by default, which is enough.
const ENOUGH_MAPPINGS: u64 = 65_530;

/// Show what this machine has and lacks for building and running ops
///
/// Ends with 1 where a component in a language that `--lang` names cannot be built.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost doctor
  dynhost doctor --lang python
  dynhost doctor -o json | jq '.languages[] | select(.builds | not)'")]
pub(crate) struct DoctorArgs {
    /// Look only at these languages
    #[arg(short, long, value_enum, value_name = "LANG", value_delimiter = ',')]
    lang: Vec<Language>,
}

pub(super) fn execute(arguments: &DoctorArgs, console: Console) -> Result<u8, Error> {
    let named = !arguments.lang.is_empty();
    let languages = if named { &arguments.lang } else { Language::value_variants() };
    let mut machine = Machine::default();
    let ready: Vec<_> = languages.iter().map(|lang| (*lang, machine.readiness(*lang))).collect();
    let here = Here::look();
    if console.is_json() {
        let languages: Vec<Json> =
            ready.iter().map(|(lang, found)| to_json(*lang, found)).collect();
        console.print_json(&json!({ "languages": languages, "host": here.to_json() }))?;
    } else {
        console.print(&to_text(&ready))?;
        if !named {
            console.print(&format!("\n{}", here.to_text()))?;
        }
    }
    Ok(u8::from(named && !ready.iter().all(|(_, found)| found.builds())))
}

fn to_text(ready: &[(Language, Readiness)]) -> String {
    let mut rows = Vec::new();
    for (lang, found) in ready {
        for (at, finding) in found.findings.iter().enumerate() {
            let first = |text: &str| if at == 0 { text.to_owned() } else { String::new() };
            rows.push([
                first(lang.name()),
                first(if found.builds() { "yes" } else { "no" }),
                finding.tool.name.to_owned(),
                finding.version.clone().unwrap_or_default(),
                needed(finding.tool),
                place(finding),
            ]);
        }
    }
    let columns = [
        Column::Left("LANGUAGE"),
        Column::Left("BUILDS"),
        Column::Left("TOOL"),
        Column::Left("VERSION"),
        Column::Left("NEEDED"),
        Column::Left("WHERE"),
    ];
    let mut text = table(columns, &rows);
    let complaints = complaints(ready);
    if !complaints.is_empty() {
        text.push('\n');
    }
    for (sentence, languages) in complaints {
        let _ = writeln!(text, "{}: {sentence}", languages.join(", "));
    }
    text
}

/// What is missing, each with the languages that it is missing for.
fn complaints(ready: &[(Language, Readiness)]) -> Vec<(String, Vec<&'static str>)> {
    let mut complaints: Vec<(String, Vec<&'static str>)> = Vec::new();
    for (lang, found) in ready {
        for sentence in found.missing() {
            match complaints.iter_mut().find(|(other, _)| *other == sentence) {
                Some((_, languages)) => languages.push(lang.name()),
                None => complaints.push((sentence, vec![lang.name()])),
            }
        }
    }
    complaints
}

fn needed(tool: &Tool) -> String {
    match tool.purpose {
        Purpose::Build => tool.needed.to_owned(),
        Purpose::Test => format!("{} for tests", tool.needed).trim_start().to_owned(),
    }
}

fn place(finding: &Finding) -> String {
    let path = finding.path.as_ref().map(|path| path.display().to_string());
    match finding.state {
        State::Missing => "missing".to_owned(),
        State::FetchedByBuild => "the first build fetches it".to_owned(),
        State::Found | State::TooOld => path.unwrap_or_default(),
    }
}

fn to_json(lang: Language, found: &Readiness) -> Json {
    let tool = |finding: &Finding| {
        json!({
            "tool": finding.tool.name,
            "state": finding.state.name(),
            "version": finding.version,
            "needed": Some(finding.tool.needed).filter(|needed| !needed.is_empty()),
            "path": finding.path,
            "for": if finding.tool.purpose == Purpose::Build { "build" } else { "test" },
            "install": finding.complaint().map(|_| finding.tool.install()),
        })
    };
    let tools: Vec<Json> = found.findings.iter().map(tool).collect();
    json!({ "language": lang.name(), "builds": found.builds(), "tools": tools })
}

/// What the host itself needs of this machine.
struct Here {
    /// Why no ops can run, if they cannot.
    engine: Result<(), String>,
    code_cache: Option<Folder>,
    state: Folder,
    mappings: Option<u64>,
}

impl Here {
    fn look() -> Self {
        let mappings = fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        Self {
            engine: Host::builder().build().map(drop).map_err(|error| chain(&error)),
            code_cache: code_cache().map(Folder::look),
            state: Folder::look(state::default_folder()),
            mappings: mappings.and_then(|text| text.trim().parse().ok()),
        }
    }

    fn to_text(&self) -> String {
        let engine = match &self.engine {
            Ok(()) => "ops can run".to_owned(),
            Err(why) => format!("ops cannot run: {why}"),
        };
        let mut lines = vec![("engine", engine)];
        if let Some(folder) = &self.code_cache {
            lines.push(("code cache", folder.to_text("compiled code is not kept")));
        }
        lines.push((
            "runs",
            self.state.to_text("runs cannot be kept, except with --state-dir elsewhere"),
        ));
        if let Some(mappings) = self.mappings {
            let few = mappings < ENOUGH_MAPPINGS;
            let help = format!(
                ": too few for many steps at once, `sysctl vm.max_map_count={ENOUGH_MAPPINGS}`"
            );
            lines.push((
                "mappings",
                format!("{mappings}{}", if few { help } else { String::new() }),
            ));
        }
        pairs(&lines)
    }

    fn to_json(&self) -> Json {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "runs_ops": self.engine.is_ok(),
            "code_cache": self.code_cache.as_ref().map(Folder::to_json),
            "state": self.state.to_json(),
            "max_map_count": self.mappings,
        })
    }
}

/// A folder that the host writes to, which need not be there yet.
struct Folder {
    path: PathBuf,
    writable: bool,
}

impl Folder {
    fn look(path: PathBuf) -> Self {
        let there = path.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
        let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Permission bits do not tell of read-only file systems.
        let file = there.join(format!(".dynhost-doctor-{}", std::process::id()));
        let writable = fs::File::create_new(&file).is_ok();
        let _ = fs::remove_file(&file);
        Self { path, writable }
    }

    fn to_text(&self, otherwise: &str) -> String {
        let path = self.path.display();
        if self.writable {
            path.to_string()
        } else {
            format!("{path} cannot be written: {otherwise}")
        }
    }

    fn to_json(&self) -> Json {
        json!({ "path": self.path, "writable": self.writable })
    }
}
