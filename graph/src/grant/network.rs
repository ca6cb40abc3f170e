//! Which hosts a guest may speak to, and how.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

/// Hosts that a guest may speak to on one port in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Which hosts.
    pub host: HostPattern,
    /// The port.
    pub port: u16,
    /// How.
    pub scheme: Scheme,
    /// The methods of requests; none for what is not HTTP.
    pub methods: BTreeSet<HttpMethod>,
    /// Where the manifest has it.
    pub span: Range<usize>,
}

/// Hosts by name or by address. A name never stands for an address that is not public.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// The host of this name, in lower case and without a dot at its end.
    Name(String),
    /// `*.example.org`: every host below this name, and not the name itself.
    Below(String),
    /// The host at this address, of whatever kind it is.
    Address(IpAddr),
}

/// How a guest speaks to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// HTTP without TLS.
    Http,
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// The methods of HTTP that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpMethod {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// `PATCH`.
    Patch,
}

/// Why a text is no host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A URL, or a part of one that is more than the host.
    #[error("it is more than a host")]
    MoreThanAHost,
    /// A `*` somewhere else than in `*.` at the beginning.
    #[error("`*` can only stand for what is before a name, as in `*.example.org`")]
    Wildcard,
    /// Characters that are not ASCII.
    #[error("a name with other letters is written in its ASCII form, `xn--…`")]
    NotAscii,
    /// Numbers that are no address in the usual form.
    #[error("an address is written like 192.0.2.7 or 2001:db8::7")]
    Address,
    /// No name.
    #[error("a name has letters, digits, `-` and `_`, in parts with dots between them")]
    Name,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            let v6_only = bare.is_some() && !address.is_ipv6();
            return if v6_only { Err(HostError::Address) } else { Ok(Self::Address(address)) };
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii);
        }
        if text.contains(['/', '@', '?', '#']) || has_port(text) {
            return Err(HostError::MoreThanAHost);
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(HostError::Wildcard);
        }
        let name = checked_name(name)?;
        Ok(if below { Self::Below(name) } else { Self::Name(name) })
    }

    /// Whether the host of this name, in lower case and without a dot at its end, is among them.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Below(own) => name
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            Self::Address(_) => false,
        }
    }

    /// Whether the host at this address is meant by its address.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Address(own) if *own == address)
    }

    /// Whether there may be a host that is among these and those.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let within = |name: &str, all: &str| {
            name == all || name.strip_suffix(all).is_some_and(|rest| rest.ends_with('.'))
        };
        match (self, other) {
            (Self::Name(name), pattern) | (pattern, Self::Name(name)) => pattern.has_name(name),
            (Self::Below(one), Self::Below(two)) => within(one, two) || within(two, one),
            (one, two) => one == two,
        }
    }
}

/// Whether a text that is no address ends in a port.
fn has_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit())
    })
}

fn checked_name(name: &str) -> Result<String, HostError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        let like_address = name.contains([':', '[']);
        return Err(if like_address { HostError::Address } else { HostError::Name });
    }
    // What ends in a number is an address to many programs, in whatever form: `0x7f.1`.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(HostError::Address);
    }
    Ok(name.to_ascii_lowercase())
}

impl Scheme {
    /// All of them, with the words that the manifest has for them.
    pub const ALL: [(&'static str, Self); 4] =
        [("https", Self::Https), ("http", Self::Http), ("tcp", Self::Tcp), ("udp", Self::Udp)];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The port where a grant or a request says none.
    #[must_use]
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Https => Some(443),
            Self::Http => Some(80),
            Self::Tcp | Self::Udp => None,
        }
    }
}

impl HttpMethod {
    /// All of them, with their names. What opens a tunnel or shows a request as it came through
    /// (`CONNECT`, `TRACE`) is not among them.
    pub const ALL: [(&'static str, Self); 7] = [
        ("GET", Self::Get),
        ("HEAD", Self::Head),
        ("POST", Self::Post),
        ("PUT", Self::Put),
        ("DELETE", Self::Delete),
        ("OPTIONS", Self::Options),
        ("PATCH", Self::Patch),
    ];

    /// The method of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        // In the order of the variants.
        Self::ALL[self as usize].0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => Ipv6Addr::fmt(address, f),
        }
    }
}

impl fmt::Display for NetworkGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            HostPattern::Address(IpAddr::V6(address)) => format!("[{address}]"),
            host => host.to_string(),
        };
        let to = format!("{}://{host}:{}", self.scheme.as_str(), self.port);
        match self.scheme {
            Scheme::Tcp => write!(f, "connect to {to}"),
            Scheme::Udp => write!(f, "exchange datagrams with {to}"),
            Scheme::Https | Scheme::Http => {
                let methods: Vec<&str> =
                    self.methods.iter().map(|method| method.as_str()).collect();
                let all = methods.len() == HttpMethod::ALL.len();
                let methods = if all { "any method".to_owned() } else { methods.join(", ") };
                write!(f, "request {to} ({methods})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostPattern {
        HostPattern::Name(text.to_owned())
    }

    #[test]
    fn hosts_are_names_wildcards_and_addresses() {
        assert_eq!(HostPattern::parse("API.example.org."), Ok(name("api.example.org")));
        assert_eq!(HostPattern::parse("localhost"), Ok(name("localhost")));
        assert_eq!(HostPattern::parse("_db.x-1.internal"), Ok(name("_db.x-1.internal")));
        assert_eq!(
            HostPattern::parse("*.Example.org"),
            Ok(HostPattern::Below("example.org".to_owned()))
        );
        for address in ["127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1", "64:ff9b::1"] {
            let pattern = HostPattern::parse(address);
            assert!(matches!(pattern, Ok(HostPattern::Address(_))), "{address}: {pattern:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_reason() {
        for (text, error) in [
            ("https://example.org", HostError::MoreThanAHost),
            ("example.org/path", HostError::MoreThanAHost),
            ("example.org:8080", HostError::MoreThanAHost),
            ("user@example.org", HostError::MoreThanAHost),
            ("*", HostError::Wildcard),
            ("api.*.org", HostError::Wildcard),
            ("*.*.org", HostError::Wildcard),
            ("bücher.example", HostError::NotAscii),
            ("127.1", HostError::Address),
            ("2130706433", HostError::Address),
            ("0x7f.0.0.1", HostError::Address),
            ("0177.0.0.1", HostError::Address),
            ("127.0.0.1.", HostError::Address),
            ("[127.0.0.1]", HostError::Address),
            ("1:2:3", HostError::Address),
            ("", HostError::Name),
            ("a b", HostError::Name),
            ("a..b", HostError::Name),
            ("-a.org", HostError::Name),
            ("*.", HostError::Name),
        ] {
            assert_eq!(HostPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_what_is_below() {
        let below = HostPattern::parse("*.example.org").unwrap();
        assert!(below.has_name("a.example.org") && below.has_name("a.b.example.org"));
        assert!(!below.has_name("example.org") && !below.has_name("badexample.org"));
        assert!(!below.has_name(".example.org"));
        assert!(!name("example.org").has_name("a.example.org"));
        assert!(!below.has_address("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn patterns_meet_where_a_host_is_in_both() {
        let pattern = |text: &str| HostPattern::parse(text).unwrap();
        for (one, two, meet) in [
            ("a.org", "a.org", true),
            ("a.org", "b.org", false),
            ("x.a.org", "*.a.org", true),
            ("a.org", "*.a.org", false),
            ("*.a.org", "*.b.a.org", true),
            ("*.a.org", "*.ba.org", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::1", false),
            ("127.0.0.1", "a.org", false),
        ] {
            assert_eq!(pattern(one).meets(&pattern(two)), meet, "{one} {two}");
            assert_eq!(pattern(two).meets(&pattern(one)), meet, "{two} {one}");
        }
    }

    #[test]
    fn methods_have_their_names() {
        for (name, method) in HttpMethod::ALL {
            assert_eq!(method.as_str(), name);
        }
        assert_eq!(HttpMethod::named("CONNECT"), None);
    }
}
