//! Native ops: Rust functions of the embedding program as ops of a job, beside those in components.
//!
//! A job uses a native op like any other one: its steps give the same events, are retried, mapped, collected, bounded
//! and cancelled alike. What a native op lacks is the sandbox: it can do whatever the program can. Its steps hold no
//! guest memory, unless the node sets `limits.memory`.
//!
//! ```
//! use dynhost::native::{Context, Emitter, NativeOps, Op, OpFailure};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, schemars::JsonSchema)]
//! struct Order {
//!     article: String,
//!     count: u32,
//! }
//!
//! let shop = NativeOps::new("shop")
//!     // A function; the fields of its argument are the inputs of the op.
//!     .op(Op::new("price", |order: Order| match order.article.as_str() {
//!         "tea" => Ok(order.count * 3),
//!         other => Err(OpFailure::permanent(format!("there is no `{other}`"))),
//!     }))
//!     // An async function; an argument that is no struct is one input, called `value`.
//!     .op(Op::future("ship", |parcel: String, context: Context| async move {
//!         context.info(format!("attempt {}", context.attempt()));
//!         Ok(parcel.len())
//!     }))
//!     // One that yields a dynamic output: `emit` waits while the clones are behind.
//!     .op(Op::yielding("orders", |count: u32, out: Emitter<u32>| async move {
//!         for n in 0..count {
//!             out.emit(format!("order_{n}"), n).await?;
//!         }
//!         Ok(())
//!     }));
//! let host = dynhost::Host::builder().native(shop).build()?;
//! # Ok::<(), dynhost::HostError>(())
//! ```
//!
//! A manifest names such ops by their name: `components.shop = "native:shop"`. A job that is
//! [built in code](crate::JobBuilder) takes them as a [`Component`](crate::Component::native) too.
//!
//! **Panics** are failures of the step, of the same kind as the trap of a guest. **Time**: a step is interrupted, at its
//! timeout or when it is cancelled, where its future waits; a plain function runs to its end. Functions run on the
//! host's workers, so that one that computes long or blocks keeps a worker from other steps:
//! `tokio::task::spawn_blocking` in an async function does not. **Caching**: nothing is assumed to be pure. Only an op
//! that is declared [pure](Op::pure), or a node with `cache = true`, is looked up in a cache; there the
//! [version](NativeOps::version) stands for what the code does.

mod context;
mod failure;
mod op;
mod ports;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task;

use dynhost_graph::definition::OpDefinition;
use dynhost_graph::event::Failure;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::instance::{NativeCode, Outcome, Ports, Stage, panicked};

pub use crate::instance::Refused;
pub use context::{Context, Emitter};
pub use failure::OpFailure;
pub(crate) use op::Call;
pub use op::Op;

/// Native ops that stand together under one name, like those of a component.
#[derive(Clone)]
pub struct NativeOps {
    name: String,
    version: String,
    ops: Vec<Op>,
}

impl fmt::Debug for NativeOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.definitions().map(|op| &op.name);
        f.debug_tuple("NativeOps").field(&self.name).field(&names.collect::<Vec<_>>()).finish()
    }
}

impl NativeOps {
    /// A set of ops, as yet empty. The name follows the rules for names in a manifest.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: String::new(), ops: Vec::new() }
    }

    /// Says which code this is. It is part of the digest, which tells a run that goes on whether the ops have changed
    /// since, and a cache which successes are those of this code. Empty by default.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Adds an op.
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version_text(&self) -> &str {
        &self.version
    }

    pub(crate) fn definitions(&self) -> impl Iterator<Item = &OpDefinition> {
        self.ops.iter().map(|op| &op.definition)
    }

    fn find(&self, name: &str) -> Option<&Op> {
        self.ops.iter().find(|op| op.definition.name == name)
    }
}

impl NativeCode for NativeOps {
    fn run(&self, ports: Ports) -> LocalBoxFuture<'_, Outcome> {
        let call = self.find(&ports.attempt.settings.op.name).map(|op| Arc::clone(&op.call));
        Box::pin(async move {
            let Some(call) = call else {
                let message = "there is no such native op".to_owned();
                return Outcome::Failed(Failure::Host { message });
            };
            run(&*call, ports).await
        })
    }

    fn is_pure(&self, op: &str) -> bool {
        self.find(op).is_some_and(|op| op.pure)
    }
}

/// Runs an attempt by a function.
pub(crate) async fn run(call: &Call, ports: Ports) -> Outcome {
    let stage = Rc::new(Stage::new(ports));
    let context = Context::new(Rc::clone(&stage));
    let running = async move { Contained(Some(call(context))).await };
    let ended = match AssertUnwindSafe(running).catch_unwind().await {
        Ok(ended) => ended.map_err(OpFailure::into_failure),
        Err(payload) => Err(panicked(&*payload)),
    };
    stage.finish(ended)
}

/// A function under way. A panic of its destructors, when it is interrupted, must not reach the worker.
struct Contained(Option<LocalBoxFuture<'static, Result<(), OpFailure>>>);

impl Future for Contained {
    type Output = Result<(), OpFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<Self::Output> {
        match &mut self.0 {
            Some(running) => running.as_mut().poll(cx),
            None => task::Poll::Pending,
        }
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let running = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(running)));
    }
}
