//! What the steps of a node may reach beyond their inputs: nothing that is not granted.
//!
//! Each [`Grant`] has a kind, words and a place in the manifest, so that a rule from elsewhere can
//! be held against it. Nothing here looks at the machine.

mod capability;
mod network;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

pub use capability::{CapabilityGrant, Section, SectionMistake};
pub use network::{HostError, HostPattern, HttpMethod, NetworkGrant, Scheme};

/// The keys of `grants` that every host has. Any other one is the name of a capability.
pub const KINDS: [&str; 6] = ["fs", "network", "env", "secrets", "clock", "random"];

/// A place in a manifest, in bytes of its text.
type Span = Range<usize>;

/// What the steps of a node may reach beyond their inputs. Nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `fs`: folders.
    pub fs: Vec<FolderGrant>,
    /// `network`: hosts.
    pub network: Vec<NetworkGrant>,
    /// `env`: environment variables.
    pub env: Vec<EnvGrant>,
    /// `secrets`: values that only hosts see.
    pub secrets: Vec<SecretGrant>,
    /// `clock`; `None`: the virtual one.
    pub clock: Option<ClockGrant>,
    /// `random`; `None`: a sequence that follows from the step's inputs.
    pub random: Option<RandomGrant>,
    /// Under any other name: capabilities of the program that runs the job.
    pub capabilities: Vec<CapabilityGrant>,
}

/// A folder of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderGrant {
    /// The folder on the host, or the one around it where `below` says more. A relative path that
    /// begins with a param is relative to the working folder, any other one to the manifest's
    /// folder; it is made absolute by the planner's caller-given base folders.
    pub host: PathBuf,
    /// Folders inside `host`, each in the one before: what comes from the first mapping key on.
    pub below: Vec<PathPart>,
    /// Where the guest sees it, an absolute path.
    pub guest: String,
    /// What the guest may do there.
    pub access: Access,
    /// Where the manifest has the `host` entry.
    pub span: Span,
}

/// One name in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// As it stands.
    Name(String),
    /// A mapping key of the step, the outermost being 0.
    Key(u32),
}

/// What a guest may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
}

/// An environment variable that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvGrant {
    /// The name, for the guest and for the host.
    pub name: String,
    /// The value. Where the manifest gives none it is that of the host, which is looked up when
    /// the job is prepared.
    pub value: Option<String>,
    /// Where the manifest has it.
    pub span: Span,
}

/// A value that a guest uses without seeing it: its environment holds a placeholder, which the host
/// replaces in the headers of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretGrant {
    /// The environment variable of the guest.
    pub name: String,
    /// Where the host finds the value.
    pub source: SecretSource,
    /// The hosts that are sent the value.
    pub hosts: Vec<HostPattern>,
    /// Whether it is sent without TLS too.
    pub plain_http: bool,
    /// Where the manifest has it.
    pub span: Span,
}

/// Where the host finds a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// In an environment variable.
    Env(String),
    /// In a file, without the line end behind it. Absolute in a job.
    File(PathBuf),
}

/// Another clock than the virtual one that starts at 2000-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockGrant {
    /// Which.
    pub clock: Clock,
    /// Where the manifest has it.
    pub span: Span,
}

/// The clocks that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// That of the machine.
    Real,
    /// A virtual one that starts so many nanoseconds after 1970-01-01 UTC.
    StartsAt(u64),
}

/// Other randomness than what follows from the step's inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomGrant {
    /// Which.
    pub random: Random,
    /// Where the manifest has it.
    pub span: Span,
}

/// The kinds of randomness that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Random {
    /// That of the machine.
    Real,
    /// A sequence that follows from the step's inputs and a number.
    Seed(u64),
}

/// One grant of any kind. Displayed, it says what the node may do: `read /data/in, as /in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant<'a> {
    /// A folder.
    Folder(&'a FolderGrant),
    /// Hosts.
    Network(&'a NetworkGrant),
    /// An environment variable.
    Env(&'a EnvGrant),
    /// A secret.
    Secret(&'a SecretGrant),
    /// A clock.
    Clock(&'a ClockGrant),
    /// Randomness.
    Random(&'a RandomGrant),
    /// A capability of the program that runs the job.
    Capability(&'a CapabilityGrant),
}

impl Grants {
    /// All of them, in the order of the kinds.
    pub fn iter(&self) -> impl Iterator<Item = Grant<'_>> {
        let network = self.network.iter().map(Grant::Network);
        let secrets = self.secrets.iter().map(Grant::Secret);
        let fs = self.fs.iter().map(Grant::Folder);
        fs.chain(network)
            .chain(self.env.iter().map(Grant::Env))
            .chain(secrets)
            .chain(self.clock.iter().map(Grant::Clock))
            .chain(self.random.iter().map(Grant::Random))
            .chain(self.capabilities.iter().map(Grant::Capability))
    }

    /// Whether what a step gives still follows from what it is given alone.
    #[must_use]
    pub fn are_pure(&self) -> bool {
        self.iter().all(Grant::is_pure)
    }

    /// Whether what a step may reach depends on its mapping keys.
    #[must_use]
    pub fn use_keys(&self) -> bool {
        self.fs.iter().any(|folder| !folder.below.is_empty())
    }
}

impl<'a> Grant<'a> {
    /// The key under `grants` that it stands under.
    #[must_use]
    pub fn kind(self) -> &'a str {
        match self {
            Self::Folder(_) => "fs",
            Self::Network(_) => "network",
            Self::Env(_) => "env",
            Self::Secret(_) => "secrets",
            Self::Clock(_) => "clock",
            Self::Random(_) => "random",
            Self::Capability(grant) => &grant.name,
        }
    }

    /// Where the manifest has it.
    #[must_use]
    pub const fn span(self) -> &'a Span {
        match self {
            Self::Folder(FolderGrant { span, .. })
            | Self::Network(NetworkGrant { span, .. })
            | Self::Env(EnvGrant { span, .. })
            | Self::Secret(SecretGrant { span, .. })
            | Self::Clock(ClockGrant { span, .. })
            | Self::Random(RandomGrant { span, .. })
            | Self::Capability(CapabilityGrant { span, .. }) => span,
        }
    }

    /// Whether what a step gives still follows from what it is given alone: what it is given is a
    /// fixed value, and a part of the key of the cache.
    #[must_use]
    pub const fn is_pure(self) -> bool {
        match self {
            Self::Folder(_) | Self::Network(_) | Self::Secret(_) => false,
            Self::Env(_) => true,
            Self::Clock(grant) => !matches!(grant.clock, Clock::Real),
            Self::Random(grant) => !matches!(grant.random, Random::Real),
            Self::Capability(grant) => grant.pure.is_some(),
        }
    }

    /// The beginning of the name of the interface that a component must import to use it; `None`: that is for the program
    /// to say that runs the job.
    #[must_use]
    pub const fn import(self) -> Option<&'static str> {
        Some(match self {
            Self::Folder(_) => "wasi:filesystem/",
            Self::Network(grant) => match grant.scheme {
                Scheme::Https | Scheme::Http => "wasi:http/outgoing-handler",
                Scheme::Tcp => "wasi:sockets/tcp",
                Scheme::Udp => "wasi:sockets/udp",
            },
            Self::Env(_) | Self::Secret(_) => "wasi:cli/environment",
            Self::Clock(_) => "wasi:clocks/",
            Self::Random(_) => "wasi:random/",
            Self::Capability(_) => return None,
        })
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(grant) => {
                write!(f, "{} {}", grant.access, grant.host.display())?;
                grant.below.iter().try_for_each(|part| write!(f, "/{part}"))?;
                write!(f, ", as {}", grant.guest)
            }
            Self::Network(grant) => grant.fmt(f),
            Self::Env(EnvGrant { name, value: Some(value), .. }) => {
                write!(f, "see `{name}` = {value:?} in its environment")
            }
            Self::Env(EnvGrant { name, .. }) => write!(f, "see the host's `{name}`"),
            Self::Secret(grant) => grant.fmt(f),
            Self::Clock(ClockGrant { clock: Clock::Real, .. }) => f.write_str("see the real time"),
            Self::Clock(ClockGrant { clock: Clock::StartsAt(ns), .. }) => {
                let seconds = ns / 1_000_000_000;
                write!(f, "see a clock that starts {seconds} seconds after 1970-01-01 UTC")
            }
            Self::Random(RandomGrant { random: Random::Real, .. }) => {
                f.write_str("draw real randomness")
            }
            Self::Random(RandomGrant { random: Random::Seed(seed), .. }) => {
                write!(f, "draw randomness with the seed {seed}")
            }
            Self::Capability(grant) => grant.fmt(f),
        }
    }
}

impl fmt::Display for SecretGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = if self.plain_http { "http and https" } else { "https" };
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        let hosts = hosts.join(", ");
        write!(f, "use the secret `{}` ({}) over {schemes} with {hosts}", self.name, self.source)
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the host's `{name}`"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Key(level) => write!(f, "{{keys[{level}]}}"),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::ReadWrite => "read and write",
        })
    }
}
