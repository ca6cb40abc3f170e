//! A job of one node, made in code.

use std::sync::Arc;

use dynhost::graph::definition::OpDefinition;
use dynhost::graph::grant::{Access, FolderGrant, Grants};
use dynhost::graph::job::{
    Job, JobComponent, JobOutput, Node, NodeId, Origin, OutputRef, Policy, Scope, ScopeId, Source,
};
use dynhost::graph::schema;
use dynhost::{Component, PreparedJob};
use serde_json::{Value as Json, json};

use super::CallArgs;
use super::arguments::Grant;
use crate::error::Error;
use crate::report::words;

/// The job that runs an op once with what was given.
pub(super) fn job(
    component: &Component,
    op: &Arc<OpDefinition>,
    arguments: &CallArgs,
) -> Result<PreparedJob, Error> {
    let node = Node {
        name: op.name.as_str().into(),
        component: 0,
        op: Arc::clone(op),
        config: config(op, arguments.config.as_deref())?,
        scope: ScopeId::ROOT,
        inputs: inputs(op, arguments)?,
        after: Vec::new(),
        policy: Policy::default(),
        grants: grants(arguments),
        span: 0..0,
    };
    let digest = component.digest().to_owned();
    let job = Job {
        name: op.name.clone(),
        description: op.description.clone(),
        max_concurrency: None,
        components: vec![JobComponent { alias: "component".to_owned(), digest }],
        params: Vec::new(),
        nodes: vec![node],
        scopes: vec![Scope { parent: None, depth: 0, origin: Origin::Root }],
        collects: Vec::new(),
        pools: Vec::new(),
        outputs: outputs(op),
    };
    PreparedJob::new(job, vec![component.clone()]).map_err(|error| Error::prepare(error, None))
}

/// Every output that is not dynamic is one of the job's.
fn outputs(op: &OpDefinition) -> Vec<JobOutput> {
    let outputs = (0..).zip(&op.outputs).filter(|(_, output)| !output.dynamic);
    let output = |(at, output): (u32, &dynhost::graph::definition::OutputDefinition)| JobOutput {
        name: output.name.clone(),
        source: Source::Output(OutputRef { node: NodeId(0), output: at }),
    };
    outputs.map(output).collect()
}

fn inputs(op: &OpDefinition, arguments: &CallArgs) -> Result<Vec<Option<Source>>, Error> {
    let known = |name: &str| op.inputs.iter().any(|input| input.name == name);
    if let Some(unknown) = arguments.input.iter().find(|argument| !known(&argument.name)) {
        let message = format!("op `{}` has no input `{}`", op.name, unknown.name);
        let names = words::listed(op.inputs.iter().map(|input| input.name.as_str()));
        return Err(Error::usage(message).with_help(format!("inputs: {names}")));
    }
    let mut sources = Vec::with_capacity(op.inputs.len());
    let mut missing = Vec::new();
    for input in &op.inputs {
        let given = arguments.input.iter().filter(|argument| argument.name == input.name);
        let mut values = Vec::new();
        let mut count = 0;
        for argument in given {
            values.extend(argument.values(input)?);
            count += 1;
        }
        if !input.collected && count > 1 {
            return Err(Error::usage(format!("`--input {}=…` is given {count} times", input.name))
                .with_help("only a collected input takes several values"));
        }
        let mut values = values.into_iter().map(Source::Value);
        sources.push(match count {
            0 => {
                missing.extend(input.required.then_some(input.name.as_str()));
                None
            }
            _ if input.collected => Some(Source::List(values.collect())),
            _ => values.next(),
        });
    }
    if missing.is_empty() {
        return Ok(sources);
    }
    let help = missing.iter().map(|name| format!("`--input {name}=…`"));
    let help = help.collect::<Vec<_>>().join(" ");
    Err(Error::usage(format!("op `{}` requires {}", op.name, words::listed(missing.clone())))
        .with_help(format!("give {help}")))
}

/// The configuration as text. Where none is given it is `null`, or `{}` where that is what the op
/// takes, as in a manifest.
fn config(op: &OpDefinition, given: Option<&str>) -> Result<Arc<str>, Error> {
    let Some(schema) = &op.config_schema else {
        return match given {
            None => Ok("null".into()),
            Some(_) => Err(Error::usage(format!("op `{}` takes no configuration", op.name))
                .with_help("leave `--config` out")),
        };
    };
    let candidates = match given {
        Some(text) => {
            let json = serde_json::from_str(text)
                .map_err(|error| Error::usage(format!("`--config` is not JSON: {error}")))?;
            vec![json]
        }
        None => vec![Json::Null, json!({})],
    };
    let mut why = String::new();
    for candidate in candidates {
        let mistakes = schema::mistakes(schema, &candidate).map_err(|error| {
            Error::usage(format!("the op's config schema is malformed: {error}"))
        })?;
        if mistakes.is_empty() {
            return Ok(candidate.to_string().into());
        }
        why = mistakes.join("; ");
    }
    let message = format!("the configuration does not fit op `{}`: {why}", op.name);
    Err(Error::usage(message).with_help("give it with `--config JSON`"))
}

fn grants(arguments: &CallArgs) -> Grants {
    let folder = |access| {
        move |grant: &Grant| FolderGrant {
            host: grant.host.clone(),
            below: Vec::new(),
            guest: grant.guest.clone(),
            access,
            span: 0..0,
        }
    };
    let read = arguments.grant_read.iter().map(folder(Access::Read));
    let write = arguments.grant_write.iter().map(folder(Access::ReadWrite));
    Grants { fs: read.chain(write).collect(), ..Grants::default() }
}
