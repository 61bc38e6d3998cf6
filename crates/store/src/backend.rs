//! What a backend must do. Private: callers see only [`crate::Store`].

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::StoreError;
use crate::address::Key;
use crate::scan::{Scan, ScanPage};
use crate::unit::{Outcome, Unit};

/// The seam. Arguments were checked by the handle; semantics are those of the crate documentation
/// and of the conformance suite. Futures must not depend on a particular executor.
pub(crate) trait Backend: Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>>;

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<ScanPage, StoreError>>;

    fn commit(&self, units: Vec<Unit>) -> BoxFuture<'_, Vec<Outcome>>;

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
