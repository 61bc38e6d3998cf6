//! One connection: a socket, a handler, and the one task that moves bytes between them.
//!
//! **Memory.** A connection that is idle owns its task, its outbox and its timer, and no buffer:
//! reading goes into a scratch buffer that all connections of a thread share, out of which frames
//! are decoded in place. Only a frame cut off by the end of a read is kept, and what followed a
//! frame that the handler is still working on.
//!
//! **Writing** is mostly not done here: whoever puts an event into the outbox writes it at once
//! ([`Outbox`](crate::session::Outbox)). The task writes what did not fit, once the socket is
//! writable, and everything on TLS, whose state only it can touch.
//!
//! **Time.** One timer a connection, armed for the handler's next deadline as it was when the
//! timer was set. Deadlines move with every frame; the timer doesn't, it looks again when it
//! fires. A deadline that comes nearer, such as the end of a lingering close, re-arms it.
//!
//! **End.** Once the farewell is on the wire the task waits, for a limited time, until the peer
//! closes its side, throwing away what it still sends: closing a socket with unread bytes would
//! reset it, and the peer would never read the farewell.

mod driver;
mod framing;
mod length;
mod scratch;
mod socket;

pub use driver::{Connection, Guard};
pub use framing::{Decoder, Item, Refusal};
pub(crate) use scratch::read_some;
pub use socket::{Clock, Direct, Indirect, PlainSocket, Socket, TlsSocket};
