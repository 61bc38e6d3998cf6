//! Errors, sorted by what the caller should do about them.

/// What the caller should do.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum ErrorKind {
    /// The store cannot answer now (closed, disk failing, connection lost): retry later.
    Unavailable,
    /// No space is left: writes are refused, reads work. Clears by itself once space is freed.
    Full,
    /// The request breaks a documented limit or rule: a fault of the caller, retrying is useless.
    Invalid,
    /// Stored data failed verification: stop and call an operator; never overwrite it.
    Corrupt,
}

/// A failed operation: a kind to act on, and a detail for the log.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error("store {kind:?}: {detail}")]
pub struct StoreError {
    kind: ErrorKind,
    detail: String,
}

impl StoreError {
    /// An error of `kind`; `detail` says what happened, why, and what to do, for an operator.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> StoreError {
        StoreError {
            kind,
            detail: detail.into(),
        }
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, for the log.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn closed() -> StoreError {
        StoreError::new(ErrorKind::Unavailable, "the store is closed")
    }
}
