//! A store that fails on command, for the simulation.
//!
//! [`Store::faulty`] wraps a store and lets a [`FaultPlan`] decide, unit by unit, what goes wrong.
//! The wrapper has no randomness, clock or task of its own: the plan brings them, so a run is
//! replayed by replaying the plan.
//!
//! The inner store plays the disk (or the database server) and survives; a wrapper plays one
//! process's way to it. Several nodes of a cluster are several wrappers of one inner store, each
//! with its plan. Closing a wrapper closes that way only.
//!
//! # What a crash loses
//!
//! A commit is in flight until its sync delay is over: nobody can read its units, and nobody has
//! been told about them. [`Faults::crash`] ends all commits in flight: of each, a leading part
//! chosen by the plan reaches the inner store and the rest is gone for ever. A commit whose future
//! is dropped stays in flight. Hence the one promise the wrapper never breaks: what was reported
//! [`Outcome::Committed`] is in the inner store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;

use crate::address::Key;
use crate::backend::Backend;
use crate::scan::{Scan, ScanPage};
use crate::unit::{Outcome, Unit};
use crate::{ErrorKind, Store, StoreError};

/// What happens to a unit.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum UnitFault {
    /// Nothing special.
    None,
    /// Reported as a conflict though its expectations may hold; not applied.
    Conflict,
    /// Refused with this error; not applied.
    Refused(StoreError),
    /// Judged and applied as usual, reported unknown.
    UnknownApplied,
    /// Not applied, reported unknown.
    UnknownLost,
    /// Reported unknown at once; judged and applied when the plan lets it land, or never.
    UnknownLate,
}

/// Decides what goes wrong, and when. Methods are called in a deterministic order; every default
/// means "nothing goes wrong".
pub trait FaultPlan: Send + Sync + 'static {
    /// The fate of one unit; asked once for each, in the order of the commit.
    fn commit_fault(&self, unit: &Unit) -> UnitFault {
        let _ = unit;
        UnitFault::None
    }

    /// An error to answer to a `get`, `get_many` or `scan`.
    fn read_fault(&self) -> Option<StoreError> {
        None
    }

    /// How long a read takes.
    fn read_delay(&self) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }

    /// How long the sync of one commit takes. Commits with different delays overtake each other.
    fn sync_delay(&self) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }

    /// Whether a late unit lands now; asked for each before every later commit.
    fn late_lands(&self, unit: &Unit) -> bool {
        let _ = unit;
        true
    }

    /// How many leading units, of `units` in flight in one commit, survive a crash.
    fn crash_survivors(&self, units: usize) -> usize {
        let _ = units;
        0
    }
}

/// The hand on the switch of a faulty store.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    /// The process dies: commits in flight keep only what the plan lets survive, late units are
    /// lost, and commits still awaited answer [`Outcome::Unknown`]. The store itself stays usable,
    /// as if reopened.
    pub async fn crash(&self) {
        let (flights, late) = {
            let mut state = self.shared.state.lock();
            (
                std::mem::take(&mut state.flights),
                std::mem::take(&mut state.late),
            )
        };
        drop(late);
        for units in flights.into_values() {
            let survivors = self.shared.plan.crash_survivors(units.len());
            self.apply(units.into_iter().take(survivors)).await;
        }
    }

    /// Lets everything land that is late or was abandoned in flight by a dropped future.
    pub async fn settle(&self) {
        let (late, abandoned) = {
            let mut state = self.shared.state.lock();
            let abandoned = std::mem::take(&mut state.abandoned);
            let units: Vec<Unit> = abandoned
                .into_iter()
                .filter_map(|id| state.flights.remove(&id))
                .flatten()
                .collect();
            (std::mem::take(&mut state.late), units)
        };
        self.apply(abandoned.into_iter().chain(late)).await;
    }

    /// Units that are late and have not landed.
    pub fn late(&self) -> usize {
        self.shared.state.lock().late.len()
    }

    async fn apply(&self, units: impl Iterator<Item = Unit>) {
        // Expectations are judged now; a unit that lost its race leaves no trace.
        self.shared.inner.commit(units.collect()).await;
    }
}

struct Shared {
    inner: Store,
    plan: Arc<dyn FaultPlan>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Commits whose sync is not over, by number.
    flights: BTreeMap<u64, Vec<Unit>>,
    /// Flights that nobody awaits any more.
    abandoned: Vec<u64>,
    next_flight: u64,
    /// Units reported unknown that may land later.
    late: Vec<Unit>,
    closed: bool,
}

struct Faulty(Arc<Shared>);

impl Store {
    /// Wraps a store so that `plan` decides what fails. The second value crashes and settles it.
    pub fn faulty(inner: Store, plan: Arc<dyn FaultPlan>) -> (Store, Faults) {
        let shared = Arc::new(Shared {
            inner,
            plan,
            state: Mutex::default(),
        });
        let faults = Faults {
            shared: Arc::clone(&shared),
        };
        (Store::from_backend(Faulty(shared)), faults)
    }
}

impl Shared {
    async fn before_read(&self) -> Result<(), StoreError> {
        self.plan.read_delay().await;
        if self.state.lock().closed {
            return Err(StoreError::closed());
        }
        self.plan.read_fault().map_or(Ok(()), Err)
    }

    async fn land_late_units(&self) {
        let landing: Vec<Unit> = {
            let mut state = self.state.lock();
            let (landing, waiting): (Vec<Unit>, Vec<Unit>) = std::mem::take(&mut state.late)
                .into_iter()
                .partition(|unit| self.plan.late_lands(unit));
            state.late = waiting;
            landing
        };
        self.inner.commit(landing).await;
    }

    async fn commit(&self, units: Vec<Unit>) -> Vec<Outcome> {
        if self.state.lock().closed {
            return vec![Outcome::Refused(StoreError::closed()); units.len()];
        }
        self.land_late_units().await;
        let fates: Vec<UnitFault> = units
            .iter()
            .map(|unit| self.plan.commit_fault(unit))
            .collect();
        let mut flying = Vec::new();
        let mut late = Vec::new();
        for (unit, fate) in units.into_iter().zip(&fates) {
            match fate {
                UnitFault::None | UnitFault::UnknownApplied => flying.push(unit),
                UnitFault::UnknownLate => late.push(unit),
                UnitFault::Conflict | UnitFault::Refused(_) | UnitFault::UnknownLost => {}
            }
        }
        let flight = Flight::take_off(self, flying);
        self.plan.sync_delay().await;
        let landed = match flight.land() {
            Some(flying) => {
                self.state.lock().late.extend(late);
                self.inner.commit(flying).await
            }
            None => Vec::new(),
        };
        report(fates, landed)
    }
}

/// Turns fates and the inner store's outcomes into the answer. `landed` is empty after a crash.
fn report(fates: Vec<UnitFault>, landed: Vec<Outcome>) -> Vec<Outcome> {
    let mut landed = landed.into_iter();
    fates
        .into_iter()
        .map(|fate| match fate {
            UnitFault::None => landed.next().unwrap_or_else(unknown),
            UnitFault::UnknownApplied => {
                landed.next();
                unknown()
            }
            UnitFault::Conflict => Outcome::Conflict,
            UnitFault::Refused(error) => Outcome::Refused(error),
            UnitFault::UnknownLost | UnitFault::UnknownLate => unknown(),
        })
        .collect()
}

fn unknown() -> Outcome {
    Outcome::Unknown(StoreError::new(
        ErrorKind::Unavailable,
        "injected: the connection broke before the answer",
    ))
}

/// A commit between being written and being synced; abandoned, not undone, when dropped.
struct Flight<'a> {
    shared: &'a Shared,
    id: u64,
}

impl<'a> Flight<'a> {
    fn take_off(shared: &'a Shared, units: Vec<Unit>) -> Flight<'a> {
        let mut state = shared.state.lock();
        let id = state.next_flight;
        state.next_flight += 1;
        state.flights.insert(id, units);
        Flight { shared, id }
    }

    /// The units, unless a crash took them.
    fn land(self) -> Option<Vec<Unit>> {
        self.shared.state.lock().flights.remove(&self.id)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if state.flights.contains_key(&self.id) {
            state.abandoned.push(self.id);
        }
    }
}

impl Backend for Faulty {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        async move {
            self.0.before_read().await?;
            self.0.inner.get(key).await
        }
        .boxed()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        async move {
            self.0.before_read().await?;
            self.0.inner.get_many(keys).await
        }
        .boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<ScanPage, StoreError>> {
        async move {
            self.0.before_read().await?;
            self.0.inner.scan(scan).await
        }
        .boxed()
    }

    fn commit(&self, units: Vec<Unit>) -> BoxFuture<'_, Vec<Outcome>> {
        self.0.commit(units).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.state.lock().closed = true;
        ready(Ok(())).boxed()
    }
}
