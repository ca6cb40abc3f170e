//! The existing name that a misspelt one most likely stands for.

/// The one of `names` that is nearest to `name`, if any is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |other: &str| {
        let other = other.to_lowercase();
        let begins = name.len() >= 3 && other.starts_with(&name);
        let distance = strsim::damerau_levenshtein(&name, &other);
        (begins || distance <= name.len().max(other.len()).div_ceil(3)).then_some(distance)
    };
    names
        .into_iter()
        .filter_map(|other| Some((distance(other)?, other)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// What to do about an unknown name: the nearest existing one, or else all there are.
pub(crate) fn suggestion<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("there is only `{only}`")),
        _ => Some(format!("there are {}", listed(names))),
    }
}

/// Names in backticks, separated by commas.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
