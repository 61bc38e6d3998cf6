//! Sockets as a connection uses them, plain and TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::server::TlsStream;

use super::scratch::poll_read;
use crate::session::{Drain, Outbox, Wire};

/// A clock that never goes back, in milliseconds from its making.
#[derive(Copy, Clone, Debug)]
pub struct Clock(Instant);

#[expect(
    clippy::disallowed_methods,
    reason = "this is the adapter to the clock"
)]
impl Clock {
    /// A clock that starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant of a time of this clock.
    pub(super) fn instant(&self, at: u64) -> tokio::time::Instant {
        (self.0 + Duration::from_millis(at)).into()
    }
}

/// What the task of a connection does with its socket.
pub trait Socket: Send + Unpin + 'static {
    /// What the outbox writes to by itself.
    type Wire: Wire;

    /// Reads what there is; zero at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes out the outbox. Never [`Drain::Blocked`]: that is pending.
    fn poll_drain(&mut self, cx: &mut Context<'_>, outbox: &Outbox<Self::Wire>) -> Poll<Drain>;

    /// Tells the peer that nothing more comes.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>, outbox: &Outbox<Self::Wire>) -> Poll<()>;
}

/// A TCP socket: reads here, while the outbox holds the other half and writes.
#[derive(Debug)]
pub struct PlainSocket(OwnedReadHalf);

/// The writing half of a TCP socket.
#[derive(Debug)]
pub struct Direct(OwnedWriteHalf);

impl PlainSocket {
    /// The two halves of a stream.
    #[must_use]
    pub fn new(stream: TcpStream) -> (Self, Direct) {
        let (read, write) = stream.into_split();
        (Self(read), Direct(write))
    }
}

impl Wire for Direct {
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Straight to the kernel: asking the runtime first whether the socket is ready costs a
        // cache miss, and it almost always is. If it is not, the runtime has to be told.
        let stream: &TcpStream = self.0.as_ref();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = match slices {
            [only] => rustix::net::send(stream, only, flags),
            several => sendmsg(stream, several, &mut SendAncillaryBuffer::default(), flags),
        };
        match sent {
            Err(Errno::AGAIN) => self.0.try_write_vectored(slices),
            sent => Ok(sent?),
        }
    }
}

impl Socket for PlainSocket {
    type Wire = Direct;

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(&mut self.0, cx, into)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, outbox: &Outbox<Direct>) -> Poll<Drain> {
        loop {
            match outbox.resume() {
                // The socket said that it is full, or that it can't tell yet; this asks it to
                // wake us, or says that it changed its mind.
                Drain::Blocked => {
                    if ready!(self.0.as_ref().poll_write_ready(cx)).is_err() {
                        return Poll::Ready(Drain::Broken);
                    }
                }
                drain => return Poll::Ready(drain),
            }
        }
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>, outbox: &Outbox<Direct>) -> Poll<()> {
        // Dropping the writing half shuts it down.
        outbox.end();
        Poll::Ready(())
    }
}

/// A TLS stream, which only its task can use.
#[derive(Debug)]
pub struct TlsSocket(Box<TlsStream<TcpStream>>);

/// Leaves all writing to the task.
#[derive(Copy, Clone, Debug)]
pub struct Indirect;

impl TlsSocket {
    /// A stream whose handshake is done.
    #[must_use]
    pub fn new(stream: TlsStream<TcpStream>) -> (Self, Indirect) {
        (Self(Box::new(stream)), Indirect)
    }
}

impl Wire for Indirect {
    fn try_write(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Socket for TlsSocket {
    type Wire = Indirect;

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(&mut *self.0, cx, into)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, outbox: &Outbox<Indirect>) -> Poll<Drain> {
        let stream = &mut self.0;
        let drain = outbox.resume_with(|slices| {
            match Pin::new(&mut **stream).poll_write_vectored(cx, slices) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        if drain == Drain::Blocked {
            return Poll::Pending;
        }
        // Records that rustls holds back go out now, or when the socket is writable; then the
        // task is woken and comes here again.
        match Pin::new(&mut *self.0).poll_flush(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(drain),
            Poll::Ready(Err(_)) => Poll::Ready(Drain::Broken),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>, outbox: &Outbox<Indirect>) -> Poll<()> {
        // An error here ends the connection all the same.
        let _ = ready!(Pin::new(&mut *self.0).poll_shutdown(cx));
        outbox.end();
        Poll::Ready(())
    }
}

/// Whoever waits for a [`Socket`] shares its outbox.
pub(super) type Shared<S> = Arc<Outbox<<S as Socket>::Wire>>;
