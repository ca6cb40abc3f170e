//! What a guest can call: the interfaces of `wit/op.wit`, and WASI for those that import it.

use std::borrow::Cow;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::gate::{Checked, Offer, Refusal};
use super::{Asked, State, wasi};
use crate::wit::{
    CollectedMarker, ElementIn, EmitError, INPUTS, LevelOut, OUTPUTS, OutputInPlace, STEP, TYPES,
};

/// What an element costs the host beside its value and key, in bytes.
const ELEMENT_COST: usize = 128;
/// Bytes of values that one call of `collected.next` hands to a guest.
const BATCH_BYTES: usize = 4 << 20;

/// Makes a linker that holds everything a component of ops may import.
pub(crate) fn link(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES)?;
    outputs(&mut linker)?;
    inputs(&mut linker)?;
    step(&mut linker)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

fn outputs(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(OUTPUTS)?.func_wrap_async("emit", emit)
}

type Emitting<'a> =
    Box<dyn Future<Output = wasmtime::Result<(Result<(), EmitError>,)>> + Send + 'a>;

fn emit(mut store: StoreContextMut<'_, State>, (output,): (OutputInPlace,)) -> Emitting<'_> {
    Box::new(async move {
        let checked = check(&store, &output)?;
        let state = store.data_mut();
        let op = &state.attempt.settings.op;
        match checked.and_then(|checked| state.gate.accept(op, checked)) {
            Ok(None) => {}
            Ok(Some(emitted)) => {
                let bytes = emitted.value.data.len() as u64;
                if let Some(wait) = state.port.emitted(emitted.into(), bytes) {
                    wait.await;
                }
            }
            Err(refusal) => {
                return match state.gate.refuse(refusal) {
                    Some(answer) => Ok((Err(answer),)),
                    None => Err(wasmtime::Error::msg("the output was refused")),
                };
            }
        }
        Ok((Ok(()),))
    })
}

/// Checks an output where it lies in the guest's memory, and copies it out.
fn check(
    store: &StoreContextMut<'_, State>,
    output: &OutputInPlace,
) -> wasmtime::Result<Result<Checked, Refusal>> {
    let name = output.name.to_str(store)?;
    let key = output.mapping_key.as_ref().map(|key| key.to_str(store)).transpose()?;
    let media_type = output.value.media_type.to_str(store)?;
    let state = store.data();
    let offer = Offer {
        name: &name,
        key: key.as_deref(),
        media_type: &media_type,
        data: Cow::Borrowed(output.value.data.as_le_slice(store)),
    };
    Ok(state.gate.check(&state.attempt.settings, offer))
}

/// A guest's handle on a collected input.
type Handle = Resource<CollectedMarker>;

fn inputs(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut inputs = linker.instance(INPUTS)?;
    // The list belongs to the step, so there is nothing to free with the handle.
    inputs.resource("collected", ResourceType::host::<CollectedMarker>(), |_, _| Ok(()))?;
    inputs.func_wrap(
        "[method]collected.len",
        |store: StoreContextMut<'_, State>, (handle,): (Handle,)| {
            let cursor = &store.data().collected[handle.rep() as usize];
            Ok((cursor.list.elements.len() as u64,))
        },
    )?;
    inputs.func_wrap(
        "[method]collected.next",
        |mut store: StoreContextMut<'_, State>, (handle, max): (Handle, u32)| {
            let cursor = &mut store.data_mut().collected[handle.rep() as usize];
            Ok((cursor.pull(max as usize),))
        },
    )?;
    inputs.func_wrap(
        "[method]collected.failed-keys",
        |store: StoreContextMut<'_, State>, (handle,): (Handle,)| {
            let cursor = &store.data().collected[handle.rep() as usize];
            let keys: Vec<String> = cursor.list.failed.iter().map(ToString::to_string).collect();
            Ok((keys,))
        },
    )
}

impl super::Cursor {
    /// The next elements: `max` at most, and no more bytes than a batch may have.
    fn pull(&mut self, max: usize) -> Vec<ElementIn> {
        let mut bytes = 0;
        let mut elements = Vec::new();
        for element in self.list.elements[self.next..].iter().take(max.max(1)) {
            bytes += element.value.data.len() + element.key.as_str().len() + ELEMENT_COST;
            if bytes > BATCH_BYTES && !elements.is_empty() {
                break;
            }
            elements.push(ElementIn::new(element));
        }
        self.next += elements.len();
        elements
    }
}

type Store<'a> = StoreContextMut<'a, State>;

fn step(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut step = linker.instance(STEP)?;
    step.func_wrap("run-id", |store: Store<'_>, (): ()| {
        store.data().attempt.asked.note(Asked::RUN);
        Ok((store.data().attempt.settings.run.to_string(),))
    })?;
    step.func_wrap("step-key", |store: Store<'_>, (): ()| {
        store.data().attempt.asked.note(Asked::STEP);
        Ok((store.data().attempt.step.to_string(),))
    })?;
    step.func_wrap("mapping-keys", |store: Store<'_>, (): ()| {
        store.data().attempt.asked.note(Asked::STEP);
        let keys = store.data().attempt.step.keys.keys();
        Ok((keys.iter().map(ToString::to_string).collect::<Vec<String>>(),))
    })?;
    step.func_wrap("attempt", |store: Store<'_>, (): ()| {
        store.data().attempt.asked.note(Asked::STEP);
        Ok((store.data().attempt.number,))
    })?;
    step.func_wrap("config", |store: Store<'_>, (): ()| {
        Ok((store.data().attempt.settings.config.to_string(),))
    })?;
    step.func_wrap(
        "log",
        |mut store: Store<'_>,
         (level, message, fields): (LevelOut, String, Vec<(String, String)>)| {
            store.data_mut().log(level.into(), message, fields);
            Ok(())
        },
    )?;
    step.func_wrap("progress", |mut store: Store<'_>, (done, total): (u64, Option<u64>)| {
        store.data_mut().progress(done, total);
        Ok(())
    })
}
