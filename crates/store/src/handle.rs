//! The handle that callers hold: checks arguments, then asks the backend.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::address::Key;
use crate::backend::Backend;
use crate::memory::Memory;
use crate::scan::{Scan, ScanPage};
use crate::unit::{Outcome, Unit};
use crate::{ErrorKind, StoreError};

/// Most keys of one [`Store::get_many`].
pub const GET_MANY_MAX: usize = 4096;

/// Most bytes of the units of one [`Store::commit`].
pub const COMMIT_BYTES_MAX: usize = 64 << 20;

/// A store. Cloning it is cheap and gives another handle to the same data.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
}

impl Store {
    pub(crate) fn from_backend(backend: impl Backend) -> Store {
        Store {
            backend: Arc::new(backend),
        }
    }

    /// An empty store in memory: deterministic, nothing outlives it.
    pub fn memory() -> Store {
        Store::from_backend(Memory::default())
    }

    /// The newest visible value of a key.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        key.check()?;
        self.backend.get(key).await
    }

    /// The values of up to [`GET_MANY_MAX`] keys, in the order asked for.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.len() > GET_MANY_MAX {
            return Err(StoreError::new(
                ErrorKind::Invalid,
                format!("{} keys at once, the limit is {GET_MANY_MAX}", keys.len()),
            ));
        }
        for key in keys {
            key.check()?;
        }
        self.backend.get_many(keys).await
    }

    /// One page of a range: a consistent view of it.
    pub async fn scan(&self, scan: Scan) -> Result<ScanPage, StoreError> {
        scan.check()?;
        if scan.is_empty_range() {
            return Ok(ScanPage::default());
        }
        self.backend.scan(scan).await
    }

    /// Applies units in order and makes them durable; answers one outcome per unit, in order.
    /// The guarantees are in the crate documentation. A unit that breaks a limit is refused alone;
    /// more than [`COMMIT_BYTES_MAX`] in all are refused together.
    pub async fn commit(&self, units: Vec<Unit>) -> Vec<Outcome> {
        if units.is_empty() {
            return Vec::new();
        }
        let bytes: usize = units.iter().map(Unit::bytes).sum();
        if bytes > COMMIT_BYTES_MAX {
            let error = StoreError::new(
                ErrorKind::Invalid,
                format!("{bytes} bytes at once, the limit is {COMMIT_BYTES_MAX}"),
            );
            return vec![Outcome::Refused(error); units.len()];
        }
        let faults: Vec<Option<StoreError>> = units.iter().map(|unit| unit.check().err()).collect();
        if faults.iter().all(Option::is_none) {
            return self.backend.commit(units).await;
        }
        let valid: Vec<Unit> = units
            .into_iter()
            .zip(&faults)
            .filter_map(|(unit, fault)| fault.is_none().then_some(unit))
            .collect();
        let mut answers = match valid.is_empty() {
            true => Vec::new(),
            false => self.backend.commit(valid).await,
        }
        .into_iter();
        faults
            .into_iter()
            .map(|fault| match fault {
                Some(error) => Outcome::Refused(error),
                None => answers.next().expect("a backend answers every unit"),
            })
            .collect()
    }

    /// Lets what is queued finish, writes out what speeds up the next opening, stops threads and
    /// releases files. Later calls on any handle answer [`ErrorKind::Unavailable`]; closing again
    /// does nothing.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.backend.close().await
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
