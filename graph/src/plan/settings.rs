//! A node's configuration and policy, checked against its op.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Planner;
use super::node::FoundOp;
use crate::job::{Policy, PoolId};
use crate::manifest::nearest::suggestion;
use crate::manifest::{NodeEntry, Problem, Span, Spanned};
use crate::schema;

impl Planner<'_> {
    /// The configuration as JSON text, checked against the op's schema. Where the manifest has
    /// none it is `null`, or `{}` where that is what the op takes.
    pub(super) fn config(&mut self, entry: &NodeEntry, op: &FoundOp<'_>) -> Arc<str> {
        let schema = op.definition.config_schema.as_ref();
        match (&entry.settings.config, schema) {
            (None, None) => "null".into(),
            (None, Some(schema)) => self.absent_config(entry, op, schema),
            (Some(config), None) => {
                let message = format!("op `{}` takes no config", op.definition.name);
                self.problems
                    .push(Problem::at(config.span.clone(), message).help("take `config` away"));
                "null".into()
            }
            (Some(config), Some(schema)) => self.given_config(config, op, schema),
        }
    }

    fn absent_config(&mut self, entry: &NodeEntry, op: &FoundOp<'_>, schema: &Json) -> Arc<str> {
        let fits = |value: &Json| schema::mistakes(schema, value);
        match (fits(&Json::Null), fits(&json!({}))) {
            (Ok(null), _) if null.is_empty() => return "null".into(),
            (_, Ok(empty)) if empty.is_empty() => return "{}".into(),
            (_, Ok(empty)) => {
                let message = format!(
                    "node `{}` lacks `config`, which op `{}` requires: {}",
                    entry.name.value,
                    op.definition.name,
                    empty.join("; ")
                );
                self.problems.push(
                    Problem::at(entry.name.span.clone(), message).help("add `config = { … }`"),
                );
            }
            (_, Err(error)) => self.problems.push(malformed(&entry.name.span, op, &error)),
        }
        "null".into()
    }

    fn given_config(
        &mut self,
        config: &Spanned<Json>,
        op: &FoundOp<'_>,
        schema: &Json,
    ) -> Arc<str> {
        let Some(value) = self.filled(&config.value, &config.span) else { return "null".into() };
        match schema::mistakes(schema, &value) {
            Ok(mistakes) if mistakes.is_empty() => {}
            Ok(mistakes) => {
                let message = format!(
                    "the config does not fit op `{}`: {}",
                    op.definition.name,
                    mistakes.join("; ")
                );
                self.problems.push(Problem::at(config.span.clone(), message).label("does not fit"));
            }
            Err(error) => self.problems.push(malformed(&config.span, op, &error)),
        }
        value.to_string().into()
    }

    /// The configuration with params in place of `{ param = "p" }`. `None`: a param is unknown,
    /// which is reported, or has no value.
    fn filled(&mut self, value: &Json, span: &Span) -> Option<Json> {
        match value {
            Json::Object(object) => {
                if let (Some(Json::String(name)), 1) = (object.get("param"), object.len()) {
                    let Some(bound) = self.params.get(name) else {
                        self.unknown_param(name, span.clone());
                        return None;
                    };
                    return bound.value.as_deref().cloned();
                }
                let entries = object
                    .iter()
                    .map(|(key, value)| Some((key.clone(), self.filled(value, span)?)));
                let entries: Vec<_> = entries.collect();
                entries.into_iter().collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
            }
            Json::Array(array) => {
                let elements: Vec<_> = array.iter().map(|value| self.filled(value, span)).collect();
                elements.into_iter().collect::<Option<_>>().map(Json::Array)
            }
            other => Some(other.clone()),
        }
    }

    /// The policy with its pool found.
    pub(super) fn policy(&mut self, entry: &NodeEntry) -> Policy {
        let mut policy = entry.settings.policy.clone();
        let defaults = &self.manifest.defaults;
        policy.limits.fill(&defaults.limits);
        policy.timeout = policy.timeout.or_else(|| defaults.timeout.clone());
        self.growing(entry);
        let Some(pool) = &entry.settings.pool else { return policy };
        let mut names = self.manifest.pools.iter().map(|(name, _)| name.value.as_str());
        if let Some(at) = names.position(|name| name == pool.value) {
            policy.pool = u32::try_from(at).ok().map(PoolId);
            return policy;
        }
        let names = self.manifest.pools.iter().map(|(name, _)| name.value.as_str());
        let message = format!("there is no pool `{}`", pool.value);
        let mut problem = Problem::at(pool.span.clone(), message);
        problem.help = suggestion(&pool.value, names)
            .or_else(|| Some(format!("declare it: `{} = N` in `[pools]`", pool.value)));
        self.problems.push(problem);
        policy
    }

    /// Refuses values for attempts that the node never makes.
    fn growing(&mut self, entry: &NodeEntry) {
        let Policy { limits, timeout, retry, .. } = &entry.settings.policy;
        let bounds = limits.iter().map(|(kind, bound)| (kind.key(), bound.attempts(), &bound.span));
        let timeout = timeout.iter().map(|bound| ("timeout", bound.attempts(), &bound.span));
        for (key, values, span) in bounds.chain(timeout) {
            if values > retry.max_attempts as usize {
                let attempts = retry.max_attempts;
                self.problems.push(
                    Problem::at(
                        span.clone(),
                        format!(
                            "`{key}` has values for {values} attempts, and node `{}` makes \
                             {attempts} at most",
                            entry.name.value
                        ),
                    )
                    .help(format!("set `retry.max_attempts = {values}`, or drop the last values")),
                );
            }
        }
    }
}

fn malformed(span: &Span, op: &FoundOp<'_>, error: &str) -> Problem {
    let name = &op.definition.name;
    Problem::at(span.clone(), format!("the config schema of op `{name}` is malformed: {error}"))
}
