//! Which steps of a run are meant by `size[readme_md]`, `size[*]`, `size+`, `+size`
//! (`semantics.md` rule 20).

use std::collections::BTreeSet;
use std::fmt;

use crate::job::{Job, NodeId, ScopeId, Source};
use crate::manifest::nearest::nearest;
use crate::name::{MappingKey, StepKey};

/// Names steps: a node, or a graph for all nodes in it, and, where only some clones are meant, their
/// mapping keys. Nodes and keys may hold `*`, which stands for any characters; `+` in front adds all that the steps depend
/// on, `+` behind all that depends on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    node: String,
    keys: Vec<String>,
    upstream: bool,
    downstream: bool,
}

/// Why selectors cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Not of the form of a selector.
    #[error("`{text}` does not select steps: {why}")]
    Malformed {
        /// The text.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// The job has no such node.
    #[error("`{selector}`: the job has no node `{node}`")]
    Node {
        /// The selector.
        selector: String,
        /// The node that it names.
        node: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
    /// The run has no such step.
    #[error("`{selector}` selects no step of the run")]
    Nothing {
        /// The selector.
        selector: String,
        /// The nearest step that there is.
        nearest: Option<String>,
    },
}

impl SelectError {
    /// What can be done about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Malformed { .. } => {
                "write `size`, `size[readme_md]`, `size[*]`, `size+` (with all that depends on it) or `+size` (with all that it depends on)"
                    .to_owned()
            }
            Self::Node { nearest: Some(name), .. } | Self::Nothing { nearest: Some(name), .. } => {
                format!("did you mean `{name}`?")
            }
            Self::Node { .. } | Self::Nothing { .. } => {
                "`dynhost runs show RUN --steps` lists the steps of a run".to_owned()
            }
        }
    }
}

impl Selector {
    /// Whether it names a step itself, not only what the step depends on or what depends on it. A
    /// step with more keys than the selector is inside a clone that it names.
    #[must_use]
    pub fn names(&self, step: &StepKey) -> bool {
        let keys = step.keys.keys();
        self.is_of(&step.node) && keys.len() >= self.keys.len() && fits(&self.keys, &keys)
    }

    /// Whether it names a node, or a graph that the node is in.
    fn is_of(&self, node: &str) -> bool {
        let inside = node.strip_prefix(&*self.node).is_some_and(|rest| rest.starts_with('/'));
        inside || is_like(&self.node, node)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, SelectError> {
        let malformed = |why: &str| {
            let (text, why) = (text.to_owned(), why.to_owned());
            Err(SelectError::Malformed { text, why })
        };
        let rest = text.trim();
        let (upstream, rest) = rest.strip_prefix('+').map_or((false, rest), |rest| (true, rest));
        let (downstream, rest) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
        let (node, mut brackets) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
        if node.is_empty() {
            return malformed("it begins with no node");
        }
        let mut keys = Vec::new();
        while !brackets.is_empty() {
            let inside = brackets.strip_prefix('[').and_then(|inside| inside.split_once(']'));
            let Some((key, after)) = inside else {
                return malformed("its brackets do not match");
            };
            if key.is_empty() {
                return malformed("there is nothing between its brackets; `*` stands for any key");
            }
            keys.push(key.to_owned());
            brackets = after;
        }
        let (text, node) = (text.trim().to_owned(), node.to_owned());
        Ok(Self { text, node, keys, upstream, downstream })
    }
}

/// Selectors, made ready for the steps of a job.
#[derive(Debug, Clone)]
pub struct Selection {
    parts: Vec<Part>,
}

/// Steps of these nodes whose keys, as far as both go, are like these.
#[derive(Debug, Clone)]
struct Part {
    nodes: BTreeSet<String>,
    keys: Vec<String>,
}

impl Selection {
    /// Makes selectors ready.
    ///
    /// # Errors
    /// One names a node that the job does not have, or selects none of the `known` steps.
    pub fn new(selectors: &[Selector], job: &Job, known: &[StepKey]) -> Result<Self, SelectError> {
        let mut parts = Vec::new();
        for selector in selectors {
            let named = job.node_ids().filter(|id| selector.is_of(&job.node(*id).name));
            let named: BTreeSet<NodeId> = named.collect();
            if named.is_empty() {
                let there = job.nodes.iter().map(|node| &*node.name);
                return Err(SelectError::Node {
                    selector: selector.text.clone(),
                    node: selector.node.clone(),
                    nearest: nearest(&selector.node, there).map(ToOwned::to_owned),
                });
            }
            if !known.iter().any(|step| selector.names(step)) {
                let of_node = known.iter().filter(|step| selector.is_of(&step.node));
                let texts: Vec<String> = of_node.map(ToString::to_string).collect();
                let wanted = selector.text.trim_matches('+');
                let nearest = nearest(wanted, texts.iter().map(String::as_str));
                let nearest = nearest.map(ToOwned::to_owned);
                return Err(SelectError::Nothing { selector: selector.text.clone(), nearest });
            }
            let mut selected = named.clone();
            if selector.upstream {
                selected.extend(reach(&named, |id| depends_on(job, id)));
            }
            if selector.downstream {
                let on = |id| job.node_ids().filter(move |of| depends_on(job, *of).contains(&id));
                selected.extend(reach(&named, |id| on(id).collect()));
            }
            let name = |id: NodeId| job.node(id).name.to_string();
            let nodes = selected.into_iter().map(name).collect();
            parts.push(Part { nodes, keys: selector.keys.clone() });
        }
        Ok(Self { parts })
    }

    /// Whether a step is selected. One with fewer keys than a selector, such as the fan-in behind a
    /// selected clone, is where its keys fit.
    #[must_use]
    pub fn selects(&self, step: &StepKey) -> bool {
        let keys = step.keys.keys();
        self.parts.iter().any(|part| part.nodes.contains(&*step.node) && fits(&part.keys, &keys))
    }
}

/// All that is reached from some nodes.
fn reach(from: &BTreeSet<NodeId>, next: impl Fn(NodeId) -> BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<NodeId> = from.iter().copied().collect();
    while let Some(node) = open.pop() {
        for found in next(node) {
            if reached.insert(found) {
                open.push(found);
            }
        }
    }
    reached
}

/// The nodes that a node waits for or takes something from.
fn depends_on(job: &Job, id: NodeId) -> BTreeSet<NodeId> {
    let node = job.node(id);
    let mut found: BTreeSet<NodeId> = node.after.iter().map(|after| after.node).collect();
    node.inputs.iter().flatten().for_each(|source| of_source(job, source, &mut found));
    of_scope(job, node.scope, &mut found);
    found
}

fn of_source(job: &Job, source: &Source, found: &mut BTreeSet<NodeId>) {
    match source {
        Source::Value(_) => {}
        Source::Output(output) => {
            found.insert(output.node);
        }
        Source::Element(scope) => of_scope(job, *scope, found),
        Source::Collect(collect) => {
            let collect = job.collect(*collect);
            of_scope(job, collect.scope, found);
            of_source(job, &collect.of, found);
        }
        Source::List(sources) => sources.iter().for_each(|source| of_source(job, source, found)),
    }
}

/// The nodes whose elements make the frames of a scope and of those around it.
fn of_scope(job: &Job, scope: ScopeId, found: &mut BTreeSet<NodeId>) {
    let (mut open, mut seen) = (vec![scope], BTreeSet::new());
    while let Some(here) = open.pop() {
        if seen.insert(here) {
            let scope = job.scope(here);
            found.extend(scope.origin.yielder().map(|of| of.node));
            open.extend(scope.origin.parts());
            open.extend(scope.parent);
        }
    }
}

fn fits(patterns: &[String], keys: &[MappingKey]) -> bool {
    patterns.iter().zip(keys).all(|(pattern, key)| is_like(pattern, key.as_str()))
}

/// Whether a text is like a pattern, in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.len() >= end.len() && text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in [("*", "a"), ("a*", "a"), ("*.md", "x.md"), ("a*b*c", "a-b-b-c")] {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*a", "a"), ("*.md", "x.mdx"), ("a*b*c", "acb")] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn selectors_name_steps() {
        let names = |selector: &str, step: &str| {
            selector.parse::<Selector>().unwrap().names(&step.parse().unwrap())
        };
        for selector in ["size", "size+", "size[*]", "size[a*c]", "+size[abc][x]"] {
            assert!(names(selector, "size[abc][x]"), "{selector}");
        }
        assert!(names("clean", "clean/trim[a]") && names("clean/*", "clean/trim"));
        assert!(!names("clean", "cleaner/trim") && !names("trim", "clean/trim"));
        for selector in ["siz", "list+", "size[b]", "size[abc][y]", "size[abc][x][z]"] {
            assert!(!names(selector, "size[abc][x]"), "{selector}");
        }
    }

    #[test]
    fn selectors_are_read() {
        let selector: Selector = "+count[a b][*]+".parse().unwrap();
        assert_eq!((&*selector.node, selector.keys.len()), ("count", 2));
        assert!(selector.upstream && selector.downstream);
        for bad in ["", "+", "[a]", "size[", "size[]", "size[a]b"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
