//! The capability of these tests: orders of shops, which a node is granted by name.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dynhost::capability::{Attempt, Capability, StepData};
use dynhost::wasmtime;
use dynhost::wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use serde::Deserialize;

use self::shop::orders::{lookup, trouble};

wasmtime::component::bindgen!({
    path: "guests/orders/wit",
    world: "shopper",
    wasmtime_crate: dynhost::wasmtime,
    imports: {
        "shop:orders/trouble.wait": async,
        default: trappable,
    },
    with: { "shop:orders/trouble.order": Order },
});

/// Orders of shops. The total of an order is the number behind its last `-`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shop {
    pub(crate) pure: Option<&'static str>,
    pub(crate) counts: Arc<Counts>,
}

/// What happened to the states of all attempts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) made: AtomicU64,
    pub(crate) gone: AtomicU64,
    pub(crate) waiting: AtomicU64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    shops: BTreeSet<String>,
    #[serde(default)]
    closed: bool,
}

/// One attempt.
pub(crate) struct Visit {
    shops: BTreeSet<String>,
    calls: u32,
    open: ResourceTable,
    counts: Arc<Counts>,
}

#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Order;

impl Drop for Visit {
    fn drop(&mut self) {
        self.counts.gone.fetch_add(1, Ordering::Relaxed);
    }
}

impl Capability for Shop {
    const NAME: &'static str = "orders";
    const INTERFACES: &'static [&'static str] =
        &["shop:orders/lookup@0.1.0", "shop:orders/trouble@0.1.0"];
    type Grant = Grant;
    type State = Visit;

    fn link(
        &self,
        linker: &mut Linker<StepData>,
        state: fn(&mut StepData) -> &mut Visit,
    ) -> wasmtime::Result<()> {
        lookup::add_to_linker::<_, HasSelf<Visit>>(linker, state)?;
        trouble::add_to_linker::<_, HasSelf<Visit>>(linker, state)
    }

    fn state(
        &self,
        grant: &Grant,
        attempt: &Attempt,
    ) -> Result<Visit, Box<dyn Error + Send + Sync>> {
        if grant.closed {
            return Err("the shops are closed".into());
        }
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        let mut open = ResourceTable::new();
        open.set_max_capacity(usize::try_from(attempt.limits().resources)?);
        let counts = Arc::clone(&self.counts);
        Ok(Visit { shops: grant.shops.clone(), calls: 0, open, counts })
    }

    fn allows(&self, rule: &Grant, grant: &Grant) -> Result<(), String> {
        match grant.shops.difference(&rule.shops).next() {
            None => Ok(()),
            Some(shop) => Err(format!("it has no shop `{shop}`")),
        }
    }

    fn pure(&self) -> Option<String> {
        self.pure.map(str::to_owned)
    }
}

impl lookup::Host for Visit {
    fn find(&mut self, id: String) -> wasmtime::Result<Result<u64, String>> {
        self.calls += 1;
        let (shop, number) = id.split_once('-').unwrap_or((&id, ""));
        if !self.shops.contains(shop) {
            return Ok(Err(format!("shop `{shop}` is not granted")));
        }
        Ok(number.parse().map_err(|_| format!("there is no order `{id}`")))
    }

    fn calls(&mut self) -> wasmtime::Result<u32> {
        Ok(self.calls)
    }
}

impl trouble::Host for Visit {
    fn fail(&mut self) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("the database of the shop is down"))
    }

    fn panic(&mut self) -> wasmtime::Result<()> {
        panic!("the shop has burnt down")
    }

    async fn wait(&mut self) {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    }

    fn take(&mut self, bytes: Vec<u8>) -> wasmtime::Result<u64> {
        Ok(bytes.len() as u64)
    }
}

impl trouble::HostOrder for Visit {
    fn new(&mut self) -> wasmtime::Result<Resource<Order>> {
        Ok(self.open.push(Order)?)
    }

    fn drop(&mut self, order: Resource<Order>) -> wasmtime::Result<()> {
        self.open.delete(order)?;
        Ok(())
    }
}
