//! What the operator of a machine allows, whatever a manifest says: the second of two keys.
//!
//! A manifest asks for limits and grants; the policy is the most that it can get. What a manifest asks beyond it is refused
//! before anything runs, with the place in the manifest and the words of the policy.

mod grants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

pub use self::grants::{FolderRule, GrantRules};

use crate::event::{LimitKind, duration_in_words};
use crate::grant::Grant;
use crate::job::{Job, Node};
use crate::manifest::item::{self, Item, Keys};
use crate::manifest::quantity::{duration, size};
use crate::manifest::{ManifestError, Problem};

/// The most that jobs may use and reach. The default allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorPolicy {
    /// What messages call it, such as the path of its file.
    pub name: String,
    /// Ceilings of the limits on one attempt.
    pub limits: BTreeMap<LimitKind, u64>,
    /// The longest wall-clock time of one attempt.
    pub timeout: Option<Duration>,
    /// Steps of a run at once.
    pub max_concurrency: Option<u32>,
    /// Bytes of guest memory of all steps at once.
    pub memory_total: Option<u64>,
    /// What may be granted; `None`: anything.
    pub grants: Option<GrantRules>,
    /// The text of its file, into which the places in [`grants`](Self::grants) point.
    pub text: Arc<str>,
}

impl OperatorPolicy {
    /// Reads a policy file; `path` is what messages call it, and relative folders start from its folder.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        let fail = |problems| ManifestError::new(path, Arc::from(text), problems);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problem = |error: toml::de::Error| {
                let message = format!("not TOML: {}", error.message().replace('\n', "; "));
                Problem { span: error.span(), ..Problem::outside(message) }
            };
            return Err(fail(errors.into_iter().map(problem).collect()));
        }
        let mut problems = Vec::new();
        let problems_of = &mut problems;
        let top = Keys::open(document.get_ref(), "the policy", &["limits", "grants"], problems_of);
        let name = path.display().to_string();
        let mut policy = Self { name, text: Arc::from(text), ..Self::default() };
        top.read("limits", problems_of, |item, p| policy.read_limits(item, p));
        let base = path.parent().unwrap_or(Path::new(""));
        policy.grants = top.read("grants", problems_of, |item, p| GrantRules::read(item, base, p));
        if problems.is_empty() { Ok(policy) } else { Err(fail(problems)) }
    }

    fn read_limits(&mut self, item: &Item<'_>, problems: &mut Vec<Problem>) -> Option<()> {
        let table = item::table(item, problems)?;
        let others = ["max_clones", "timeout", "max_concurrency", "memory_total"];
        let allowed: Vec<&str> =
            LimitKind::SETTABLE.into_iter().map(LimitKind::key).chain(others).collect();
        let keys = Keys::open(table, "`[limits]`", &allowed, problems);
        for kind in LimitKind::SETTABLE.into_iter().chain([LimitKind::Clones]) {
            let read = if kind.is_bytes() { size } else { item::count };
            if let Some(most) = keys.read(kind.key(), problems, read) {
                self.limits.insert(kind, most);
            }
        }
        self.timeout = keys.read("timeout", problems, duration);
        self.max_concurrency = keys.read("max_concurrency", problems, item::count);
        self.memory_total = keys.read("memory_total", problems, size);
        Some(())
    }

    /// What a job asks beyond this policy, with the places in its manifest. `real` says where a path of the host leads
    /// when symbolic links are followed.
    #[must_use]
    pub fn refusals(&self, job: &Job, real: &dyn Fn(&Path) -> PathBuf) -> Vec<Problem> {
        job.nodes.iter().flat_map(|node| self.refusals_of(node, real)).collect()
    }

    fn refusals_of(&self, node: &Node, real: &dyn Fn(&Path) -> PathBuf) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (kind, bound) in node.policy.limits.iter() {
            let most = self.limits.get(&kind).copied().unwrap_or(u64::MAX);
            if bound.most() > most {
                let asked = (format!("limits.{}", kind.key()), kind.with_unit(bound.most()));
                problems.push(self.too_much(node, &bound.span, asked, &kind.with_unit(most)));
            }
        }
        if let (Some(bound), Some(most)) = (&node.policy.timeout, self.timeout)
            && bound.most() > most
        {
            let asked = ("timeout".to_owned(), duration_in_words(bound.most()));
            problems.push(self.too_much(node, &bound.span, asked, &duration_in_words(most)));
        }
        if let (Some(asked), Some(most)) =
            (node.policy.max_clones, self.limits.get(&LimitKind::Clones))
            && asked > *most
        {
            let asked = ("max_clones".to_owned(), asked.to_string());
            problems.push(self.too_much(node, &node.span, asked, &most.to_string()));
        }
        if let Some(rules) = &self.grants {
            let refused = node.grants.iter().filter(|grant| !rules.cover(*grant, real));
            problems.extend(refused.map(|grant| self.refused(node, grant)));
        }
        problems
    }

    fn too_much(
        &self,
        node: &Node,
        span: &std::ops::Range<usize>,
        (key, asked): (String, String),
        most: &str,
    ) -> Problem {
        let message = format!(
            "node `{}` asks for `{key}` of {asked}, and the operator's policy allows {most}",
            node.name
        );
        Problem::at(span.clone(), message)
            .label(format!("at most {most}"))
            .help(format!("ask for less, or have `{}` changed by the operator", self.name))
    }

    fn refused(&self, node: &Node, grant: Grant<'_>) -> Problem {
        let message = format!(
            "the manifest grants node `{}` to {grant}, and the operator's policy does not",
            node.name,
        );
        Problem::at(grant.span().clone(), message).label("not allowed by the policy").help(format!(
            "have it added to `grants.{}` of `{}` by the operator",
            grant.kind(),
            self.name
        ))
    }
}
