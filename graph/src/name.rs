//! Checked names: ops, nodes, mapping keys, step keys, runs.
//!
//! A value of one of these types is well formed by construction. This module
//! knows nothing of where the names are used.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// Longer than the kind of name allows.
    #[error("it has {bytes} bytes, and {limit} are allowed")]
    TooLong {
        /// The length that was given, in bytes of UTF-8.
        bytes: usize,
        /// The greatest length, in bytes of UTF-8.
        limit: usize,
    },
    /// A character that the kind of name does not allow.
    #[error("it contains {character:?} at byte {at}")]
    Character {
        /// The first such character.
        character: char,
        /// Its offset in bytes.
        at: usize,
    },
}

/// The greatest length of a name of an op, node, port or param, in bytes.
pub const NAME_BYTES: usize = 64;

/// The greatest length of a mapping key, in bytes (`semantics.md` rule 7).
pub const MAPPING_KEY_BYTES: usize = 255;

/// The greatest number of mapping keys of a step: how many maps may stand in each other.
pub const STEP_KEYS: usize = 64;

/// Checks a name of an op, node, port, param, component or pool: a letter, then letters,
/// digits, `_` or `-`; 64 bytes at most.
///
/// # Errors
/// Says what is wrong with the first offending character or the length.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    for (at, character) in text.char_indices() {
        let allowed = character.is_ascii_alphabetic()
            || (at > 0 && (character.is_ascii_digit() || character == '_' || character == '-'));
        if !allowed {
            return Err(NameError::Character { character, at });
        }
    }
    if text.len() > NAME_BYTES {
        return Err(NameError::TooLong { bytes: text.len(), limit: NAME_BYTES });
    }
    Ok(())
}

/// What tells the clones of one fan-out apart: 1–255 bytes of UTF-8 without control
/// characters, `[` or `]` (`semantics.md` rule 7). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MappingKey(Arc<str>);

impl MappingKey {
    /// Checks `text` and makes a key of it.
    ///
    /// # Errors
    /// Says which part of rule 7 the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAPPING_KEY_BYTES {
            return Err(NameError::TooLong { bytes: text.len(), limit: MAPPING_KEY_BYTES });
        }
        let refused = |c: char| c.is_control() || c == '[' || c == ']';
        match text.char_indices().find(|&(_, c)| refused(c)) {
            Some((at, character)) => Err(NameError::Character { character, at }),
            None => Ok(Self(text.into())),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MappingKey {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<MappingKey> for String {
    fn from(key: MappingKey) -> Self {
        key.as_str().to_owned()
    }
}

impl fmt::Display for MappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// The mapping keys of a clone, outermost first; empty outside a map.
///
/// A list that shares its outer part with every clone of the same outer key, so that a
/// clone costs one small allocation however deep it is.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyPath(Option<Arc<KeyLink>>);

#[derive(PartialEq, Eq, Hash)]
struct KeyLink {
    outer: KeyPath,
    key: MappingKey,
}

impl KeyPath {
    /// The path of everything outside a map.
    #[must_use]
    pub const fn root() -> Self {
        Self(None)
    }

    /// This path with one more key inside.
    #[must_use]
    pub fn join(&self, key: MappingKey) -> Self {
        Self(Some(Arc::new(KeyLink { outer: self.clone(), key })))
    }

    /// The innermost key, if any.
    #[must_use]
    pub fn last(&self) -> Option<&MappingKey> {
        self.0.as_deref().map(|link| &link.key)
    }

    /// The path without its innermost key; the root stays the root.
    #[must_use]
    pub fn outer(&self) -> Self {
        self.0.as_deref().map_or(Self(None), |link| link.outer.clone())
    }

    /// All keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> Vec<MappingKey> {
        let mut keys = Vec::new();
        let mut here = self;
        while let Some(link) = here.0.as_deref() {
            keys.push(link.key.clone());
            here = &link.outer;
        }
        keys.reverse();
        keys
    }
}

impl FromIterator<MappingKey> for KeyPath {
    fn from_iter<I: IntoIterator<Item = MappingKey>>(keys: I) -> Self {
        keys.into_iter().fold(Self::root(), |path, key| path.join(key))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => Ok(()),
            Some(link) => write!(f, "{}[{}]", link.outer, link.key),
        }
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The name of a step: its node and the mapping keys of its clone, written
/// `size`, `size[readme_md]`, `count[readme_md][line_3]`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepKey {
    /// The node; a node inside a graph is written with its path, `clean/trim`.
    pub node: Arc<str>,
    /// The mapping keys of the clone.
    pub keys: KeyPath,
}

impl StepKey {
    /// Whether the mapping keys begin with these, outermost first.
    #[must_use]
    pub fn begins_with(&self, keys: &[MappingKey]) -> bool {
        self.keys.keys().starts_with(keys)
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.node, self.keys)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<StepKey> for String {
    fn from(step: StepKey) -> Self {
        step.to_string()
    }
}

/// Why a text is not a step key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepKeyError {
    /// The part before the first `[` is not a node's name.
    #[error("`{node}` is not the name of a node")]
    Node {
        /// The part before the first `[`.
        node: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// A mapping key is malformed.
    #[error("`{key}` is not a mapping key")]
    Key {
        /// The text between the brackets.
        key: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// More mapping keys than a step can have.
    #[error("it has {keys} mapping keys, and {STEP_KEYS} are allowed")]
    Deep {
        /// How many there are.
        keys: usize,
    },
    /// Something other than `[key]` follows the node's name.
    #[error("the brackets of `{text}` do not match")]
    Brackets {
        /// The whole text.
        text: String,
    },
}

impl std::str::FromStr for StepKey {
    type Err = StepKeyError;

    fn from_str(text: &str) -> Result<Self, StepKeyError> {
        let (node, mut rest) = match text.find('[') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        for part in node.split('/') {
            check_name(part)
                .map_err(|source| StepKeyError::Node { node: node.to_owned(), source })?;
        }
        let keys = rest.matches('[').count();
        if keys > STEP_KEYS {
            return Err(StepKeyError::Deep { keys });
        }
        let mut keys = KeyPath::root();
        while !rest.is_empty() {
            let (key, after) = rest
                .strip_prefix('[')
                .and_then(|inside| inside.split_once(']'))
                .ok_or_else(|| StepKeyError::Brackets { text: text.to_owned() })?;
            let key = MappingKey::new(key)
                .map_err(|source| StepKeyError::Key { key: key.to_owned(), source })?;
            keys = keys.join(key);
            rest = after;
        }
        Ok(Self { node: node.into(), keys })
    }
}

impl TryFrom<String> for StepKey {
    type Error = StepKeyError;
    fn try_from(text: String) -> Result<Self, StepKeyError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `semantics.md` rule 7.
    #[test]
    fn mapping_keys_take_file_names_and_refuse_what_a_step_key_cannot_hold() {
        for good in ["a-b.c", "ü", "読", "a b/c", &"x".repeat(255)] {
            assert_eq!(MappingKey::new(good).unwrap().as_str(), good);
        }
        assert_eq!(MappingKey::new(""), Err(NameError::Empty));
        assert_eq!(MappingKey::new("a\n"), Err(NameError::Character { character: '\n', at: 1 }));
        assert_eq!(MappingKey::new("x[y]"), Err(NameError::Character { character: '[', at: 1 }));
        assert_eq!(
            MappingKey::new(&"x".repeat(256)),
            Err(NameError::TooLong { bytes: 256, limit: 255 })
        );
    }

    #[test]
    fn step_keys_survive_text() {
        for text in ["size", "size[readme_md]", "clean/trim[a b][line_3]"] {
            assert_eq!(text.parse::<StepKey>().unwrap().to_string(), text);
        }
        for bad in ["", "size[", "size[a]b", "size[]", "1size", "a//b"] {
            assert!(bad.parse::<StepKey>().is_err(), "{bad}");
        }
    }

    /// Keys are a chain: one of any length would end a thread that takes it apart.
    #[test]
    fn step_keys_have_a_greatest_depth() {
        let deep = |keys: usize| format!("size{}", "[a]".repeat(keys)).parse::<StepKey>();
        assert_eq!(deep(STEP_KEYS).unwrap().keys.keys().len(), STEP_KEYS);
        assert_eq!(deep(STEP_KEYS + 1), Err(StepKeyError::Deep { keys: STEP_KEYS + 1 }));
        assert_eq!(deep(1_000_000), Err(StepKeyError::Deep { keys: 1_000_000 }));
    }
}
