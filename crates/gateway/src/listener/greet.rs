//! From an accepted socket to whatever is spoken on it.
//!
//! This runs in a task of its own that ends as soon as the connection has been handed on, so that
//! what it takes to find out is not kept as long as the connection.

#![expect(
    clippy::disallowed_methods,
    reason = "the adapter that owns sockets also owns its tasks and timers"
)]

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anser_domain::Code;
use anser_engine::SessionSink as _;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;

use super::accept::Port;
use super::admission::Place;
use super::gateway::Shared;
use super::registry::Entry;
use super::{CONNECT_PATH, SUBPROTOCOL, http};
use crate::connection::{Connection, Decoder, Guard, PlainSocket, Socket, TlsSocket, read_some};
use crate::metrics::Metrics;
use crate::native::Framing;
use crate::session::{Outbox, Session};
use crate::websocket::handshake::{self, Decision};

/// What an open session keeps of the listener.
struct Kept {
    place: Place,
    _entry: Entry,
}

impl Guard for Kept {
    fn authenticated(&mut self) {
        self.place.authenticated();
    }
}

/// A stream that can become the socket of a connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    type Socket: Socket;

    fn into_socket(self) -> (Self::Socket, <Self::Socket as Socket>::Wire);
}

impl Stream for TcpStream {
    type Socket = PlainSocket;

    fn into_socket(self) -> (PlainSocket, <PlainSocket as Socket>::Wire) {
        PlainSocket::new(self)
    }
}

impl Stream for TlsStream<TcpStream> {
    type Socket = TlsSocket;

    fn into_socket(self) -> (TlsSocket, <TlsSocket as Socket>::Wire) {
        TlsSocket::new(self)
    }
}

/// Serves a connection just accepted.
pub(super) async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    shared: Arc<Shared>,
    port: Port,
) {
    let mut draining = shared.draining.clone();
    let greeting = async {
        let deadline = Instant::now() + shared.limits.handshake_time;
        let Some(tls) = &shared.tls else {
            return find_out(stream, deadline, peer, place, &shared, port).await;
        };
        match timeout_at(deadline, tls.accept(stream)).await {
            Ok(Ok(stream)) => find_out(stream, deadline, peer, place, &shared, port).await,
            Ok(Err(_)) | Err(_) => Metrics::count(&shared.context.metrics.handshake_failures),
        }
    };
    tokio::select! {
        biased;
        () = greeting => {}
        // Who has not said anything when the gateway drains is not waited for.
        _ = draining.wait_for(|draining| *draining) => {}
    }
}

/// Finds out what is spoken, and hands the stream on.
async fn find_out<S: Stream>(
    mut stream: S,
    deadline: Instant,
    peer: SocketAddr,
    place: Place,
    shared: &Arc<Shared>,
    port: Port,
) {
    if port == Port::Tcp {
        return serve(
            stream,
            Framing::Length,
            Bytes::new(),
            Vec::new(),
            place,
            shared,
        );
    }
    let mut head = Vec::new();
    let reading = read_head(&mut stream, &mut head, shared.limits.head_bytes_max);
    let refusal = match timeout_at(deadline, reading).await {
        Ok(Ok(Decision::Upgrade { response, head_len })) => {
            let unread = head[head_len..].to_vec();
            return serve(stream, Framing::WebSocket, response, unread, place, shared);
        }
        Ok(Ok(Decision::Other)) => {
            tokio::spawn(http::serve(stream, head, peer, place, shared.clone()));
            return;
        }
        Ok(Ok(Decision::Refuse(response))) => response,
        Ok(Ok(Decision::Incomplete)) => handshake::head_too_large(),
        // Gone before it said what it wants.
        Ok(Err(_)) => return,
        Err(_) => handshake::too_slow(),
    };
    Metrics::count(&shared.context.metrics.handshake_failures);
    // Who does not read this much in time does not get it.
    let _ = timeout(shared.limits.linger_time, async {
        stream.write_all(&refusal).await?;
        stream.shutdown().await
    })
    .await;
}

/// Reads until it is clear what is wanted; `Incomplete` if it is not after so many bytes.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    head: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Decision> {
    loop {
        if poll_fn(|cx| read_some(stream, cx, head)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match handshake::decide(head, CONNECT_PATH, SUBPROTOCOL) {
            Decision::Incomplete if head.len() < bytes_max => {}
            Decision::Upgrade { head_len, .. } if head_len > bytes_max => {
                return Ok(Decision::Incomplete);
            }
            decision => return Ok(decision),
        }
    }
}

/// Makes a session of it, in a fresh task.
fn serve<S: Stream>(
    stream: S,
    framing: Framing,
    answer: Bytes,
    unread: Vec<u8>,
    place: Place,
    shared: &Arc<Shared>,
) {
    let context = shared.context.clone();
    let (socket, wire) = stream.into_socket();
    let outbox = Outbox::new(
        wire,
        framing.dialect(),
        context.settings.outbox_bytes_max,
        context.metrics.clone(),
    );
    if !answer.is_empty() {
        outbox.reply(answer);
    }
    let kept = Kept {
        place,
        _entry: shared.registry.enter(outbox.clone()),
    };
    if *shared.draining.borrow() {
        // The others may have been told already.
        outbox.close(Code::ShuttingDown.into());
    }
    let (clock, linger) = (shared.clock, shared.limits.linger_time);
    let session = Session::new(context, outbox.clone(), framing, clock.now());
    let decoder = match framing {
        Framing::WebSocket => Decoder::websocket(),
        Framing::Length => Decoder::length(),
    };
    let connection = Connection::new(socket, outbox, session, decoder, kept, clock)
        .received(unread)
        .lingering(linger);
    tokio::spawn(connection);
}
