//! The capability: the interface `shop:orders/lookup`, and who may look up what.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use dynhost::capability::{Attempt, Capability, StepData};
use dynhost::wasmtime;
use dynhost::wasmtime::component::{HasSelf, Linker};
use serde::Deserialize;

use self::shop::orders::lookup::{self, Order};

wasmtime::component::bindgen!({
    path: "guest/wit",
    world: "ops",
    wasmtime_crate: dynhost::wasmtime,
    imports: { default: async },
});

/// All orders. A real shop has a pool of connections here.
#[derive(Debug, Default)]
pub(crate) struct Orders(Arc<Database>);

#[derive(Debug, Default)]
struct Database;

/// `grants.orders` of a node, and of the operator's policy.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    shops: BTreeSet<String>,
    #[serde(default = "hundred")]
    max_lookups: u32,
}

fn hundred() -> u32 {
    100
}

/// What one attempt at a step holds.
pub(crate) struct Visit {
    database: Arc<Database>,
    shops: BTreeSet<String>,
    lookups_left: u32,
}

impl Capability for Orders {
    const NAME: &'static str = "orders";
    const INTERFACES: &'static [&'static str] = &["shop:orders/lookup@0.1.0"];
    type Grant = Grant;
    type State = Visit;

    fn link(
        &self,
        linker: &mut Linker<StepData>,
        state: fn(&mut StepData) -> &mut Visit,
    ) -> wasmtime::Result<()> {
        lookup::add_to_linker::<_, HasSelf<Visit>>(linker, state)
    }

    fn state(&self, grant: &Grant, _: &Attempt) -> Result<Visit, Box<dyn Error + Send + Sync>> {
        let (shops, lookups_left) = (grant.shops.clone(), grant.max_lookups);
        Ok(Visit { database: Arc::clone(&self.0), shops, lookups_left })
    }

    fn allows(&self, rule: &Grant, grant: &Grant) -> Result<(), String> {
        if let Some(shop) = grant.shops.difference(&rule.shops).next() {
            return Err(format!("it has no shop `{shop}`"));
        }
        if grant.max_lookups > rule.max_lookups {
            return Err(format!("it has `max_lookups` of {} at most", rule.max_lookups));
        }
        Ok(())
    }
}

impl Visit {
    fn check(&self, shop: &str) -> Result<(), String> {
        if self.shops.contains(shop) {
            return Ok(());
        }
        Err(format!("the shop `{shop}` is not granted"))
    }
}

impl lookup::Host for Visit {
    async fn numbers(&mut self, shop: String) -> Result<Vec<u64>, String> {
        self.check(&shop)?;
        Ok(self.database.numbers(&shop).await)
    }

    async fn find(&mut self, shop: String, number: u64) -> Result<Order, String> {
        self.check(&shop)?;
        self.lookups_left =
            self.lookups_left.checked_sub(1).ok_or("this step has looked up enough")?;
        let order = self.database.find(&shop, number).await;
        order.ok_or_else(|| format!("the shop `{shop}` has no order {number}"))
    }
}

impl Database {
    async fn numbers(&self, shop: &str) -> Vec<u64> {
        let numbers = (1..).map_while(|number| order(shop, number).map(|_| number));
        tokio::task::yield_now().await;
        numbers.collect()
    }

    async fn find(&self, shop: &str, number: u64) -> Option<Order> {
        tokio::task::yield_now().await;
        order(shop, number)
    }
}

fn order(shop: &str, number: u64) -> Option<Order> {
    let (customer, cents, paid) = match (shop, number) {
        ("north", 1) => ("Ada", 1250, false),
        ("north", 2) => ("Alan", 730, true),
        ("north", 3) => ("Grace", 9900, false),
        ("south", 1) => ("Edsger", 100, false),
        _ => return None,
    };
    Some(Order { customer: customer.to_owned(), cents, paid })
}
