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
use crate::door::{Door, Opening};
use crate::metrics::Metrics;
use crate::native::Framing;
use crate::session::{Dialect, Outbox, Session};
use crate::websocket::handshake::{self, Claim, Decision};

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
        let spoken = Spoken::Native(Framing::Length);
        return serve(stream, spoken, Vec::new(), (peer, place), shared);
    }
    let mut head = Vec::new();
    let reading = read_head(&mut stream, &mut head, shared);
    let refusal = match timeout_at(deadline, reading).await {
        Ok(Ok(Wanted::Socket { spoken, head_len })) => {
            let unread = head[head_len..].to_vec();
            return serve(stream, spoken, unread, (peer, place), shared);
        }
        Ok(Ok(Wanted::Http)) => {
            tokio::spawn(http::serve(stream, head, peer, place, shared.clone()));
            return;
        }
        Ok(Ok(Wanted::Refuse(response))) => response,
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

/// What somebody wants.
enum Wanted {
    /// A session, with frames behind so many bytes.
    Socket { spoken: Spoken, head_len: usize },
    /// Something over HTTP.
    Http,
    /// Something that can't be had.
    Refuse(Bytes),
}

/// What is spoken on a socket, with the answer to the handshake.
enum Spoken {
    Native(Framing),
    Web(Bytes),
    Door(Arc<dyn Door>, &'static str, Bytes),
}

/// Reads until it is clear what is wanted.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    head: &mut Vec<u8>,
    shared: &Shared,
) -> io::Result<Wanted> {
    let bytes_max = shared.limits.head_bytes_max;
    loop {
        if poll_fn(|cx| read_some(stream, cx, head)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let too_large = head.len() >= bytes_max;
        return Ok(match handshake::decide(head, CONNECT_PATH, SUBPROTOCOL) {
            Decision::Incomplete if !too_large => continue,
            Decision::Incomplete => Wanted::Refuse(handshake::head_too_large()),
            Decision::Upgrade { head_len, .. } if head_len > bytes_max => {
                Wanted::Refuse(handshake::head_too_large())
            }
            Decision::Upgrade { response, head_len } => Wanted::Socket {
                spoken: Spoken::Web(response),
                head_len,
            },
            Decision::Refuse(response) => Wanted::Refuse(response),
            Decision::Other => match handshake::claim(head, &shared.protocols) {
                Claim::Incomplete if !too_large && !shared.doors.is_empty() => continue,
                Claim::Incomplete | Claim::None => Wanted::Http,
                Claim::Refuse(response) => Wanted::Refuse(response),
                Claim::Upgrade {
                    protocol,
                    response,
                    head_len,
                } => {
                    let mut doors = shared.doors.iter();
                    let door = doors.find(|door| door.protocols().contains(&protocol));
                    let door = door.expect("the protocols are those of the doors").clone();
                    let spoken = Spoken::Door(door, protocol, response);
                    Wanted::Socket { spoken, head_len }
                }
            },
        });
    }
}

/// Makes a session of it, in a fresh task.
fn serve<S: Stream>(
    stream: S,
    spoken: Spoken,
    unread: Vec<u8>,
    (peer, place): (SocketAddr, Place),
    shared: &Arc<Shared>,
) {
    let context = shared.context.clone();
    let (socket, wire) = stream.into_socket();
    let (dialect, answer, decoder): (&'static dyn Dialect, _, _) = match &spoken {
        Spoken::Native(framing) => (framing.dialect(), Bytes::new(), Decoder::length()),
        Spoken::Web(answer) => {
            let dialect = Framing::WebSocket.dialect();
            (dialect, answer.clone(), Decoder::websocket())
        }
        Spoken::Door(door, protocol, answer) => {
            (door.dialect(protocol), answer.clone(), Decoder::websocket())
        }
    };
    let outbox = Outbox::new(
        wire,
        dialect,
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
    let framing = match spoken {
        Spoken::Native(framing) => framing,
        Spoken::Web(_) => Framing::WebSocket,
        Spoken::Door(door, protocol, _) => {
            let handler = door.open(Opening {
                context,
                protocol,
                line: outbox.clone(),
                peer,
                now: clock.now(),
            });
            let connection = Connection::new(socket, outbox, handler, decoder, kept, clock)
                .received(unread)
                .lingering(linger);
            tokio::spawn(connection);
            return;
        }
    };
    let session = Session::new(context, outbox.clone(), framing, clock.now());
    let connection = Connection::new(socket, outbox, session, decoder, kept, clock)
        .received(unread)
        .lingering(linger);
    tokio::spawn(connection);
}
