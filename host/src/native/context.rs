//! What a native op sees of its step.

use std::marker::PhantomData;
use std::rc::Rc;

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::Level;
use dynhost_graph::name::{MappingKey, StepKey};
use dynhost_graph::scheduler::Input;
use dynhost_graph::value::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{OpFailure, Refused};
use crate::instance::Stage;

/// One attempt at a step, as a native op sees it. It belongs to the worker that runs the step: it cannot be sent to
/// another thread.
#[derive(Debug, Clone)]
pub struct Context(Rc<Stage>);

impl Context {
    pub(crate) fn new(stage: Rc<Stage>) -> Self {
        Self(stage)
    }

    /// The step: the node, and the mapping keys of the clone.
    #[must_use]
    pub fn step(&self) -> &StepKey {
        &self.0.identity().step
    }

    /// The attempt; 1 is the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.identity().number
    }

    /// The id of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        self.0.run()
    }

    /// The configuration of the node.
    ///
    /// # Errors
    /// It is something else.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, OpFailure> {
        serde_json::from_str(&self.0.attempt().settings.config)
            .map_err(|error| OpFailure::from(error).context("the config"))
    }

    /// What the step is given under a name: one value, or the list of them.
    ///
    /// # Errors
    /// The op has no such input, or it is something else. An input that the job does not wire is JSON `null`.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<T, OpFailure> {
        let wrong = |failure: OpFailure| failure.context(format_args!("input `{name}`"));
        let json = self.json(name)?.unwrap_or(Json::Null);
        serde_json::from_value(json).map_err(|error| wrong(error.into()))
    }

    /// The values under a name as they are, with their mapping keys where they come from clones.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<(Option<&MappingKey>, &Value)> {
        match self.given(name) {
            None | Some(Input::Absent) => Vec::new(),
            Some(Input::Single(value)) => vec![(None, value)],
            Some(Input::Many(list)) => {
                list.elements.iter().map(|one| (Some(&one.key), &one.value)).collect()
            }
        }
    }

    pub(crate) fn definition(&self) -> &OpDefinition {
        &self.0.attempt().settings.op
    }

    fn given(&self, name: &str) -> Option<&Input> {
        let attempt = self.0.attempt();
        let (at, _) = attempt.settings.op.input(name)?;
        attempt.inputs.get(at)
    }

    /// What is given under a name as JSON; `None`: nothing is wired to it.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Json>, OpFailure> {
        let wrong = |error: dynhost_graph::value::NotJson| {
            OpFailure::from(error).context(format_args!("input `{name}`"))
        };
        match self.given(name) {
            None => Err(OpFailure::permanent(format!("the op has no input `{name}`"))),
            Some(Input::Absent) => Ok(None),
            Some(Input::Single(value)) => value.to_json().map(Some).map_err(wrong),
            Some(Input::Many(list)) => {
                let elements = list.elements.iter().map(|element| element.value.to_json());
                elements.collect::<Result<_, _>>().map(Some).map_err(wrong)
            }
        }
    }

    /// Gives a static output.
    ///
    /// # Errors
    /// It cannot be JSON, or the op may not give it; then the step has failed.
    pub fn give(&self, output: &str, value: &impl Serialize) -> Result<(), OpFailure> {
        Ok(self.give_value(output, Value::json_text(serde_json::to_string(value)?))?)
    }

    /// As [`Context::give`], with bytes of any kind.
    ///
    /// # Errors
    /// The op may not give it; then the step has failed.
    pub fn give_value(&self, output: &str, value: Value) -> Result<(), Refused> {
        self.0.give(output, value)
    }

    /// Emits an element of a dynamic output. Waits while the clones of earlier elements are behind.
    ///
    /// # Errors
    /// It cannot be JSON, or the op may not emit it, such as one with a key that was there before; then the step has
    /// failed.
    pub async fn emit(
        &self,
        output: &str,
        key: impl AsRef<str>,
        value: &impl Serialize,
    ) -> Result<(), OpFailure> {
        let value = Value::json_text(serde_json::to_string(value)?);
        Ok(self.emit_value(output, key, value).await?)
    }

    /// As [`Context::emit`], with bytes of any kind.
    ///
    /// # Errors
    /// The op may not emit it; then the step has failed.
    pub async fn emit_value(
        &self,
        output: &str,
        key: impl AsRef<str>,
        value: Value,
    ) -> Result<(), Refused> {
        self.0.emit(output, key.as_ref(), value).await
    }

    /// Writes to the step's log.
    pub fn log(&self, level: Level, message: impl Into<String>, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.0.log(level, message.into(), fields.collect());
    }

    /// Writes a message to the step's log that is worth knowing.
    pub fn info(&self, message: impl Into<String>) {
        self.log(Level::Info, message, &[]);
    }

    /// Says how far the op is: units of its own kind, and how many there are in all, where that is known.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        self.0.progress(done, total);
    }
}

/// The one dynamic output of an op that [yields](super::Op::yielding).
#[derive(Debug, Clone)]
pub struct Emitter<T> {
    context: Context,
    output: String,
    element: PhantomData<fn(T)>,
}

impl<T: Serialize> Emitter<T> {
    pub(super) fn new(context: Context, output: String) -> Self {
        Self { context, output, element: PhantomData }
    }

    /// Emits an element under its mapping key. Waits while the clones of earlier elements are behind.
    ///
    /// # Errors
    /// It cannot be JSON, or the op may not emit it, such as one with a key that was there before; then the step has
    /// failed.
    pub async fn emit(&self, key: impl AsRef<str>, element: T) -> Result<(), OpFailure> {
        self.context.emit(&self.output, key, &element).await
    }

    /// The step.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}
