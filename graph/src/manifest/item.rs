//! Reading TOML items one by one: each reader takes what it expects, or says what is wrong
//! and lets reading go on.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::Spanned;
use super::error::{Problem, Span};
use super::nearest::{listed, nearest};
use crate::name::{NameError, check_name};

/// A key and its value.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    pub(crate) key: &'a str,
    pub(crate) key_span: Span,
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) span: Span,
}

/// The items of a table, in the order of the text.
pub(crate) fn items<'a>(table: &'a DeTable<'a>) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = table
        .iter()
        .map(|(key, value)| Item {
            key: key.get_ref(),
            key_span: key.span(),
            value: value.get_ref(),
            span: value.span(),
        })
        .collect();
    items.sort_by_key(|item| item.key_span.start);
    items
}

/// A table whose keys are known.
pub(crate) struct Keys<'a> {
    items: Vec<Item<'a>>,
    /// Whether all keys of the table are among those allowed.
    pub(super) all_known: bool,
}

impl<'a> Keys<'a> {
    /// Opens a table in which only the keys `allowed` may stand.
    pub(crate) fn open(
        table: &'a DeTable<'a>,
        what: &str,
        allowed: &[&str],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let (items, unknown): (Vec<_>, Vec<_>) =
            items(table).into_iter().partition(|item| allowed.contains(&item.key));
        let all_known = unknown.is_empty();
        for item in unknown {
            problems.push(unknown_key(item.key, item.key_span, what, allowed));
        }
        Self { items, all_known }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Item<'a>> {
        self.items.iter().find(|item| item.key == key)
    }

    /// Reads the value of `key`, if there is one.
    pub(crate) fn read<T>(
        &self,
        key: &str,
        problems: &mut Vec<Problem>,
        read: impl FnOnce(&Item<'a>, &mut Vec<Problem>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|item| read(item, problems))
    }
}

/// Says that a key is none of those allowed.
pub(crate) fn unknown_key(key: &str, span: Span, what: &str, allowed: &[&str]) -> Problem {
    let help = match nearest(key, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys are {}", listed(allowed.iter().copied())),
    };
    Problem::at(span, format!("unknown key `{key}` in {what}")).label("unknown key").help(help)
}

/// What a TOML value is, for people.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date-time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Says that something else was expected.
pub(crate) fn expected(item: &Item<'_>, what: &str, problems: &mut Vec<Problem>) {
    problems.push(
        Problem::at(
            item.span.clone(),
            format!("`{}` must be {what}, and is {}", item.key, kind(item.value)),
        )
        .label(format!("expected {what}")),
    );
}

pub(crate) fn text(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Spanned<String>> {
    if let DeValue::String(text) = item.value {
        return Some(Spanned::new(text.to_string(), item.span.clone()));
    }
    expected(item, "a string", problems);
    None
}

pub(crate) fn plain_text(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    text(item, problems).map(|text| text.value)
}

pub(crate) fn flag(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<bool> {
    if let DeValue::Boolean(flag) = item.value {
        return Some(*flag);
    }
    expected(item, "`true` or `false`", problems);
    None
}

/// A whole number from 1.
pub(crate) fn count<T: TryFrom<u64>>(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<T> {
    let DeValue::Integer(_) = item.value else {
        expected(item, "a whole number", problems);
        return None;
    };
    let count = unsigned(item.value).filter(|&n| n > 0).and_then(|n| T::try_from(n).ok());
    if count.is_none() {
        problems.push(
            Problem::at(
                item.span.clone(),
                format!("`{}` is out of range: it must be a whole number from 1", item.key),
            )
            .label("out of range"),
        );
    }
    count
}

/// The value of an integer that is not negative.
pub(crate) fn unsigned(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
        _ => None,
    }
}

pub(crate) fn table<'a>(item: &Item<'a>, problems: &mut Vec<Problem>) -> Option<&'a DeTable<'a>> {
    if let DeValue::Table(table) = item.value {
        return Some(table);
    }
    expected(item, "a table", problems);
    None
}

/// The elements of an array, each as an item under the array's key.
pub(crate) fn array<'a>(item: &Item<'a>, problems: &mut Vec<Problem>) -> Option<Vec<Item<'a>>> {
    let DeValue::Array(array) = item.value else {
        expected(item, "an array", problems);
        return None;
    };
    let elements = array.iter().map(|element| Item {
        key: item.key,
        key_span: item.key_span.clone(),
        value: element.get_ref(),
        span: element.span(),
    });
    Some(elements.collect())
}

pub(crate) fn texts(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Vec<Spanned<String>>> {
    let elements = array(item, problems)?;
    Some(elements.iter().filter_map(|element| text(element, problems)).collect())
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(
    item: &Item<'_>,
    words: &[(&str, T)],
    problems: &mut Vec<Problem>,
) -> Option<Spanned<T>> {
    let text = text(item, problems)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
        return Some(Spanned::new(*value, text.span));
    }
    let mut problem = Problem::at(text.span, format!("`{}` cannot be `{}`", item.key, text.value));
    problem.label = format!("expected {}", listed(words.iter().map(|(word, _)| *word)));
    let words = || words.iter().map(|(word, _)| *word);
    problem.help = Some(match nearest(&text.value, words()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it can be {}", listed(words())),
    });
    problems.push(problem);
    None
}

/// The key of an item that gives a name to something.
pub(crate) fn name(item: &Item<'_>, what: &str, problems: &mut Vec<Problem>) -> Spanned<String> {
    check(item.key, &item.key_span, what, problems);
    Spanned::new(item.key.to_owned(), item.key_span.clone())
}

/// Checks that `text` is a name; says so where it is not.
pub(crate) fn check(text: &str, span: &Span, what: &str, problems: &mut Vec<Problem>) -> bool {
    let message = match check_name(text) {
        Ok(()) => return true,
        Err(NameError::Empty) => format!("the name of {what} is empty"),
        Err(error) => format!("`{text}` is no name for {what}: {error}"),
    };
    problems.push(
        Problem::at(span.clone(), message)
            .help("a name is a letter, then letters, digits, `_` or `-`; 64 bytes at most"),
    );
    false
}

/// A TOML value as JSON.
pub(crate) fn json(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Json> {
    to_json(item.value, &item.span, problems)
}

fn to_json(value: &DeValue<'_>, span: &Span, problems: &mut Vec<Problem>) -> Option<Json> {
    match value {
        DeValue::String(text) => Some(Json::String(text.to_string())),
        DeValue::Boolean(flag) => Some(Json::Bool(*flag)),
        DeValue::Integer(n) => {
            let number = i64::from_str_radix(n.as_str(), n.radix()).map(Json::from).ok();
            number.or_else(|| unsigned(value).map(Json::from)).or_else(|| {
                problems.push(Problem::at(span.clone(), "this integer has more than 64 bits"));
                None
            })
        }
        DeValue::Float(n) => {
            let number: Option<f64> = n.as_str().parse().ok();
            number.and_then(serde_json::Number::from_f64).map(Json::Number).or_else(|| {
                problems.push(Problem::at(span.clone(), format!("JSON has no number `{n}`")));
                None
            })
        }
        DeValue::Datetime(_) => {
            problems.push(
                Problem::at(span.clone(), "JSON has no date-time").help("write it as a string"),
            );
            None
        }
        DeValue::Array(array) => {
            array.iter().map(|item| to_json(item.get_ref(), &item.span(), problems)).collect()
        }
        DeValue::Table(table) => {
            let entries = items(table).into_iter().map(|item| {
                to_json(item.value, &item.span, problems).map(|json| (item.key.to_owned(), json))
            });
            entries.collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
        }
    }
}
