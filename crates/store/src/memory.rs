//! The memory backend: a `BTreeMap` under a mutex.
//!
//! Deterministic (order comes from keys and calls alone) and complete: it is what the simulation
//! and the tests of the layers above run on. A commit is applied at the first poll of its future,
//! so the calling order is the commit order.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;

use crate::StoreError;
use crate::address::Key;
use crate::backend::Backend;
use crate::scan::{Direction, Scan, ScanPage};
use crate::unit::{Outcome, Unit, Write};

#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Key, Bytes>,
    closed: bool,
}

impl Memory {
    fn read<T>(&self, read: impl FnOnce(&BTreeMap<Key, Bytes>) -> T) -> Result<T, StoreError> {
        let state = self.state.lock();
        match state.closed {
            true => Err(StoreError::closed()),
            false => Ok(read(&state.rows)),
        }
    }
}

impl Backend for Memory {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        ready(self.read(|rows| rows.get(key).cloned())).boxed()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        ready(self.read(|rows| keys.iter().map(|key| rows.get(key).cloned()).collect())).boxed()
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<ScanPage, StoreError>> {
        ready(self.read(|rows| page(rows, &scan))).boxed()
    }

    fn commit(&self, units: Vec<Unit>) -> BoxFuture<'_, Vec<Outcome>> {
        async move {
            let mut state = self.state.lock();
            if state.closed {
                return vec![Outcome::Refused(StoreError::closed()); units.len()];
            }
            units
                .into_iter()
                .map(|unit| apply(&mut state.rows, unit))
                .collect()
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.state.lock().closed = true;
        ready(Ok(())).boxed()
    }
}

fn apply(rows: &mut BTreeMap<Key, Bytes>, unit: Unit) -> Outcome {
    let holds = unit
        .expects
        .iter()
        .all(|expect| expect.holds(rows.get(expect.key()).map(|value| &value[..])));
    if !holds {
        return Outcome::Conflict;
    }
    for write in unit.writes {
        match write {
            Write::Put(key, value) => rows.insert(key, value),
            Write::Delete(key) => rows.remove(&key),
        };
    }
    Outcome::Committed
}

fn page(rows: &BTreeMap<Key, Bytes>, scan: &Scan) -> ScanPage {
    let strip = |(key, value): (&Key, &Bytes)| Ok((key.bytes.clone(), value.clone()));
    let range = rows.range(scan.bounds());
    let page: Result<ScanPage, std::convert::Infallible> = match scan.direction {
        Direction::Forward => scan.collect(range.map(strip)),
        Direction::Backward => scan.collect(range.rev().map(strip)),
    };
    match page {
        Ok(page) => page,
    }
}
