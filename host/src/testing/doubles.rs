//! Jobs whose ops are replaced, or made to fail at a step.

use std::sync::Arc;
use std::time::Duration;

use dynhost_graph::event::Failure;
use dynhost_graph::name::StepKey;
use futures::future::LocalBoxFuture;
use serde_json::{Map, Value as Json};

use crate::clock::{FakeClock, RunClock};
use crate::component::{Component, Runner};
use crate::instance::{self, Attempt, NativeCode, Outcome, Ports};
use crate::native::{self, Call, Context, OpFailure};
use crate::prepare::PreparedJob;

/// What stands in for parts of a job in a test.
///
/// Ops are named as in a manifest, `component/op`; steps by their keys, such as `size[a]`. A component keeps its digest,
/// so that a run with doubles can be resumed without; what doubles give is not for a cache that other tests use.
///
/// ```
/// use dynhost::native::OpFailure;
/// use dynhost::testing::Doubles;
/// use serde_json::json;
///
/// let doubles = Doubles::new()
///     .stub("files/list", |_| Ok(json!({ "files": [["a", "a.txt"], ["b", "b.txt"]] })))
///     .fail("size[a]", 1, OpFailure::transient("the disk is busy"))
///     .crash("size[b]")
///     .without_delays();
/// # let _ = doubles;
/// ```
#[derive(Clone, Default)]
pub struct Doubles {
    stubs: Vec<(String, Arc<Call>)>,
    faults: Vec<(StepKey, Fault)>,
    without_delays: bool,
    clock: RunClock,
}

impl std::fmt::Debug for Doubles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stubs: Vec<_> = self.stubs.iter().map(|(op, _)| op).collect();
        f.debug_struct("Doubles")
            .field("stubs", &stubs)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
enum Fault {
    /// So many attempts fail.
    Fail(u32, Failure),
    Delay(Duration),
}

impl Doubles {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces an op by a function: from an object of its inputs to an object of its outputs. A dynamic output is a
    /// list of pairs, each a mapping key and a value.
    #[must_use]
    pub fn stub<F>(mut self, op: &str, function: F) -> Self
    where
        F: Fn(Json) -> Result<Json, OpFailure> + Send + Sync + 'static,
    {
        let function = Arc::new(function);
        let call = move |context: Context| -> LocalBoxFuture<'static, Result<(), OpFailure>> {
            let function = Arc::clone(&function);
            Box::pin(async move {
                let outputs = function(inputs(&context)?)?;
                give(&context, outputs).await
            })
        };
        self.stubs.push((op.to_owned(), Arc::new(call)));
        self
    }

    /// Replaces an op by a table: what it gives for each set of inputs. It fails with any other inputs.
    #[must_use]
    pub fn table(self, op: &str, rows: impl IntoIterator<Item = (Json, Json)>) -> Self {
        let rows: Vec<(Json, Json)> = rows.into_iter().collect();
        let name = op.to_owned();
        self.stub(op, move |inputs| {
            let row = rows.iter().find(|(given, _)| *given == inputs);
            row.map(|(_, outputs)| outputs.clone()).ok_or_else(|| {
                OpFailure::permanent(format!("the table of `{name}` has no row for {inputs}"))
            })
        })
    }

    /// Makes the first attempts at a step fail.
    ///
    /// # Panics
    /// This is not the key of a step.
    #[must_use]
    pub fn fail(self, step: &str, attempts: u32, failure: OpFailure) -> Self {
        self.fault(step, Fault::Fail(attempts, failure.into_failure()))
    }

    /// Makes every attempt at a step end like the trap of a guest or a panic.
    ///
    /// # Panics
    /// This is not the key of a step.
    #[must_use]
    pub fn crash(self, step: &str) -> Self {
        let message = "made to crash by a test".to_owned();
        self.fault(step, Fault::Fail(u32::MAX, Failure::Trap { message }))
    }

    /// Makes each attempt at a step wait before it begins. That counts for its timeout.
    ///
    /// # Panics
    /// This is not the key of a step.
    #[must_use]
    pub fn delay(self, step: &str, delay: Duration) -> Self {
        self.fault(step, Fault::Delay(delay))
    }

    /// Takes away the delays before retries that nodes ask for; an op may still ask for some.
    #[must_use]
    pub fn without_delays(self) -> Self {
        Self { without_delays: true, ..self }
    }

    /// Gives the job another clock than that of the machine.
    #[must_use]
    pub fn clock(self, clock: &FakeClock) -> Self {
        Self { clock: clock.into(), ..self }
    }

    fn fault(mut self, step: &str, fault: Fault) -> Self {
        let key = step.parse().unwrap_or_else(|error| panic!("`{step}`: {error}"));
        self.faults.push((key, fault));
        self
    }

    /// The job with these doubles.
    ///
    /// # Panics
    /// It has no op or no node that is named here.
    #[must_use]
    pub fn apply(&self, prepared: &PreparedJob) -> PreparedJob {
        let mut doubled = prepared.clone();
        if self.clock.fake().is_some() {
            doubled.clock = self.clock.clone();
        }
        let job = Arc::make_mut(&mut doubled.job);
        let alias = |component: usize| prepared.job.components[component].alias.as_str();
        for (op, _) in &self.stubs {
            let mut nodes = job.nodes.iter();
            let used =
                nodes.any(|node| *op == format!("{}/{}", alias(node.component), node.op.name));
            assert!(used, "no node of the job uses `{op}`");
        }
        for (step, _) in &self.faults {
            assert!(job.nodes.iter().any(|it| it.name == step.node), "no node `{}`", step.node);
        }
        for node in job.nodes.iter_mut().filter(|_| self.without_delays) {
            node.policy.retry.delay = Duration::ZERO;
        }
        let components = doubled.components.iter().enumerate();
        let double = |(at, component): (usize, &Component)| {
            let (inner, alias) = (component.clone(), alias(at).to_owned());
            component.run_by(Doubled { inner, alias, doubles: self.clone() })
        };
        doubled.components = components.map(double).collect();
        doubled
    }
}

/// A component of which some is replaced.
struct Doubled {
    inner: Component,
    alias: String,
    doubles: Doubles,
}

impl Doubled {
    fn stub(&self, op: &str) -> Option<&Arc<Call>> {
        let is_it = |name: &str| name.split_once('/') == Some((self.alias.as_str(), op));
        self.doubles.stubs.iter().rev().find(|(name, _)| is_it(name)).map(|(_, call)| call)
    }

    /// What the faults make of an attempt; `None`: it is run.
    async fn fault(&self, attempt: &Arc<Attempt>) -> Option<Outcome> {
        let faults = self.doubles.faults.iter();
        for (_, fault) in faults.filter(|(step, _)| *step == attempt.step) {
            match fault {
                Fault::Delay(delay) => match attempt.settings.clock.fake() {
                    Some(clock) => clock.sleep(attempt, *delay).await,
                    None => tokio::time::sleep(*delay).await,
                },
                Fault::Fail(attempts, failure) if attempt.number <= *attempts => {
                    return Some(Outcome::Failed(failure.clone()));
                }
                Fault::Fail(..) => {}
            }
        }
        None
    }

    async fn attempt(&self, ports: Ports) -> Outcome {
        let attempt = Arc::clone(&ports.attempt);
        if let Some(outcome) = self.fault(&attempt).await {
            return outcome;
        }
        if let Some(call) = self.stub(&attempt.settings.op.name) {
            return native::run(&**call, ports).await;
        }
        let inner = self.inner.granting(attempt.settings.granted.names().collect());
        match inner.runner(attempt.limits().fuel.is_some()) {
            Ok(Runner::Wasm(code)) => instance::run(code, &attempt, ports.emits).await.0,
            Ok(Runner::Native(code)) => code.run(ports).await,
            Err(message) => Outcome::Failed(Failure::Host { message }),
        }
    }
}

impl NativeCode for Doubled {
    fn run(&self, ports: Ports) -> LocalBoxFuture<'_, Outcome> {
        Box::pin(async move {
            let attempt = Arc::clone(&ports.attempt);
            let Some(clock) = attempt.settings.clock.fake() else {
                return self.attempt(ports).await;
            };
            let timeout = attempt.limits().timeout;
            let ended = clock.bounded((&attempt, timeout), self.attempt(ports)).await;
            ended.unwrap_or_else(|| {
                let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Outcome::Failed(Failure::TimedOut { after_ms })
            })
        })
    }

    fn is_pure(&self, op: &str) -> bool {
        self.stub(op).is_none() && self.inner.has_pure(op, false)
    }
}

/// What a step is given, by name.
fn inputs(context: &Context) -> Result<Json, OpFailure> {
    let mut inputs = Map::new();
    for input in &context.definition().inputs {
        if let Some(json) = context.json(&input.name)? {
            inputs.insert(input.name.clone(), json);
        }
    }
    Ok(Json::Object(inputs))
}

async fn give(context: &Context, outputs: Json) -> Result<(), OpFailure> {
    let Json::Object(outputs) = outputs else {
        return Err(OpFailure::permanent("a stub gives an object of outputs"));
    };
    for (name, value) in outputs {
        let dynamic = context.definition().output(&name).is_some_and(|(_, it)| it.dynamic);
        if !dynamic {
            context.give(&name, &value)?;
            continue;
        }
        let pairs: Vec<(String, Json)> = serde_json::from_value(value)?;
        for (key, element) in pairs {
            context.emit(&name, key, &element).await?;
        }
    }
    Ok(())
}
