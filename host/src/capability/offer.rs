//! Capabilities without their types: what a host has registered, and what an attempt holds of it.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dynhost_graph::grant::{KINDS, Section, SectionMistake};
use dynhost_graph::name::check_name;
use wasmtime::component::Linker;

use super::{Attempt, Capability, StepData};
use crate::component::is_offered;
use crate::host::HostError;

/// A registered capability.
pub(crate) trait Offer: Send + Sync {
    fn name(&self) -> &'static str;
    fn interfaces(&self) -> &'static [&'static str];
    fn pure(&self) -> Option<String>;
    fn link(&self, linker: &mut Linker<StepData>) -> wasmtime::Result<()>;
    /// Checks a section of a manifest or of a policy.
    fn check(&self, section: &Section) -> Result<(), SectionMistake>;
    /// Why the policy does not allow a grant.
    fn allows(&self, rule: &Section, grant: &Section) -> Result<(), String>;
    /// What makes the states of a node's attempts.
    fn give(&self, grant: &Section) -> Result<Maker, SectionMistake>;
}

/// Makes the state of an attempt, as a [`Held`] of its capability.
type Maker = Arc<dyn Fn(&Attempt) -> Result<Box<dyn Any + Send>, String> + Send + Sync>;

struct Registered<C>(Arc<C>);

/// The state that belongs to a capability: two of them may have states of the same type.
struct Held<C: Capability>(C::State, PhantomData<fn() -> C>);

impl<C: Capability> Offer for Registered<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn interfaces(&self) -> &'static [&'static str] {
        C::INTERFACES
    }

    fn pure(&self) -> Option<String> {
        self.0.pure()
    }

    fn link(&self, linker: &mut Linker<StepData>) -> wasmtime::Result<()> {
        self.0.link(linker, |data| data.capabilities().get::<C>())
    }

    fn check(&self, section: &Section) -> Result<(), SectionMistake> {
        section.read::<C::Grant>().map(drop)
    }

    fn allows(&self, rule: &Section, grant: &Section) -> Result<(), String> {
        let read = |section: &Section| section.read().map_err(|mistake| mistake.message);
        self.0.allows(&read(rule)?, &read(grant)?)
    }

    fn give(&self, grant: &Section) -> Result<Maker, SectionMistake> {
        let grant: C::Grant = grant.read()?;
        let capability = Arc::clone(&self.0);
        Ok(Arc::new(move |attempt| match capability.state(&grant, attempt) {
            Ok(state) => Ok(Box::new(Held::<C>(state, PhantomData))),
            Err(why) => Err(format!("the capability `{}` cannot serve it: {why}", C::NAME)),
        }))
    }
}

/// The capabilities of a host.
#[derive(Clone, Default)]
pub(crate) struct Capabilities(Vec<Arc<dyn Offer>>);

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Capabilities {
    pub(crate) fn add(&mut self, capability: impl Capability) {
        self.0.push(Arc::new(Registered(Arc::new(capability))));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Offer>> {
        self.0.iter()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|offer| offer.name())
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<dyn Offer>> {
        self.0.iter().find(|offer| offer.name() == name)
    }

    /// The one that provides what a component imports under this name.
    pub(crate) fn providing(&self, import: &str) -> Option<&Arc<dyn Offer>> {
        let provides = |offer: &&Arc<dyn Offer>| {
            offer.interfaces().iter().any(|interface| track(interface) == track(import))
        };
        self.0.iter().find(provides)
    }

    /// Those whose interfaces are among these imports.
    pub(crate) fn imported_by(&self, imports: &[String]) -> Self {
        let imported = |offer: &&Arc<dyn Offer>| {
            imports
                .iter()
                .filter_map(|import| self.providing(import))
                .any(|one| one.name() == offer.name())
        };
        Self(self.0.iter().filter(imported).cloned().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names with what they provide, for people.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        let of = |offer: &Arc<dyn Offer>| {
            format!("{} ({})", offer.name(), offer.interfaces().join(", "))
        };
        self.0.iter().map(of).collect()
    }

    /// Checks what they say of themselves.
    pub(crate) fn check(&self) -> Result<(), HostError> {
        for (at, offer) in self.0.iter().enumerate() {
            let refuse = |why| Err(HostError::Capability { name: offer.name(), why });
            if let Err(error) = check_name(offer.name()) {
                return refuse(format!("its name is none: {error}"));
            }
            if KINDS.contains(&offer.name()) {
                return refuse("`grants` has a key of that name already".to_owned());
            }
            if self.0[..at].iter().any(|other| other.name() == offer.name()) {
                return refuse("another one has the same name".to_owned());
            }
            if offer.interfaces().is_empty() {
                return refuse("it names no interface".to_owned());
            }
            let before = Self(self.0[..at].to_vec());
            for interface in offer.interfaces() {
                if is_offered(interface) {
                    return refuse(format!("the host itself provides `{interface}`"));
                }
                if let Some(other) = before.providing(interface) {
                    return refuse(format!("`{}` provides `{interface}` too", other.name()));
                }
            }
        }
        Ok(())
    }
}

/// An interface name without what may differ between compatible versions, as wasmtime compares them.
fn track(name: &str) -> (&str, &str) {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    let end = match (version.contains(['-', '+']), version.split('.').next(), version.get(..4)) {
        (true, ..) | (_, _, Some("0.0.")) => None,
        (_, Some("0"), _) => dots.nth(1),
        _ => dots.next(),
    };
    (interface, &version[..end.unwrap_or(version.len())])
}

/// What a node is granted of the capabilities that its component imports.
#[derive(Clone, Default)]
pub struct Granted(Vec<(&'static str, Maker)>);

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Granted {
    pub(crate) fn add(
        &mut self,
        offer: &dyn Offer,
        section: &Section,
    ) -> Result<(), SectionMistake> {
        self.0.push((offer.name(), offer.give(section)?));
        Ok(())
    }

    /// The names of the capabilities.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// The states of an attempt; none where nothing is granted, which costs nothing.
    pub(crate) fn states(&self, attempt: &Attempt) -> Result<States, String> {
        self.0.iter().map(|(_, make)| make(attempt)).collect::<Result<_, _>>().map(States)
    }
}

/// What one attempt holds, of each capability that it is granted.
pub(crate) struct States(Vec<Box<dyn Any + Send>>);

impl States {
    /// The state of a capability, whose functions are linked only where there is one.
    fn get<C: Capability>(&mut self) -> &mut C::State {
        let held = self.0.iter_mut().find_map(|state| state.downcast_mut::<Held<C>>());
        &mut held.expect("functions are linked where there is a state").0
    }
}

impl Drop for States {
    fn drop(&mut self) {
        for state in self.0.drain(..) {
            // An interrupted step is dropped by its worker, which must live on. Whoever wants to hear of the panic has
            // set a hook.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(state)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::track;

    #[test]
    fn versions_are_compatible_as_wasmtime_has_it() {
        let same = |one: &str, other: &str| {
            track(&format!("a:b/c@{one}")) == track(&format!("a:b/c@{other}"))
        };
        assert!(same("0.1.0", "0.1.7"));
        assert!(same("1.2.0", "1.9.3"));
        assert!(!same("0.1.0", "0.2.0"));
        assert!(!same("0.0.1", "0.0.2"));
        assert!(!same("1.0.0-rc.1", "1.0.0"));
        assert!(!same("1.0.0", "2.0.0"));
        assert_eq!(track("a:b/c"), ("a:b/c", ""));
    }
}
