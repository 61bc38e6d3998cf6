//! The accept loop of one port.

#![expect(
    clippy::disallowed_methods,
    reason = "the adapter that owns sockets also owns its tasks and timers"
)]

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anser_domain::Code;
use tokio::net::{TcpListener, TcpStream};

use super::gateway::Shared;
use super::greet;
use crate::metrics::Metrics;
use crate::native::Framing;
use crate::session::Dialect as _;
use crate::websocket::handshake;

/// Pauses after failures of accept, in milliseconds: the first, and the longest.
const PAUSE_MS: (u64, u64) = (10, 1_000);

/// What a port speaks.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Port {
    /// HTTP, and WebSocket by it.
    Http,
    /// Length-prefixed frames.
    Tcp,
}

/// Accepts until the gateway drains.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>, port: Port) {
    let mut draining = shared.draining.clone();
    let mut pause_ms = PAUSE_MS.0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause_ms = PAUSE_MS.0;
                Metrics::count(&shared.context.metrics.accepted);
                admit(stream, peer, &shared, port);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                Metrics::count(&shared.context.metrics.accept_errors);
                tracing::warn!(%error, pause_ms, "cannot accept connections; trying again");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
            }
        }
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, port: Port) {
    let Some(place) = shared.admission.admit(peer.ip()) else {
        Metrics::count(&shared.context.metrics.refused);
        if shared.tls.is_none() {
            refuse(stream, port);
        }
        return;
    };
    // What is written is complete; waiting for more to send along only delays it.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    tokio::spawn(greet::greet(stream, peer, place, shared.clone(), port));
}

/// Says why, as far as that goes without waiting: there is no room for a task either.
fn refuse(stream: TcpStream, port: Port) {
    let answer = match port {
        Port::Http => handshake::no_room(),
        Port::Tcp => Framing::Length
            .dialect()
            .last_words(&Code::TooManyConnections.into()),
    };
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(&answer);
    }
}

/// Did the connection fail before it was accepted? Then the next can be.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
