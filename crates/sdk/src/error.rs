//! What can go wrong, told by what an application does about it.
//!
//! Codes from 1000 on are the server's (`docs/errors.md`); the few below are the client's own
//! and say that the server was not asked, or did not answer.

use std::borrow::Cow;
use std::fmt;

use anser_domain::code::{Action, Code};
use anser_proto::client as wire;

/// The server could not be reached, or did not answer, twice. A send may or may not have arrived;
/// sending it again with the same client message id never stores it twice.
pub const SERVER_NOT_REACHABLE: u32 = 300;
/// There is no connection and none is being made.
pub const MESSAGE_WEBSOCKET_DISCONNECTED: u32 = 510;
/// Too much is waiting on this device; nothing was done.
pub const CLIENT_QUEUE_FULL: u32 = 520;

/// The local database failed: the disk is full or gone, or the file is damaged. The client stops.
pub const STORAGE_FAILED: u32 = 530;

/// A request, a connection or a conversation that failed.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Error {
    /// A code of the server (`docs/errors.md`) or one of this module.
    pub code: u32,
    /// Its stable name, such as `NOT_A_MEMBER`.
    pub name: Cow<'static, str>,
    /// For a developer to read.
    pub message: Cow<'static, str>,
    /// Wait at least so long before a retry, in milliseconds; 0 leaves it to the caller.
    pub retry_after_ms: u32,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.number(),
            name: code.name().into(),
            message: message.into(),
            retry_after_ms: 0,
        }
    }

    fn local(code: u32, name: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            name: name.into(),
            message: message.into(),
            retry_after_ms: 0,
        }
    }

    pub(crate) fn not_reachable() -> Self {
        let message = "the server could not be reached, or did not answer";
        Self::local(SERVER_NOT_REACHABLE, "SERVER_NOT_REACHABLE", message)
    }

    pub(crate) fn disconnected() -> Self {
        let message = "there is no connection and none is being made";
        Self::local(
            MESSAGE_WEBSOCKET_DISCONNECTED,
            "MESSAGE_WEBSOCKET_DISCONNECTED",
            message,
        )
    }

    pub(crate) fn queue_full() -> Self {
        let message = "too much is waiting on this device; nothing was done";
        Self::local(CLIENT_QUEUE_FULL, "CLIENT_QUEUE_FULL", message)
    }

    pub(crate) fn storage(why: impl Into<Cow<'static, str>>) -> Self {
        Self::local(STORAGE_FAILED, "STORAGE_FAILED", why)
    }

    /// What to do about it.
    #[must_use]
    pub fn action(&self) -> Action {
        Action::of(self.code)
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        Self {
            code: error.code,
            name: error.name.into(),
            message: error.message.into(),
            retry_after_ms: error.retry_after_ms,
        }
    }
}

impl From<crate::database::StorageError> for Error {
    fn from(error: crate::database::StorageError) -> Self {
        Self::storage(error.0)
    }
}

impl From<anser_domain::Reject> for Error {
    fn from(reject: anser_domain::Reject) -> Self {
        Self::new(reject.code, reject.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
