//! What can go wrong between one node and the store that all of them share.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_store::{ErrorKind, FaultPlan, StoreError, Unit, UnitFault};
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::executor::Executor;
use crate::random::Random;
use crate::sabotage::Saboteur;

/// How bad the way to the store is. Rates are per thousand.
#[derive(Copy, Clone, Debug, Default)]
pub struct DiskWeather {
    /// Units reported as conflicts for no reason.
    pub conflict: u32,
    /// Units refused.
    pub refused: u32,
    /// Units applied, but reported unknown.
    pub unknown_applied: u32,
    /// Units lost, and reported unknown.
    pub unknown_lost: u32,
    /// Units reported unknown and applied some time later, or never.
    pub unknown_late: u32,
    /// Reads that fail.
    pub read_error: u32,
    /// Syncs that take up to `slow_ms`.
    pub slow_sync: u32,
    /// See `slow_sync`.
    pub slow_ms: u64,
    /// Reads that take a millisecond or so instead of no time.
    pub slow_read: u32,
}

/// An ordinary sync takes up to so long.
const SYNC_US: u64 = 800;
/// A slow read takes up to so long.
const SLOW_READ_US: u64 = 2_000;
/// Late units that land at the next chance, of a thousand.
const LATE_LANDS: u32 = 60;

struct State {
    random: Random,
    weather: DiskWeather,
}

/// The fault plan of one boot of a node.
pub(crate) struct Plan {
    executor: Executor,
    state: Mutex<State>,
    saboteur: Saboteur,
    shards: Shards,
}

/// The shards that anything was written to, for whoever reads the whole disk.
pub(crate) type Shards = Arc<Mutex<BTreeSet<u16>>>;

impl Plan {
    pub(crate) fn new(
        executor: Executor,
        random: Random,
        weather: DiskWeather,
        saboteur: Saboteur,
        shards: Shards,
    ) -> Arc<Self> {
        Arc::new(Self {
            executor,
            state: Mutex::new(State { random, weather }),
            saboteur,
            shards,
        })
    }

    pub(crate) fn weather(&self, weather: DiskWeather) {
        self.state.lock().weather = weather;
    }
}

fn out_of_reach() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "injected: out of reach")
}

impl FaultPlan for Plan {
    fn commit_fault(&self, unit: &Unit) -> UnitFault {
        self.shards.lock().extend(unit.shard().map(|shard| shard.0));
        let mut state = self.state.lock();
        let weather = state.weather;
        let faults = [
            (weather.conflict, UnitFault::Conflict),
            (weather.refused, UnitFault::Refused(out_of_reach())),
            (weather.unknown_applied, UnitFault::UnknownApplied),
            (weather.unknown_lost, UnitFault::UnknownLost),
            (weather.unknown_late, UnitFault::UnknownLate),
        ];
        let mut roll = state.random.below(1_000);
        for (rate, fault) in faults {
            if roll < u64::from(rate) {
                return fault;
            }
            roll -= u64::from(rate);
        }
        self.saboteur.saw(unit);
        UnitFault::None
    }

    fn read_fault(&self) -> Option<StoreError> {
        let mut state = self.state.lock();
        let rate = state.weather.read_error;
        state.random.chance(rate).then(out_of_reach)
    }

    fn read_delay(&self) -> BoxFuture<'static, ()> {
        let mut state = self.state.lock();
        let rate = state.weather.slow_read;
        if state.random.chance(rate) {
            Box::pin(self.executor.sleep(state.random.below(SLOW_READ_US)))
        } else {
            Box::pin(std::future::ready(()))
        }
    }

    fn sync_delay(&self) -> BoxFuture<'static, ()> {
        let mut state = self.state.lock();
        let weather = state.weather;
        let us = match state.random.chance(weather.slow_sync) {
            true => state.random.below(weather.slow_ms * 1_000 + 1),
            false => state.random.below(SYNC_US),
        };
        Box::pin(self.executor.sleep(us))
    }

    fn late_lands(&self, _: &Unit) -> bool {
        self.state.lock().random.chance(LATE_LANDS)
    }

    fn crash_survivors(&self, units: usize) -> usize {
        self.state.lock().random.index(units + 1)
    }
}
