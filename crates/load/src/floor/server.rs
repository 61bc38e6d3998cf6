//! The loop of a floor, in its own process.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::frames::{self, Frames, SEQ_BASE, SendLayout};

const LISTENER: Token = Token(usize::MAX);
/// The log is laid out ahead, as a good log is: so a sync does not have to write a new file size.
const LOG_BYTES: u64 = 1 << 30;
/// Connections of one floor.
const CONNECTIONS_MAX: usize = 19_000;
/// Bytes of text in a message; the client's default as well.
pub(crate) const BODY_BYTES: usize = 200;

/// What the loop does with messages.
pub(crate) enum Work {
    /// Of number 0, to all others.
    Fan,
    /// Of number 2n, to 2n+1, and an ack after the sync.
    Relay(File),
}

impl Work {
    /// A relay with a new log in a directory.
    pub(crate) fn relay(dir: &Path) -> io::Result<Self> {
        let log = tempfile::tempfile_in(dir)?;
        rustix::fs::fallocate(&log, rustix::fs::FallocateFlags::empty(), 0, LOG_BYTES)?;
        Ok(Self::Relay(log))
    }
}

#[derive(Default)]
struct Conversation {
    seq: u32,
}

struct Connection {
    socket: TcpStream,
    /// What the client said it is.
    number: Option<usize>,
    partial: Vec<u8>,
    out: Vec<u8>,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Connection>,
    /// Connection of a number.
    by_number: Vec<usize>,
    conversations: Vec<Conversation>,
    frames: Frames,
    layout: Option<SendLayout>,
    welcome: Vec<u8>,
    work: Work,
    log: Vec<u8>,
    logged: u64,
    /// What goes to every receiver of a fan.
    fan: Vec<u8>,
    /// Connections to which something is to be written once the log is synced.
    touched: Vec<usize>,
    scratch: Vec<u8>,
}

/// Runs until the parent is gone.
pub(crate) fn run(work: Work) -> io::Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let port = listener.local_addr()?.port();
    let poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut out = io::stdout();
    writeln!(out, "{port}")?;
    out.flush()?;
    let mut floor = Floor {
        poll,
        listener,
        connections: Vec::new(),
        by_number: Vec::new(),
        conversations: Vec::new(),
        frames: Frames::new(super::CONVERSATION, BODY_BYTES),
        layout: None,
        welcome: frames::welcome(),
        work,
        log: Vec::new(),
        logged: 0,
        fan: Vec::new(),
        touched: Vec::new(),
        scratch: vec![0; 64 * 1024],
    };
    let parent = rustix::process::getppid();
    let mut events = Events::with_capacity(1024);
    while rustix::process::getppid() == parent {
        match floor.poll.poll(&mut events, Some(Duration::from_secs(1))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                Token(link) => floor.read(link)?,
            }
        }
        floor.settle()?;
    }
    Ok(())
}

impl Floor {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let link = self.connections.len();
            if link == CONNECTIONS_MAX {
                return Err(io::Error::other("too many connections"));
            }
            socket.set_nodelay(true)?;
            let interest = Interest::READABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(link), interest)?;
            self.connections.push(Connection {
                socket,
                number: None,
                partial: Vec::new(),
                out: Vec::new(),
            });
            // What came with the connection may have been there before it was registered.
            self.read(link)?;
        }
    }

    fn read(&mut self, link: usize) -> io::Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        loop {
            let connection = &mut self.connections[link];
            let kept = connection.partial.len();
            scratch[..kept].copy_from_slice(&connection.partial);
            connection.partial.clear();
            let read = match connection.socket.read(&mut scratch[kept..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                // A client that leaves is the end of a run.
                Err(_) => 0,
            };
            let len = kept + read;
            let mut at = 0;
            while let Some((payload, used)) = frames::client_frame(&mut scratch[at..len]) {
                self.message(link, payload)?;
                at += used;
            }
            self.connections[link]
                .partial
                .extend_from_slice(&scratch[at..len]);
            if len < scratch.len() {
                break;
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn message(&mut self, link: usize, payload: &[u8]) -> io::Result<()> {
        let wrong = || io::Error::other("a frame that no client of a floor sends");
        let Some(number) = self.connections[link].number else {
            let number = frames::number_of(payload).filter(|number| *number < CONNECTIONS_MAX);
            let number = number.ok_or_else(wrong)?;
            self.connections[link].number = Some(number);
            if self.by_number.len() <= number {
                self.by_number.resize(number + 1, usize::MAX);
                self.conversations
                    .resize_with(number + 1, Conversation::default);
            }
            self.by_number[number] = link;
            let connection = &mut self.connections[link];
            connection.out.extend_from_slice(&self.welcome);
            self.touched.push(link);
            return Ok(());
        };
        if self.layout.is_none() {
            self.layout = SendLayout::learn(payload);
        }
        let layout = self.layout.as_ref().ok_or_else(wrong)?;
        let send = layout.read(payload).ok_or_else(wrong)?;
        let conversation = &mut self.conversations[number];
        let seq = SEQ_BASE + conversation.seq;
        conversation.seq += 1;
        self.frames
            .ack(seq, send.request, &mut self.connections[link].out);
        self.touched.push(link);
        if let Work::Relay(_) = &self.work {
            self.log.extend_from_slice(&seq.to_le_bytes());
            self.log.extend_from_slice(payload);
            let peer = self
                .by_number
                .get(number ^ 1)
                .copied()
                .unwrap_or(usize::MAX);
            let peer_connection = self.connections.get_mut(peer).ok_or_else(wrong)?;
            self.frames.push(seq, &send, &mut peer_connection.out);
            self.touched.push(peer);
        } else {
            self.frames.push(seq, &send, &mut self.fan);
        }
        Ok(())
    }

    /// Syncs what the turn has logged, then writes what it has to say.
    fn settle(&mut self) -> io::Result<()> {
        if let Work::Relay(file) = &mut self.work
            && !self.log.is_empty()
        {
            self.logged += self.log.len() as u64;
            if self.logged > LOG_BYTES {
                return Err(io::Error::other("the log is full: a shorter run, please"));
            }
            file.write_all(&self.log)?;
            file.sync_data()?;
            self.log.clear();
        }
        for link in std::mem::take(&mut self.touched) {
            let connection = &mut self.connections[link];
            if !connection.out.is_empty() {
                let out = std::mem::take(&mut connection.out);
                write(&mut connection.socket, &out)?;
                connection.out = out;
                connection.out.clear();
            }
        }
        if !self.fan.is_empty() {
            for link in self.by_number.iter().skip(1) {
                write(&mut self.connections[*link].socket, &self.fan)?;
            }
            self.fan.clear();
        }
        Ok(())
    }
}

/// The window of a run is far smaller than a socket's buffer, so a full one is a fault of the run.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    match socket.write(bytes) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::other("a receiver does not read")),
        // A client that has left is the end of a run.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}
