//! One native op: its definition, and the function.

use std::fmt;
use std::sync::Arc;

use dynhost_graph::definition::{OpDefinition, OutputDefinition};
use futures::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ports;
use super::{Context, Emitter, OpFailure};

/// What runs an attempt.
pub(crate) type Call =
    dyn Fn(Context) -> LocalBoxFuture<'static, Result<(), OpFailure>> + Send + Sync;

/// A native op. See the [module](super) for the kinds of functions.
#[derive(Clone)]
pub struct Op {
    pub(super) definition: OpDefinition,
    pub(super) pure: bool,
    pub(super) call: Arc<Call>,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Op").field("definition", &self.definition).finish_non_exhaustive()
    }
}

impl Op {
    /// An op that is a function. The fields of its argument are the inputs; an argument without fields is one input,
    /// `value`, and `()` is none. What it returns is the output `result`, or none where that is `()`.
    pub fn new<I, O, F>(name: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
        F: Fn(I) -> Result<O, OpFailure> + Send + Sync + 'static,
    {
        let function = Arc::new(function);
        Self::future(name, move |input: I, _| {
            let function = Arc::clone(&function);
            async move { function(input) }
        })
    }

    /// An op that is an async function, of an argument as with [`Op::new`] and the [`Context`] of the step.
    pub fn future<I, O, F, R>(name: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
        F: Fn(I, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, OpFailure>> + 'static,
    {
        let result = ports::output::<O>("result", false);
        let is_nothing = result.schema.as_ref().is_some_and(|it| it["type"] == "null");
        let outputs = if is_nothing { Vec::new() } else { vec![result] };
        let function = Arc::new(function);
        Self::of::<I>(name, outputs, move |input, context| {
            let function = Arc::clone(&function);
            Box::pin(async move {
                let returned = function(input?, context.clone()).await?;
                if is_nothing { Ok(()) } else { context.give("result", &returned) }
            })
        })
    }

    /// An op that yields a dynamic output, `elements`: an async function of an argument as with [`Op::new`] and of the
    /// [`Emitter`].
    pub fn yielding<I, T, F, R>(name: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + JsonSchema + 'static,
        T: Serialize + JsonSchema + 'static,
        F: Fn(I, Emitter<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), OpFailure>> + 'static,
    {
        let outputs = vec![ports::output::<T>("elements", true)];
        let function = Arc::new(function);
        Self::of::<I>(name, outputs, move |input, context| {
            let function = Arc::clone(&function);
            let emitter = Emitter::new(context, "elements".to_owned());
            Box::pin(async move { function(input?, emitter).await })
        })
    }

    /// An op with a definition of its own: several outputs, inputs that are no JSON. The function reads its inputs from
    /// the [`Context`], and gives its outputs there.
    ///
    /// ```
    /// use dynhost::graph::definition::{InputDefinition, OpDefinition, OutputDefinition};
    /// use dynhost::native::{Context, NativeOps, Op};
    /// use dynhost::{Component, Host, testing};
    /// use serde_json::json;
    ///
    /// let output = |name: &str| OutputDefinition {
    ///     name: name.to_owned(),
    ///     description: String::new(),
    ///     required: false,
    ///     dynamic: false,
    ///     schema: Some(json!({ "type": "integer" })),
    /// };
    /// let definition = OpDefinition {
    ///     name: "sort".to_owned(),
    ///     description: "Tells even numbers from odd ones".to_owned(),
    ///     inputs: vec![InputDefinition {
    ///         name: "n".to_owned(),
    ///         description: String::new(),
    ///         required: true,
    ///         collected: false,
    ///         schema: Some(json!({ "type": "integer" })),
    ///     }],
    ///     outputs: vec![output("even"), output("odd")],
    ///     config_schema: None,
    /// };
    /// let sort = Op::raw(definition, |context: Context| async move {
    ///     let n: i64 = context.input("n")?;
    ///     context.give(if n % 2 == 0 { "even" } else { "odd" }, &n)
    /// });
    /// let host = Host::builder().build()?;
    /// let sort = Component::native(NativeOps::new("numbers").op(sort))?;
    /// let ran = testing::block_on(testing::op(&host, &sort, "sort").value("n", 3).run());
    /// assert_eq!((ran.output("even"), ran.output("odd")), (None, Some(json!(3))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw<F, R>(definition: OpDefinition, function: F) -> Self
    where
        F: Fn(Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), OpFailure>> + 'static,
    {
        Self { definition, pure: false, call: Arc::new(move |context| Box::pin(function(context))) }
    }

    fn of<I>(
        name: impl Into<String>,
        outputs: Vec<OutputDefinition>,
        call: impl Fn(Result<I, OpFailure>, Context) -> LocalBoxFuture<'static, Result<(), OpFailure>>
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + 'static,
    {
        let (kind, inputs) = ports::inputs::<I>();
        let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        let definition = OpDefinition {
            name: name.into(),
            description: String::new(),
            inputs,
            outputs,
            config_schema: None,
        };
        Self::raw(definition, move |context| call(ports::argument(&context, kind, &names), context))
    }

    /// Says what the op does, for people.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.definition.description = description.into();
        self
    }

    /// Lets nodes configure the op; it reads what they say with [`Context::config`].
    #[must_use]
    pub fn config<C: DeserializeOwned + JsonSchema>(mut self) -> Self {
        self.definition.config_schema = Some(ports::schema::<C>());
        self
    }

    /// Says that what the op gives follows from its inputs and configuration alone, so that its successes may be reused
    /// wherever a cache is, and that a panic would come again with the same inputs.
    #[must_use]
    pub fn pure(mut self) -> Self {
        self.pure = true;
        self
    }

    /// What the op says of itself.
    #[must_use]
    pub fn definition(&self) -> &OpDefinition {
        &self.definition
    }
}
