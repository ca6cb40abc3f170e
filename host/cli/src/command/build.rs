//! `dynhost build`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use console::Term;
use dynhost::graph::manifest::{Component, Manifest};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::read_manifest;
use crate::error::Error;
use crate::report::{Console, words};
use crate::toolchain;

/// Folders that hold no sources.
const NO_SOURCES: [&str; 4] = ["target", ".git", "node_modules", "__pycache__"];

/// Build the components of a manifest where they are stale
///
/// A component with a `build` entry is stale if its file is missing, or older than the newest
/// file under its `sources`; without `sources` it is built each time. Its `command` runs with `sh -c`
/// in its `dir`. Only do this with a manifest that you trust: the command is not in a sandbox.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dynhost build job.toml
  dynhost build job.toml --force
  dynhost run job.toml --build")]
pub(crate) struct BuildArgs {
    /// The manifest
    manifest: PathBuf,
    /// Build all, stale or not
    #[arg(long)]
    force: bool,
}

/// Which components are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Stale,
    All,
}

pub(super) fn execute(arguments: &BuildArgs, console: Console) -> Result<u8, Error> {
    let manifest = read_manifest(&arguments.manifest)?;
    let which = if arguments.force { Which::All } else { Which::Stale };
    let built = build(&manifest, which, console)?;
    if console.is_json() {
        let aliases = |built: bool, all: &[Outcome<'_>]| -> Vec<String> {
            let matching = all.iter().filter(|one| one.built == built);
            matching.map(|one| one.alias.to_owned()).collect()
        };
        let object = json!({ "built": aliases(true, &built), "fresh": aliases(false, &built) });
        console.print_json(&object)?;
    } else if built.iter().all(|one| !one.built) {
        console.say("nothing to build");
    }
    Ok(0)
}

/// What became of a component.
pub(super) struct Outcome<'m> {
    alias: &'m str,
    built: bool,
}

/// Builds components; a command that several share runs once.
pub(super) fn build(
    manifest: &Manifest,
    which: Which,
    console: Console,
) -> Result<Vec<Outcome<'_>>, Error> {
    let base = manifest.path.parent().unwrap_or(Path::new(""));
    let mut ran: Vec<(&str, PathBuf)> = Vec::new();
    let mut outcomes = Vec::new();
    for component in &manifest.components {
        let alias = component.alias.value.as_str();
        let Some(build) = &component.build else {
            outcomes.push(Outcome { alias, built: false });
            continue;
        };
        let Some(why) = reason(component, base, which)? else {
            outcomes.push(Outcome { alias, built: false });
            continue;
        };
        let dir = build.dir.as_ref().map_or(base.to_owned(), |dir| base.join(&dir.value));
        let command = build.command.value.as_str();
        if !ran.iter().any(|(other, there)| *other == command && *there == dir) {
            console.say(&format!("building `{alias}` ({why}): {command}"));
            run(alias, command, &dir)?;
            ran.push((command, dir));
        }
        check_output(component, base)?;
        outcomes.push(Outcome { alias, built: true });
    }
    Ok(outcomes)
}

/// Why a component has to be built; `None`: it is fresh.
fn reason(component: &Component, base: &Path, which: Which) -> Result<Option<String>, Error> {
    if which == Which::All {
        return Ok(Some("asked for".to_owned()));
    }
    let modified = std::fs::metadata(base.join(&component.path.value)).and_then(|m| m.modified());
    let Ok(made) = modified else { return Ok(Some("it is missing".to_owned())) };
    let sources = component.build.iter().flat_map(|build| &build.sources);
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    let mut any = false;
    for source in sources {
        any = true;
        let path = base.join(&source.value);
        newest_under(&path, &mut newest).map_err(|error| {
            let alias = &component.alias.value;
            Error::usage(format!(
                "source `{}` of `{alias}` cannot be read: {error}",
                path.display()
            ))
            .with_help("`sources` are relative to the manifest's folder")
        })?;
    }
    if !any {
        return Ok(Some("it names no sources".to_owned()));
    }
    Ok(newest
        .filter(|(time, _)| *time > made)
        .map(|(_, path)| format!("`{}` is newer", path.display())))
}

/// Looks for the newest file at or under `path`.
fn newest_under(path: &Path, newest: &mut Option<(SystemTime, PathBuf)>) -> std::io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        let modified = metadata.modified()?;
        if newest.as_ref().is_none_or(|(time, _)| modified > *time) {
            *newest = Some((modified, path.to_owned()));
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let ignored = kind.is_dir() && NO_SOURCES.iter().any(|ignored| name == *ignored);
        // A link may lead back up, or nowhere.
        if !ignored && !kind.is_symlink() {
            newest_under(&entry.path(), newest)?;
        }
    }
    Ok(())
}

/// Runs a build command; what it prints is shown only if it fails.
fn run(alias: &str, command: &str, dir: &Path) -> Result<(), Error> {
    let started = Instant::now();
    let failed = |why: String| {
        Error::failed(format!("`{alias}` cannot be built: {why}"))
            .with_help(format!("the command was `{command}` in `{}`", shown(dir)))
    };
    let (mut printed, writer) = std::io::pipe().map_err(|error| failed(error.to_string()))?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(if dir.as_os_str().is_empty() { Path::new(".") } else { dir })
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(|error| failed(error.to_string()))?)
        .stderr(writer)
        .spawn()
        .map_err(|error| failed(format!("`sh` cannot be run in `{}`: {error}", shown(dir))))?;
    let spinner = spinner(command);
    let mut text = Vec::new();
    let read = printed.read_to_end(&mut text);
    let status = child.wait();
    spinner.finish_and_clear();
    read.map_err(|error| failed(error.to_string()))?;
    let status = status.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let text = words::lines(&String::from_utf8_lossy(&text));
    let (took, shown) = (words::duration(started.elapsed()), words::indented(&text, 2));
    let error = failed(format!("its command failed after {took} ({status})\n{shown}"));
    Err(match toolchain::advice(&text) {
        Some(advice) => error.with_help(advice),
        None => error,
    })
}

fn shown(dir: &Path) -> String {
    if dir.as_os_str().is_empty() { ".".to_owned() } else { dir.display().to_string() }
}

fn spinner(command: &str) -> ProgressBar {
    if !Term::stderr().is_term() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}");
    spinner.set_style(style.unwrap_or(ProgressStyle::default_spinner()));
    spinner.set_message(words::one_line(command));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A command that succeeds has made the file. The file is marked as new, since a build tool
/// that finds nothing to do leaves its time as it is.
fn check_output(component: &Component, base: &Path) -> Result<(), Error> {
    let path = base.join(&component.path.value);
    if !path.is_file() {
        let message = format!(
            "the command of `{}` succeeded, but did not make `{}`",
            component.alias.value,
            path.display()
        );
        return Err(Error::failed(message).with_help("`path` is relative to the manifest's folder"));
    }
    if let Ok(file) = std::fs::File::options().append(true).open(&path) {
        let _ = file.set_modified(SystemTime::now());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("dynhost-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("src/target")).unwrap();
            Self(folder)
        }

        /// A file that was last changed so many seconds ago.
        fn write(&self, name: &str, age: u64) {
            let file = fs::File::create(self.0.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }

        fn manifest(&self, component: &str) -> Manifest {
            let text = format!(
                "[job]\nname = \"j\"\n[components]\nc = {component}\n[nodes.n]\nop = \"c\"\n"
            );
            Manifest::parse(&self.0.join("job.toml"), &text).unwrap()
        }

        fn reason(&self, sources: &str) -> Option<String> {
            let build = format!("{{ command = \"true\", sources = {sources} }}");
            let manifest = self.manifest(&format!("{{ path = \"c.wasm\", build = {build} }}"));
            reason(&manifest.components[0], &self.0, Which::Stale).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_component_is_stale_when_a_source_is_newer() {
        let folder = Folder::new("stale");
        folder.write("src/lib.rs", 50);
        assert_eq!(folder.reason("[\"src\"]").as_deref(), Some("it is missing"));
        folder.write("c.wasm", 40);
        assert_eq!(folder.reason("[\"src\"]"), None);
        assert_eq!(folder.reason("[]").as_deref(), Some("it names no sources"));
        folder.write("src/target/x.o", 10);
        assert_eq!(folder.reason("[\"src\"]"), None, "what a build leaves is no source");
        folder.write("src/more.rs", 10);
        assert!(folder.reason("[\"src\"]").unwrap().contains("more.rs"));
        assert_eq!(folder.reason("[\"src/lib.rs\"]"), None);
    }

    #[test]
    fn a_missing_source_is_a_mistake() {
        let folder = Folder::new("nowhere");
        folder.write("c.wasm", 40);
        let build = "{ command = \"true\", sources = [\"nowhere\"] }";
        let manifest = folder.manifest(&format!("{{ path = \"c.wasm\", build = {build} }}"));
        assert!(reason(&manifest.components[0], &folder.0, Which::Stale).is_err());
    }

    #[test]
    fn what_a_command_prints_is_shown_where_it_fails() {
        assert!(run("c", "true", Path::new("")).is_ok());
        let error = run("c", "echo out; echo err >&2; exit 3", Path::new("")).unwrap_err();
        let Error::Failed { message, .. } = error else { panic!("{error:?}") };
        assert!(message.contains("  out\n  err"), "{message}");
    }
}
