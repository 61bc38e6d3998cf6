//! Doors: other protocols on the same port.
//!
//! A [`Door`] claims WebSocket handshakes by their sub-protocol, wherever they are addressed to,
//! and makes the [`Handler`] that speaks on the connection. What it sends goes through the
//! connection's [`Line`], which is the same outbox as that of a native session: bounded, shared
//! bytes, written at once. An app sets up its doors by the API; what the settings mean is known to
//! the door alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{self, Poll};

use anser_domain::{AppId, Reject};
use anser_engine::SessionSink;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::session::{Context, Dialect, Handler, IdInUse, Outbox, Wire};

/// Another protocol.
pub trait Door: Send + Sync + 'static {
    /// Its name in the API.
    fn name(&self) -> &'static str;

    /// The sub-protocols by which clients ask for it. A client that can't set the header says it
    /// in the query, as `subprotocol`.
    fn protocols(&self) -> &'static [&'static str];

    /// How connections that speak a sub-protocol end, and are told that they missed something.
    fn dialect(&self, protocol: &'static str) -> &'static dyn Dialect;

    /// Speaks on a connection just made.
    fn open(&self, opening: Opening) -> Box<dyn Handler>;

    /// What an app has set up, without its secrets. `None`: nothing.
    fn settings(&self, app: AppId) -> BoxFuture<'_, Result<Option<Value>, Reject>>;

    /// Sets up the door of an app; answers what [`Door::settings`] answers from now on.
    fn set_up(
        &self,
        app: AppId,
        settings: Map<String, Value>,
    ) -> BoxFuture<'_, Result<Value, Reject>>;
}

/// A connection just made.
pub struct Opening {
    /// What all sessions share.
    pub context: Arc<Context>,
    /// The one of [`Door::protocols`] that was asked for.
    pub protocol: &'static str,
    /// What goes out.
    pub line: Arc<dyn Line>,
    /// Who is on the other side.
    pub peer: SocketAddr,
    /// The transport's clock, as in [`Handler`].
    pub now: u64,
}

/// The outgoing side of a connection, for a handler with several sessions on it.
pub trait Line: SessionSink {
    /// Queues a whole frame that must not be dropped.
    fn reply(&self, frame: Bytes);

    /// Queues a whole frame that may be dropped if the client is too slow; one that is
    /// `transient` first, and silently. For others the client is told, by [`Dialect::check`].
    fn event(&self, frame: Bytes, transient: bool);

    /// Notes a send as unanswered until [`Line::answer`]: only so many may be on their way.
    ///
    /// # Errors
    /// The id is that of a send not yet answered.
    fn expect(&self, request: u32) -> Result<(), IdInUse>;

    /// Queues the answer to a send, a whole frame.
    fn answer(&self, request: u32, frame: Bytes);

    /// Is there room for the replies to another frame of requests?
    fn poll_ready(&self, cx: &task::Context<'_>) -> Poll<()>;

    /// Has the server ended the connection, before it was lost?
    fn is_closed_from_here(&self) -> bool;
}

impl<W: Wire> Line for Outbox<W> {
    fn reply(&self, frame: Bytes) {
        Self::reply(self, frame);
    }

    fn event(&self, frame: Bytes, transient: bool) {
        Self::event(self, frame, transient);
    }

    fn expect(&self, request: u32) -> Result<(), IdInUse> {
        Self::expect(self, request)
    }

    fn answer(&self, request: u32, frame: Bytes) {
        Self::answer(self, request, frame);
    }

    fn poll_ready(&self, cx: &task::Context<'_>) -> Poll<()> {
        Self::poll_ready(self, cx)
    }

    fn is_closed_from_here(&self) -> bool {
        Self::is_closed_from_here(self)
    }
}
