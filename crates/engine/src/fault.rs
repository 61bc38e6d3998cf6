//! What the store's errors mean to a caller.

use anser_domain::{Code, Reject};
use anser_store::{ErrorKind, StoreError};

/// How long a client waits before it tries an unavailable server again.
const UNAVAILABLE_RETRY_MS: u32 = 1_000;

/// A failed read, or a write that was certainly not applied.
pub(crate) fn reject(error: &StoreError) -> Reject {
    let code = match error.kind() {
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Full => Code::StorageFull,
        ErrorKind::Invalid | ErrorKind::Corrupt => Code::Internal,
    };
    if code == Code::Internal {
        tracing::error!(%error, "the store refused");
    } else {
        tracing::warn!(%error, "the store is out of reach");
    }
    Reject::from(code).retry_after_ms(UNAVAILABLE_RETRY_MS)
}
