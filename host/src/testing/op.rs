//! One op, run alone.

use std::sync::Arc;

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::Failure;
use dynhost_graph::grant::Grants;
use dynhost_graph::job::{Job, JobComponent, Node, Origin, Policy, Scope, ScopeId, Source};
use dynhost_graph::value::Value;
use serde_json::Value as Json;

use super::{Doubles, FakeClock, Ran};
use crate::clock::RunClock;
use crate::component::Component;
use crate::host::Host;
use crate::prepare::PreparedJob;

/// An op about to be run alone.
#[derive(Debug, Clone)]
#[must_use = "an op does nothing until it is run"]
pub struct OpTrial {
    host: Host,
    component: Component,
    op: Arc<OpDefinition>,
    inputs: Vec<Option<Source>>,
    config: Json,
    grants: Grants,
    clock: RunClock,
}

/// What an op did.
#[derive(Debug)]
pub struct OpRan {
    /// The run of it.
    pub ran: Ran,
    op: String,
}

/// An op of a component, to be run alone, by default without grants.
///
/// # Panics
/// The component has no such op.
pub fn op(host: &Host, component: &Component, name: &str) -> OpTrial {
    let op = component.ops().iter().find(|op| op.name == name);
    let op = op.unwrap_or_else(|| panic!("`{}` has no op `{name}`", component.path().display()));
    OpTrial {
        host: host.clone(),
        component: component.clone(),
        op: Arc::clone(op),
        inputs: vec![None; op.inputs.len()],
        config: Json::Null,
        grants: Grants::default(),
        clock: RunClock::default(),
    }
}

impl OpTrial {
    /// Gives an input. A collected input takes the elements of an array.
    ///
    /// # Panics
    /// The op has no such input.
    pub fn value(self, input: &str, value: impl Into<Json>) -> Self {
        let json = value.into();
        let collected = self.op.input(input).is_some_and(|(_, input)| input.collected);
        match json {
            Json::Array(elements) if collected => {
                let elements = elements.iter().map(|one| Source::Value(Value::json(one)));
                self.wire(input, Source::List(elements.collect()))
            }
            json => self.bytes(input, Value::json(&json)),
        }
    }

    /// Gives an input that is any bytes.
    ///
    /// # Panics
    /// The op has no such input.
    pub fn bytes(self, input: &str, value: Value) -> Self {
        self.wire(input, Source::Value(value))
    }

    fn wire(mut self, input: &str, source: Source) -> Self {
        let found = self.op.input(input).map(|(at, _)| at);
        let at = found.unwrap_or_else(|| panic!("op `{}` has no input `{input}`", self.op.name));
        self.inputs[at] = Some(source);
        self
    }

    /// Configures it.
    pub fn config(self, config: Json) -> Self {
        Self { config, ..self }
    }

    /// Grants it what a node may be granted.
    pub fn grants(self, grants: Grants) -> Self {
        Self { grants, ..self }
    }

    /// Gives it another clock than that of the machine.
    pub fn clock(self, clock: &FakeClock) -> Self {
        Self { clock: clock.into(), ..self }
    }

    /// Runs it once.
    ///
    /// # Panics
    /// The machine lacks something that is granted, or the host failed.
    pub async fn run(self) -> OpRan {
        let Self { host, component, op, inputs, config, grants, clock } = self;
        let node = Node {
            name: op.name.as_str().into(),
            component: 0,
            op: Arc::clone(&op),
            config: config.to_string().into(),
            scope: ScopeId::ROOT,
            inputs,
            after: Vec::new(),
            policy: Policy::default(),
            grants,
            span: 0..0,
        };
        let digest = component.digest().to_owned();
        let job = Job {
            name: op.name.clone(),
            description: String::new(),
            max_concurrency: None,
            components: vec![JobComponent { alias: "component".to_owned(), digest }],
            params: Vec::new(),
            nodes: vec![node],
            scopes: vec![Scope { parent: None, depth: 0, origin: Origin::Root }],
            collects: Vec::new(),
            pools: Vec::new(),
            outputs: Vec::new(),
        };
        let job = PreparedJob::new(job, vec![component]).unwrap_or_else(|why| panic!("{why}"));
        let job = match clock.fake() {
            Some(clock) => Doubles::new().clock(clock).apply(&job),
            None => job,
        };
        OpRan { ran: super::run(&host, &job).await, op: op.name.clone() }
    }
}

impl OpRan {
    /// A static output, if the op succeeded and gave it.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<Json> {
        self.ran.step(&self.op).output(name)
    }

    /// The elements of a dynamic output.
    #[must_use]
    pub fn emitted(&self, name: &str) -> Vec<(String, Json)> {
        self.ran.step(&self.op).emitted(name)
    }

    /// The messages of its log.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.ran.step(&self.op).logs().into_iter().map(str::to_owned).collect()
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.ran.result.failures.first().map(|failure| &failure.failure)
    }
}
