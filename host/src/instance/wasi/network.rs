//! What the guest of one attempt may speak to. Every way out of it asks here: by name before
//! anything is looked up, and by address before anything is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dynhost_graph::grant::{HostPattern, HttpMethod, NetworkGrant, Scheme};
use wasmtime_wasi::sockets::SocketAddrUse;

use super::super::Attempt;
use super::address::not_public;
use super::printed::Printed;
#[cfg(feature = "wasi-http")]
use crate::secret::Misuse;

/// Different refusals that the log takes from one attempt.
const REFUSALS: usize = 100;
/// Addresses that an attempt may have looked up.
const LOOKED_UP: usize = 4_096;

/// What a node may reach, and what its guest has looked up.
pub(super) struct Network {
    attempt: Arc<Attempt>,
    lookups: Mutex<Lookups>,
    refused: Mutex<BTreeSet<String>>,
    log: Printed,
}

/// The names that a guest has looked up.
#[derive(Default)]
struct Lookups {
    /// Those under way, by the guest's handle on them.
    open: BTreeMap<u32, String>,
    /// What was found, by address.
    found: BTreeMap<IpAddr, BTreeSet<String>>,
}

/// What a guest wants to speak to.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
    /// For HTTP.
    pub(super) method: Option<HttpMethod>,
}

/// A host as a guest names it. Every form of an address is the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// In lower case and without a dot at its end.
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads a host as browsers do, so that `0x7f.1` and `2130706433` are seen to be addresses.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        Some(match url::Host::parse(text).ok()? {
            url::Host::Domain(name) => {
                Self::Name(name.strip_suffix('.').unwrap_or(&name).to_owned())
            }
            url::Host::Ipv4(address) => Self::Address(address.into()),
            url::Host::Ipv6(address) => Self::Address(address.into()),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Want {
    /// Whether a grant is for this, the host aside.
    fn is_of(&self, grant: &NetworkGrant) -> bool {
        grant.scheme == self.scheme
            && grant.port == self.port
            && self.method.is_none_or(|method| grant.methods.contains(&method))
    }

    /// The entry of `grants.network` that would grant this with `host`.
    fn entry(&self, host: &impl fmt::Display) -> String {
        let (scheme, port) = (self.scheme.as_str(), self.port);
        let methods = self.method.map(|method| format!(", methods = [\"{}\"]", method.as_str()));
        let methods = methods.unwrap_or_default();
        format!("{{ host = \"{host}\", port = {port}, scheme = \"{scheme}\"{methods} }}")
    }

    fn what(&self) -> String {
        let to = match &self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            host => host.to_string(),
        };
        let method = self.method.map(|method| format!("{} ", method.as_str())).unwrap_or_default();
        format!("{method}{}://{to}:{}", self.scheme.as_str(), self.port)
    }
}

impl Network {
    /// `log` takes the refusals.
    pub(super) fn new(attempt: &Arc<Attempt>, log: Printed) -> Self {
        let attempt = Arc::clone(attempt);
        Self { attempt, lookups: Mutex::default(), refused: Mutex::default(), log }
    }

    fn grants(&self) -> &[NetworkGrant] {
        &self.attempt.settings.grants.network
    }

    pub(super) fn node(&self) -> &str {
        &self.attempt.step.node
    }

    /// Whether anything is granted in one of these ways.
    pub(super) fn has(&self, scheme: Scheme) -> bool {
        self.grants().iter().any(|grant| grant.scheme == scheme)
    }

    /// Whether the host may be spoken to as it is named; nothing is said of where it is.
    ///
    /// # Errors
    /// The refusal, which is in the log too.
    pub(super) fn permit_host(&self, want: &Want) -> Result<(), String> {
        let granted = |grant: &&NetworkGrant| match &want.host {
            Host::Name(name) => grant.host.has_name(name),
            Host::Address(address) => grant.host.has_address(*address),
        };
        if self.grants().iter().filter(|grant| want.is_of(grant)).any(|grant| granted(&grant)) {
            return Ok(());
        }
        Err(self.refuse(&format!(
            "{} is not granted; what would grant it to node `{}`: grants.network = [{}]",
            want.what(),
            self.node(),
            want.entry(&want.host)
        )))
    }

    /// Whether a host that may be spoken to may be so at this address: it is public, or granted as
    /// an address.
    ///
    /// # Errors
    /// The refusal, which is in the log too.
    pub(super) fn permit_address(&self, want: &Want, address: IpAddr) -> Result<(), String> {
        let Some(why) = not_public(address) else { return Ok(()) };
        let mut alike = self.grants().iter().filter(|grant| want.is_of(grant));
        if alike.any(|grant| grant.host.has_address(address)) {
            return Ok(());
        }
        Err(self.refuse(&format!(
            "{} is at {address}, which is {why}, and a name does not grant that; what would grant \
             it to node `{}`, beside the name: grants.network = [{}]",
            want.what(),
            self.node(),
            want.entry(&address)
        )))
    }

    /// Whether a name may be looked up: something at it can be connected to.
    pub(super) fn permit_lookup(&self, host: &Host) -> bool {
        let sockets = self.grants().iter().filter(|grant| grant.scheme.default_port().is_none());
        let is_granted = |grant: &NetworkGrant| match host {
            Host::Name(name) => grant.host.has_name(name),
            // To look an address up gives the address, and asks nobody.
            Host::Address(_) => true,
        };
        let granted = sockets.into_iter().any(is_granted);
        if !granted {
            self.refuse(&format!(
                "the addresses of `{host}` are not granted; what would grant them to node `{}`: \
                 grants.network = [{{ host = \"{host}\", port = N, scheme = \"tcp\" }}]",
                self.node()
            ));
        }
        granted
    }

    /// Remembers that a granted name is looked up.
    pub(super) fn begin_lookup(&self, handle: u32, name: String) {
        lock(&self.lookups).open.insert(handle, name);
    }

    /// Remembers what a name was found to stand for.
    pub(super) fn note_lookup(&self, handle: u32, address: IpAddr) {
        let mut lookups = lock(&self.lookups);
        let room = lookups.found.len() < LOOKED_UP || lookups.found.contains_key(&address);
        if let Some(name) = lookups.open.get(&handle).filter(|_| room).cloned() {
            lookups.found.entry(address).or_default().insert(name);
        }
    }

    pub(super) fn end_lookup(&self, handle: u32) {
        lock(&self.lookups).open.remove(&handle);
    }

    /// Whether a socket may be used in this way.
    pub(super) fn permit_socket(&self, address: SocketAddr, what: SocketAddrUse) -> bool {
        let scheme = match what {
            SocketAddrUse::TcpConnect => Scheme::Tcp,
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => Scheme::Udp,
            // Any port of the system's choice: what every socket that speaks has.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind
                if address.ip().is_unspecified() && address.port() == 0 =>
            {
                return true;
            }
            SocketAddrUse::TcpBind
            | SocketAddrUse::UdpBind
            | SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept => {
                self.refuse(&format!(
                    "to listen at {address} cannot be granted: ops only speak to others"
                ));
                return false;
            }
        };
        let want = |host| Want { scheme, host, port: address.port(), method: None };
        let at = address.ip();
        let alike = |pattern: &dyn Fn(&HostPattern) -> bool| {
            let want = want(Host::Address(at));
            self.grants().iter().any(|grant| want.is_of(grant) && pattern(&grant.host))
        };
        if alike(&|host| host.has_address(at)) {
            return true;
        }
        let names = lock(&self.lookups).found.get(&at).cloned().unwrap_or_default();
        // What comes in from elsewhere is nothing that the guest asked for.
        if matches!(what, SocketAddrUse::UdpReceive) {
            return not_public(at).is_none()
                && names.iter().any(|name| alike(&|h| h.has_name(name)));
        }
        let Some(name) = names.iter().find(|name| alike(&|host| host.has_name(name))) else {
            let host = names.into_iter().next().map_or(Host::Address(at), Host::Name);
            return self.permit_host(&want(host)).is_ok();
        };
        self.permit_address(&want(Host::Name(name.clone())), at).is_ok()
    }

    /// Puts the node's secrets into the headers of a request that is permitted.
    ///
    /// # Errors
    /// The refusal, which is in the log too: a secret that is not for this host.
    #[cfg(feature = "wasi-http")]
    pub(super) fn fill_secrets<B>(
        &self,
        want: &Want,
        request: &mut http::Request<B>,
    ) -> Result<(), String> {
        let secrets = &self.attempt.settings.secrets;
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        if let Some(name) = secrets.found_in(path.as_bytes()) {
            return Err(self.refuse(&format!(
                "the secret `{name}` stands in the URL of a request to {}; it can only stand in a \
                 header",
                want.host
            )));
        }
        let is_host = |pattern: &HostPattern| match &want.host {
            Host::Name(name) => pattern.has_name(name),
            Host::Address(address) => pattern.has_address(*address),
        };
        let plain_http = want.scheme == Scheme::Http;
        let (host, node) = (&want.host, self.node());
        secrets.fill(request.headers_mut(), is_host, plain_http).map_err(|misuse| {
            self.refuse(&match misuse {
                Misuse::OtherHost(name) => format!(
                    "the secret `{name}` is not for {host}; what would grant that to node \
                     `{node}`: hosts = [\"{host}\"] in its entry of grants.secrets"
                ),
                Misuse::PlainHttp(name) => format!(
                    "the secret `{name}` is not sent to {host} without TLS; what would grant that \
                     to node `{node}`: scheme = \"http\" in its entry of grants.secrets"
                ),
            })
        })
    }

    /// Puts a refusal into the log, once, and gives it back.
    pub(super) fn refuse(&self, why: &str) -> String {
        let words = format!("refused: {why}");
        let mut refused = lock(&self.refused);
        if refused.len() < REFUSALS && refused.insert(words.clone()) {
            self.log.take_line(&words);
        }
        words
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
