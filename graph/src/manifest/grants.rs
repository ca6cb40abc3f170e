//! What a node says of what its steps may reach.

use std::collections::BTreeSet;

use toml::value::Datetime;

use super::error::Problem;
use super::item::{self, Item, Keys};
use super::{FolderEntry, GrantEntries, Spanned};
use crate::grant::{
    Access, CapabilityGrant, Clock, ClockGrant, EnvGrant, Grants, HostPattern, HttpMethod, KINDS,
    NetworkGrant, Random, RandomGrant, Scheme, SecretGrant, SecretSource, Section, SectionMistake,
};
use toml::de::{DeTable, DeValue};

/// Reads `grants`.
pub(super) fn grants(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<GrantEntries> {
    let table = item::table(item, problems)?;
    let others = capability_items(table);
    let names = others.iter().map(|item| item.key);
    let allowed: Vec<&str> = KINDS.into_iter().chain(names).collect();
    let keys = Keys::open(table, "`grants`", &allowed, problems);
    Some(GrantEntries {
        folders: folders(&keys, problems),
        others: Grants {
            fs: Vec::new(),
            network: list(&keys, "network", problems, network),
            env: list(&keys, "env", problems, env),
            secrets: list(&keys, "secrets", problems, secret),
            clock: keys.read("clock", problems, clock),
            random: keys.read("random", problems, random),
            capabilities: others.iter().filter_map(|item| capability(item, problems)).collect(),
        },
    })
}

/// The tables under names that are no kind of grant: whether there are such capabilities is for the program to say that
/// runs the job.
pub(crate) fn capability_items<'a>(table: &'a DeTable<'a>) -> Vec<Item<'a>> {
    let other =
        |item: &Item<'_>| matches!(item.value, DeValue::Table(_)) && !KINDS.contains(&item.key);
    item::items(table).into_iter().filter(other).collect()
}

/// Reads one of [`capability_items`].
pub(crate) fn capability(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<CapabilityGrant> {
    let (name, span) = (item.key.to_owned(), item.key_span.clone());
    match Section::of(item.value, &item.span) {
        Ok(section) => Some(CapabilityGrant { name, section, pure: None, span }),
        Err(SectionMistake { message, span: at }) => {
            problems.push(Problem::at(at.unwrap_or(span), format!("`grants.{name}`: {message}")));
            None
        }
    }
}

/// The elements of the array under `key` that can be read.
fn list<T>(
    keys: &Keys<'_>,
    key: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Item<'_>, &mut Vec<Problem>) -> Option<T>,
) -> Vec<T> {
    let elements = keys.read(key, problems, item::array).unwrap_or_default();
    elements.iter().filter_map(|element| read(element, problems)).collect()
}

/// Reports each of `needed` that a grant lacks.
fn require(
    item: &Item<'_>,
    keys: &Keys<'_>,
    needed: &[&str],
    example: &str,
    problems: &mut Vec<Problem>,
) {
    for key in needed.iter().filter(|key| keys.get(key).is_none()) {
        problems.push(
            Problem::at(item.span.clone(), format!("this grant has no `{key}`"))
                .help(format!("such as `{example}`")),
        );
    }
}

fn folders(keys: &Keys<'_>, problems: &mut Vec<Problem>) -> Vec<FolderEntry> {
    let mut folders: Vec<FolderEntry> = Vec::new();
    for folder in list(keys, "fs", problems, folder) {
        if let Some(other) = folders.iter().find(|f| f.guest.value == folder.guest.value) {
            problems.push(
                Problem::at(
                    folder.guest.span.clone(),
                    format!("`{}` is granted twice to one node", folder.guest.value),
                )
                .related(other.guest.span.clone(), "granted here first"),
            );
        }
        folders.push(folder);
    }
    folders
}

fn folder(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<FolderEntry> {
    const EXAMPLE: &str = "{ host = \"data\", guest = \"/data\", access = \"read\" }";
    let access = [("read", Access::Read), ("read_write", Access::ReadWrite)];
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`grants.fs`", &["host", "guest", "access"], problems);
    require(item, &keys, &["host", "guest", "access"], EXAMPLE, problems);
    let host = keys.read("host", problems, item::text);
    let guest = keys.read("guest", problems, item::text);
    let access = keys.read("access", problems, |item, p| item::choice(item, &access, p));
    if let Some(guest) = &guest
        && (!guest.value.starts_with('/') || guest.value.split('/').any(|part| part == ".."))
    {
        problems.push(
            Problem::at(
                guest.span.clone(),
                format!("`{}` is not an absolute path in the guest", guest.value),
            )
            .help("write it from the root, such as \"/data\", without `..`"),
        );
    }
    Some(FolderEntry { host: host?, guest: guest?, access: access?.value })
}

pub(crate) fn network(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<NetworkGrant> {
    const EXAMPLE: &str = "{ host = \"api.example.org\", methods = [\"GET\"] }";
    let table = item::table(item, problems)?;
    let allowed = ["host", "port", "scheme", "methods"];
    let keys = Keys::open(table, "`grants.network`", &allowed, problems);
    require(item, &keys, &["host"], EXAMPLE, problems);
    let host = keys.read("host", problems, host);
    let given_port = keys.read("port", problems, port);
    let scheme = match keys.get("scheme") {
        Some(scheme) => item::choice(scheme, &Scheme::ALL, problems)?.value,
        None => Scheme::Https,
    };
    let methods = methods(&keys, scheme, problems);
    let port = given_port.or(scheme.default_port());
    if port.is_none() && keys.get("port").is_none() {
        let message =
            format!("this grant has no `port`, and `{}` has no usual one", scheme.as_str());
        problems.push(Problem::at(item.span.clone(), message).help("add `port = N`"));
    }
    let span = item.span.clone();
    Some(NetworkGrant { host: host?, port: port?, scheme, methods, span })
}

fn host(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<HostPattern> {
    let text = item::text(item, problems)?;
    match HostPattern::parse(&text.value) {
        Ok(host) => Some(host),
        Err(error) => {
            problems.push(
                Problem::at(text.span, format!("`{}` is not a host: {error}", text.value)).help(
                    "write the host alone, such as \"api.example.org\", \"*.example.org\" or \
                     \"127.0.0.1\"; `port` and `scheme` are keys of their own",
                ),
            );
            None
        }
    }
}

fn port(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<u16> {
    let DeValue::Integer(_) = item.value else {
        item::expected(item, "a whole number", problems);
        return None;
    };
    let port = item::unsigned(item.value).filter(|port| *port > 0);
    let port = port.and_then(|port| u16::try_from(port).ok());
    if port.is_none() {
        problems.push(
            Problem::at(item.span.clone(), "there is no such port")
                .label("out of range")
                .help("a port is a whole number from 1 to 65535"),
        );
    }
    port
}

fn methods(keys: &Keys<'_>, scheme: Scheme, problems: &mut Vec<Problem>) -> BTreeSet<HttpMethod> {
    let is_http = scheme.default_port().is_some();
    let Some(item) = keys.get("methods") else {
        let all = HttpMethod::ALL.iter().map(|(_, method)| *method);
        return all.filter(|_| is_http).collect();
    };
    if !is_http {
        let message = format!("`methods` are for HTTP, and the scheme is `{}`", scheme.as_str());
        problems.push(Problem::at(item.key_span.clone(), message).help("take `methods` away"));
        return BTreeSet::new();
    }
    let elements = item::array(item, problems).unwrap_or_default();
    if elements.is_empty() && matches!(item.value, DeValue::Array(_)) {
        problems.push(
            Problem::at(item.span.clone(), "`methods` is empty, so that nothing is granted").help(
                "name the methods, such as [\"GET\"], or leave `methods` out for all of them",
            ),
        );
    }
    let method =
        |element| item::choice(element, &HttpMethod::ALL, problems).map(|method| method.value);
    elements.iter().filter_map(method).collect()
}

/// The name of an environment variable.
fn variable(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    let text = item::text(item, problems)?;
    let first = text.value.chars().next();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if first.is_some_and(|c| !c.is_ascii_digit()) && text.value.chars().all(plain) {
        return Some(text.value);
    }
    let message = format!("`{}` is no name for an environment variable", text.value);
    problems.push(
        Problem::at(text.span, message)
            .help("a name has letters, digits and `_`, and does not begin with a digit"),
    );
    None
}

fn env(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<EnvGrant> {
    const EXAMPLE: &str = "{ name = \"MODE\", value = \"fast\" }";
    let span = item.span.clone();
    let table = match item.value {
        DeValue::String(_) => {
            return variable(item, problems).map(|name| EnvGrant { name, value: None, span });
        }
        DeValue::Table(table) => table,
        _ => {
            item::expected(item, "a name, or a table with `name` and `value`", problems);
            return None;
        }
    };
    let keys = Keys::open(table, "`grants.env`", &["name", "value"], problems);
    require(item, &keys, &["name"], EXAMPLE, problems);
    let name = keys.read("name", problems, variable);
    let value = keys.read("value", problems, item::text);
    if let Some(value) = &value
        && value.value.contains('\0')
    {
        problems.push(Problem::at(
            value.span.clone(),
            "the value of an environment variable cannot hold a NUL character",
        ));
    }
    Some(EnvGrant { name: name?, value: value.map(|value| value.value), span })
}

fn secret(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<SecretGrant> {
    const EXAMPLE: &str =
        "{ name = \"API_KEY\", env = \"HOST_VARIABLE\", hosts = [\"api.example.org\"] }";
    let allowed = ["name", "env", "file", "hosts", "scheme"];
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`grants.secrets`", &allowed, problems);
    require(item, &keys, &["name", "hosts"], EXAMPLE, problems);
    let name = keys.read("name", problems, variable);
    let source = source(item, &keys, problems);
    let hosts = keys.read("hosts", problems, item::array).unwrap_or_default();
    if hosts.is_empty()
        && let Some(item) = keys.get("hosts")
    {
        problems.push(
            Problem::at(item.span.clone(), "this secret is for no host")
                .help("name the hosts that are sent it, such as [\"api.example.org\"]"),
        );
    }
    let hosts = hosts.iter().filter_map(|element| host(element, problems)).collect();
    let schemes = [("https", false), ("http", true)];
    let scheme = keys.read("scheme", problems, |item, p| item::choice(item, &schemes, p));
    let plain_http = scheme.is_some_and(|scheme| scheme.value);
    let span = item.span.clone();
    Some(SecretGrant { name: name?, source: source?, hosts, plain_http, span })
}

fn source(item: &Item<'_>, keys: &Keys<'_>, problems: &mut Vec<Problem>) -> Option<SecretSource> {
    match (keys.get("env"), keys.get("file")) {
        (Some(env), None) => variable(env, problems).map(SecretSource::Env),
        (None, Some(file)) => {
            item::plain_text(file, problems).map(|path| SecretSource::File(path.into()))
        }
        _ => {
            problems.push(
                Problem::at(
                    item.span.clone(),
                    "a secret must have exactly one of `env` and `file`",
                )
                .help("`env` names a variable of the host, `file` a file beside the manifest"),
            );
            None
        }
    }
}

fn clock(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<ClockGrant> {
    let span = item.span.clone();
    if let DeValue::Table(table) = item.value {
        let keys = Keys::open(table, "`grants.clock`", &["fixed"], problems);
        require(item, &keys, &["fixed"], "{ fixed = \"2026-01-01T00:00:00Z\" }", problems);
        let start = keys.read("fixed", problems, item::text)?;
        let clock = Clock::StartsAt(instant(&start, problems)?);
        return Some(ClockGrant { clock, span });
    }
    let words = [("real", Some(Clock::Real)), ("fixed", None)];
    let clock = item::choice(item, &words, problems)?.value?;
    Some(ClockGrant { clock, span })
}

/// Nanoseconds from 1970-01-01 to a point in time.
fn instant(text: &Spanned<String>, problems: &mut Vec<Problem>) -> Option<u64> {
    let instant = text.value.parse::<Datetime>().ok().and_then(|at| nanoseconds(&at));
    if instant.is_none() {
        problems.push(
            Problem::at(text.span.clone(), format!("`{}` is not a point in time", text.value))
                .help("write it in UTC, from 1970 on, such as \"2026-01-01T00:00:00Z\""),
        );
    }
    instant
}

/// `None`: it is not in UTC, lacks a part, or is before 1970 or too far ahead.
fn nanoseconds(at: &Datetime) -> Option<u64> {
    let (date, time) = (at.date?, at.time?);
    at.offset.filter(|offset| *offset == toml::value::Offset::Z)?;
    // Days since 1970-01-01, by Howard Hinnant's `days_from_civil`.
    let (year, month) = (u64::from(date.year), u64::from(date.month));
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + u64::from(date.day) - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = days.checked_sub(719_468)?;
    let (hour, minute) = (u64::from(time.hour), u64::from(time.minute));
    let second = u64::from(time.second.unwrap_or_default());
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    let nanosecond = u64::from(time.nanosecond.unwrap_or_default());
    seconds.checked_mul(1_000_000_000)?.checked_add(nanosecond)
}

fn random(item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<RandomGrant> {
    let span = item.span.clone();
    if let DeValue::Table(table) = item.value {
        let keys = Keys::open(table, "`grants.random`", &["seed"], problems);
        require(item, &keys, &["seed"], "{ seed = 7 }", problems);
        let seed = keys.get("seed")?;
        let Some(number) = item::unsigned(seed.value) else {
            problems.push(
                Problem::at(seed.span.clone(), "`seed` must be a whole number from 0")
                    .label("expected a whole number from 0"),
            );
            return None;
        };
        return Some(RandomGrant { random: Random::Seed(number), span });
    }
    let words = [("real", Some(Random::Real)), ("seeded", None)];
    let random = item::choice(item, &words, problems)?.value?;
    Some(RandomGrant { random, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_those_of_the_calendar() {
        let seconds = |text: &str| nanoseconds(&text.parse().unwrap());
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000_000_000)),
            ("2024-02-29T23:59:59.5Z", Some(1_709_251_199_500_000_000)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400_000_000_000)),
            ("1969-12-31T23:59:59Z", None),
            ("0000-01-01T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+01:00", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
