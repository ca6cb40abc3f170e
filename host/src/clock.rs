//! What time it is for a run: that of the machine, or that of a test.

mod fake;

use std::time::Duration;

use tokio::time::Instant;

use crate::run::now_us;

pub use fake::FakeClock;

/// The clock of a run: that of the machine, unless a test gives it another one.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunClock(Option<FakeClock>);

impl RunClock {
    /// The clock of a test, if it is one.
    pub(crate) fn fake(&self) -> Option<&FakeClock> {
        self.0.as_ref()
    }

    pub(crate) fn now(&self) -> Instant {
        self.fake().map_or_else(Instant::now, FakeClock::instant)
    }

    /// Microseconds since 1970-01-01 UTC.
    pub(crate) fn now_us(&self) -> u64 {
        self.fake().map_or_else(now_us, |fake| whole_us(fake.since_1970()))
    }

    /// Waits until something is due in a run of which so many attempts hold a place; `rests` says whether it has taken all
    /// that they reported. It may end too early.
    pub(crate) async fn reached(
        &self,
        due: Option<Instant>,
        places: u32,
        rests: impl Fn() -> bool,
    ) {
        match (self.fake(), due) {
            (Some(fake), due) => fake.reached(due, places, rests).await,
            (None, Some(due)) => tokio::time::sleep_until(due).await,
            (None, None) => std::future::pending().await,
        }
    }
}

impl From<&FakeClock> for RunClock {
    fn from(clock: &FakeClock) -> Self {
        Self(Some(clock.clone()))
    }
}

fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
