//! What a node is granted of a capability of the program that runs the job: a table whose meaning that program knows.

use std::sync::Arc;
use std::{fmt, slice};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::{KINDS, Span};
use crate::manifest::Problem;
use crate::manifest::item::unknown_key;

/// `grants.NAME` of a node, where NAME is a capability of the program that runs the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityGrant {
    /// The name of the capability.
    pub name: String,
    /// What the manifest says.
    pub section: Section,
    /// Where the capability says that its functions follow from this grant and their arguments: which version of them. It
    /// is looked up when the job is prepared.
    pub pure: Option<String>,
    /// Where the manifest has the name.
    pub span: Span,
}

impl CapabilityGrant {
    /// A grant that is made in code. `section` is what the manifest would say: a struct or a map.
    ///
    /// # Errors
    /// It cannot be written as TOML.
    pub fn new(
        name: impl Into<String>,
        section: &impl Serialize,
    ) -> Result<Self, toml::ser::Error> {
        let text = toml::Value::try_from(section)?.to_string().into();
        let section = Section { text, places: Arc::new([]) };
        Ok(Self { name: name.into(), section, pure: None, span: 0..0 })
    }

    /// Says that there is no capability of this name, only these.
    #[must_use]
    pub fn unknown(&self, capabilities: &[&str]) -> Problem {
        let allowed = [KINDS.as_slice(), capabilities].concat();
        unknown_key(&self.name, self.span.clone(), "`grants`", &allowed)
    }
}

/// A TOML table that somebody else reads. Displayed, it is on one line, and equal tables have equal text.
#[derive(Debug, Clone)]
pub struct Section {
    text: Arc<str>,
    /// Where the keys and values of the text stand in the file that they come from, in the order of [`places`].
    places: Arc<[Span]>,
}

/// What is wrong in a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionMistake {
    /// In words.
    pub message: String,
    /// Where in the file, if it comes from one.
    pub span: Option<Span>,
}

impl Section {
    pub(crate) fn of(value: &DeValue<'_>, span: &Span) -> Result<Self, SectionMistake> {
        let value = Spanned::new(span.clone(), value.clone());
        let own = places(&value);
        let plain: toml::Value = read(value)?;
        Ok(Self { text: plain.to_string().into(), places: own.into() })
    }

    /// Whether anything in it is a param: `{ param = "p" }`.
    #[must_use]
    pub fn has_params(&self) -> bool {
        fn has(value: &toml::Value) -> bool {
            match value {
                toml::Value::Table(table) => param(value).is_some() || table.values().any(has),
                toml::Value::Array(elements) => elements.iter().any(has),
                _ => false,
            }
        }
        has(&self.value())
    }

    /// The section with values in place of its params; `None` where `value_of` has none. It is told the name, and where the
    /// file has the reference; what stands in its place then stands there.
    pub(crate) fn filled(
        &self,
        value_of: &mut dyn FnMut(&str, Option<&Span>) -> Option<toml::Value>,
    ) -> Option<Self> {
        let mut places = Vec::new();
        let value = fill(&self.value(), &mut self.places.iter(), &mut places, value_of)?;
        Some(Self { text: value.to_string().into(), places: places.into() })
    }

    fn value(&self) -> toml::Value {
        let value = DeValue::parse(&self.text).ok().and_then(|value| read(value).ok());
        // The text was written by this module.
        value.unwrap_or_else(|| toml::Value::Table(toml::Table::new()))
    }

    /// Reads it as a value of this type.
    ///
    /// # Errors
    /// It is none.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SectionMistake> {
        let mistake = |message: String, span| SectionMistake { message, span };
        let value = DeValue::parse(&self.text)
            .map_err(|error| mistake(error.message().to_owned(), None))?;
        let within = places(&value);
        read(value).map_err(|SectionMistake { message, span }| {
            let at = within.iter().position(|place| Some(place) == span.as_ref());
            mistake(message, at.and_then(|at| self.places.get(at)).cloned())
        })
    }
}

fn read<T: DeserializeOwned>(value: Spanned<DeValue<'_>>) -> Result<T, SectionMistake> {
    T::deserialize(ValueDeserializer::from(value)).map_err(|error| SectionMistake {
        message: error.message().trim_end().replace('\n', "; "),
        span: error.span(),
    })
}

/// The places of a value and of all keys and values in it. Tables are gone through in the order of their keys, so that
/// two texts of one value agree.
fn places(value: &Spanned<DeValue<'_>>) -> Vec<Span> {
    let mut places = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        places.push(value.span());
        match value.get_ref() {
            DeValue::Array(elements) => open.extend(elements.iter()),
            DeValue::Table(table) => {
                let mut items: Vec<_> = table.iter().collect();
                items.sort_by(|(one, _), (other, _)| one.get_ref().cmp(other.get_ref()));
                places.extend(items.iter().map(|(key, _)| key.span()));
                open.extend(items.iter().map(|(_, value)| *value));
            }
            _ => {}
        }
    }
    places
}

/// The name of the param that stands here.
fn param(value: &toml::Value) -> Option<&str> {
    let table = value.as_table().filter(|table| table.len() == 1)?;
    table.get("param")?.as_str()
}

/// Puts values in place of the params in a value. `places` are those of its [`places`]; the new ones are added to `filled`.
fn fill(
    value: &toml::Value,
    places: &mut slice::Iter<'_, Span>,
    filled: &mut Vec<Span>,
    value_of: &mut dyn FnMut(&str, Option<&Span>) -> Option<toml::Value>,
) -> Option<toml::Value> {
    let here = places.next();
    if let Some(name) = param(value) {
        let value = value_of(name, here)?;
        // The key and the name.
        places.nth(1);
        filled.extend(here.into_iter().cycle().take(size(&value)).cloned());
        return Some(value);
    }
    filled.extend(here.cloned());
    Some(match value {
        toml::Value::Array(elements) => {
            let mut new = Vec::with_capacity(elements.len());
            for element in elements.iter().rev() {
                new.push(fill(element, places, filled, value_of)?);
            }
            new.reverse();
            toml::Value::Array(new)
        }
        toml::Value::Table(table) => {
            let mut items: Vec<_> = table.iter().collect();
            items.sort_by_key(|(key, _)| *key);
            filled.extend(places.by_ref().take(items.len()).cloned());
            let mut new = toml::Table::new();
            for (key, value) in items.into_iter().rev() {
                new.insert(key.clone(), fill(value, places, filled, value_of)?);
            }
            toml::Value::Table(new)
        }
        plain => plain.clone(),
    })
}

/// How many places there are in a value.
fn size(value: &toml::Value) -> usize {
    1 + match value {
        toml::Value::Array(elements) => elements.iter().map(size).sum(),
        toml::Value::Table(table) => table.len() + table.values().map(size).sum::<usize>(),
        _ => 0,
    }
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Section {}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for CapabilityGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "use `{}` with {}", self.name, self.section)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use toml::de::DeTable;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is wrong is looked at")]
    struct Given {
        #[serde(default)]
        b: Vec<u8>,
        #[serde(default)]
        a: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is wrong is looked at")]
    struct Inner {
        c: u8,
    }

    /// The words, and what stands at the place.
    fn mistake(text: &str) -> (String, &str) {
        let document = DeTable::parse(text).unwrap();
        let (_, value) = document.get_ref().iter().next().unwrap();
        let section = Section::of(value.get_ref(), &value.span()).unwrap();
        let mistake = section.read::<Given>().unwrap_err();
        (mistake.message, &text[mistake.span.unwrap()])
    }

    #[test]
    fn mistakes_have_the_place_in_the_file() {
        let cases = [
            (
                "x = { b = [1, 2, 'three'] }",
                "'three'",
                "invalid type: string \"three\", expected u8",
            ),
            ("x.b = [ 1 ]\nx.a . c = 300", "300", "invalid value: integer `300`, expected u8"),
            ("x = { a = { c = 1, d = 2 } }", "d", "unknown field `d`, expected `c`"),
            ("[x]\nb = []\n[x.a]\n", "[x.a]", "missing field `c`"),
        ];
        for (text, place, message) in cases {
            assert_eq!(mistake(text), (message.to_owned(), place), "{text}");
        }
    }

    #[test]
    fn params_are_filled_and_mistakes_have_the_place_of_the_param() {
        let fill = |text: &str, new: toml::Value| {
            let document = DeTable::parse(text).unwrap();
            let (_, value) = document.get_ref().iter().next().unwrap();
            let section = Section::of(value.get_ref(), &value.span()).unwrap();
            assert!(section.has_params(), "{text}");
            let mut seen = Vec::new();
            let filled = section.filled(&mut |name, span| {
                seen.push((name.to_owned(), text[span.unwrap().clone()].to_owned()));
                Some(new.clone())
            });
            let reference = "{ param = 'p' }".to_owned();
            assert_eq!(seen, [("p".to_owned(), reference)], "{text}");
            filled.unwrap()
        };
        let list = |elements: &[i64]| toml::Value::from(elements.to_vec());
        let text = "x = { b = { param = 'p' }, a = { c = 7 } }";
        assert_eq!(fill(text, list(&[1, 2])).to_string(), "{ a = { c = 7 }, b = [1, 2] }");
        // What is wrong: a value in the param's, one before the param, and one behind it.
        let cases = [
            (text, list(&[1, 300]), "{ param = 'p' }"),
            ("x = { b = ['one'], a = { c = { param = 'p' } } }", 1.into(), "'one'"),
            ("x = { b = { param = 'p' }, a = { c = 'one' } }", list(&[1, 2]), "'one'"),
            ("x = { b = [1, { param = 'p' }, 300] }", 2.into(), "300"),
        ];
        for (text, new, place) in cases {
            let mistake = fill(text, new).read::<Given>().unwrap_err();
            assert_eq!(&text[mistake.span.unwrap()], place, "{text}: {}", mistake.message);
        }
        let document = DeTable::parse("x = { param = 'p', b = [] }").unwrap();
        let (_, value) = document.get_ref().iter().next().unwrap();
        let section = Section::of(value.get_ref(), &value.span()).unwrap();
        assert!(!section.has_params(), "a param stands alone");
        assert_eq!(section.filled(&mut |_, _| None), Some(section));
    }

    #[test]
    fn equal_sections_have_equal_text() {
        let one = CapabilityGrant::new("x", &serde_json::json!({ "b": 1, "a": ["t"] })).unwrap();
        let text = "x = { a = [ 't' ], b = 0x1 }";
        let document = DeTable::parse(text).unwrap();
        let (_, value) = document.get_ref().iter().next().unwrap();
        let other = Section::of(value.get_ref(), &value.span()).unwrap();
        assert_eq!(
            (one.section, "{ a = [\"t\"], b = 1 }"),
            (other.clone(), other.to_string().as_str())
        );
    }
}
