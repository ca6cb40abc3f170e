//! Interfaces that your program offers to components, beside the op interface and WASI.
//!
//! A [`Capability`] is one or more WIT interfaces with what stands behind them: how they are linked, what a node is granted
//! of them, and what one attempt at a step holds. [`HostBuilder::capability`](crate::HostBuilder::capability) registers it;
//! components may then import the interfaces, and a node whose component does is granted what it may do there under
//! `grants.NAME`. Without a grant every call fails. The page `docs/capabilities.md` has a whole example.
//!
//! A component that imports no capability is linked and run as if there were none.

mod check;
mod link;
mod offer;

use std::error::Error;

use serde::de::DeserializeOwned;
use wasmtime::component::Linker;

pub use crate::executor::Attempt;
pub use crate::instance::State as StepData;

pub(crate) use check::{of_job, of_manifest, pure, refusals};
pub(crate) use link::link;
pub use offer::Granted;
pub(crate) use offer::{Capabilities, States};

/// Interfaces that a program offers to the components of its jobs.
///
/// The value itself is shared by all runs of a host: it holds what is made once, such as a pool of connections. What
/// belongs to one attempt at a step is [`Capability::State`].
pub trait Capability: Send + Sync + 'static {
    /// The key under `grants`, in manifests and in the operator's policy: a letter, then letters, digits, `_` or `-`.
    const NAME: &'static str;

    /// The WIT interfaces, with their versions: `shop:orders/lookup@0.1.0`. As everywhere in wasmtime, a component may
    /// import another version that is compatible by its number. Interfaces that share a resource belong to one capability.
    const INTERFACES: &'static [&'static str];

    /// What `grants.NAME` holds, and the section of that name in the operator's policy. With
    /// `#[serde(deny_unknown_fields)]` a misspelt key is a mistake; with `#[serde(try_from = "…")]` values are checked. What
    /// serde says is shown with the place in the manifest.
    type Grant: DeserializeOwned + PartialEq + Send + Sync + 'static;

    /// What one attempt at a step holds, from before its instance is made until the instance is gone. No two attempts share
    /// one. It may be dropped at any moment, while a call waits; dropping it must not block.
    type State: Send + 'static;

    /// Adds all functions of the interfaces. `state` is what a function finds its attempt's state with; for the
    /// `add_to_linker` that [`bindgen!`](wasmtime::component::bindgen) makes, it is the getter:
    /// `lookup::add_to_linker::<_, HasSelf<Self::State>>(linker, state)`.
    ///
    /// This is called when a host is built and when a component is linked, not for each step.
    ///
    /// # Errors
    /// wasmtime refuses a definition, such as a name that is taken.
    fn link(
        &self,
        linker: &mut Linker<StepData>,
        state: fn(&mut StepData) -> &mut Self::State,
    ) -> wasmtime::Result<()>;

    /// The state of an attempt whose node has this grant. It is made on a worker of the host, and must not block.
    ///
    /// # Errors
    /// The attempt cannot begin. What is said here fails it.
    fn state(
        &self,
        grant: &Self::Grant,
        attempt: &Attempt,
    ) -> Result<Self::State, Box<dyn Error + Send + Sync>>;

    /// Whether the operator's policy, whose section is `rule`, allows this grant. By default the two must be equal. It is
    /// not asked where the policy says nothing of grants, and where it lacks the section the grant is refused.
    ///
    /// # Errors
    /// It does not; why, in a few words.
    fn allows(&self, rule: &Self::Grant, grant: &Self::Grant) -> Result<(), String> {
        if rule == grant { Ok(()) } else { Err("it allows another grant only".to_owned()) }
    }

    /// Says that all that the functions give follows from the grant and their arguments, so that successes of steps that
    /// use them may be reused: a name for the version of the functions, which is a part of what a success is kept under. By
    /// default they are not pure.
    fn pure(&self) -> Option<String> {
        None
    }
}
