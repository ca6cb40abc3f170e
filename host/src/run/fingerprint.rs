//! What a node does, in a digest: its op, its configuration, what it may reach, and where its inputs come
//! from.
//!
//! Two runs whose jobs differ can still share what a node gave, if the node is the same
//! (`semantics.md` rule 20). The component is left out: to mend an op and to go on is what a
//! rerun is for.

use dynhost_graph::grant::{Access, Clock, FolderGrant, Grant, PathPart, Random, SecretSource};
use dynhost_graph::job::{Job, Node, Origin, OutputRef, ScopeId, Source};

/// The fingerprints of all nodes, by name.
pub(super) fn fingerprints(job: &Job) -> Vec<(String, String)> {
    let of = |node: &Node| (node.name.to_string(), fingerprint(job, node));
    job.nodes.iter().map(of).collect()
}

/// 32 hexadecimal digits.
fn fingerprint(job: &Job, node: &Node) -> String {
    let mut sketch = Sketch { job, hash: blake3::Hasher::new(), met: Vec::new() };
    sketch.part(&job.components[node.component].alias);
    sketch.part(&node.op.name);
    sketch.part(&*node.config);
    sketch.part(grants(node));
    sketch.scope(node.scope);
    for (definition, source) in node.op.inputs.iter().zip(&node.inputs) {
        sketch.part(&definition.name);
        match source {
            Some(source) => sketch.source(source),
            None => sketch.part("absent"),
        }
    }
    sketch.hash.finalize().to_hex()[..32].to_owned()
}

/// What a node may reach, as bytes; nothing where it may reach nothing.
pub(super) fn grants(node: &Node) -> Vec<u8> {
    let mut parts = Parts(Vec::new());
    for grant in node.grants.iter() {
        match grant {
            Grant::Folder(folder) => parts.folder(folder),
            Grant::Network(network) => {
                parts.all(["network", &network.host.to_string(), network.scheme.as_str()]);
                parts.add(network.port.to_le_bytes());
                parts.add([u8::try_from(network.methods.len()).unwrap_or(u8::MAX)]);
                parts.all(network.methods.iter().map(|method| method.as_str()));
            }
            Grant::Env(variable) => {
                parts.all(["env", &variable.name, variable.value.as_deref().unwrap_or_default()]);
            }
            Grant::Secret(secret) => {
                // What the value is stays out: its digest would help to guess it.
                parts.all(["secret", &secret.name]);
                match &secret.source {
                    SecretSource::Env(name) => parts.all(["env", name]),
                    SecretSource::File(path) => {
                        parts.add("file");
                        parts.add(path.as_os_str().as_encoded_bytes());
                    }
                }
                parts.add([u8::from(secret.plain_http)]);
                parts.add((secret.hosts.len() as u64).to_le_bytes());
                parts.all(secret.hosts.iter().map(ToString::to_string));
            }
            Grant::Clock(grant) => match grant.clock {
                Clock::Real => parts.add("clock"),
                Clock::StartsAt(ns) => {
                    parts.add("clock from");
                    parts.add(ns.to_le_bytes());
                }
            },
            Grant::Random(grant) => match grant.random {
                Random::Real => parts.add("random"),
                Random::Seed(seed) => {
                    parts.add("seed");
                    parts.add(seed.to_le_bytes());
                }
            },
            Grant::Capability(grant) => {
                let version = grant.pure.as_deref().unwrap_or_default();
                parts.all(["capability", &grant.name, &grant.section.to_string(), version]);
            }
        }
    }
    parts.0
}

/// Bytes, each part with its length in front.
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
    }

    fn all(&mut self, parts: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        parts.into_iter().for_each(|part| self.add(part));
    }

    fn folder(&mut self, folder: &FolderGrant) {
        self.add(folder.host.as_os_str().as_encoded_bytes());
        for part in &folder.below {
            match part {
                PathPart::Name(name) => self.all(["name", name]),
                PathPart::Key(level) => {
                    self.add("key");
                    self.add(level.to_le_bytes());
                }
            }
        }
        self.add(&folder.guest);
        self.add(match folder.access {
            Access::Read => "read",
            Access::ReadWrite => "read_write",
        });
    }
}

struct Sketch<'a> {
    job: &'a Job,
    hash: blake3::Hasher,
    /// The scopes so far in which others meet.
    met: Vec<ScopeId>,
}

impl Sketch<'_> {
    /// Adds bytes with their length, so that no two parts run into one another.
    fn part(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn output(&mut self, output: OutputRef) {
        let node = self.job.node(output.node);
        self.part(&*node.name);
        self.part(&node.op.outputs[output.output as usize].name);
    }

    fn source(&mut self, source: &Source) {
        match source {
            Source::Value(value) => {
                self.part("value");
                self.part(value.media_type.as_str());
                self.part(&value.data);
            }
            Source::Output(output) => {
                self.part("output");
                self.output(*output);
            }
            Source::Element(scope) => {
                self.part("element");
                self.scope(*scope);
            }
            Source::Collect(collect) => {
                let collect = self.job.collect(*collect);
                self.part("collect");
                self.scope(collect.scope);
                self.source(&collect.of);
            }
            Source::List(sources) => {
                self.part("list");
                for source in sources {
                    self.source(source);
                }
                self.part("end");
            }
        }
    }

    /// A scope with those around it.
    fn scope(&mut self, id: ScopeId) {
        let scope = self.job.scope(id);
        // Where scopes meet, the ways out of them double with each level: none is described twice.
        if matches!(scope.origin, Origin::Zip { .. } | Origin::Cross { .. }) {
            if let Some(at) = self.met.iter().position(|other| *other == id) {
                self.part("again");
                self.part((at as u64).to_le_bytes());
                return;
            }
            self.met.push(id);
        }
        match &scope.origin {
            Origin::Root => self.part("root"),
            Origin::FanOut(of) => {
                self.part("fan-out");
                self.output(*of);
            }
            Origin::Batch { of, bounds } => {
                self.part("batch");
                self.output(*of);
                let bound = |bound: Option<u64>| bound.unwrap_or(u64::MAX).to_le_bytes();
                self.part(bound(bounds.max_items));
                self.part(bound(bounds.max_bytes));
            }
            Origin::Zip { parts, drop_missing } => {
                self.part(if *drop_missing { "zip, drop" } else { "zip" });
                for part in parts {
                    self.scope(*part);
                }
            }
            Origin::Cross { of } => {
                self.part("cross");
                self.scope(*of);
            }
        }
        if let Some(parent) = scope.parent {
            self.scope(parent);
        }
    }
}
