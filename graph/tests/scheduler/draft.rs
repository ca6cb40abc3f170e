//! Jobs built by hand, without a manifest.

use std::sync::Arc;

use dynhost_graph::definition::{InputDefinition, OpDefinition, OutputDefinition};
use dynhost_graph::grant::Grants;
use dynhost_graph::job::{
    After, BatchBounds, Collect, CollectId, Job, JobOutput, Node, NodeId, Origin, OutputRef,
    Policy, Pool, PoolId, Scope, ScopeId, Source,
};
use dynhost_graph::value::Value;

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Out {
    Required,
    Optional,
    Dynamic,
    OptionalDynamic,
}

/// A job in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    job: Job,
}

impl Draft {
    pub(crate) fn new() -> Self {
        let root = Scope { parent: None, depth: 0, origin: Origin::Root };
        Self {
            job: Job {
                name: "draft".to_owned(),
                description: String::new(),
                max_concurrency: None,
                components: Vec::new(),
                params: Vec::new(),
                nodes: Vec::new(),
                scopes: vec![root],
                collects: Vec::new(),
                pools: Vec::new(),
                outputs: Vec::new(),
            },
        }
    }

    /// Adds a node behind all others. Its inputs are called `in0`, `in1`, …, its outputs `out0`,
    /// `out1`, ….
    pub(crate) fn node(
        &mut self,
        name: &str,
        scope: ScopeId,
        inputs: impl Into<Vec<Source>>,
        outputs: &[Out],
    ) -> NodeId {
        let inputs: Vec<Source> = inputs.into();
        let op = OpDefinition {
            name: name.to_owned(),
            description: String::new(),
            inputs: (0..inputs.len()).map(input).collect(),
            outputs: outputs.iter().enumerate().map(|(index, out)| output(index, *out)).collect(),
            config_schema: None,
        };
        self.job.nodes.push(Node {
            name: name.into(),
            component: 0,
            op: Arc::new(op),
            config: "null".into(),
            scope,
            inputs: inputs.into_iter().map(Some).collect(),
            after: Vec::new(),
            policy: Policy::default(),
            grants: Grants::default(),
            span: 0..0,
        });
        NodeId(position(self.job.nodes.len() - 1))
    }

    /// The scope that a dynamic output makes.
    pub(crate) fn fan_out(&mut self, node: NodeId, output: u32) -> ScopeId {
        let parent = self.job.node(node).scope;
        self.scope(parent, Origin::FanOut(OutputRef { node, output }))
    }

    /// The scope that a dynamic output makes in batches.
    pub(crate) fn batch(
        &mut self,
        node: NodeId,
        output: u32,
        max_items: Option<u64>,
        max_bytes: Option<u64>,
    ) -> ScopeId {
        let parent = self.job.node(node).scope;
        let of = OutputRef { node, output };
        self.scope(parent, Origin::Batch { of, bounds: BatchBounds { max_items, max_bytes } })
    }

    /// The scope in which parts of the same parent meet by key.
    pub(crate) fn zip(&mut self, parts: &[ScopeId], drop_missing: bool) -> ScopeId {
        let parent = self.job.scope(parts[0]).parent.expect("a part has a parent");
        self.scope(parent, Origin::Zip { parts: parts.to_vec(), drop_missing })
    }

    /// The scope that repeats the frames of `of` in each frame of `parent`.
    pub(crate) fn cross(&mut self, parent: ScopeId, of: ScopeId) -> ScopeId {
        self.scope(parent, Origin::Cross { of })
    }

    fn scope(&mut self, parent: ScopeId, origin: Origin) -> ScopeId {
        let depth = self.job.scope(parent).depth + 1;
        let scope = Scope { parent: Some(parent), depth, origin };
        let found = self.job.scopes.iter().position(|there| *there == scope);
        ScopeId(position(found.unwrap_or_else(|| {
            self.job.scopes.push(scope);
            self.job.scopes.len() - 1
        })))
    }

    /// The fan-in of `of` over `scope`.
    pub(crate) fn collect(&mut self, scope: ScopeId, of: Source) -> Source {
        let collect = Collect { scope, of };
        let found = self.job.collects.iter().position(|there| *there == collect);
        Source::Collect(CollectId(position(found.unwrap_or_else(|| {
            self.job.collects.push(collect);
            self.job.collects.len() - 1
        }))))
    }

    pub(crate) fn after(&mut self, node: NodeId, before: NodeId) {
        self.job.nodes[node.index()].after.push(After { node: before });
    }

    pub(crate) fn pool(&mut self, size: u32) -> PoolId {
        let name = format!("pool{}", self.job.pools.len());
        self.job.pools.push(Pool { name, size });
        PoolId(position(self.job.pools.len() - 1))
    }

    pub(crate) fn policy(&mut self, node: NodeId) -> &mut Policy {
        &mut self.job.nodes[node.index()].policy
    }

    pub(crate) fn output(&mut self, source: Source) {
        let name = format!("result{}", self.job.outputs.len());
        self.job.outputs.push(JobOutput { name, source });
    }

    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    pub(crate) fn finish(self) -> Arc<Job> {
        Arc::new(self.job)
    }
}

/// A reference to an output.
pub(crate) fn from(node: NodeId, output: u32) -> Source {
    Source::Output(OutputRef { node, output })
}

/// A literal.
pub(crate) fn number(number: i64) -> Source {
    Source::Value(Value::json(&number.into()))
}

fn input(index: usize) -> InputDefinition {
    InputDefinition {
        name: format!("in{index}"),
        description: String::new(),
        required: false,
        collected: false,
        schema: None,
    }
}

fn output(index: usize, out: Out) -> OutputDefinition {
    OutputDefinition {
        name: format!("out{index}"),
        description: String::new(),
        required: matches!(out, Out::Required | Out::Dynamic),
        dynamic: matches!(out, Out::Dynamic | Out::OptionalDynamic),
        schema: None,
    }
}

pub(crate) fn position(index: usize) -> u32 {
    u32::try_from(index).expect("a job in a test is small")
}
