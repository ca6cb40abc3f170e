//! Linking components that import capabilities: functions that are not granted are there too, and fail.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use super::{Capabilities, StepData};

/// Stands for the resources of an interface that is not granted. There is never one.
struct Never;

/// A linker with all that a component imports: the functions of the capabilities that are granted, and others that fail
/// instead of the rest.
pub(crate) fn link(
    base: &Linker<StepData>,
    code: &Component,
    capabilities: &Capabilities,
    granted: &[&str],
) -> wasmtime::Result<Linker<StepData>> {
    let mut linker = base.clone();
    let engine = code.engine();
    for (import, item) in code.component_type().imports(engine) {
        let Some(offer) = capabilities.providing(import) else { continue };
        if granted.contains(&offer.name()) {
            continue;
        }
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        let mut instance = linker.instance(import)?;
        for (export, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let refusal = refusal(import, export, offer.name());
                    instance.func_new(export, move |_, _, _, _| {
                        Err(wasmtime::Error::msg(refusal.clone()))
                    })?;
                }
                ComponentItem::Resource(_) => {
                    instance.resource(export, ResourceType::host::<Never>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    for offer in capabilities.iter().filter(|offer| granted.contains(&offer.name())) {
        offer.link(&mut linker)?;
    }
    Ok(linker)
}

fn refusal(interface: &str, function: &str, name: &str) -> String {
    format!(
        "it called `{function}` of `{interface}`, which it is not granted: add `grants.{name}` to the node (while ops are \
         described, nothing is granted)"
    )
}
