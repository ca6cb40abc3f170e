//! What jobs may be granted at most.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::grant::{
    Access, CapabilityGrant, Clock, FolderGrant, Grant, HostPattern, KINDS, NetworkGrant, Random,
    SecretSource,
};
use crate::manifest::Problem;
use crate::manifest::grants::{capability, capability_items, network};
use crate::manifest::item::{self, Item, Keys};

/// The grants that a policy allows; a grant that no rule covers is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantRules {
    /// Folders, with all that is in them.
    pub fs: Vec<FolderRule>,
    /// Hosts.
    pub network: Vec<NetworkGrant>,
    /// Environment variables of the host. One whose value the manifest gives itself needs no rule.
    pub env: BTreeSet<String>,
    /// Secrets: the environment variables of the host, or the absolute paths of the files, that hold them.
    pub secrets: BTreeSet<String>,
    /// Whether the clock of the machine may be granted.
    pub real_clock: bool,
    /// Whether the randomness of the machine may be granted.
    pub real_random: bool,
    /// What each capability of the program that runs jobs compares its grants with.
    pub capabilities: Vec<CapabilityGrant>,
}

/// A folder that jobs may be granted, or any folder inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRule {
    /// The folder, absolute.
    pub host: PathBuf,
    /// The most that a guest may do there.
    pub access: Access,
}

impl GrantRules {
    /// Reads `[grants]` of a policy whose folder is `base`.
    pub(super) fn read(item: &Item<'_>, base: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let table = item::table(item, problems)?;
        let others = capability_items(table);
        let names = others.iter().map(|item| item.key);
        let allowed: Vec<&str> = KINDS.into_iter().chain(names).collect();
        let keys = Keys::open(table, "`[grants]`", &allowed, problems);
        let folders = keys.read("fs", problems, item::array).unwrap_or_default();
        let hosts = keys.read("network", problems, item::array).unwrap_or_default();
        let names = |key, problems: &mut Vec<Problem>| -> BTreeSet<String> {
            let names = keys.read(key, problems, item::texts).unwrap_or_default();
            names.into_iter().map(|name| name.value).collect()
        };
        let real = |key, problems: &mut Vec<Problem>| {
            let words = [("real", true), ("virtual", false)];
            let word = keys.read(key, problems, |item, p| item::choice(item, &words, p));
            word.is_some_and(|word| word.value)
        };
        Some(Self {
            fs: folders.iter().filter_map(|rule| folder(rule, base, problems)).collect(),
            network: hosts.iter().filter_map(|rule| network(rule, problems)).collect(),
            env: names("env", problems),
            secrets: names("secrets", problems),
            real_clock: real("clock", problems),
            real_random: real("random", problems),
            capabilities: others.iter().filter_map(|item| capability(item, problems)).collect(),
        })
    }

    /// Whether a rule covers a grant. `real` says where a path of the host leads.
    pub(super) fn cover(&self, grant: Grant<'_>, real: &dyn Fn(&Path) -> PathBuf) -> bool {
        match grant {
            Grant::Folder(grant) => self.cover_folder(grant, real),
            Grant::Network(grant) => self.network.iter().any(|rule| covers(rule, grant)),
            Grant::Env(grant) => grant.value.is_some() || self.env.contains(&grant.name),
            Grant::Secret(grant) => self.secrets.contains(match &grant.source {
                SecretSource::Env(name) => name.as_str(),
                SecretSource::File(path) => path.to_str().unwrap_or_default(),
            }),
            Grant::Clock(grant) => self.real_clock || !matches!(grant.clock, Clock::Real),
            Grant::Random(grant) => self.real_random || !matches!(grant.random, Random::Real),
            // Whether it covers this grant is for the capability to say.
            Grant::Capability(grant) => self.capability(&grant.name).is_some(),
        }
    }

    /// What the policy says of a capability.
    #[must_use]
    pub fn capability(&self, name: &str) -> Option<&CapabilityGrant> {
        self.capabilities.iter().find(|rule| rule.name == name)
    }

    fn cover_folder(&self, grant: &FolderGrant, real: &dyn Fn(&Path) -> PathBuf) -> bool {
        let folder = real(&grant.host);
        self.fs.iter().any(|rule| {
            let enough = rule.access == Access::ReadWrite || grant.access == Access::Read;
            enough && folder.starts_with(real(&rule.host))
        })
    }
}

fn covers(rule: &NetworkGrant, grant: &NetworkGrant) -> bool {
    let host = match (&rule.host, &grant.host) {
        (rule, HostPattern::Name(name)) => rule.has_name(name),
        (HostPattern::Below(all), HostPattern::Below(name)) => {
            name == all || rule.host.has_name(name)
        }
        (rule, grant) => rule == grant,
    };
    host && rule.scheme == grant.scheme
        && rule.port == grant.port
        && grant.methods.is_subset(&rule.methods)
}

fn folder(item: &Item<'_>, base: &Path, problems: &mut Vec<Problem>) -> Option<FolderRule> {
    let access = [("read", Access::Read), ("read_write", Access::ReadWrite)];
    let table = item::table(item, problems)?;
    let keys = Keys::open(table, "`grants.fs`", &["host", "access"], problems);
    for key in ["host", "access"] {
        if keys.get(key).is_none() {
            problems.push(
                Problem::at(item.span.clone(), format!("this rule has no `{key}`"))
                    .help("such as `{ host = \"/srv/data\", access = \"read\" }`"),
            );
        }
    }
    let host = keys.read("host", problems, item::text);
    let access = keys.read("access", problems, |item, p| item::choice(item, &access, p));
    Some(FolderRule { host: base.join(host?.value), access: access?.value })
}
