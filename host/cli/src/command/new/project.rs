//! The files of a new project, and how they get into its folder: all of them, or none.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::embedded::{LICENSE, TEMPLATES, sdk};
use super::name::Name;
use crate::error::Error;
use crate::language::Language;

/// What is in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    /// One op, and a job that uses it.
    Op,
    /// A job with three ops.
    Job,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Op => "an op",
            Self::Job => "a job",
        })
    }
}

/// Where a project has its SDK from.
#[derive(Debug)]
pub(super) enum Sdk {
    /// A copy in the project.
    Copied,
    /// This folder, as seen from the project.
    Elsewhere(String),
}

impl Sdk {
    /// The SDK of this name in a checkout, or the one that the binary holds.
    pub(super) fn find(checkout: Option<&Path>, name: &str) -> Result<Self, Error> {
        let Some(checkout) = checkout else { return Ok(Self::Copied) };
        let folder = checkout.join("sdk").join(name);
        if !folder.join("README.md").is_file() {
            let message = format!("there is no SDK in `{}`", folder.display());
            let help = "`--sdk` takes the folder of a checkout of dynhost";
            return Err(Error::usage(message).with_help(help));
        }
        // The project's folder is one below this one.
        let from_project = if folder.is_absolute() { folder } else { Path::new("..").join(folder) };
        // It is written into scripts, manifests and TOML.
        let plain = |c: char| c.is_alphanumeric() || "-_./+@".contains(c);
        let path =
            from_project.to_str().filter(|path| path.chars().all(plain)).ok_or_else(|| {
                let message =
                    format!("the path `{}` has unusual characters", from_project.display());
                Error::usage(message).with_help("name the checkout by a plain path, such as a link")
            })?;
        Ok(Self::Elsewhere(path.to_owned()))
    }

    fn path(&self) -> &str {
        match self {
            Self::Copied => "sdk",
            Self::Elsewhere(path) => path,
        }
    }

    /// As go.mod takes it, where a path begins with dots or a slash.
    fn path_with_dots(&self) -> String {
        match self {
            Self::Copied => "./sdk".to_owned(),
            Self::Elsewhere(path) => path.clone(),
        }
    }
}

/// A file of a project.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the project.
    pub(super) path: String,
    text: String,
}

/// The files of a project.
pub(super) fn files(kind: Contents, lang: Language, name: &Name, from: &Sdk) -> Vec<File> {
    let words = words(lang, name, from);
    let part = match kind {
        Contents::Op => "op/",
        Contents::Job => "job/",
    };
    let mut files = Vec::new();
    for folder in
        [part.to_owned(), format!("{}/both/", lang.name()), format!("{}/{part}", lang.name())]
    {
        for (path, text) in TEMPLATES {
            if let Some(path) = path.strip_prefix(&folder) {
                files.push(File { path: path.to_owned(), text: fill(text, &words) });
            }
        }
    }
    let project = lang.project();
    let ignored = [&["target/", ".dynhost/"], project.ignored].concat();
    files.push(File { path: ".gitignore".to_owned(), text: ignored.join("\n") + "\n" });
    if matches!(from, Sdk::Copied) {
        for (path, text) in sdk(project.sdk).iter().chain(LICENSE) {
            files.push(File { path: format!("sdk/{path}"), text: (*text).to_owned() });
        }
        files.push(File { path: "sdk/COPIED.md".to_owned(), text: copied(lang) });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// What the templates leave open.
fn words(lang: Language, name: &Name, from: &Sdk) -> Vec<(&'static str, String)> {
    let project = lang.project();
    let sources = project.sources.iter().copied().chain([from.path()]);
    let sources: Vec<String> = sources.map(|source| format!("{source:?}")).collect();
    let text = |text: &str| text.to_owned();
    vec![
        ("{{name}}", text(name.as_str())),
        ("{{op}}", name.op()),
        ("{{sdk}}", text(from.path())),
        ("{{./sdk}}", from.path_with_dots()),
        ("{{lang}}", text(lang.name())),
        ("{{language}}", text(project.language)),
        ("{{source}}", text(project.source)),
        ("{{sources}}", sources.join(", ")),
        ("{{build}}", text(project.build)),
        ("{{component}}", text(project.component)),
        ("{{test}}", text(project.test)),
        ("{{tools}}", text(project.tools)),
    ]
}

fn fill(template: &str, words: &[(&str, String)]) -> String {
    words.iter().fold(template.to_owned(), |text, (mark, word)| text.replace(mark, word))
}

fn copied(lang: Language) -> String {
    let (version, project) = (env!("CARGO_PKG_VERSION"), lang.project());
    format!(
        "This folder is the SDK of dynhost {version} for {}, as `dynhost new` copied it (`sdk/{}` of dynhost, without its\n\
         tests). For a newer one, put the `sdk` of a new project in its place.\n",
        project.language, project.sdk
    )
}

/// Writes the files into a new folder, which appears with all of them in it.
pub(super) fn write(name: &Name, files: &[File]) -> Result<(), Error> {
    let folder = Path::new(name.as_str());
    if let Ok(metadata) = fs::symlink_metadata(folder) {
        let empty = metadata.is_dir()
            && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !empty {
            let what = if metadata.is_dir() { "a folder that is not empty" } else { "a file" };
            let message = format!("`{}` is already there: {what}", name.as_str());
            return Err(Error::usage(message).with_help("choose another name, or remove it first"));
        }
    }
    let failed = |error: io::Error| {
        let here = std::env::current_dir().unwrap_or_default();
        let message =
            format!("`{}` cannot be made in `{}`: {error}", name.as_str(), here.display());
        Error::failed(message).with_help("nothing was left behind")
    };
    let draft = Draft(PathBuf::from(format!(".{}.{}", name.as_str(), std::process::id())));
    for file in files {
        write_file(&draft.0.join(&file.path), &file.text).map_err(failed)?;
    }
    fs::rename(&draft.0, folder).map_err(failed)
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    if text.starts_with("#!") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A folder that goes away unless it is renamed.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use dynhost::graph::manifest::Manifest;

    use super::*;

    fn every() -> impl Iterator<Item = (Contents, Language)> {
        [Contents::Op, Contents::Job]
            .into_iter()
            .flat_map(|kind| Language::value_variants().iter().map(move |lang| (kind, *lang)))
    }

    #[test]
    fn nothing_is_left_open() {
        for (kind, lang) in every() {
            let name = Name::new("word-count", kind, lang).unwrap();
            for file in files(kind, lang, &name, &Sdk::Copied) {
                let mark =
                    |text: &str| text.starts_with(|c: char| c == '.' || c.is_ascii_lowercase());
                let open = file.text.split("{{").skip(1).any(mark);
                assert!(!open || file.path.starts_with("sdk/"), "{lang:?}: {}", file.path);
            }
        }
    }

    #[test]
    fn a_project_has_what_its_manifest_and_its_readme_name() {
        for (kind, lang) in every() {
            let name = Name::new("word-count", kind, lang).unwrap();
            let files = files(kind, lang, &name, &Sdk::Copied);
            let find = |path: &str| files.iter().find(|file| file.path == path);
            let there = |path: &str| {
                find(path).is_some()
                    || files.iter().any(|f| f.path.starts_with(&format!("{path}/")))
            };
            let manifest = find("job.toml").unwrap();
            let manifest = Manifest::parse(Path::new("job.toml"), &manifest.text).unwrap();
            let build = manifest.components[0].build.as_ref().unwrap();
            for source in &build.sources {
                assert!(there(&source.value), "{lang:?}: {}", source.value);
            }
            assert!(there(lang.project().source) && there("sdk/README.md"), "{lang:?}");
            assert!(!there("sdk/tests") && !there("sdk/conformance"), "{lang:?}");
        }
    }

    #[test]
    fn a_checkout_is_named_as_the_project_sees_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let Sdk::Elsewhere(path) = Sdk::find(Some(&root), "rust").unwrap() else { panic!() };
        assert_eq!(Path::new(&path), root.join("sdk/rust"));
        let Sdk::Elsewhere(path) = Sdk::find(Some(Path::new("../..")), "c").unwrap() else {
            panic!()
        };
        assert_eq!(path, "../../../sdk/c");
        assert!(Sdk::find(Some(Path::new("nowhere")), "c").is_err());
    }
}
