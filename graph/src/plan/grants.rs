//! What a node is granted, checked against what its component imports.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::Planner;
use super::node::FoundOp;
use crate::grant::{
    CapabilityGrant, FolderGrant, Grant, Grants, PathPart, Scheme, SecretGrant, SecretSource,
    Section,
};
use crate::job::ScopeId;
use crate::manifest::{FolderEntry, NodeEntry, Problem, Span, Spanned};

impl Planner<'_> {
    /// The grants, refused where the component could not use them. The scope is absent where it
    /// could not be found, which is reported.
    pub(super) fn grants(
        &mut self,
        entry: &NodeEntry,
        op: &FoundOp<'_>,
        scope: Option<ScopeId>,
    ) -> Grants {
        let entries = &entry.settings.grants;
        let folders = entries.folders.iter();
        let mut grants = Grants {
            fs: folders.filter_map(|folder| self.folder(folder, scope)).collect(),
            capabilities: Vec::new(),
            ..entries.others.clone()
        };
        for grant in &entries.others.capabilities {
            let section = self.section(grant);
            let grant = section.map(|section| CapabilityGrant { section, ..grant.clone() });
            grants.capabilities.extend(grant);
        }
        self.check_imports(entry, op, &grants);
        self.check_variables(&grants);
        for secret in &mut grants.secrets {
            if let SecretSource::File(path) = &mut secret.source {
                *path = self.folders.manifest.join(&*path);
            }
        }
        grants
    }

    /// What a capability reads, with params in place of `{ param = "p" }`. `None`: a param is unknown or cannot stand there,
    /// which is reported, or has no value.
    fn section(&mut self, grant: &CapabilityGrant) -> Option<Section> {
        grant.section.filled(&mut |name, span| {
            let span = span.unwrap_or(&grant.span);
            let Some(bound) = self.params.get(name) else {
                self.unknown_param(name, span.clone());
                return None;
            };
            let value = bound.value.as_deref()?;
            let filled = toml::Value::try_from(value).ok();
            if filled.is_none() {
                let message =
                    format!("param `{name}` is `{value}`, and a grant takes what TOML can say");
                let help = "TOML has no `null`, and no integer beyond 64 bits".to_owned();
                self.problems.push(Problem::at(span.clone(), message).help(help));
            }
            filled
        })
    }

    /// `semantics.md` rule 6: a grant that the component does not import.
    fn check_imports(&mut self, entry: &NodeEntry, op: &FoundOp<'_>, grants: &Grants) {
        let mut reported = Vec::new();
        for grant in grants.iter() {
            let Some(wanted) = grant.import() else { continue };
            let imports = &op.component.imports;
            if reported.contains(&wanted) || imports.iter().any(|name| name.starts_with(wanted)) {
                continue;
            }
            reported.push(wanted);
            let what = match grant {
                Grant::Folder(_) => "a folder",
                Grant::Network(_) => "a host",
                Grant::Env(_) => "an environment variable",
                Grant::Secret(_) => "a secret",
                Grant::Clock(_) => "a clock",
                Grant::Random(_) => "randomness",
                Grant::Capability(_) => "a capability",
            };
            let node = &entry.name.value;
            let import = wanted.trim_end_matches('/');
            let message = format!(
                "node `{node}` is granted {what}, and its component does not import `{import}`"
            );
            let help = format!("the op cannot use it: take `grants.{}` away", grant.kind());
            self.problems.push(Problem::at(grant.span().clone(), message).help(help));
        }
    }

    /// One variable has one value, and a secret a host that the node can reach.
    fn check_variables(&mut self, grants: &Grants) {
        let env = grants.env.iter().map(|env| (&env.name, &env.span));
        let secrets = grants.secrets.iter().map(|secret| (&secret.name, &secret.span));
        let mut seen: Vec<(&String, &Span)> = Vec::new();
        for (name, span) in env.chain(secrets) {
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name) {
                let message = format!("the variable `{name}` is granted twice to one node");
                let problem = Problem::at(span.clone(), message)
                    .related((*first).clone(), "granted here first")
                    .help("keep one of them");
                self.problems.push(problem);
            }
            seen.push((name, span));
        }
        for secret in &grants.secrets {
            if !secret.hosts.is_empty() && !can_be_sent(secret, grants) {
                let message = format!(
                    "the secret `{}` cannot be sent: the node may request nothing from its hosts",
                    secret.name
                );
                let help = format!(
                    "add `grants.network = [{{ host = \"{}\" }}]`; without TLS, say `scheme = \
                     \"http\"` in both",
                    secret.hosts[0]
                );
                self.problems.push(Problem::at(secret.span.clone(), message).help(help));
            }
        }
    }

    fn folder(&mut self, folder: &FolderEntry, scope: Option<ScopeId>) -> Option<FolderGrant> {
        let (host, below) = self.host_path(&folder.host, scope)?;
        Some(FolderGrant {
            host,
            below,
            guest: folder.guest.value.clone(),
            access: folder.access,
            span: folder.host.span.clone(),
        })
    }

    /// Puts params into a host path and makes it absolute: one that begins with a param starts
    /// from the working folder, any other one from the manifest's. What comes from the first
    /// mapping key on stays in parts.
    fn host_path(
        &mut self,
        template: &Spanned<String>,
        scope: Option<ScopeId>,
    ) -> Option<(PathBuf, Vec<PathPart>)> {
        let mut path = String::new();
        let mut below: Vec<PathPart> = Vec::new();
        for (at, part) in template.value.split('/').enumerate() {
            if let Some(word) = key_word(part) {
                below.push(PathPart::Key(self.key_level(word, template, scope)?));
                continue;
            }
            let text = self.with_params(part, template)?;
            if below.is_empty() {
                if at > 0 {
                    path.push('/');
                }
                path.push_str(&text);
            } else {
                below.extend(self.names_below(&text, template)?);
            }
        }
        if path.is_empty() && template.value.starts_with('/') {
            path.push('/');
        }
        let base = if template.value.starts_with("{params.") {
            &self.folders.working
        } else {
            &self.folders.manifest
        };
        Some((absolute(base, &path), below))
    }

    /// One part of a path with the values of the params in it.
    fn with_params(&mut self, part: &str, template: &Spanned<String>) -> Option<String> {
        let mut text = String::new();
        let mut rest = part;
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            let inside = rest[at + 1..].split_once('}');
            let Some((inside, after)) = inside else { return self.malformed_path(template) };
            let Some(name) = inside.strip_prefix("params.") else {
                return match key_word(&format!("{{{inside}}}")) {
                    Some(_) => self.key_in_a_name(template),
                    None => self.malformed_path(template),
                };
            };
            text.push_str(&self.path_param(name, &template.span)?);
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// The names that a part of a path behind a mapping key stands for.
    fn names_below(&mut self, text: &str, template: &Spanned<String>) -> Option<Vec<PathPart>> {
        let names = text.split('/').filter(|name| !matches!(*name, "" | "."));
        let names: Vec<PathPart> = names.map(|name| PathPart::Name(name.to_owned())).collect();
        if names.contains(&PathPart::Name("..".to_owned())) {
            let message = format!("`{}` leads up again behind a mapping key", template.value);
            self.problems
                .push(Problem::at(template.span.clone(), message).help(
                    "what stands behind a key stays inside the key's folder: take `..` away",
                ));
            return None;
        }
        Some(names)
    }

    /// The level, from the outermost, that `{key}` or `{keys[N]}` means.
    fn key_level(
        &mut self,
        word: KeyWord,
        template: &Spanned<String>,
        scope: Option<ScopeId>,
    ) -> Option<u32> {
        let depth = self.scopes.get(scope?).depth;
        let level = match word {
            KeyWord::Innermost => depth.checked_sub(1),
            KeyWord::Level(level) => Some(level).filter(|level| *level < depth),
        };
        if level.is_none() {
            let message =
                format!("`{}` asks for a mapping key that the node does not have", template.value);
            let help = match depth {
                0 => "only a node inside a map has mapping keys".to_owned(),
                1 => "the node has one: `{key}`".to_owned(),
                _ => format!("the node has `{{keys[0]}}` to `{{keys[{}]}}`", depth - 1),
            };
            self.problems.push(Problem::at(template.span.clone(), message).help(help));
        }
        level
    }

    fn malformed_path<T>(&mut self, template: &Spanned<String>) -> Option<T> {
        let message = format!("`{}` is not a path with params or mapping keys", template.value);
        self.problems.push(Problem::at(template.span.clone(), message).help(
            "a param in a path is written `{params.NAME}`, the mapping key `{key}`, one of several \
             `{keys[0]}`, outermost first",
        ));
        None
    }

    fn key_in_a_name<T>(&mut self, template: &Spanned<String>) -> Option<T> {
        let message = format!("`{}` has a mapping key beside other text", template.value);
        self.problems.push(
            Problem::at(template.span.clone(), message)
                .help("a mapping key is the name of a folder of its own, as in `in/{key}/raw`"),
        );
        None
    }

    fn path_param(&mut self, name: &str, span: &Span) -> Option<String> {
        let Some(bound) = self.params.get(name) else {
            self.unknown_param(name, span.clone());
            return None;
        };
        match bound.value.as_deref()? {
            Json::String(text) => Some(text.clone()),
            other => {
                let message = format!("param `{name}` is `{other}`, and a path takes a string");
                self.problems.push(Problem::at(span.clone(), message));
                None
            }
        }
    }
}

/// Which mapping key is meant.
#[derive(Clone, Copy)]
enum KeyWord {
    Innermost,
    Level(u32),
}

/// `{key}` or `{keys[N]}`.
fn key_word(part: &str) -> Option<KeyWord> {
    if part == "{key}" {
        return Some(KeyWord::Innermost);
    }
    let level = part.strip_prefix("{keys[")?.strip_suffix("]}")?;
    level.parse().ok().map(KeyWord::Level)
}

/// Whether the node may request anything from a host of the secret, in a way that sends it.
fn can_be_sent(secret: &SecretGrant, grants: &Grants) -> bool {
    grants.network.iter().any(|network| {
        let sends = match network.scheme {
            Scheme::Https => true,
            Scheme::Http => secret.plain_http,
            Scheme::Tcp | Scheme::Udp => false,
        };
        sends && secret.hosts.iter().any(|host| host.meets(&network.host))
    })
}

fn absolute(base: &Path, path: &str) -> PathBuf {
    base.join(path).components().collect()
}
