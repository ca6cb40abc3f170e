//! What a project may be called.

use super::project::Contents;
use crate::error::Error;
use crate::language::Language;

const MOST: usize = 64;

/// A name that a folder, a package, a job and, with `_` for `-`, an op can have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name for what is made.
    pub(super) fn new(given: &str, kind: Contents, lang: Language) -> Result<Self, Error> {
        if given.contains('/') {
            let last = given.rsplit('/').find(|part| !part.is_empty()).unwrap_or("my-op");
            return Err(Error::usage(format!("`{given}` is a path, not a name"))
                .with_help(format!("go to the folder that it is to be in, and name it `{last}`")));
        }
        if !is_name(given) {
            let error = Error::usage(format!("`{given}` cannot be a name"));
            let rule = format!(
                "a name begins with a lower-case letter and goes on with lower-case letters, digits, `-` or `_`, {MOST} \
                 characters at most"
            );
            return Err(error.with_help(match similar(given) {
                Some(similar) => format!("{rule}: such as `{similar}`"),
                None => rule,
            }));
        }
        let name = Self(given.to_owned());
        // The npm packages of the SDKs have these names.
        let taken = ["dynhost-sdk", "dynhost-sdk-assemblyscript"].contains(&given);
        if taken || (kind == Contents::Op && lang.project().reserved.contains(&&*name.op())) {
            let whose = if taken { "dynhost" } else { lang.project().language };
            let message = format!("`{given}` cannot be a name: it is one of {whose}'s own");
            return Err(Error::usage(message).with_help(format!("such as `my-{given}`")));
        }
        Ok(name)
    }

    /// As it was given.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As a function in any language is called.
    pub(super) fn op(&self) -> String {
        self.0.replace('-', "_")
    }
}

fn is_name(text: &str) -> bool {
    let all = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(|c: char| c != '-' && c != '_')
        && text.len() <= MOST
        && text.chars().all(all)
}

/// The name that was perhaps meant.
fn similar(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name: String = name.chars().take(MOST).collect();
    let name = name.trim_end_matches(['-', '_']);
    is_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: &str, kind: Contents, lang: Language) -> String {
        match Name::new(given, kind, lang) {
            Err(Error::Usage { message, help: Some(help) }) => format!("{message}; {help}"),
            other => panic!("{given}: {other:?}"),
        }
    }

    #[test]
    fn names_are_taken_as_they_are() {
        for name in ["a", "word-count", "a1_b"] {
            let checked = Name::new(name, Contents::Op, Language::Rust).unwrap();
            assert_eq!(checked.as_str(), name);
        }
        let name = Name::new("word-count", Contents::Op, Language::Rust).unwrap();
        assert_eq!(name.op(), "word_count");
    }

    #[test]
    fn what_is_no_name_is_refused_with_one_that_is() {
        for (given, similar) in [
            ("Word Count", Some("word-count")),
            ("größe", Some("gr-e")),
            ("1st", Some("st")),
            ("a-", Some("a")),
            ("", None),
            ("..", None),
        ] {
            let words = refused(given, Contents::Job, Language::Rust);
            let ending = similar.map_or("at most".to_owned(), |name| format!("such as `{name}`"));
            assert!(words.ends_with(&ending), "{words}");
        }
        let long = "a".repeat(65);
        assert!(refused(&long, Contents::Job, Language::C).contains("64 characters at most"));
        assert!(refused("ops/a", Contents::Op, Language::C).contains("name it `a`"));
    }

    #[test]
    fn words_of_the_language_are_no_ops() {
        assert!(refused("match", Contents::Op, Language::Rust).contains("one of Rust's own"));
        assert!(refused("await", Contents::Op, Language::Ts).contains("`my-await`"));
        assert!(Name::new("match", Contents::Job, Language::Rust).is_ok());
        assert!(Name::new("match", Contents::Op, Language::C).is_ok());
        assert!(Name::new("dynhost-sdk", Contents::Job, Language::Js).is_err());
    }
}
