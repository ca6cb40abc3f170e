//! Ops in every language that has an SDK: each SDK's `conformance` component holds the same ops, built and tested by
//! the script `test` of its folder, and gives the same bytes.

mod assemblyscript;
mod bare;
mod c;
mod conformance;
mod go;
mod javascript;
mod projects;
mod python;
mod rust;
pub(crate) mod weather;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::job::component;

/// Names the languages that may be missing on a machine, separated by commas.
const MAY_BE_SKIPPED: &str = "DYNHOST_SKIP_LANGUAGES";
/// What a script exits with when the machine lacks the tools and they cannot be had.
const SKIPPED: i32 = 3;

/// A language with an SDK in `sdk/<name>`: its script `test` installs what is missing, runs the SDK's own tests and
/// leaves `target/conformance.wasm`.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    /// Whether its components import nothing but the op interface.
    pub(crate) pure: bool,
    built: OnceLock<Result<PathBuf, String>>,
}

/// Every language but Rust, whose components are built by cargo.
static LANGUAGES: [Language; 5] = [
    Language::new("assemblyscript", true),
    Language::new("c", true),
    Language::new("go", true),
    Language::new("js", true),
    Language::new("python", true),
];

impl Language {
    const fn new(name: &'static str, pure: bool) -> Self {
        Self { name, pure, built: OnceLock::new() }
    }

    /// A component that the script makes beside the conformance component; says so where it cannot be made.
    fn beside(&self, file: &str) -> Option<PathBuf> {
        match self.component() {
            Ok(_) => Some(sdk(self.name).join("target").join(file)),
            Err(skipped) => {
                println!("{skipped}");
                None
            }
        }
    }

    /// The conformance component, made by the language's script once in this process; or why the machine cannot
    /// make it.
    ///
    /// # Panics
    /// The script failed.
    pub(crate) fn component(&self) -> Result<&Path, &str> {
        let built = self.built.get_or_init(|| {
            let folder = sdk(self.name);
            let ran = Command::new("sh").arg(folder.join("test")).output().expect("sh can be run");
            let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
            if ran.status.code() == Some(SKIPPED) {
                let line = said.lines().find(|line| line.starts_with("skipped: "));
                return Err(line.unwrap_or("skipped: no reason was given").to_owned());
            }
            assert!(ran.status.success(), "sdk/{}/test failed:\n{said}", self.name);
            Ok(folder.join("target/conformance.wasm"))
        });
        built.as_deref().map_err(String::as_str)
    }
}

/// The language called `name`.
fn language(name: &str) -> &'static Language {
    let mut languages = LANGUAGES.iter();
    languages.find(|language| language.name == name).expect("the language is in the list")
}

/// Has the conformance component of a language checked; says so where the machine cannot make it.
fn check(name: &str) {
    check_beside(name, "conformance.wasm");
}

/// As [`check`], for another component that the script makes.
fn check_beside(name: &str, file: &str) {
    let language = language(name);
    if let Some(built) = language.beside(file) {
        conformance::conforms(&built, language.pure);
        conformance::is_a_twin_of(&built, &component("conformance"));
    }
}

fn sdk(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder");
    root.join("sdk").join(name)
}

/// A language whose tools cannot be had is never left out in silence.
#[test]
fn nothing_is_skipped_unexpectedly() {
    let allowed = std::env::var(MAY_BE_SKIPPED).unwrap_or_default();
    let allowed: Vec<&str> = allowed.split(',').map(str::trim).collect();
    let unexpected: Vec<&str> = LANGUAGES
        .iter()
        .filter(|language| !allowed.contains(&language.name))
        .filter_map(|language| language.component().err())
        .collect();
    assert!(
        unexpected.is_empty(),
        "{}\nif that is as it should be, set {MAY_BE_SKIPPED} to the names of these languages, separated by commas",
        unexpected.join("\n")
    );
}
