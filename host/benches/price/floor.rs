//! The floor: for each clone a store, an instance, one call and nothing else, on as many threads as the host has workers.

use std::path::Path;

use dynhost::component::{Recipe, componentize};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Linker, Lower, Resource,
    ResourceType,
};
use wasmtime::{Config, Engine, Store};

use crate::cases::{Case, Feed, Shaped};

#[derive(ComponentType, Lower, Lift, Clone)]
#[component(record)]
struct Value {
    #[component(name = "media-type")]
    media_type: String,
    data: Vec<u8>,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
struct ValueIn<'a> {
    #[component(name = "media-type")]
    media_type: &'a str,
    data: &'a [u8],
}

/// Stands for the handle that no measured op takes.
struct Collected;

#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the cases are part of the type")]
enum InputIn<'a> {
    #[component(name = "single")]
    Single(ValueIn<'a>),
    #[component(name = "many")]
    Many(&'a [ValueIn<'a>]),
    #[component(name = "collected")]
    Collected(Resource<Collected>),
    #[component(name = "absent")]
    Absent,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Output {
    #[component(name = "name")]
    _name: String,
    #[component(name = "mapping-key")]
    _mapping_key: Option<String>,
    value: Value,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
struct Detail {
    #[component(name = "message")]
    _message: String,
    #[component(name = "detail")]
    _detail: Option<DetailValue>,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
struct DetailValue {
    #[component(name = "media-type")]
    _media_type: String,
    #[component(name = "data")]
    _data: Vec<u8>,
}

#[derive(ComponentType, Lift, Debug)]
#[component(variant)]
enum Failure {
    #[component(name = "permanent")]
    Permanent(#[expect(dead_code, reason = "only shown")] Detail),
    #[component(name = "transient")]
    Transient(#[expect(dead_code, reason = "only shown")] Detail),
    #[component(name = "retry-after")]
    RetryAfter(#[expect(dead_code, reason = "only shown")] (Detail, u64)),
}

type Called = (Result<Vec<Output>, Failure>,);

/// A bare wasmtime loop over a component: instances and calls, on threads, and nothing else.
pub(crate) struct Floor {
    engine: Engine,
    pre: InstancePre<()>,
    run: ComponentExportIndex,
}

impl Floor {
    pub(crate) fn new(wasm: &Path, config: &Config) -> Result<Self, Box<dyn std::error::Error>> {
        let engine = Engine::new(config)?;
        let bytes = std::fs::read(wasm)?;
        let component = if wasmparser::Parser::is_component(&bytes) {
            Component::from_binary(&engine, &bytes)?
        } else {
            Component::from_binary(&engine, &componentize(wasm, &Recipe::default())?)?
        };
        let mut linker = Linker::new(&engine);
        linker.instance("dynhost:op/inputs@0.1.0")?.resource(
            "collected",
            ResourceType::host::<Collected>(),
            |_, _| Ok(()),
        )?;
        linker.define_unknown_imports_as_traps(&component)?;
        let pre = linker.instantiate_pre(&component)?;
        let interface = component
            .get_export_index(None, "dynhost:op/op@0.1.0")
            .ok_or("the component exports no op")?;
        let run = component
            .get_export_index(Some(&interface), "run")
            .ok_or("the component exports no run")?;
        Ok(Self { engine, pre, run })
    }

    /// Runs all clones of a case, an equal part on each thread.
    pub(crate) fn run(&self, case: &Case) -> wasmtime::Result<()> {
        let workers = case.place.workers();
        std::thread::scope(|scope| {
            let part = || self.clones(case.shaped, case.shaped.clones() / u64::from(workers));
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(part)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(wasmtime::Error::msg("the loop panicked")))
            })
        })
    }

    fn clones(&self, case: &Shaped, count: u64) -> wasmtime::Result<()> {
        let (media_type, data) = match case.feed {
            Feed::Blob(bytes) => ("application/octet-stream", vec![b'x'; bytes]),
            Feed::Number(number) => ("application/json", number.to_string().into_bytes()),
        };
        for _ in 0..count {
            let mut store = Store::new(&self.engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            let instance = self.pre.instantiate(&mut store)?;
            let run = instance
                .get_typed_func::<(&str, &[(&str, InputIn<'_>)]), Called>(&mut store, &self.run)?;
            let value = ValueIn { media_type, data: &data };
            let inputs = [(case.input, InputIn::Single(value))];
            let (outputs,) = run.call(&mut store, (case.op, &inputs))?;
            let outputs = outputs
                .map_err(|failure| wasmtime::Error::msg(format!("the op failed: {failure:?}")))?;
            std::hint::black_box(&outputs[0].value.data);
        }
        Ok(())
    }
}
