//! The epoll loop and its connections.
//!
//! A [`Swarm`] owns the sockets; what is to be done with a frame is the [`Handler`]'s. Readiness
//! is edge-triggered: a socket is read until it gives less than was asked for. A send goes to the
//! socket at once and only what does not fit is kept.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::websocket::{self, Upgrade};

/// Read buffer shared by all connections: a large page of history fits.
const SCRATCH_BYTES: usize = 256 * 1024;
/// A server that does not read is broken; so much may wait for one connection.
const UNSENT_BYTES_MAX: usize = 8 << 20;

/// How a connection is opened.
#[derive(Clone)]
pub(crate) enum Opening {
    /// An HTTP upgrade to WebSocket.
    WebSocket {
        /// For the `Host` header.
        host: String,
        /// Such as `/v1/connect`.
        path: String,
    },
    /// WebSocket frames from the first byte on: the floors have no handshake.
    Raw,
}

/// What happens to connections.
pub(crate) trait Handler {
    /// The connection stands and, if there is one, the upgrade is done.
    fn opened(&mut self, links: &mut Links, link: usize);
    /// A binary message has arrived.
    fn frame(&mut self, links: &mut Links, link: usize, payload: &[u8]) -> Result<(), String>;
    /// The connection is gone, though [`Links::close`] was not called.
    fn closed(&mut self, links: &mut Links, link: usize, why: &str) -> Result<(), String>;
}

#[derive(Eq, PartialEq, Debug)]
enum Stage {
    Connecting,
    Upgrading,
    Open,
}

struct Connection {
    socket: TcpStream,
    stage: Stage,
    opening: Opening,
    /// Bytes of a frame of which the rest has not arrived.
    partial: Vec<u8>,
    /// Bytes which the socket did not take.
    unsent: Vec<u8>,
}

/// The connections, by number. A number is never used again.
pub(crate) struct Links {
    registry: mio::Registry,
    connections: Vec<Option<Connection>>,
}

impl Links {
    /// Begins to connect; [`Handler::opened`] follows, or [`Handler::closed`].
    pub(crate) fn connect(&mut self, to: SocketAddr, opening: Opening) -> io::Result<usize> {
        let link = self.connections.len();
        let mut socket = TcpStream::from_std(open_socket(to, link)?);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut socket, Token(link), interest)?;
        self.connections.push(Some(Connection {
            socket,
            stage: Stage::Connecting,
            opening,
            partial: Vec::new(),
            unsent: Vec::new(),
        }));
        Ok(link)
    }

    /// Sends bytes that are a frame already. Of a connection that is gone, nothing is said here:
    /// [`Handler::closed`] says it, or did.
    pub(crate) fn send(&mut self, link: usize, frame: &[u8]) {
        if let Some(Some(connection)) = self.connections.get_mut(link) {
            connection.send(frame);
        }
    }

    /// Drops a connection with a reset, which leaves no socket behind in TIME_WAIT: tens of
    /// thousands of them would use up the ports of the loopback.
    pub(crate) fn close(&mut self, link: usize) {
        if let Some(mut connection) = self.connections.get_mut(link).and_then(Option::take) {
            // Nothing can be done about a socket that does not go quietly.
            let _ = self.registry.deregister(&mut connection.socket);
            let _ = socket2::SockRef::from(&connection.socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// Drops them all.
    pub(crate) fn close_all(&mut self) {
        for link in 0..self.connections.len() {
            self.close(link);
        }
    }
}

/// Sources are spread over loopback addresses, as clients come from many: a server's limits per
/// address are not what is measured here.
fn open_socket(to: SocketAddr, link: usize) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if to.ip().is_loopback() && to.is_ipv4() {
        let low = u8::try_from(link % 250 + 1).expect("below 251");
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 1, low), 0));
        socket.bind(&SockAddr::from(source))?;
    }
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        // EINPROGRESS: the loop reports the outcome.
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

impl Connection {
    fn send(&mut self, frame: &[u8]) {
        if !self.unsent.is_empty() {
            self.keep(frame);
            return;
        }
        match self.socket.write(frame) {
            Ok(written) => self.keep(&frame[written..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.keep(frame),
            // The read side reports why.
            Err(_) => {}
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.unsent.len() + bytes.len() <= UNSENT_BYTES_MAX {
            self.unsent.extend_from_slice(bytes);
        } else {
            // What is lost here is missed by the scenario's own count.
            let _ = self.socket.shutdown(std::net::Shutdown::Both);
        }
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(_) => return,
            }
        }
        self.unsent = Vec::new();
    }
}

/// The loop.
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    reads: u64,
    pub(crate) links: Links,
}

impl Swarm {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            scratch: vec![0; SCRATCH_BYTES],
            reads: 0,
            links: Links {
                registry,
                connections: Vec::new(),
            },
        })
    }

    /// How many reads have brought something.
    pub(crate) fn reads(&self) -> u64 {
        self.reads
    }

    /// Waits for readiness, at most so long, and handles what there is.
    pub(crate) fn turn<H: Handler>(
        &mut self,
        wait: Duration,
        handler: &mut H,
    ) -> Result<(), String> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(format!("epoll: {error}")),
        }
        let ready: Vec<(usize, bool, bool)> = self
            .events
            .iter()
            .map(|event| {
                let readable = event.is_readable() || event.is_read_closed() || event.is_error();
                (event.token().0, readable, event.is_writable())
            })
            .collect();
        for (link, readable, writable) in ready {
            if writable {
                self.writable(link, handler)?;
            }
            if readable {
                self.readable(link, handler)?;
            }
        }
        Ok(())
    }

    fn writable<H: Handler>(&mut self, link: usize, handler: &mut H) -> Result<(), String> {
        let Some(Some(connection)) = self.links.connections.get_mut(link) else {
            return Ok(());
        };
        if connection.stage != Stage::Connecting {
            connection.flush();
            return Ok(());
        }
        if let Ok(Some(error)) | Err(error) = connection.socket.take_error() {
            return self.lost(link, &format!("connect: {error}"), handler);
        }
        match connection.socket.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
            Err(error) => return self.lost(link, &format!("connect: {error}"), handler),
        }
        if let Opening::WebSocket { host, path } = &connection.opening {
            let request = websocket::upgrade_request(host, path);
            connection.stage = Stage::Upgrading;
            connection.send(&request);
        } else {
            connection.stage = Stage::Open;
            handler.opened(&mut self.links, link);
        }
        Ok(())
    }

    fn readable<H: Handler>(&mut self, link: usize, handler: &mut H) -> Result<(), String> {
        loop {
            let Some(Some(connection)) = self.links.connections.get_mut(link) else {
                return Ok(());
            };
            if connection.stage == Stage::Connecting {
                return Ok(());
            }
            // What is left of a frame goes in front of what comes now.
            let kept = connection.partial.len();
            if kept + 4096 > self.scratch.len() {
                self.scratch.resize(2 * kept + SCRATCH_BYTES, 0);
            }
            self.scratch[..kept].copy_from_slice(&connection.partial);
            connection.partial.clear();
            let room = self.scratch.len() - kept;
            let (read, error) = match connection.socket.read(&mut self.scratch[kept..]) {
                Ok(0) => (0, Some("closed by the server".to_owned())),
                Ok(read) => (read, None),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (0, None),
                Err(error) => (0, Some(error.to_string())),
            };
            self.reads += u64::from(read > 0);
            let used = self.consume(link, kept + read, handler)?;
            if let Some(Some(connection)) = self.links.connections.get_mut(link) {
                connection
                    .partial
                    .extend_from_slice(&self.scratch[used..kept + read]);
                if connection.partial.is_empty() && connection.partial.capacity() > SCRATCH_BYTES {
                    connection.partial = Vec::new();
                }
            }
            if let Some(error) = error {
                return self.lost(link, &error, handler);
            }
            // With edge triggering, a short read has emptied the socket (epoll(7)).
            if read < room {
                return Ok(());
            }
        }
    }

    /// Handles the frames in the first `len` bytes of the scratch buffer; how many bytes are done.
    fn consume<H: Handler>(
        &mut self,
        link: usize,
        len: usize,
        handler: &mut H,
    ) -> Result<usize, String> {
        let mut at = 0;
        loop {
            let Some(Some(connection)) = self.links.connections.get_mut(link) else {
                return Ok(len);
            };
            let bytes = &self.scratch[at..len];
            if connection.stage == Stage::Upgrading {
                match websocket::upgrade_response(bytes) {
                    Upgrade::Incomplete => return Ok(at),
                    Upgrade::Refused(why) => {
                        self.lost(link, &format!("upgrade: {why}"), handler)?;
                        return Ok(len);
                    }
                    Upgrade::Accepted(head) => {
                        at += head;
                        connection.stage = Stage::Open;
                        handler.opened(&mut self.links, link);
                        continue;
                    }
                }
            }
            let Some(frame) = websocket::parse(bytes)? else {
                return Ok(at);
            };
            let payload = &bytes[frame.payload.clone()];
            match frame.opcode {
                websocket::BINARY => handler.frame(&mut self.links, link, payload)?,
                websocket::PING => {
                    let pong = websocket::masked(websocket::PONG, payload);
                    connection.send(&pong);
                }
                websocket::PONG => {}
                websocket::CLOSE => {
                    let why = format!("close frame {:?}", String::from_utf8_lossy(payload));
                    self.lost(link, &why, handler)?;
                    return Ok(len);
                }
                opcode => return Err(format!("connection {link}: a frame of opcode {opcode}")),
            }
            at += frame.payload.end;
        }
    }

    fn lost<H: Handler>(&mut self, link: usize, why: &str, handler: &mut H) -> Result<(), String> {
        self.links.close(link);
        handler.closed(&mut self.links, link, why)
    }
}
